"""What can be proven about a regular expression before it runs: its reach, and RE2 patterns that cover it.

`shape_of` parses a pattern and refuses what cannot be matched exactly on a stream (`NotLocal` says why). Everything
here is conservative: `reach` may be too large and the RE2 patterns may match too much, never the other way round.

The RE2 patterns are for text with one byte per character, in which every character beyond ASCII has become `?`
(`text.encode("ascii", "replace")`): positions stay the same, and `?` is in every class that has any of those.
"""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import re2

_PROPERTY = re.compile(r"\\[pP](?:\{[^}]*\}|[A-Z])")
_ANY_CHARACTER = chr(0x10FFFE)  # a noncharacter that stands for a \p{...} property while we parse
_FUZZY = re.compile(r"(?<!\\)\{[^}]*[eids][^}]*\}")
_LEADING_FLAGS = re.compile(r"\(\?([aims]+)\)")
_BOUNDARY = r"(?:(?<=\w)(?!\w)|(?<!\w)(?=\w))"
_RE2_REPEAT_MAX = 1000
_RE2_MEMORY_BYTES = 64 << 20
_TOP = 0x10FFFF
_ZERO, _NINE = 0x30, 0x39
_SPACES = ((0x9, 0xD), (0x20, 0x20))
_CLASSES: dict[str, tuple[tuple[int, int], ...]] = {
    "CATEGORY_DIGIT": ((0x30, 0x39),),
    "CATEGORY_SPACE": _SPACES,
    "CATEGORY_WORD": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
}

Ranges = tuple[tuple[int, int], ...]

# Given data, a first and an end position: the span of the leftmost match in a sequence, (-1, -1) if there is none.
Search = Callable[[bytes, int, int], Sequence[tuple[int, int]]]


class NotLocal(ValueError):
    """The pattern's matches could depend on text arbitrarily far away, or it cannot be analysed; says which."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a pattern.

    low, high  fewest and most characters a match takes (`high` None: unbounded)
    ahead      characters that look-arounds may read beyond the match
    behind     characters that look-behinds may read before it
    superset   RE2 pattern that matches wherever this one does
    opening    RE2 pattern for every text that an attempt can have read when it reaches the end of the text so far
    alphabet   every character that an attempt can step over, as ranges; None: unknown or everything
    needed     characters each of which is in every match
    digit      every match holds an ASCII digit
    """

    low: int = 0
    high: int | None = 0
    ahead: int = 0
    behind: int = 0
    superset: str = ""
    opening: str = ""
    alphabet: Ranges | None = ()
    needed: frozenset[str] = frozenset()
    digit: bool = False
    boundary: bool = False  # begins with \b
    flags: str = ""
    body: str = ""  # the pattern without its leading flags
    waiting: str = ""  # the same for partial matching: \b waits for the character that decides it

    @property
    def reach(self) -> int | None:
        """Characters after its start that an attempt can read, one more for boundaries; None: unbounded."""
        return None if self.high is None else self.high + self.ahead + 1


def shape_of(source: str, *, ignore_case: bool, group: int) -> Shape:
    """Analyse `source`. Raises NotLocal."""
    flags, body = _split_flags(source)
    if ignore_case and "i" not in flags:
        flags += "i"
    if _FUZZY.search(body):
        raise NotLocal(r"fuzzy matching is not local; a plain brace is written \{")
    if "[:" in body and ":]" in body:
        raise NotLocal("POSIX classes are not supported; write the characters out")
    tree = parsed(body, flags)
    loose = _shape(tree, flags, group, counting=False)
    shape = _shape(tree, flags, group, counting=True)
    if not compiles(shape.superset):
        shape = loose
    # Counting openings would make automata of millions of states: each place to begin from has a count of its own.
    return replace(
        shape, opening=loose.opening, flags=flags, body=body, waiting=_waiting(body, keep_first=shape.boundary)
    )


