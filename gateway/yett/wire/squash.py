"""Text for keyword rules: what is left when writing tricks are ironed out.

`squash` makes `1GN0RE`, `i g n o r e`, `i.g.n.o.r.e`, `ígnòre` and `ignore` the same text: lower case, look-alikes and
leetspeak folded, diacritics and invisible characters gone, spelt-out words joined, each run of whitespace one space. It
keeps the way back to the original. Whole words of look-alikes are folded too, unless some letter of the text has no
Latin twin: then it is in another language. Phrases to look for are squashed too, so that both sides have lost the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

from yett.wire.lookalikes import look_alikes
from yett.wire.offsets import Offsets
from yett.wire.unicode import ScanView

_SPACES = str.maketrans("\t\n\v\f\r\x1c\x1d\x1e\x1f", " " * 9)
_LEET = str.maketrans("013457@$!", "oieastasi")
_LEET_SIGN = re.compile("[013457@$!]")
# Words with a sign in them; a `!` is a letter only where another one follows.
_LEET_WORD = re.compile(r"(?<![a-z0-9@$!])[a-z2689]*(?:[013457@$]|!(?=[a-z0-9]))(?:[a-z0-9@$]|!(?=[a-z0-9]))*")
_LETTER = re.compile("[a-z]")
_MAYBE_SPELT = re.compile(r"[ .\-_*|/][a-z][ .\-_*|/]{1,2}[a-z][ .\-_*|/]{1,2}[a-z](?![a-z])")
# Where one word is spelt out, short ones are too. The same separator runs through a word.
_SPELT = re.compile(r"(?<![a-z0-9])[a-z](?P<sign>[.\-_*|/] ?| )[a-z](?:(?P=sign)[a-z])*(?![a-z0-9])")
_WIDE = re.compile("  +")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+(?:[ ,.]{1,2}[^\x00-\x7f]+)*")

# Letters that no decomposition brings back to ASCII.
_PLAIN = {"\u00f8": "o", "\u0142": "l", "\u0111": "d", "\u00df": "ss", "\u00e6": "ae", "\u0153": "oe", "\u0131": "i"}
_ACCENTED_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
_ALPHABETS = ("GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "TIFINAGH", "CANADIAN SYLLABICS")
_POINTS = ("\u0591", "\u05c7"), ("\u064b", "\u0652"), ("\u0640", "\u0640")  # Hebrew and Arabic vowels, tatweel
_FLAG_A, _FLAG_Z = 0x1F1E6, 0x1F1FF
_KNOWN_CHARACTERS = 4096

Parts = Callable[[str], list[str]]  # of a match: what is shown for each of its characters


class Squashed:
    """A squashed text, and the way back."""

    __slots__ = ("_steps", "text")

    def __init__(self, text: str, steps: Sequence[Offsets]) -> None:
        self.text = text
        self._steps = steps

    @property
    def starts(self) -> Sequence[int]:
        """For each character of `text` where it begins in the original, and where the original ends."""
        if not self._steps:
            return range(len(self.text) + 1)
        last = self._steps[0].text_length
        return [*(self.span(at, at + 1)[0] for at in range(len(self.text))), last]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The (non-empty) span of `text` in positions of the original."""
        for step in reversed(self._steps):
            start, end = step.span(start, end)
        return start, end


def squash(text: str) -> Squashed:
    """`text` for keyword rules. See above."""
    steps: list[Offsets] = []
    if not text.isascii():
        view = ScanView()
        text = view.add(text, final=True)
        _keep(steps, view)
        if not text.isascii():
            if not any(map(_is_native, set(text))):
                text = text.translate(look_alikes().translation)
            text = _rewritten(text, _BEYOND_ASCII, _bare_parts, steps)
    text = text.lower().translate(_SPACES)
    if (sign := _LEET_SIGN.search(text)) is not None:
        text = _unleeted(text, sign.start())
    if _MAYBE_SPELT.search(" " + text) is not None:
        text = _rewritten(text, _SPELT, _joined, steps)
    if "  " in text:
        text = _rewritten(text, _WIDE, _narrowed, steps)
    return Squashed(text, steps)


def _unleeted(text: str, first: int) -> str:
    """`text`, all lower case, with leetspeak read; `first`: its first sign."""
    start = text.rfind(" ", 0, first) + 1
    return text[:start] + _LEET_WORD.sub(_word, text[start:])


def _word(found: re.Match[str]) -> str:
    word = found.group()
    return word if _LETTER.search(word) is None else word.translate(_LEET)


def _rewritten(text: str, pattern: re.Pattern[str], parts: Parts, steps: list[Offsets]) -> str:
    """`text` with each match of `pattern` shown as `parts` says; how, is added to `steps`."""
    offsets = Offsets()
    pieces: list[str] = []
    done = 0
    for found in pattern.finditer(text):
        pieces.append(text[done : found.start()])
        offsets.same(found.start() - done)
        done = found.end()
        shown = parts(found.group())
        pieces.append("".join(shown))
        if set(map(len, shown)) == {1}:
            offsets.same(len(shown))
            continue
        for one in shown:
            offsets.unit(1, len(one))
    pieces.append(text[done:])
    offsets.same(len(text) - done)
    _keep(steps, offsets)
    return "".join(pieces)


def _keep(steps: list[Offsets], offsets: Offsets) -> None:
    if not offsets.plain:
        steps.append(offsets)


def _bare_parts(text: str) -> list[str]:
    return [_bare(one) for one in text]


def _joined(text: str) -> list[str]:
    return [one if one.isalpha() else "" for one in text]


def _narrowed(text: str) -> list[str]:
    return [" ", *[""] * (len(text) - 1)]


@lru_cache(maxsize=_KNOWN_CHARACTERS)
def _is_native(one: str) -> bool:
    """Whether only somebody who writes another alphabet writes this letter: it has no Latin twin."""
    return not one.isascii() and one not in look_alikes().table and unicodedata.name(one, "").startswith(_ALPHABETS)


@lru_cache(maxsize=_KNOWN_CHARACTERS)
def _bare(one: str) -> str:
    """A character in lower case, without its marks."""
    if one.isspace():
        return " "
    if any(first <= one <= last for first, last in _POINTS):
        return ""
    if _FLAG_A <= ord(one) <= _FLAG_Z:
        return chr(ord(one) - _FLAG_A + ord("a"))
    small = one.lower()
    small = _PLAIN.get(small, small)
    if unicodedata.name(one, "").startswith("LATIN LETTER SMALL CAPITAL"):
        return look_alikes().table.get(one, small)
    if not unicodedata.name(one, "").startswith(_ACCENTED_SCRIPTS):
        return small
    return "".join(c for c in unicodedata.normalize("NFD", small) if not unicodedata.combining(c))
