"""Exact hold-back: which part of a growing text is final, and what the rules found in it.

The theorem: whatever the chunks, the hits are those of the whole text. An attempt of a rule whose reading stayed
inside the text so far cannot turn out otherwise when more text comes; partial matching of `(?:R)X` with an X that never
occurs tells which attempts those are. Only the text from the first other attempt on must wait. See `RuleSet.undecided`.
"""

from __future__ import annotations

from yett.hits import Hit
from yett.rules import RuleSet

_KEEP = 64  # characters of look-behind kept beyond what the rules say they need
_TRIM = 1024  # trimming copies the buffer: only when so much can go
_PIECE = 16 * 1024


class HoldBack:
    """One growing text (in view positions), sans-IO. `decided` grows; no later hit's match starts below it."""

    __slots__ = ("_base", "_next", "_resume", "_rules", "_text")

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._text = ""
        self._base = 0  # position of the first character in _text
        self._next = 0  # index in _text: attempts before it are decided
        self._resume: dict[int, int] = {}

    @property
    def decided(self) -> int:
        """Attempts that start below this position are decided, and their hits have been returned."""
        return self._base + self._next

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
        low = self._next
        high = len(self._text) if final else self._rules.undecided(self._text, low)
        if high == low:
            return []
        self._next = high
        hits = self._rules.find(self._text, low, high, self._resume, shift=self._base, final=final)
        self._trim()
        return hits

    def _trim(self) -> None:
        spare = self._next - self._rules.behind - _KEEP
        if spare > _TRIM:
            self._text = self._text[spare:]
            self._base += spare
            self._next -= spare
