"""The report as tables for a terminal: (title, rows), each row a mapping of column to words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from yett.evaluation.html import number
from yett.evaluation.intervals import Figure, Share
from yett.evaluation.run import Report
from yett.evaluation.scoring import EntityScore, LabelScore, QuietScore, SpanScore

Row = Mapping[str, object]


def tables(report: Report) -> Iterator[tuple[str, Sequence[Row]]]:
    """All tables, in order; empty ones too."""
    files = [group for group in report.groups if group.kind == "file"]
    whole = report.groups[0]
    lines = [*files, whole] if len(files) > 1 else files
    if whole.spans is not None:
        score = whole.spans
        yield "places, all files", [_entity(one) for one in (*score.entities, score.overall, score.pii)]
        yield "places per file", [_file(g.name, g.spans) for g in files if g.spans is not None and g.spans.entities]
    for task in dict.fromkeys(label.task for label in whole.labels):
        chosen = [group for group in lines if any(label.task == task for label in group.labels)]
        yield (
            f"classes: {task}",
            [_label(group.name, one) for group in chosen for one in group.labels if one.task == task],
        )
    quiet = [(group.name, group.quiet) for group in lines if group.quiet is not None]
    yield "texts with nothing to find", [_quiet(name, score) for name, score in quiet]
    yield (
        "verdicts of the policy",
        [{"": group.name, "rows": group.rows, "verdicts": group.actions} for group in lines if group.actions],
    )
    yield "cost", [{name: getattr(cost, name) for name in cost.__slots__} for cost in report.costs]
    yield "worst errors", [_example(one) for one in report.examples[:40]]


def _entity(one: EntityScore) -> Row:
    return {
        "entity": one.entity,
        "marked": one.marked,
        "found": one.found,
        "precision": _with_interval(one.precision),
        "recall": _with_interval(one.recall),
        "F2": _with_interval(one.f2),
        "exact recall": number(one.exact_recall),
    }


def _file(name: str, score: SpanScore) -> Row:
    overall = score.overall
    return {
        "file": name,
        "texts": score.rows,
        "marked": overall.marked,
        "found": overall.found,
        "precision": number(overall.precision),
        "recall": number(overall.recall),
        "F2": number(overall.f2),
        "pii or not, recall": number(score.pii.recall),
        "alarms per 1,000": _per_1000(score.alarms),
    }


def _label(name: str, one: LabelScore) -> Row:
    return {
        "file": name,
        one.task: one.positives,
        "benign": one.negatives,
        "AUROC": _with_interval(one.auroc),
        "recall at 1 %": _with_interval(one.recall_at.get(0.01)),
        "at 0.1 %": number(one.recall_at.get(0.001)),
        "recall": number(one.recall),
        "benign flagged": _with_interval(one.flagged),
    }


def _quiet(name: str, score: QuietScore) -> Row:
    return {
        "file": name,
        "texts": score.rows,
        "alarms per 1,000": _per_1000(score.alarms),
        "texts per code": dict(score.per_code),
    }


def _example(one: object) -> Row:
    return {name: getattr(one, name) for name in ("error", "about", "file", "line", "score", "shown")}


def _per_1000(share: Share | None) -> str:
    return "–" if share is None else f"{share.value * 1000:.1f}"


def _with_interval(figure: Figure | Share | None) -> str:
    if figure is None or figure.interval is None:
        return number(figure)
    low, high = figure.interval
    return f"{figure.value:.3f} ({low:.3f}–{high:.3f})"
