"""The report as one HTML file that needs nothing else: tables and plots, light or dark as the reader's system is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

from yett.evaluation import plots
from yett.evaluation.html import Cell, cards, code_table, details, number, panel, section, table
from yett.evaluation.intervals import Share
from yett.evaluation.plots import Bar, share_bar
from yett.evaluation.run import Report
from yett.evaluation.scoring import WHOLE, EntityScore, Group, LabelScore
from yett.version import __version__

_ENTITY_HEAD = ("entity", "marked", "found", "precision", "recall", "F2", "exact precision", "exact recall")
_LABEL_HEAD = ("", "to find", "benign", "AUROC", "at 1 % fp", "at 0.1 % fp", "recall", "benign flagged")
_POOLED = "all files, pooled"
_COST_HEAD = ("stage", "texts", "KB", "µs per KB", "CPU µs per KB", "p50 µs", "p95 µs", "p99 µs", "texts per s")


def render(report: Report, title: str = "Yett evaluation") -> str:
    """The page for `report`."""
    whole = report.groups[0]
    subtitle = f"{whole.rows:,} texts scored · {_count(len(report.detectors), 'detector')} · yett {__version__}"
    sections = (
        _cards(report, whole),
        _spans(report, whole),
        *(_task(report, label) for label in whole.labels),
        _quiet(report),
        _policy(report),
        _costs(report),
        _examples(report),
        _method(report),
    )
    template = Template(files("yett.evaluation").joinpath("report.html").read_text("utf-8"))
    return template.substitute(title=escape(title), subtitle=escape(subtitle), body="\n".join(filter(None, sections)))


def _cards(report: Report, whole: Group) -> str:
    told: list[tuple[str, str]] = []
    if whole.spans is not None and whole.spans.entities:
        overall = whole.spans.overall
        told += [
            (number(overall.precision), "precision"),
            (number(overall.recall), "recall"),
            (number(overall.f2), "F2"),
        ]
    for label in whole.labels:
        told.append((number(label.auroc), f"AUROC, {label.task}"))
        if 0.01 in label.recall_at:
            told.append((number(label.recall_at[0.01]), f"recall at 1 % false positives, {label.task}"))
    if whole.quiet is not None and whole.quiet.alarms is not None:
        told.append((f"{whole.quiet.alarms.value * 1000:.1f}", "false alarms per 1,000 texts with nothing to find"))
    if report.costs:
        us = report.costs[-1].us_per_kb
        told.append((f"{us:,.0f} µs" if us < 10_000 else f"{us / 1000:,.0f} ms", "per KB, nothing cached"))
    if report.failed:
        told.append((number(report.failed), "texts on which a detector failed"))
    return cards(told)


def _spans(report: Report, whole: Group) -> str:
    score = whole.spans
    if score is None or not score.entities:
        return ""
    everything = [*score.entities, score.overall, score.pii]
    chart = plots.bars([(one.entity, _entity_bars(one)) for one in everything], "Precision and recall per entity")
    about = (
        f"A found place is right where its characters overlap the marked one with an intersection over union of at "
        f"least {report.facts.get('iou')}; exact columns ask for the same start and end. Lines are 95 % intervals."
    )
    per_file = [_file_spans(group) for group in report.groups if group.kind == "file"]
    return section(
        "Places in texts",
        about,
        panel((("precision", "precision"), ("recall", "recall")), chart),
        _entity_table(everything),
        *filter(None, per_file),
    )


def _file_spans(group: Group) -> str:
    score = group.spans
    if score is None:
        return ""
    title = f"{group.name}: precision {number(score.overall.precision)}, recall {number(score.overall.recall)}"
    beside = ", ".join(f"{code} {count:,}" for code, count in score.not_marked.items())
    note = f"<p class=soft>Found, but of kinds that this file does not mark: {escape(beside)}.</p>" if beside else ""
    if score.alarms is not None:
        alarms = f"{score.alarms.value * 1000:.1f} per 1,000 of its {score.empty_rows:,} texts without a marked place"
        note += f"<p class=soft>False alarms: {alarms}.</p>"
    return details(title, _entity_table([*score.entities, score.overall, score.pii]) + note)


def _entity_bars(one: EntityScore) -> Sequence[Bar | None]:
    return share_bar("precision", "precision", one.precision), share_bar("recall", "recall", one.recall)


def _entity_table(scores: Sequence[EntityScore]) -> str:
    rows = [
        (s.entity, s.marked, s.found, s.precision, s.recall, s.f2, s.exact_precision, s.exact_recall) for s in scores
    ]
    return table(_ENTITY_HEAD, rows, bold=[one.entity for one in scores[-2:]])


def _task(report: Report, whole: LabelScore) -> str:
    task = whole.task
    ranking = next(one for one in report.rankings if one.task == task)
    few = [f"{rate:.1%}" for rate in ranking.thresholds if ranking.negatives * rate < 1]
    about = (
        f"A text's score is that of its surest finding among {', '.join(ranking.codes)}. Each file's texts are ranked "
        f"against all {ranking.negatives:,} benign texts of this run (fp: false positives); the last two columns are "
        "what the gate would do."
    )
    about += f" Too few benign texts for a rate of {' and '.join(few)}: there, none may be flagged." if few else ""
    per_file, per_source = _label_scores(report, task, "file"), _label_scores(report, task, "source")
    rows = [_label_row(name, one) for name, one in per_file]
    rows += [_label_row(_POOLED, whole)] if len(rows) > 1 else []
    parts = [*_task_plots(per_file, whole), table(_LABEL_HEAD, rows, [_POOLED])]
    if per_source:
        parts.append(details("Per source", table(_LABEL_HEAD, [_label_row(name, one) for name, one in per_source])))
    return section(f"Classes: {task}", about, *parts)


def _task_plots(per_file: Sequence[tuple[str, LabelScore]], whole: LabelScore) -> list[str]:
    bars = [
        (
            name,
            [
                bar
                for bar in (share_bar("recall", "recall", one.recall), share_bar("alarm", "flagged", one.flagged))
                if bar
            ],
        )
        for name, one in per_file
    ]
    made = [panel((("recall", "recall"), ("alarm", "benign texts flagged")), plots.bars(bars, "Per file"))]
    curves = [(name, one.roc) for name, one in [(_POOLED, whole), *per_file] if one.roc]
    if curves:
        legend = [(plots.curve_colour(number), name) for number, (name, _) in enumerate(curves)]
        made.append(panel(legend, plots.roc(curves)))
    if whole.positives and whole.negatives:
        made.append(panel((("recall", whole.task), ("alarm", "benign")), plots.histogram(*whole.scores)))
    return made


def _label_scores(report: Report, task: str, kind: str) -> list[tuple[str, LabelScore]]:
    groups = [group for group in report.groups if group.kind == kind]
    return [(group.name, label) for group in groups for label in group.labels if label.task == task]


def _label_row(name: str, score: LabelScore) -> tuple[Cell, ...]:
    at = (score.recall_at.get(0.01), score.recall_at.get(0.001))
    return (name, score.positives, score.negatives, score.auroc, *at, score.recall, score.flagged)


def _quiet(report: Report) -> str:
    rows = [
        (group.name, group.quiet.rows, group.quiet.alarms, _per_1000(group.quiet.alarms), _listed(group.quiet.per_code))
        for group in report.groups
        if group.kind != "source" and group.quiet is not None
    ]
    if not rows:
        return ""
    head = ("", "texts", "share with an alarm", "per 1,000", "texts per code")
    return section("Texts with nothing to find", "", table(head, rows, [WHOLE]))


def _policy(report: Report) -> str:
    groups = [group for group in report.groups if group.kind != "source" and group.actions]
    if not groups:
        return ""
    words = sorted({word for group in groups for word in group.actions})
    rows: list[list[Cell]] = [[group.name, *(group.actions.get(word, 0) for word in words)] for group in groups]
    return section("What the policy decides", "Texts by the strictest verdict.", table(("", *words), rows, [WHOLE]))


def _costs(report: Report) -> str:
    if not report.costs:
        return ""
    facts = report.machine
    about = (
        f"{facts.get('processor')}, {facts.get('cores')} cores, {facts.get('system')}, Python {facts.get('python')}."
    )
    about += f" Load average at the end: {facts.get('load_average')}. One text after another, each for the first time."
    rows = [
        (c.stage, c.texts, c.kb, c.us_per_kb, c.cpu_us_per_kb, c.p50_us, c.p95_us, c.p99_us, c.texts_per_s)
        for c in report.costs
    ]
    return section(
        "Cost", about, panel((("cost", "time per KB"),), plots.cost_bars(report.costs)), table(_COST_HEAD, rows)
    )


def _examples(report: Report) -> str:
    if not report.examples:
        return ""
    kinds: dict[tuple[str, str], list[tuple[Sequence[str], str]]] = {}
    for one in report.examples:
        row = ((f"{one.file}:{one.line}", f"{one.score:g}"), one.shown)
        kinds.setdefault((one.about, one.error), []).append(row)
    about = "Values are shown by their shape; known values around them are masked, digits are 9."
    parts = [
        details(
            f"{name}: {error} ({len(rows)})",
            code_table(("where", "score" if error == "false alarm" else "best", "text"), rows),
        )
        for (name, error), rows in sorted(kinds.items())
    ]
    return section("Worst misses and false alarms", about, *parts)


def _method(report: Report) -> str:
    facts = [(key.replace("_", " "), _words(value)) for key, value in report.facts.items()]
    scored = _listed(report.not_scored)
    facts.append(("not scored, for want of a detector", scored or "nothing"))
    detectors = [
        (
            str(one.get("name")),
            _words(one.get("codes")),
            str(one.get("kind")),
            "" if one.get("runs", True) else "not asked for",
        )
        for one in report.detectors
    ]
    return section(
        "How it was measured",
        "",
        code_table(("", ""), [((key,), value) for key, value in facts]),
        details("Detectors", table(("detector", "codes", "runs as", ""), detectors)),
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _per_1000(share: Share | None) -> float | None:
    return None if share is None else share.value * 1000


def _listed(counts: object) -> str:
    return ", ".join(f"{key} {count:,}" for key, count in counts.items()) if isinstance(counts, dict) else ""


def _words(value: object) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)
