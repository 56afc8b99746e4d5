"""Exact hold-back: which part of a growing text is final, and what the rules found in it.

The theorem: whatever the chunks, the hits are those of the whole text. An attempt of a rule whose reading stayed
inside the text so far cannot turn out otherwise when more text comes; partial matching of `(?:R)X` with an X that never
occurs tells which attempts those are. Only the text from the first other attempt on must wait. See `RuleSet.undecided`.
"""

from __future__ import annotations

from yett.detector import Detector
from yett.hits import Hit
from yett.rules import RuleSet

_KEEP = 64  # characters of look-behind kept beyond what the rules say they need
_TRIM = 1024  # trimming copies the buffer: only when so much can go
_PIECE = 16 * 1024
_LONG_WAIT = 384  # where so much waits (an encoded run, a key), it is not searched again for each word that comes
_PATIENCE = 128


class HoldBack:
    """One growing text (in view positions), sans-IO. `decided` grows; no later hit's match starts below it."""

    __slots__ = ("_again", "_base", "_next", "_resume", "_rules", "_text", "_without")

    def __init__(self, rules: RuleSet, *, without: Detector | None = None) -> None:
        self._rules = rules
        self._without = without
        self._text = ""
        self._base = 0  # position of the first character in _text
        self._next = 0  # index in _text: attempts before it are decided
        self._resume: dict[int, int] = {}
        self._again = 0  # length of the whole text from which on it is worth looking again

    @property
    def decided(self) -> int:
        """Attempts that start below this position are decided, and their hits have been returned."""
        return self._base + self._next

    def fork(self, *, without: Detector | None) -> HoldBack:
        """A hold-back that has seen the same so far, to go on with another text `without` one detector's rules."""
        other = HoldBack(self._rules, without=without)
        other._text, other._base, other._next, other._resume = self._text, self._base, self._next, self._resume.copy()
        other._again = self._again
        return other

    def agrees(self, other: HoldBack) -> bool:
        """Whether from here on both find the same in the same text: nothing that they may look back at differs."""
        back = self._rules.behind + 1
        return (
            min(self._next, other._next) >= back
            and self._text[self._next - back :] == other._text[other._next - back :]
            and max(self._resume.values(), default=0) <= self.decided
            and max(other._resume.values(), default=0) <= other.decided
        )

    def feed(self, text: str, *, final: bool = False) -> list[Hit]:
        """Add `text`; return the hits that became certain, in positions of the whole text."""
        if len(text) <= _PIECE:
            return self._step(text, final=final)
        hits: list[Hit] = []
        for at in range(0, len(text), _PIECE):
            hits += self._step(text[at : at + _PIECE], final=final and at + _PIECE >= len(text))
        return hits

    def _step(self, text: str, *, final: bool) -> list[Hit]:
        self._text += text
        low, length = self._next, self._base + len(self._text)
        if length < self._again and not final:
            return []
        high = len(self._text) if final else self._rules.undecided(self._text, low)
        if len(self._text) - high > _LONG_WAIT:
            self._again = length + _PATIENCE
        if high == low:
            return []
        self._next = high
        hits = self._rules.find(
            self._text, low, high, self._resume, shift=self._base, final=final, without=self._without
        )
        self._trim()
        return hits

    def _trim(self) -> None:
        spare = self._next - self._rules.behind - _KEEP
        if spare > _TRIM:
            self._text = self._text[spare:]
            self._base += spare
            self._next -= spare
