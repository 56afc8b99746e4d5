"""Figures out of cases and outcomes: overall, per file, and per source where a file has several. Sans-IO."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from yett.evaluation.cases import Case, Kind
from yett.evaluation.curves import auroc, histogram, recall_at, roc_points, threshold_at
from yett.evaluation.intervals import Figure, Share, bootstrap, share
from yett.evaluation.labels import Vocabulary
from yett.evaluation.spans import DEFAULT_IOU, PII, Compared, Counts, Place, compare
from yett.evaluation.subject import Detection, Outcome

BETA = 2.0
RATES = (0.01, 0.001)
ALL = "all entities"
WHOLE = "all files"


@dataclass(frozen=True, slots=True)
class EntityScore:
    """One entity: spans marked in the data, found, right; see `spans` for the rules."""

    entity: str
    marked: int
    found: int
    right: int
    precision: Share | None
    recall: Share | None
    f2: Figure | None
    exact_precision: Share | None
    exact_recall: Share | None


@dataclass(frozen=True, slots=True)
class SpanScore:
    """Texts with marked places: per entity, all entities, PII or not; and alarms in texts that have nothing to find."""

    rows: int
    entities: tuple[EntityScore, ...]
    overall: EntityScore
    pii: EntityScore
    empty_rows: int
    alarms: Share | None
    not_marked: Mapping[str, int]  # findings of kinds that the file does not mark: code -> count, not scored


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One task. Ranking figures hold the group's positives against all negatives of the run; the rest is the group's.

    `recall_at`: false positive rate -> recall there; `flagged` is the share of benign texts that the gate acts on;
    `scores` are histograms of the positives and the negatives; `roc` has (false positive rate, recall) points.
    """

    task: str
    positives: int
    negatives: int
    recall: Share | None
    flagged: Share | None
    precision: Share | None
    auroc: Figure | None
    recall_at: Mapping[float, Figure]
    scores: tuple[list[int], list[int]]
    roc: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class QuietScore:
    """Texts in which nothing may be found: the share with an alarm, and texts with an alarm per code."""

    rows: int
    alarms: Share | None
    per_code: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one set of rows; `kind` is all, file or source."""

    kind: str
    name: str
    rows: int
    spans: SpanScore | None = None
    labels: tuple[LabelScore, ...] = ()
    quiet: QuietScore | None = None
    actions: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Ranking:
    """One task over the whole run: its codes, and the threshold at each false positive rate of RATES."""

    task: str
    codes: tuple[str, ...]
    positives: int
    negatives: int
    thresholds: Mapping[float, float]


@dataclass(slots=True)
class Judged:
    """A case with what was found in it, read the way its kind asks. `counted` are detections the gate acts on."""

    case: Case
    outcome: Outcome
    counted: tuple[Detection, ...] = ()
    compared: Compared | None = None
    score: float = 0.0
    not_marked: Counter[str] = field(default_factory=Counter)


def judge(
    cases: Sequence[Case], outcomes: Sequence[Outcome], words: Vocabulary, iou: float = DEFAULT_IOU
) -> list[Judged]:
    """Each case with its outcome compared. Cases of tasks that are not scored are left out."""
    marked = _labels_by_file(cases)
    codes = {file: words.of_codes(labels) for file, labels in marked.items()}
    judged = []
    for case, outcome in zip(cases, outcomes, strict=True):
        one = Judged(case, outcome, tuple(found for found in outcome.detections if found.counts))
        if case.kind is Kind.SPANS:
            _compare(one, codes[case.file], words, iou)
        elif case.kind is Kind.LABEL:
            task = words.task_codes(case.task)
            if not task:
                continue
            one.counted = tuple(found for found in one.counted if found.code in task)
            one.score = max((found.score for found in outcome.detections if found.code in task), default=0.0)
        elif case.kind is Kind.NEGATIVE:
            forbidden = words.of_codes(case.negative_for)
            one.counted = tuple(found for found in one.counted if found.code in forbidden)
        judged.append(one)
    return judged


def score(judged: Sequence[Judged]) -> list[Group]:
    """Figures of all rows, of each file, and of each source of files that have more than one."""
    benign = _benign_scores(judged)
    groups = [_group("all", WHOLE, judged, benign)]
    files = _by(judged, lambda one: one.case.file)
    for name, rows in files.items():
        groups.append(_group("file", name, rows, benign))
        sources = _by(rows, lambda one: one.case.source)
        if len(sources) > 1:
            groups += [_group("source", f"{name}: {source}", part, benign) for source, part in sources.items()]
    return groups


def rankings(judged: Sequence[Judged], words: Vocabulary) -> list[Ranking]:
    """The tasks of this run that are scored."""
    benign = _benign_scores(judged)
    found = []
    for task, negatives in benign.items():
        positives = sum(one.case.positive for one in _of_task(judged, task))
        thresholds = {rate: threshold_at(negatives, rate) for rate in RATES} if negatives else {}
        found.append(Ranking(task, words.task_codes(task), positives, len(negatives), thresholds))
    return found


def _labels_by_file(cases: Iterable[Case]) -> dict[str, set[str]]:
    """What each file marks at all: only there is a finding of that kind right or wrong."""
    marked: dict[str, set[str]] = {}
    for case in cases:
        marked.setdefault(case.file, set()).update(span.label for span in case.spans)
    return marked


def _compare(one: Judged, codes: Mapping[str, str], words: Vocabulary, iou: float) -> None:
    case = one.case
    there = [Place(gold.start, gold.end, entity) for gold in case.spans if (entity := words.entity(gold.label))]
    said = [Place(found.start, found.end, codes[found.code]) for found in one.counted if found.code in codes]
    one.not_marked = Counter(found.code for found in one.counted if found.code not in codes)
    one.counted = tuple(found for found in one.counted if found.code in codes)
    one.compared = compare(case.text, there, said, iou)


def _group(kind: str, name: str, rows: Sequence[Judged], benign: Mapping[str, list[float]]) -> Group:
    marked = [one for one in rows if one.case.kind is Kind.SPANS]
    quiet = [one for one in rows if one.case.kind in {Kind.NEGATIVE, Kind.PLAIN}]
    tasks = dict.fromkeys(one.case.task for one in rows if one.case.kind is Kind.LABEL)
    return Group(
        kind=kind,
        name=name,
        rows=len(rows),
        spans=_span_score(marked) if marked else None,
        labels=tuple(_label_score(kind, task, _of_task(rows, task), benign.get(task, [])) for task in tasks),
        quiet=_quiet_score(quiet) if quiet else None,
        actions=dict(sorted(Counter(one.outcome.action for one in rows if one.outcome.action).items())),
        failed=sum(one.outcome.failed for one in rows),
    )


def _span_score(rows: Sequence[Judged]) -> SpanScore:
    kinds: dict[str, Counter[tuple[int, int, int]]] = {}
    sums: dict[str, Counts] = {ALL: Counts(), PII: Counts()}
    for one in rows:
        together = Counts()
        for entity, counts in _counts(one).items():
            sums.setdefault(entity, Counts()).add(counts)
            if entity != PII:
                together.add(counts)
            _note(kinds, entity, counts)
        sums[ALL].add(together)
        _note(kinds, ALL, together)
    scores = {entity: _entity_score(entity, counts, kinds.get(entity, Counter())) for entity, counts in sums.items()}
    empty = [one for one in rows if not _counts(one).get(PII, Counts()).exact_marked]
    not_marked = sum((one.not_marked for one in rows), Counter[str]())
    return SpanScore(
        rows=len(rows),
        entities=tuple(scores[entity] for entity in sorted(scores.keys() - {ALL, PII})),
        overall=scores[ALL],
        pii=scores[PII],
        empty_rows=len(empty),
        alarms=share(sum(bool(one.counted) for one in empty), len(empty)),
        not_marked=dict(sorted(not_marked.items())),
    )


def _counts(one: Judged) -> Mapping[str, Counts]:
    return one.compared.counts if one.compared else {}


def _note(kinds: dict[str, Counter[tuple[int, int, int]]], entity: str, counts: Counts) -> None:
    """Count texts by what they add: a bootstrap over few kinds of texts is as good as one over all of them."""
    if counts.marked or counts.found:
        kinds.setdefault(entity, Counter())[counts.marked, counts.found, counts.right] += 1


def _entity_score(entity: str, counts: Counts, kinds: Counter[tuple[int, int, int]]) -> EntityScore:
    texts = sorted(kinds.items())

    def resampled(times: Sequence[int]) -> float | None:
        sums = [sum(kind[i] * many for (kind, _), many in zip(texts, times, strict=True)) for i in range(3)]
        return f_beta(*sums)

    value = f_beta(counts.marked, counts.found, counts.right)
    interval = bootstrap([size for _, size in texts], resampled) if value is not None else None
    if interval is not None and interval[0] == interval[1]:
        interval = None  # all alike: the bootstrap knows nothing then, Wilson's intervals do
    return EntityScore(
        entity=entity,
        marked=counts.marked,
        found=counts.found,
        right=counts.right,
        precision=share(counts.right, counts.found),
        recall=share(counts.right, counts.marked),
        f2=None if value is None else Figure(value, interval),
        exact_precision=share(counts.exact_right, counts.exact_found),
        exact_recall=share(counts.exact_right, counts.exact_marked),
    )


def f_beta(marked: int, found: int, right: int, beta: float = BETA) -> float | None:
    """F-beta of these counts: recall weighs `beta` times as much as precision. None where nothing is marked."""
    if marked == 0:
        return None
    weight = beta * beta
    return (1 + weight) * right / (weight * marked + found)


def _label_score(kind: str, task: str, rows: Sequence[Judged], benign: Sequence[float]) -> LabelScore:
    positives = [one for one in rows if one.case.positive]
    negatives = [one for one in rows if not one.case.positive]
    hits, alarms = sum(bool(one.counted) for one in positives), sum(bool(one.counted) for one in negatives)
    scores = [one.score for one in positives]
    at = {rate: recall_at(scores, benign, rate) for rate in RATES}
    return LabelScore(
        task=task,
        positives=len(positives),
        negatives=len(negatives),
        recall=share(hits, len(positives)),
        flagged=share(alarms, len(negatives)),
        precision=share(hits, hits + alarms) if positives and negatives else None,
        auroc=auroc(scores, benign),
        recall_at={rate: figure for rate, figure in at.items() if figure is not None},
        scores=(histogram(scores), histogram([one.score for one in negatives])),
        roc=tuple(roc_points(scores, benign)) if scores and benign and kind != "source" else (),
    )


def _quiet_score(rows: Sequence[Judged]) -> QuietScore:
    per_code = Counter(code for one in rows for code in {found.code for found in one.counted})
    alarms = share(sum(bool(one.counted) for one in rows), len(rows))
    return QuietScore(len(rows), alarms, dict(sorted(per_code.items())))


def _of_task(rows: Iterable[Judged], task: str) -> list[Judged]:
    return [one for one in rows if one.case.kind is Kind.LABEL and one.case.task == task]


def _benign_scores(rows: Sequence[Judged]) -> dict[str, list[float]]:
    """Task -> the scores of all its negatives in this run."""
    tasks = dict.fromkeys(one.case.task for one in rows if one.case.kind is Kind.LABEL)
    return {task: [one.score for one in _of_task(rows, task) if not one.case.positive] for task in tasks}


def _by(rows: Iterable[Judged], key: Callable[[Judged], str]) -> dict[str, list[Judged]]:
    groups: dict[str, list[Judged]] = {}
    for one in rows:
        groups.setdefault(key(one), []).append(one)
    return groups
