"""Text that hides something: letters in characters that show nothing, and order turned round.

These detectors have no patterns: they look at the text itself, not at its scan view, which has folded all of that away.
A plugin contributes those of `DETECTORS` that an operator wants; the scan engine knows them by their codes. What is
spelt out in the hidden characters is searched like any other text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yett.detector import Detector
from yett.hits import Finder, Hit
from yett.reading import search
from yett.rules import RuleSet
from yett.wire.hidden import hidden_in, shows_all

HIDDEN_TEXT = Detector(
    name="obfuscation.hidden_text",
    code="obfuscation.hidden_text",
    entity="HIDDEN_TEXT",
    patterns=(),
    reversible=False,
    priority=-10,
)
BIDI = Detector(
    name="obfuscation.bidi",
    code="obfuscation.bidi",
    entity="BIDI",
    patterns=(),
    reversible=False,
    priority=-10,
)
OVERSIZE = Detector(
    name="obfuscation.oversize",
    code="obfuscation.oversize",
    entity="OVERSIZE",
    patterns=(),
    reversible=False,
    priority=-10,
)
DETECTORS = (HIDDEN_TEXT, BIDI, OVERSIZE)


@dataclass(frozen=True, slots=True)
class Sign:
    """What a hit of a detector without patterns was found by (`yett.hits.Finder`)."""

    detector: Detector
    order: int


@dataclass(frozen=True, slots=True)
class Signs:
    """What reports obfuscation, where an operator wants that, and the rules for what is hidden."""

    rules: RuleSet
    hidden_text: Finder | None = None
    bidi: Finder | None = None


def signs_of(detectors: Sequence[Detector]) -> dict[str, Sign]:
    """The detectors without patterns among `detectors` that are known here, by code."""
    known = {detector.code for detector in DETECTORS}
    return {d.code: Sign(d, order) for order, d in enumerate(detectors) if d.code in known and not d.patterns}


class HiddenText:
    """Hidden text in a growing text. What stands before `limit` is decided."""

    __slots__ = ("_held", "_signs", "limit")

    def __init__(self, signs: Signs) -> None:
        self._signs = signs
        self._held = ""
        self.limit = 0

    def feed(self, text: str, *, final: bool) -> list[Hit]:
        """Add `text`; return the hits that became certain, in positions of the whole text."""
        if not self._held and shows_all(text):
            self.limit += len(text)
            return []
        text, start = self._held + text, self.limit
        found, decided = hidden_in(text, final=final)
        self._held = text[decided:]
        self.limit = start + decided
        hits: list[Hit] = []
        for one in found:
            sign = self._signs.bidi if one.turned else self._signs.hidden_text
            if sign is not None and one.reported:
                hits.append(Hit(one.start + start, one.end + start, 1.0, sign))
            for spelt in one.texts:
                inner = search(self._signs.rules, spelt, 1)
                hits += [Hit(one.start + start, one.end + start, hit.score, hit.rule) for hit in inner]
        return hits