def parsed(body: str, flags: str) -> Any:
    """The parse tree of `body` (a pattern without leading flags), as the standard library has it. Raises NotLocal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # a doubled - or & in a set is a plain character to us
            return _parser().parse(_PROPERTY.sub(_ANY_CHARACTER, body), _sre_flags(flags))
    except (re.error, OverflowError, RecursionError) as error:
        raise NotLocal(f"it cannot be analysed: {error}") from None


def plain_pattern(body: str, flags: str) -> re.Pattern[str] | None:
    """`body` for the standard library's engine, where it takes that and means the same by it."""
    if not body.isascii() and ("i" in flags or "(?" in body):  # it may fold letters beyond ASCII in its own way
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(f"(?{flags}:{body})", re.ASCII | re.MULTILINE)
    except (re.error, OverflowError, RecursionError):
        return None


def compiles(pattern: str) -> bool:
    """Whether RE2 takes `pattern` (with counted repeats inside one another it may be too large)."""
    try:
        re2.compile(pattern.encode(), re2_options())
    except re2.error:
        return False
    return True


def re2_options() -> re2.Options:
    """The options under which all our RE2 patterns are compiled."""
    options = re2.Options()
    options.max_mem = _RE2_MEMORY_BYTES
    options.log_errors = False
    options.never_capture = True
    options.encoding = re2.Options.Encoding.LATIN1
    return options


def searcher(pattern: str) -> Search:
    """RE2's own search for `pattern`, without the generator and match object that its public wrapper puts around it.

    These take longer than most searches do. Raises re2.error for a pattern that RE2 refuses.
    """
    compiled = re2.compile(pattern.encode(), re2_options())
    return partial(compiled._regexp.Match, re2._Anchor.UNANCHORED)  # noqa: SLF001  # see above


def _shape(tree: Any, flags: str, group: int, *, counting: bool) -> Shape:
    walk = _Walk(ignore_case="i" in flags, counting=counting)
    shape = walk.sequence(tree, dotall="s" in flags)
    if shape.low == 0:
        raise NotLocal("it matches the empty text")
    if not 0 <= group < tree.state.groups:
        raise NotLocal(f"it has no group {group}")
    if group in walk.hidden:
        raise NotLocal(f"group {group} stands inside a look-around")
    # Where nothing follows a look-ahead, RE2 may read on through it: that covers less in vain than leaving it out.
    tail = walk.look_ahead(tree[-1], dotall="s" in flags)
    start = "(?i:" if "i" in flags else "(?:"
    boundary = str(tree[0][0]) == "AT" and str(tree[0][1]) == "AT_BOUNDARY"
    return replace(
        shape,
        superset=f"{start}{shape.superset}{tail.superset})",
        opening=start + (r"\b" if boundary else "") + shape.opening + ")",
        boundary=boundary,
    )


def character_class(ranges: Ranges) -> str:
    """`ranges` as the inside of a character class that re, regex and RE2 read alike for ASCII, re for all."""
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)


def _waiting(body: str, *, keep_first: bool) -> str:
    r"""`body` with each \b (but one in front) spelt out as look-arounds, which partial matching waits for."""
    out: list[str] = []
    at, in_set, set_start = 0, False, 0
    while at < len(body):
        piece = body[at : at + 2] if body[at] == "\\" else body[at]
        if in_set:
            in_set = piece != "]" or at == set_start
        elif piece == "[":
            in_set, set_start = True, at + (2 if body[at + 1 : at + 2] == "^" else 1)
        elif piece == r"\b" and not (keep_first and at == 0):
            piece, at = _BOUNDARY, at + 2 - len(_BOUNDARY)
        out.append(piece)
        at += len(piece)
    return "".join(out)


def _parser() -> Any:
    # The standard library's own parser. It is private but has kept its form since Python 2; what a future version
    # adds is refused as "cannot be analysed", never misread.
    return importlib.import_module("re._parser")


def _sre_flags(flags: str) -> int:
    found = re.ASCII | re.MULTILINE
    if "i" in flags:
        found |= re.IGNORECASE
    if "s" in flags:
        found |= re.DOTALL
    return int(found)


def _split_flags(source: str) -> tuple[str, str]:
    flags = ""
    while found := _LEADING_FLAGS.match(source):
        flags += "".join(f for f in found[1] if f in "is" and f not in flags)
        source = source[found.end() :]
    if re.match(r"\(\?[a-zA-Z]+\)", source):
        raise NotLocal("only the flags i, m and s are supported")
    return flags, source


def _times(high: int | None, count: int | None) -> int | None:
    if high == 0 or count == 0:
        return 0
    return None if high is None or count is None else high * count


