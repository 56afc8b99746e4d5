"""All readings of one growing text (see `yett.reading`), side by side.

The second one is followed only while it can make a difference: from a sequence, or what may become one, until nothing
that a rule may look back at differs any more.
"""

from __future__ import annotations

from yett.hits import Hit, whole_escapes
from yett.holdback import HoldBack
from yett.obfuscation import HiddenText, Signs
from yett.reading import TAG, is_json, placed
from yett.rules import RuleSet
from yett.wire.sequences import may_have_sequences
from yett.wire.unicode import ScanView


class _Lane:
    """One reading of a growing text."""

    __slots__ = ("hold", "view")

    def __init__(self, view: ScanView, hold: HoldBack) -> None:
        self.view, self.hold = view, hold

    def feed(self, text: str, *, final: bool) -> list[Hit]:
        hits = self.hold.feed(self.view.add(text, final=final), final=final)
        return [placed(hit, self.view) for hit in hits] if hits else hits

    def limit(self) -> int:
        """The text before this position is decided."""
        decided = self.hold.decided
        return self.view.text_length if decided == self.view.view_length else self.view.origin(decided)

    def fork(self) -> _Lane:
        return _Lane(self.view.fork(), self.hold.fork(without=TAG))


class Lanes:
    """One growing text in all its readings. Positions are those of the text."""

    __slots__ = ("_hidden", "_json", "_plain", "_read", "limit")

    def __init__(self, rules: RuleSet, signs: Signs) -> None:
        self._plain = _Lane(ScanView(), HoldBack(rules))
        self._read: _Lane | None = None
        self._hidden = HiddenText(signs)
        self._json: bool | None = None  # not known before the first character that is no space
        self.limit = 0  # the text before it is decided: no later hit starts there

    def feed(self, text: str, *, final: bool = False) -> list[Hit]:
        """Add `text`; return the hits that became certain."""
        if self._json is None and (text and not text.isspace()):
            self._json = is_json(text)
        if self._read is None and may_have_sequences(text):
            self._read = self._plain.fork()
        hits = self._plain.feed(text, final=final)
        self.limit = self._plain.limit()
        if self._read is not None:
            hits = hits + self._read.feed(text, final=final)
            self.limit = min(self.limit, self._read.limit())
        hidden = self._hidden.feed(text, final=final)
        self.limit = min(self.limit, self._hidden.limit)
        return hits + hidden if hidden else hits

    def close(self, hits: list[Hit]) -> list[Hit]:
        """Those of `hits` that stand; all that they overlap is among them."""
        return whole_escapes(hits, self._read.view) if self._json and self._read is not None else hits

    def forget(self, before: int) -> None:
        """Drop what only positions below `before` need; all hits that are still to be closed start at or after it."""
        self._plain.view.forget(self._plain.hold.decided)
        read = self._read
        if read is not None:
            read.view.forget(read.hold.decided)
            read.view.forget_units(before)
            if self._is_one(read):
                self._read = None

    def _is_one(self, read: _Lane) -> bool:
        """Whether both readings are the same from here on."""
        plain = self._plain
        if read.view.waits or read.view.has_units:
            return False
        if not read.view.has_read:
            return True
        return read.limit() == plain.limit() and read.view.goes_on_like(plain.view) and read.hold.agrees(plain.hold)
