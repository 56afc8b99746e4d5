"""Letters of other scripts that look like ASCII ones: folded where a word mixes them with ASCII, never elsewhere.

A word is a run of letters, digits and `_ @ . + -`; a piece of it is a run of letters and digits. A look-alike is folded
if its piece has an ASCII letter or digit, or if its whole piece looks like ASCII and the word has an ASCII letter or an
`@`: so plain Cyrillic or Greek words stay as they are. Of a longer word, only what stands within `REACH` characters
counts. So what becomes of a letter is known once its word ends or `REACH` more characters are there.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from functools import cache

from yett.wire.confusables import LETTERS

REACH = 64  # characters to either side of a letter that decide about it
BEYOND = "\U00010000"  # look-alikes from here on are of scripts that nobody writes: they are folded wherever they stand

_WORD = r"\w@.+\-"
_EDGE = re.compile(r"[\W_]")
_WORDS = re.compile(f"[{_WORD}]+")
_ASCII = re.compile("[A-Za-z0-9]")
_ANCHOR = re.compile("[A-Za-z@]")
_LAST_WORD = re.compile(rf"[{_WORD}]{{1,{REACH}}}\Z")


class LookAlikes:
    """The letters, and how to find the words that they hide in; immutable, shared by all views."""

    __slots__ = ("_mixed", "_native", "any", "table", "translation")

    def __init__(self) -> None:
        self.table = {one: shown for shown, ones in LETTERS.items() for one in ones if one < BEYOND}
        self.translation = {ord(one): shown for one, shown in self.table.items()}
        inside = "".join(sorted(self.table))
        self.any = re.compile(f"[{inside}]")
        self._native = re.compile(rf"[^\W_\x00-\x7f{inside}]")
        self._mixed = re.compile(
            f"[A-Za-z0-9@][{_WORD}]{{0,{REACH}}}?[{inside}]|[{inside}][{_WORD}]{{0,{REACH}}}?[A-Za-z0-9@]"
        )

    def fold(self, text: str, low: int, *, final: bool) -> tuple[str, int]:
        """`text` from `low` on with its look-alikes folded, up to the position that is given with it.

        From there on more text may decide. What stands before `low` only counts as surroundings; `final`: no more text.
        """
        start = max(0, low - REACH)
        if self._mixed.search(text, start) is None:
            end = len(text) if final else self._waiting(text, low)
            return text[low:end], end
        pieces: list[str] = []
        done = low
        for at, folded in self._decisions(text, low, start, final=final):
            if folded is None:
                pieces.append(text[done:at])
                return "".join(pieces), at
            if folded:
                pieces += (text[done:at], self.table[text[at]])
                done = at + 1
        pieces.append(text[done:])
        return "".join(pieces), len(text)

    def _waiting(self, text: str, low: int) -> int:
        """The first look-alike in the last word, which may go on; the end where there is none."""
        last = _LAST_WORD.search(text, max(low, len(text) - REACH))
        found = last and self.any.search(text, max(low, last.start()))
        return found.start() if found else len(text)

    def _decisions(self, text: str, low: int, start: int, *, final: bool) -> Iterator[tuple[int, bool | None]]:
        """Each look-alike at or after `low`, and whether it is folded; None: that is not known yet."""
        for found in _WORDS.finditer(text, start):
            first, end = found.span()
            if end <= low or self.any.search(text, max(first, low), end) is None:
                continue
            word = _Word(found.group(), self._native, closed=final or end < len(text))
            for one in self.any.finditer(text, max(first, low), end):
                yield one.start(), word.folds(one.start() - first)


class _Word:
    """One word, or as much of it as is there; `closed`: it has ended."""

    __slots__ = ("_anchors", "_ascii", "_closed", "_edges", "_length", "_natives")

    def __init__(self, word: str, native: re.Pattern[str], *, closed: bool) -> None:
        self._length, self._closed = len(word), closed
        self._ascii = _places(_ASCII, word)
        self._anchors = _places(_ANCHOR, word)
        self._edges = _places(_EDGE, word)
        self._natives = _places(native, word)

    def folds(self, at: int) -> bool | None:
        """Whether the look-alike at `at` is folded; None: that is not known yet."""
        low, high = max(0, at - REACH), min(self._length, at + REACH + 1)
        closed = self._closed or at + REACH < self._length
        edge = bisect_left(self._edges, at)
        start = max(low, self._edges[edge - 1] + 1) if edge else low
        end = min(high, self._edges[edge]) if edge < len(self._edges) else high
        if _any_between(self._ascii, start, end):
            return True
        if end == high and not closed:
            return None
        if _any_between(self._natives, start, end):
            return False
        return True if _any_between(self._anchors, low, high) else False if closed else None


@cache
def look_alikes() -> LookAlikes:
    """The one table of this process (a pure constant, made on first use)."""
    return LookAlikes()


def _places(pattern: re.Pattern[str], word: str) -> list[int]:
    return [found.start() for found in pattern.finditer(word)]


def _any_between(places: list[int], low: int, high: int) -> bool:
    at = bisect_left(places, low)
    return at < len(places) and places[at] < high
