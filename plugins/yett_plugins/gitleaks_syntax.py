r"""Go's regular expressions (RE2's syntax), parsed into a tree of characters, choices, repeats and groups.

Flags are resolved while parsing: `(?i)` adds the other case to each character, `(?s)` and `(?m)` decide what `.`, `^`
and `$` mean. So the tree says the same in every engine. Look-arounds, which Go lacks, are taken too. `Unsupported`
names what is not: back-references, `(?U)`, `\C`, scripts such as `\p{Greek}`.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

TOP = sys.maxunicode

Ranges = tuple[tuple[int, int], ...]


class Unsupported(ValueError):
    """The pattern is wrong, or says something that cannot be translated; says what."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of `ranges`, which are sorted and apart."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Assertion:
    """A place of no width, written as look-arounds of one character or as a word boundary."""

    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """Nodes that follow one another."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The first of several branches that leads to a match."""

    branches: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`item` from `low` to `high` times (None: without end)."""

    item: Node
    low: int
    high: int | None
    lazy: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Parentheses. `head` is what stands after the opening one: nothing, `?:` or a look-around.

    `number` counts the captures, named or not.
    """

    head: str
    item: Node
    number: int = 0
    named: bool = False


Node = Characters | Assertion | Sequence | Choice | Repeat | Group

DIGITS: Ranges = ((0x30, 0x39),)
WORDS: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACES: Ranges = ((0x9, 0xA), (0xC, 0xD), (0x20, 0x20))
NEWLINE: Ranges = ((0xA, 0xA),)

_POSIX: dict[str, Ranges] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0, 0x7F),),
    "blank": ((0x9, 0x9), (0x20, 0x20)),
    "cntrl": ((0, 0x1F), (0x7F, 0x7F)),
    "digit": DIGITS,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x9, 0xD), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": WORDS,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}
_CLASSES = {"d": DIGITS, "w": WORDS, "s": SPACES}
_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_TEXT_START, _TEXT_END = r"(?<![\s\S])", r"(?![\s\S])"
_LINE_START, _LINE_END = r"(?<![^\n])", r"(?![^\n])"
_NOT_BOUNDARY = r"(?:(?<=\w)(?=\w)|(?<!\w)(?!\w))"
_ASSERTIONS = {"b": r"\b", "B": _NOT_BOUNDARY, "A": _TEXT_START, "z": _TEXT_END}

