"""A rule's examples, tried on the gateway's own detectors: what a rule claims is shown when it is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from yett.detector import Span
from yett.flow import Leaf, Phase, Role
from yett.policy.conditions import Circumstances, any_glob
from yett.policy.evaluate import KEYED, Case, Judging, excepted, says, utc_now
from yett.policy.model import Example, Rule


class Detectors(Protocol):
    """The detectors that examples are tried on."""

    codes: frozenset[str]  # what `scan` can find

    def scan(self, text: str, role: Role, phase: Phase, globs: Sequence[str]) -> Sequence[Span]:
        """What stands in `text`: all findings whose codes fit `globs`, and maybe others."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One example after its trial. `place` is its path in the rule, such as `examples.deny[0]`."""

    rule: str
    place: tuple[str, int]
    expected: str
    got: str
    skipped: bool = False

    @property
    def failed(self) -> bool:
        """Whether the rule does not do what the example says."""
        return not self.skipped and self.expected != self.got

    def __str__(self) -> str:
        """One line for people; the text itself is not repeated."""
        kind, index = self.place
        return f"rule {self.rule}: examples.{kind}[{index}]: expected {self.expected}, got {self.got}"


def try_examples(rule: Rule, detectors: Detectors, value_key: bytes = b"") -> Iterator[Tried]:
    """Each example of `rule` with what the rule makes of it; `count` is taken as reached, `sample` as drawn.

    Only this rule is tried: another one may well do more. An example is skipped where none of the detectors at hand
    finds what the rule speaks about, and where the rule allows keyed values whose key is not at hand.
    """
    globs = rule.when.finding
    why = ""
    if globs is not None and not any(any_glob(globs, code) for code in detectors.codes):
        why = "no such detector here"
    elif not value_key and any(value.startswith(KEYED) for value in rule.allow_values):
        why = "the key of its allow_values is not here"
    for kind in (rule.do, "allow"):
        for index, example in enumerate(getattr(rule.examples, kind)):
            if why:
                yield Tried(rule.id, (kind, index), kind, why, skipped=True)
                continue
            got = rule.do if _acts(rule, example, detectors, value_key) else "allow"
            yield Tried(rule.id, (kind, index), kind, got)


def _acts(rule: Rule, example: Example, detectors: Detectors, value_key: bytes) -> bool:
    certain = rule.model_copy(update={"sample": None})
    return any(
        says(certain, case, Judging(None, value_key)) is not None and not excepted(certain, case, value_key)
        for case in _cases(certain, example, detectors)
    )


def _cases(rule: Rule, example: Example, detectors: Detectors) -> Iterator[Case]:
    when = rule.when
    phase = Phase(example.direction or (when.direction if when.direction != "any" else "request"))
    newest = example.newest if example.newest is not None else when.newest
    role = example.role or (when.role[0] if when.role else Role.USER if phase is Phase.REQUEST else Role.ASSISTANT)
    newest = phase is Phase.REQUEST if newest is None else newest
    leaf = Leaf("/example", example.text, role, newest=newest)
    given = Circumstances(
        example.at or utc_now(),
        principal="example",
        model=example.model,
        tool=example.tool,
        characters=len(example.text),
    )
    if when.finding is None:
        yield Case("", leaf, phase, 1.0, given)
        return
    for span in detectors.scan(example.text, role, phase, when.finding):
        matched = example.text[span.start : span.end]
        yield Case(span.detector.code, leaf, phase, span.score, given._replace(matched=matched))
