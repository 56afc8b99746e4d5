"""The scan view: what a text says once invisible characters and look-alike compatibility forms are folded away.

The view is made code point by code point, so `view(a + b) == view(a) + view(b)`: a stream and a whole text are seen
alike however the text is cut. ASCII is left as it is. A `ScanView` also maps positions of the view back to the
original text, because findings are made on the view and edits are made on the original.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Mapping
from functools import cache

# Code points that carry no visible text of their own: Unicode's Default_Ignorable_Code_Point, the interlinear
# annotation marks and the blank Braille pattern.
INVISIBLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip

# Where code points live whose NFKC form is ASCII. Looking at 9,000 of them instead of 1.1 million keeps the start
# fast; tests/wire/test_unicode.py looks at all of them.
_COMPATIBILITY = (
    (0x00A0, 0x0380), (0x1D00, 0x2300), (0x2460, 0x2500), (0x2A00, 0x2C80), (0x3000, 0x3001), (0x3200, 0x3400),
    (0xA690, 0xA800), (0xAB50, 0xAB70), (0xFB00, 0xFB30), (0xFE10, 0xFFF0), (0x10780, 0x107C0), (0x1CC00, 0x1CD00),
    (0x1D400, 0x1D800), (0x1F100, 0x1F200), (0x1FBF0, 0x1FC00),
)  # fmt: skip
_LONGEST_FOLD = 4
_BASIC_END = 0x10000


class Folding:
    """The table from code points to what the scan view shows for them; immutable, shared by all views."""

    __slots__ = ("table", "touched")

    def __init__(self) -> None:
        table: dict[str, str] = {}
        for first, end in _COMPATIBILITY:
            for code in range(first, end):
                folded = unicodedata.normalize("NFKC", chr(code))
                if folded.isascii() and len(folded) <= _LONGEST_FOLD:
                    table[chr(code)] = folded
        for first, last in INVISIBLE:
            table.update((chr(code), "") for code in range(first, last + 1))
        self.table: Mapping[str, str] = table
        self.touched = re.compile(_touched(table))


def _touched(table: Mapping[str, str]) -> str:
    """A class of all characters in the table, and some more.

    A class is fast for single characters of the basic plane only; beyond it, whole blocks are named.
    """
    basic = "".join(f"\\u{ord(c):04x}" for c in sorted(table) if ord(c) < _BASIC_END)
    blocks = ((first, end - 1) for first, end in _COMPATIBILITY)
    beyond = (block for block in (*blocks, *INVISIBLE) if block[0] >= _BASIC_END)
    return f"[{basic}{''.join(f'{chr(first)}-{chr(last)}' for first, last in beyond)}]"


@cache
def folding() -> Folding:
    """The one table of this process (a pure constant, made on first use in about 10 ms)."""
    return Folding()


class ScanView:
    """The scan view of a growing text, and the way back from its positions to those of the text.

    Breakpoints are kept only where the two run apart: view position `views[k]` shows the character at `texts[k]`, and
    from there on they advance together up to the next breakpoint.
    """

    __slots__ = ("_texts", "_views", "text_length", "view_length")

    def __init__(self) -> None:
        self._views = [0]
        self._texts = [0]
        self.text_length = 0
        self.view_length = 0

    @property
    def plain(self) -> bool:
        """Whether positions of the view are those of the text."""
        return len(self._views) == 1 and self._views == self._texts

    def add(self, text: str) -> str:
        """Take the next piece of the text; return its view."""
        if text.isascii() or folding().touched.search(text) is None:
            self.text_length += len(text)
            self.view_length += len(text)
            return text
        return self._fold(text)

    def origin(self, position: int) -> int:
        """The position in the text of the character that the view shows at `position`."""
        at = bisect_right(self._views, position) - 1
        return self._texts[at] + position - self._views[at]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The (non-empty) view span in positions of the text: invisible characters inside belong to it."""
        if self.plain:
            return start, end
        return self.origin(start), self.origin(end - 1) + 1

    def forget(self, before: int) -> None:
        """Drop what only view positions below `before` need; asking for those afterwards is an error."""
        keep = bisect_right(self._views, before) - 1
        if keep > 0:
            del self._views[:keep], self._texts[:keep]

    def _fold(self, text: str) -> str:
        table, done = folding().table, 0
        pieces: list[str] = []
        for found in folding().touched.finditer(text):
            at = found.start()
            shown = table.get(text[at], text[at])
            pieces += (text[done:at], shown)
            self._advance(at - done, len(shown))
            done = at + 1
        rest = text[done:]
        pieces.append(rest)
        self.text_length += len(rest)
        self.view_length += len(rest)
        return "".join(pieces)

    def _advance(self, plain: int, shown: int) -> None:
        """`plain` characters as they are, then one character that the view shows as `shown` characters."""
        view = self.view_length + plain
        text = self.text_length + plain
        self.view_length, self.text_length = view + shown, text + 1
        if shown == 1:
            return
        for extra in range(1, shown):
            self._break(view + extra, text)
        self._break(view + shown, text + 1)

    def _break(self, view: int, text: int) -> None:
        if self._views[-1] == view:  # several invisible characters in a row need one breakpoint, not many
            self._texts[-1] = text
            return
        self._views.append(view)
        self._texts.append(text)
