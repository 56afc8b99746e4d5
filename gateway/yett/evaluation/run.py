"""The evaluation from beginning to end: every text through the subject, then the figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from yett.evaluation import cost, examples, scoring
from yett.evaluation.cases import Case
from yett.evaluation.cost import StageCost
from yett.evaluation.examples import Example
from yett.evaluation.labels import Vocabulary
from yett.evaluation.scoring import Group, Ranking
from yett.evaluation.spans import DEFAULT_IOU
from yett.evaluation.subject import Outcome, Subject
from yett.flow import Role
from yett.version import __version__

Progress = Callable[[int], None]  # called after each text with how many are done


@dataclass(frozen=True, slots=True)
class Options:
    """How to read the data and the findings. `roles`: (file pattern, role) in order, the last that fits counts."""

    iou: float = DEFAULT_IOU
    more_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roles: tuple[tuple[str, Role], ...] = (("*", Role.USER),)
    examples_each: int = 3
    facts: Mapping[str, object] = field(default_factory=dict)  # what else the report should say of how it was made

    def role_of(self, case: Case) -> Role:
        """Who wrote the text of `case`: the row's word first."""
        if case.role is not None:
            return case.role
        fitting = [
            role
            for pattern, role in self.roles
            if fnmatchcase(case.file, pattern) or fnmatchcase(case.file.rpartition("/")[2], pattern)
        ]
        return fitting[-1] if fitting else Role.USER


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run found out. Equal input gives an equal report, but for `costs` and `machine`."""

    detectors: tuple[Mapping[str, object], ...]
    facts: Mapping[str, object]
    groups: tuple[Group, ...]
    rankings: tuple[Ranking, ...]
    not_scored: Mapping[str, int]
    examples: tuple[Example, ...]
    failed: int
    costs: tuple[StageCost, ...]
    machine: Mapping[str, object]

    def as_json(self) -> dict[str, Any]:
        """Plain data for `json.dumps`; shares and figures are rounded to five places."""
        plain: dict[str, Any] = _rounded(asdict(self))
        return {"format": "yett-eval-1", "yett": __version__, **plain}


async def evaluate(
    subject: Subject, cases: Sequence[Case], options: Options, progress: Progress = lambda done: None
) -> Report:
    """The figures of `subject` on `cases`. A text the subject cannot vouch for counts in `failed`, found nothing."""
    outcomes: list[Outcome] = []
    for number, case in enumerate(cases, 1):
        outcomes.append(await subject.find(case.text, options.role_of(case)))
        progress(number)
    words = Vocabulary(subject.codes, options.more_labels)
    judged = scoring.judge(cases, outcomes, words, options.iou)
    return Report(
        detectors=tuple(subject.describe()),
        facts={"iou": options.iou, **options.facts},
        groups=tuple(scoring.score(judged)),
        rankings=tuple(scoring.rankings(judged, words)),
        not_scored=words.not_scored(cases),
        examples=tuple(await examples.worst(judged, subject, options.examples_each)) if options.examples_each else (),
        failed=sum(outcome.failed for outcome in outcomes),
        costs=tuple(cost.costs(cases, outcomes)),
        machine=cost.machine(),
    )


def _rounded(value: object) -> Any:  # plain data of any shape
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, Mapping):
        return {str(key): _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