_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|\Z)|\\.", re.DOTALL)
_FLAGS = re.compile(r"\(\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])")
_NAMED = re.compile(r"\(\?P?<[A-Za-z_]\w*>")
_LOOK = re.compile(r"\(\?<?[=!]")
_COUNT = re.compile(r"\{(\d+)(,(\d*))?\}")
_POSIX_NAME = re.compile(r"\[:(\^?)([a-z]+):\]")
_PROPERTY = re.compile(r"\\([pP])(?:\{(\^?)(\w+)\}|([A-Z]))")
_HEX = re.compile(r"\\x(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_FOLD_MOST = 512


@dataclass(frozen=True, slots=True)
class _Flags:
    ignore_case: bool = False
    lines: bool = False
    dotall: bool = False

    def switched(self, on: str, off: str) -> _Flags:
        flags = self
        for letters, value in ((on, True), (off, False)):
            for letter in letters:
                if letter not in "ims":
                    raise Unsupported(f"the flag {letter} is not supported")
                name = {"i": "ignore_case", "m": "lines", "s": "dotall"}[letter]
                flags = replace(flags, **{name: value})
        return flags


def parse(source: str) -> Node:
    """The tree of `source`. Raises Unsupported."""
    return _Parser(_QUOTED.sub(_unquoted, source)).whole()


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """`ranges`, sorted, those that touch joined."""
    out: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if out and low <= out[-1][1] + 1:
            out[-1] = (out[-1][0], max(high, out[-1][1]))
        else:
            out.append((low, high))
    return tuple(out)


def complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Every character that is not in `ranges`."""
    out, at = [], 0
    for low, high in merged(ranges):
        if low > at:
            out.append((at, low - 1))
        at = high + 1
    if at <= TOP:
        out.append((at, TOP))
    return tuple(out)


def _unquoted(found: re.Match[str]) -> str:
    return found[0] if found[1] is None else re.escape(found[1])


class _Parser:
    """One pass over a pattern; `_at` is the place of the next character."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._groups = 0

    def whole(self) -> Node:
        """The whole pattern."""
        node = self._choice(_Flags())
        if self._at < len(self._source):
            raise Unsupported("a ) closes nothing")
        return node

    def _choice(self, flags: _Flags) -> Node:
        branches: list[Node] = []
        items: list[Node] = []
        while self._at < len(self._source) and self._source[self._at] != ")":
            if self._source[self._at] == "|":
                self._at += 1
                branches.append(Sequence(tuple(items)))
                items = []
            elif (found := _FLAGS.match(self._source, self._at)) and found[3] == ")":
                self._at = found.end()
                flags = flags.switched(found[1], found[2] or "")
            else:
                items.append(self._repeated(self._atom(flags)))
        branches.append(Sequence(tuple(items)))
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _repeated(self, node: Node) -> Node:
        count = self._quantifier()
        if count is None:
            return node
        low, high = count
        if high is not None and low > high:
            raise Unsupported("a repeat ends before it begins")
        lazy = self._take("?")
        if self._quantifier() is not None:
            raise Unsupported("a repeat follows a repeat")
        return Repeat(node, low, high, lazy)

    def _quantifier(self) -> tuple[int, int | None] | None:
        for mark, low, high in (("*", 0, None), ("+", 1, None), ("?", 0, 1)):
            if self._take(mark):
                return low, high
        found = _COUNT.match(self._source, self._at)
        if found is None:
            return None
        self._at = found.end()
        if found[2] is None:
            return int(found[1]), int(found[1])
        return int(found[1]), int(found[3]) if found[3] else None

    def _take(self, text: str) -> bool:
        if not self._source.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _atom(self, flags: _Flags) -> Node:
        character = self._source[self._at]
        if character == "(":
            return self._group(flags)
        if character == "[":
            return Characters(self._set(flags))
        if character == "\\":
            return self._escaped(flags)
        if self._quantifier() is not None:
            raise Unsupported("a repeat has nothing before it")
        self._at += 1
        if character == ".":
            return Characters(((0, TOP),) if flags.dotall else complement(NEWLINE))
        if character == "^":
            return Assertion(_LINE_START if flags.lines else _TEXT_START)
        if character == "$":
            return Assertion(_LINE_END if flags.lines else _TEXT_END)
        return Characters(_cased(((ord(character), ord(character)),), flags))

    def _group(self, flags: _Flags) -> Node:
        head, number, named = "", 0, False
        if found := _FLAGS.match(self._source, self._at):
            head, flags = "?:", flags.switched(found[1], found[2] or "")
        elif found := _LOOK.match(self._source, self._at):
            head = found[0][1:]
        elif found := _NAMED.match(self._source, self._at):
            named = True
        elif self._source.startswith("(?", self._at):
            raise Unsupported("it has a group of an unknown kind")
        if not head:
            self._groups += 1
            number = self._groups
        self._at = found.end() if found else self._at + 1
        item = self._choice(flags)
        if not self._take(")"):
            raise Unsupported("a ( is not closed")
        return Group(head, item, number, named)

    def _escaped(self, flags: _Flags) -> Node:
        letter = self._source[self._at + 1 : self._at + 2]
        if letter in _ASSERTIONS:
            self._at += 2
            return Assertion(_ASSERTIONS[letter])
        return Characters(_cased(self._escape(), flags))

    def _escape(self) -> Ranges:
        r"""The characters that the escape at this place stands for, inside a set and outside."""
        if found := _PROPERTY.match(self._source, self._at):
            self._at = found.end()
            ranges = _category(found[3] or found[4])
            return complement(ranges) if (found[1] == "P") is not bool(found[2]) else ranges
        for pattern, base in ((_HEX, 16), (_OCTAL, 8)):
            if found := pattern.match(self._source, self._at):
                self._at = found.end()
                point = int(next(part for part in found.groups() if part is not None), base)
                if point > TOP:
                    raise Unsupported("an escape is beyond Unicode")
                return ((point, point),)
        letter = self._source[self._at + 1 : self._at + 2]
        self._at += 2
        if letter.lower() in _CLASSES and letter:
            ranges = _CLASSES[letter.lower()]
            return ranges if letter.islower() else complement(ranges)
        if not letter or (letter.isalnum() and letter.isascii() and letter not in _CONTROLS):
            raise Unsupported(f"the escape \\{letter} is not supported")
        point = _CONTROLS.get(letter, ord(letter))
        return ((point, point),)

    def _set(self, flags: _Flags) -> Ranges:
        self._at += 1
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or not self._take("]"):
            if self._at >= len(self._source):
                raise Unsupported("a [ is not closed")
            ranges += self._set_item()
            first = False
        cased = _cased(merged(ranges), flags)
        return complement(cased) if negated else cased

    def _set_item(self) -> Ranges:
        if found := _POSIX_NAME.match(self._source, self._at):
            if found[2] not in _POSIX:
                raise Unsupported(f"there is no class [:{found[2]}:]")
            self._at = found.end()
            return complement(_POSIX[found[2]]) if found[1] else _POSIX[found[2]]
        low = self._set_character()
        rest = self._source[self._at : self._at + 2]
        if len(rest) < 2 or rest[0] != "-" or rest[1] == "]" or len(low) > 1 or low[0][0] != low[0][1]:
            return low
        self._at += 1
        high = self._set_character()
        if len(high) > 1 or high[0][0] != high[0][1] or high[0][0] < low[0][0]:
            raise Unsupported("a set has a range that is none")
        return ((low[0][0], high[0][0]),)

    def _set_character(self) -> Ranges:
        if self._source[self._at] == "\\":
            return self._escape()
        self._at += 1
        point = ord(self._source[self._at - 1])
        return ((point, point),)


def _cased(ranges: Ranges, flags: _Flags) -> Ranges:
    """`ranges` with the other case of their letters, where case is ignored."""
    if not flags.ignore_case:
        return ranges
    out = list(ranges)
    for low, high in ranges:
        last = high if high - low < _FOLD_MOST else min(high, 0x7F)  # of large alphabets the ASCII letters
        for point in range(low, last + 1):
            character = chr(point)
            others = (character.lower(), character.upper()) if character.isalpha() else ()
            out += [(ord(other), ord(other)) for other in others if len(other) == 1]
    return merged(out)


def _category(name: str) -> Ranges:
    r"""The characters of a general category such as L or Lu (`\pL`, `\p{Lu}`)."""
    points = [point for point in range(TOP + 1) if unicodedata.category(chr(point)).startswith(name)]
    if not points or len(name) > 2:
        raise Unsupported(f"\\p{{{name}}} is not supported; categories such as \\pL and \\p{{Lu}} are")
    return merged((point, point) for point in points)
