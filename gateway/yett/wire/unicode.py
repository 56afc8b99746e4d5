"""The scan view: what a text says once invisible characters and look-alikes are folded away.

The view is made character by character, but for look-alike letters, which are folded by the words they stand in (see
`yett.wire.lookalikes`): while a stream's last word may go on, it waits. For every way to cut a text, the views of the
pieces together are the view of the whole. ASCII is left as it is. A `ScanView` also maps positions of the view back to
the original text, because findings are made on the view and edits are made on the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache, cached_property

from yett.wire.confusables import LETTERS, MARKS, ZEROS
from yett.wire.lookalikes import BEYOND, REACH, look_alikes
from yett.wire.offsets import Offsets
from yett.wire.sequences import OPEN, SEQUENCE, TRIGGERS, read

# Code points that carry no visible text of their own: Unicode's Default_Ignorable_Code_Point, the interlinear
# annotation marks and the blank Braille pattern.
INVISIBLE = (
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip

# Marks set over or through any letter; those of single scripts (Hebrew points, Indic vowels) are none of them.
COMBINING = (
    (0x0300, 0x036F), (0x1AB0, 0x1ACE), (0x1DC0, 0x1DFF), (0x20D0, 0x20F0), (0xFE20, 0xFE2F),
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
_BEYOND = "\U00010000-\U0010ffff"  # a class is fast for the basic plane only, so all beyond it is looked at
_NEAR_MAX = 4 * REACH


class Folding:
    """The table from code points to what the scan view shows for them; immutable, shared by all views."""

    def __init__(self) -> None:
        table = {c: shown for shown, ones in MARKS.items() for c in ones}
        table |= {c: shown for shown, ones in LETTERS.items() for c in ones if c >= BEYOND}
        table |= {chr(ord(zero) + digit): str(digit) for zero in ZEROS for digit in range(10)}
        for first, end in _COMPATIBILITY:
            for code in range(first, end):
                folded = unicodedata.normalize("NFKC", chr(code))
                if folded.isascii() and len(folded) <= _LONGEST_FOLD:
                    table[chr(code)] = folded
        for first, last in (*INVISIBLE, *COMBINING):
            table.update((chr(code), "") for code in range(first, last + 1))
        self.table: Mapping[str, str] = table
        self.translation = {ord(one): shown for one, shown in table.items()}
        self.touched = re.compile(f"[{_class(table)}{_BEYOND}]+")
        self.uneven = re.compile(f"[{_class(one for one, shown in table.items() if len(shown) != 1)}{_BEYOND}]")

    @cached_property
    def sequences(self) -> re.Pattern[str]:
        """Characters that are folded, and sequences that are read."""
        return re.compile(f"{SEQUENCE}|{self.touched.pattern}")

    @cached_property
    def growing(self) -> re.Pattern[str]:
        """The same in text that may go on; what the text ends with and may become a sequence is `open`."""
        return re.compile(f"(?P<open>{OPEN})|{SEQUENCE}|{self.touched.pattern}")


def _class(characters: Iterable[str]) -> str:
    """The inside of a character class of those `characters` that are in the basic plane."""
    inside, first, last = "", -1, -2
    for code in (*sorted(ord(c) for c in characters if ord(c) < _BASIC_END), _BASIC_END + 1):
        if code != last + 1:
            inside += f"\\u{first:04x}-\\u{last:04x}" if first >= 0 else ""
            first = code
        last = code
    return inside


@cache
def folding() -> Folding:
    """The one table of this process (a pure constant, made on first use in about 15 ms)."""
    return Folding()


class ScanView(Offsets):
    r"""The scan view of a growing text, and the way back from its positions to those of the text.

    With `reads`, sequences such as `%40` and `\u0040` are shown as the character they stand for (see
    `yett.wire.sequences`), and terminal sequences not at all.
    """

    __slots__ = ("_near", "_tail", "_word", "has_read", "reads")

    def __init__(self, *, reads: bool = False) -> None:
        super().__init__()
        self.reads = reads
        self.has_read = False  # a sequence was read
        self._tail = ""  # of the text: the beginning of a sequence, perhaps
        self._word = ""  # of the view: from the first look-alike on that later text may decide
        self._near = ""  # of the view: what stands before that, look-alikes as they are

    @property
    def waits(self) -> bool:
        """Whether a part of the text is not in the view yet because it may be the beginning of a sequence."""
        return bool(self._tail)

    def add(self, text: str, *, final: bool = False) -> str:
        """Take the next piece of the text; return what that adds to the view. `final`: no more will come."""
        if not self._tail and text.isascii() and not (self.reads and any(map(text.__contains__, TRIGGERS))):
            self.text_length += len(text)
            self.view_length += len(text)
            shown = text
        else:
            shown = self._fold(self._tail + text, final=final)
        if not self._word and (shown.isascii() or look_alikes().any.search(shown) is None):
            near = self._near + shown
            self._near = near if len(near) < _NEAR_MAX else near[-REACH:]
            return shown
        return self._settle(shown, final=final)

    def fork(self) -> ScanView:
        """A view that reads sequences from here on and has shown the same so far."""
        other = ScanView(reads=True)
        other._views, other._texts = self._views.copy(), self._texts.copy()
        other.text_length, other.view_length = self.text_length, self.view_length
        other._word, other._near = self._word, self._near
        return other

    def goes_on_like(self, other: ScanView) -> bool:
        """Whether both fold what comes now alike."""
        return self._word == other._word and self._near[-REACH:] == other._near[-REACH:]

    def _settle(self, shown: str, *, final: bool) -> str:
        text = self._near + self._word + shown
        settled, end = look_alikes().fold(text, len(self._near), final=final)
        self._word = text[end:]
        self._near = text[max(0, end - REACH) : end]
        return settled

    def _fold(self, text: str, *, final: bool) -> str:
        folds = folding()
        pattern = folds.touched
        if self.reads:
            pattern = folds.sequences if final else folds.growing
        self._tail, done = "", 0
        pieces: list[str] = []
        for found in pattern.finditer(text):
            at = found.start()
            pieces.append(text[done:at])
            self.same(at - done)
            if found.lastgroup:
                self._tail = text[at:]
                return "".join(pieces)
            done = found.end()
            pieces.append(self._shown(found.group(), folds))
        pieces.append(text[done:])
        self.same(len(text) - done)
        return "".join(pieces)

    def _shown(self, part: str, folds: Folding) -> str:
        """What is shown for `part`: one sequence, or a run of characters that may be in the table."""
        if part[0] in TRIGGERS:
            one = read(part)
            if one == part:
                self.same(len(part))
                return part
            shown = "".join(folds.table.get(c, c) for c in one)
            self.has_read = True
            self.unit(len(part), len(shown))
            return shown
        if folds.uneven.search(part) is None:
            self.same(len(part))
            return part.translate(folds.translation)
        shows = [folds.table.get(c, c) for c in part]
        for shown in shows:
            self.unit(1, len(shown))
        return "".join(shows)