def _complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    out, at = [], 0
    for low, high in sorted(ranges):
        if low > at:
            out.append((at, low - 1))
        at = max(at, high + 1)
    if at <= _TOP:
        out.append((at, _TOP))
    return tuple(out)


def _re2_class(ranges: Ranges) -> str:
    inside = [f"\\x{low:02x}-\\x{min(high, 0x7F):02x}" for low, high in ranges if low < 0x80]
    if any(high >= 0x80 for _, high in ranges):
        inside.append("?")
    return f"[{''.join(inside)}]"


def _openings(parts: Sequence[Shape]) -> str:
    """What a sequence can have read: some of the first part, or all of it and some of the rest."""
    opening = ""
    for part in reversed(parts):
        rest = opening if part.high == 0 else part.superset + opening
        if part.opening == part.superset + "?":  # a single character
            opening = f"(?:{rest})?"
        elif part.opening:
            opening = f"(?:{part.opening}|{rest})"
        else:
            opening = rest
    return opening


def _join_alphabets(parts: Iterable[Shape]) -> Ranges | None:
    joined: list[tuple[int, int]] = []
    for part in parts:
        if part.alphabet is None:
            return None
        joined += part.alphabet
    return tuple(dict.fromkeys(joined))


class _Walk:
    """One walk over a parse tree; `hidden` collects the groups that stand inside look-arounds."""

    def __init__(self, *, ignore_case: bool, counting: bool) -> None:
        self.counting = counting  # whether RE2 is given the counts of repeats
        self.ignore_case = ignore_case
        self.hidden: set[int] = set()
        self._looking = False
        self._handlers = self._make_handlers()

    def sequence(self, nodes: Sequence[Any], *, dotall: bool) -> Shape:
        """The shape of nodes that follow one another."""
        parts = [self._node(str(op), value, dotall) for op, value in nodes]
        highs = [part.high for part in parts]
        return Shape(
            low=sum(part.low for part in parts),
            high=None if None in highs else sum(high or 0 for high in highs),
            ahead=sum(part.ahead for part in parts),
            behind=max((part.behind for part in parts), default=0),
            superset="".join(part.superset for part in parts),
            opening=_openings(parts),
            alphabet=_join_alphabets(parts),
            needed=frozenset().union(*(part.needed for part in parts)),
            digit=any(part.digit for part in parts),
        )

    def _node(self, op: str, value: Any, dotall: bool) -> Shape:
        if op in {"GROUPREF", "GROUPREF_EXISTS"}:
            raise NotLocal("it refers back to a group")
        if op not in self._handlers:
            raise NotLocal(f"{op.lower()} is not supported")
        return self._handlers[op](value, dotall)

    def _make_handlers(self) -> Mapping[str, Callable[[Any, bool], Shape]]:
        return {
            "LITERAL": lambda v, _: self._characters(ranges_of([("LITERAL", v)])),
            "NOT_LITERAL": lambda v, _: self._characters(ranges_of([("NEGATE", None), ("LITERAL", v)])),
            "ANY": lambda _, s: self._characters(((0, _TOP),) if s else _complement(((10, 10),))),
            "IN": lambda v, _: self._characters(ranges_of(v)),
            "BRANCH": lambda v, s: self._branch(v[1], s),
            "SUBPATTERN": self._group,
            "ATOMIC_GROUP": lambda v, s: self._wrap(self.sequence(v, dotall=s)),
            "MAX_REPEAT": self._repeat,
            "MIN_REPEAT": self._repeat,
            "POSSESSIVE_REPEAT": self._repeat,
            "ASSERT": self._look,
            "ASSERT_NOT": self._look,
            "AT": lambda v, _: _anchor(str(v)),
        }

    def _characters(self, ranges: Ranges) -> Shape:
        one = chr(ranges[0][0]) if len(ranges) == 1 and ranges[0][0] == ranges[0][1] else ""
        needed = frozenset(one) if one and not (self.ignore_case and one.isalpha()) else frozenset()
        text = _re2_class(ranges)
        # A class that reaches to the end of Unicode is a complement: nearly everything is in it.
        digit = all(low >= _ZERO and high <= _NINE for low, high in ranges)
        return Shape(1, 1, 0, 0, text, text + "?", None if ranges[-1][1] == _TOP else ranges, needed, digit)

    def _branch(self, branches: Sequence[Any], dotall: bool) -> Shape:
        parts = [self.sequence(branch, dotall=dotall) for branch in branches]
        highs = [part.high for part in parts]
        return Shape(
            low=min(part.low for part in parts),
            high=None if None in highs else max(high for high in highs if high is not None),
            ahead=max(part.ahead for part in parts),
            behind=max(part.behind for part in parts),
            superset="(?:" + "|".join(part.superset for part in parts) + ")",
            opening="(?:" + "|".join(part.opening for part in parts) + ")",
            alphabet=_join_alphabets(parts),
            needed=frozenset.intersection(*(part.needed for part in parts)),
            digit=all(part.digit for part in parts),
        )

    def _group(self, value: Any, dotall: bool) -> Shape:
        number, added, removed, body = value
        if removed:
            raise NotLocal("flags cannot be switched off inside it")
        if self._looking and number is not None:
            self.hidden.add(number)
        before, self.ignore_case = self.ignore_case, self.ignore_case or bool(added & re.IGNORECASE)
        part = self.sequence(body, dotall=dotall or bool(added & re.DOTALL))
        self.ignore_case = before
        return self._wrap(part, "i" if added & re.IGNORECASE else "")

    def _wrap(self, part: Shape, flags: str = "") -> Shape:
        start = f"(?{flags}:"
        return replace(
            part,
            superset=f"{start}{part.superset})",
            opening=f"{start}{part.opening})",
        )

    def _repeat(self, value: Any, dotall: bool) -> Shape:
        low, most, body = value
        part = self.sequence(body, dotall=dotall)
        high = None if most is _parser().MAXREPEAT else int(most)
        count = f"{{{min(low, _RE2_REPEAT_MAX)},{'' if high is None or high > _RE2_REPEAT_MAX else high}}}"
        if not self.counting:
            count = "+" if low else "*"
        return replace(
            part,
            low=part.low * low,
            high=_times(part.high, high),
            # A look-ahead inside a repeat is read again at each turn, but from the place that turn has reached.
            superset=f"(?:{part.superset}){count}",
            opening=f"(?:{part.superset})*{part.opening}",
            needed=part.needed if low else frozenset(),
            digit=part.digit and low > 0,
        )

    def look_ahead(self, node: tuple[Any, Any], *, dotall: bool) -> Shape:
        """The shape of what `node` looks for, if it is a positive look-ahead; else an empty one."""
        if str(node[0]) == "ASSERT" and node[1][0] > 0:
            return self.sequence(node[1][1], dotall=dotall)
        return Shape()

    def _look(self, value: Any, dotall: bool) -> Shape:
        direction, body = value
        outer, self._looking = self._looking, True
        part = self.sequence(body, dotall=dotall)
        self._looking = outer
        if part.high is None:
            raise NotLocal("a look-around in it has no longest width")
        width = part.high + part.ahead + part.behind
        if direction > 0:
            return Shape(ahead=width, behind=part.behind, alphabet=part.alphabet, opening=part.opening)
        return Shape(behind=width, ahead=part.ahead)


def ranges_of(items: Sequence[Any]) -> Ranges:
    """The characters of a class in a parse tree; everything where a part of it is unknown."""
    found: list[tuple[int, int]] = []
    negated = False
    for op, value in items:
        name = str(op)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            found.append((value, value))
        elif name == "RANGE":
            found.append(tuple(value))
        else:
            found += _category(str(value))
    if (ord(_ANY_CHARACTER), ord(_ANY_CHARACTER)) in found:
        return ((0, _TOP),)
    return _complement(found) if negated else tuple(sorted(found))


def _category(name: str) -> Ranges:
    plain = name.replace("_NOT_", "_")
    if plain not in _CLASSES:
        raise NotLocal(f"{name.lower()} is not supported")
    return _CLASSES[plain] if plain == name else _complement(_CLASSES[plain])


def _anchor(name: str) -> Shape:
    if name == "AT_NON_BOUNDARY":
        raise NotLocal(r"\B is true at the end of a stream's buffer and false later")
    # RE2 sees several texts joined into one: only \b means the same there.
    text = r"\b" if name == "AT_BOUNDARY" else ""
    return Shape(superset=text, behind=1)
