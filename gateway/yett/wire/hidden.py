"""What a text hides from people: words spelt in characters that show nothing, and letters in turned order.

Honest text has such characters one or two at a time: emoji are joined with them, Persian and Indic words need them,
three flags are spelt in tag characters. What is reported here has no such use.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

HIDDEN_MAX_CHARS = 4096  # of one run; a longer one is several
TURNED_MAX_CHARS = 256  # a turn that lasts longer counts as unclosed
TURNS_MAX = 6  # more of them in one line turn something

_TAGS = range(0xE0000, 0xE0080)
_BLACK_FLAG = "\U0001f3f4"
_SPELT = "\u00ad\u034f\u180b-\u180f\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff"
_RUN = re.compile(f"{_BLACK_FLAG}?[{_SPELT}]{{1,{HIDDEN_MAX_CHARS}}}|{_BLACK_FLAG}")
_TURNS = "\u202b\u202e\u2067"  # right-to-left: embedding, override, isolate
_TURN = re.compile(f"[{_TURNS}]")
_OVERRIDE = "\u202e"
_ANY = re.compile(f"[{_SPELT}{_TURNS}{_BLACK_FLAG}]")
_LINE = re.compile(rf"[^\n\u2029]{{0,{TURNED_MAX_CHARS}}}")
_OPENING = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
_CLOSING = "\u202c\u2069"
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_TWO_LETTERS = re.compile("[A-Za-z].*[A-Za-z]", re.DOTALL)
_FLAG = re.compile(f"{_BLACK_FLAG}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{{1,6}}\U000e007f?\ufe0f?")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_MANY = 8  # invisible characters in a row: the bits of one letter
_PRINTABLE = re.compile(r"[\t\n\r -~]{4,}")


class Hidden(NamedTuple):
    """One hidden place: characters `start` to `end`, and the texts that it may spell.

    `reported`: it is hidden on purpose. `turned`: not spelt in invisible characters, but shown in another order.
    """

    start: int
    end: int
    texts: tuple[str, ...] = ()
    reported: bool = True
    turned: bool = False


def shows_all(text: str) -> bool:
    """Whether `text` has no character that this module looks at."""
    return text.isascii() or _ANY.search(text) is None


def hidden_in(text: str, *, final: bool) -> tuple[list[Hidden], int]:
    """What `text` hides before the position that is given with it; from there on more text may decide."""
    decided = len(text)
    found: list[Hidden] = []
    for run in _RUN.finditer(text):
        if not final and run.end() == len(text) and len(run.group()) < HIDDEN_MAX_CHARS:
            decided = run.start()
        elif len(run.group()) > 1 and (one := _spelt(run)) is not None:
            found.append(one)
    for turn in _TURN.finditer(text):
        at = turn.start()
        line = _LINE.match(text, at + 1)
        shown = line.group() if line else ""
        if not final and at + 1 + len(shown) == len(text) and len(shown) < TURNED_MAX_CHARS:
            decided = min(decided, at)
            break
        if _turns(turn.group(), shown):
            found.append(Hidden(at, at + 1, turned=True))
    return sorted(one for one in found if one.start < decided), decided


def _spelt(run: re.Match[str]) -> Hidden | None:
    """What a run of invisible characters spells; None where such runs are common."""
    start, end = run.span()
    signs = run.group()
    if signs[0] == _BLACK_FLAG:
        flag = _FLAG.match(signs)
        signs = signs[flag.end() if flag else 1 :]
        start = end - len(signs)
    tags = "".join(chr(ord(c) - _TAGS.start) for c in signs if ord(c) in _TAGS)
    if len(tags) > 1:
        return Hidden(start, end, (tags,))
    selectors = _SELECTORS.search(signs)
    if selectors is not None:
        return Hidden(start, end, tuple(_of_selectors(selectors.group())))
    kinds = Counter(signs).most_common(2)
    if len(signs) >= _MANY and len(kinds) > 1:
        return Hidden(start, end, tuple(_of_bits(signs, kinds[0][0], kinds[1][0])))
    return None


def _of_selectors(signs: str) -> Iterator[str]:
    """Each of the 256 variation selectors is a byte."""
    data = bytes(ord(c) - 0xFE00 if ord(c) < 0xFE10 else ord(c) - 0xE0100 + 16 for c in signs)
    text = data.decode("utf-8", "ignore")
    if _PRINTABLE.search(text):
        yield text


def _of_bits(signs: str, one: str, other: str) -> Iterator[str]:
    """Two kinds of characters are the bits of letters, in either meaning, with or without a third between letters."""
    for zero, unit in ((one, other), (other, one)):
        bits = "".join("0" if c == zero else "1" for c in signs if c in (zero, unit))
        for width in (8, 7):
            letters = [int(bits[at : at + width], base=2) for at in range(0, len(bits) - width + 1, width)]
            text = "".join(map(chr, letters))
            if _PRINTABLE.fullmatch(text):
                yield text


def _turns(sign: str, line: str) -> bool:
    """Whether `sign` turns letters round that are not written from right to left. `line`: what follows."""
    if sum(map(line.count, _OPENING)) > TURNS_MAX:
        return True
    depth = 1
    for at, one in enumerate(line):
        depth += (one in _OPENING) - (one in _CLOSING)
        if depth == 0:
            line = line[:at]
            break
    if _RIGHT_TO_LEFT.search(line) is not None or _TWO_LETTERS.search(line) is None:
        return False
    return sign == _OVERRIDE or depth > 0
