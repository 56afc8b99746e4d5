"""A gitleaks rule's regular expression for the scan engine: the same matches, in the `regex` module's syntax.

`translate` also says which capture group is the secret (gitleaks takes the first that is not empty) and which keywords
are in every match anyway, so that nobody needs to look for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from yett_plugins.gitleaks_syntax import (
    DIGITS,
    WORDS,
    Assertion,
    Characters,
    Choice,
    Group,
    Node,
    Ranges,
    Repeat,
    Sequence,
    Unsupported,
    complement,
    merged,
    parse,
)

_SHORT = {DIGITS: r"\d", WORDS: r"\w"}
_MANY_WORDS = 256
_FEW_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class Translated:
    """A pattern in the engine's syntax.

    groups   the capture groups that can be the secret: of a match, one of them is it. Empty: the whole match is
    high     most characters that a match takes; None: no end
    implied  every match is known to contain one of the keywords, in any case
    """

    regex: str
    groups: tuple[int, ...]
    high: int | None
    implied: bool


def translate(
    source: str, secret_group: int = 0, keywords: Iterable[str] = (), *, keep_run: bool = False
) -> Translated:
    r"""`source`, in Go's syntax. Raises Unsupported.

    Where a group is the secret, a lazy run in front (`[\w.-]{0,50}?`) only decides where the match begins; it is left
    out unless `keep_run`, because with it each word of a text would begin a match.
    """
    tree = parse(source)
    groups, certain = _candidates(tree)
    if secret_group:
        if secret_group not in _numbers(tree):
            raise Unsupported(f"it has no group {secret_group}")
        groups = [secret_group]
    elif not certain:  # where all groups may be empty, the whole match may be the secret
        groups = []
    if groups and not keep_run:
        tree = _without_run(tree)
    words = tuple(word.lower() for word in keywords)
    return Translated(_written(tree), tuple(groups), _longest(tree), bool(words) and _implied(tree, words))


def _written(node: Node) -> str:
    if isinstance(node, Characters):
        return _class(node.ranges)
    if isinstance(node, Assertion):
        return node.text
    if isinstance(node, Sequence):
        return _written_sequence(node.items)
    if isinstance(node, Choice):
        return "|".join(_written(branch) for branch in node.branches)
    if isinstance(node, Group):
        return f"({node.head}{_written(node.item)})"
    item = _written(node.item)
    if isinstance(node.item, Assertion):
        item = f"(?:{item})"
    return item + _quantifier(node) + ("?" if node.lazy else "")


def _written_sequence(items: Iterable[Node]) -> str:
    """`items`, letters in either case as `(?i:word)`: engines read and match that faster than a set for each."""
    parts: list[str] = []
    for either_case, run in groupby(items, _in_either_case):
        written = [_letter(item) if either_case else _written(item) for item in run]
        parts += ["(?i:", *written, ")"] if either_case else written
    return "".join(parts)


def _in_either_case(node: Node) -> bool:
    return isinstance(node, Characters) and len(node.ranges) == 2 and _letter(node) != ""


def _letter(node: Node) -> str:
    """The small letter, where `node` is one ASCII letter in either case."""
    if not isinstance(node, Characters):
        return ""
    (large, large_end), (small, small_end) = node.ranges
    pair = large == large_end and small == small_end and small < 0x80 and small == large + 0x20
    return chr(small) if pair and chr(small).isalpha() else ""


def _quantifier(node: Repeat) -> str:
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((node.low, node.high))
    if short is not None:
        return short
    if node.low == node.high:
        return f"{{{node.low}}}"
    return f"{{{node.low},{'' if node.high is None else node.high}}}"


def _class(ranges: Ranges) -> str:
    if not ranges:
        raise Unsupported("a set has no characters")
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return re.escape(chr(ranges[0][0])) if ranges[0][0] < 0x7F else _point(ranges[0][0])
    sign, shown = ("^", complement(ranges)) if ranges[-1][1] > 0xFFFF else ("", ranges)
    if not shown:
        return r"[\s\S]"
    if shown in _SHORT:
        return _SHORT[shown].upper() if sign else _SHORT[shown]
    word = ""
    if (rest := _less(shown, WORDS)) is not None:
        word, shown = r"\w", rest
    inside = (_point(low) if low == high else f"{_point(low)}-{_point(high)}" for low, high in shown)
    return f"[{sign}{word}{''.join(inside)}]"


def _less(ranges: Ranges, part: Ranges) -> Ranges | None:
    """`ranges` without `part`; None where not all of `part` is in them."""
    if merged((*ranges, *part)) != ranges:
        return None
    return complement((*complement(ranges), *part))


def _point(point: int) -> str:
    character = chr(point)
    if character.isascii() and character.isalnum():
        return character
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _longest(node: Node) -> int | None:
    if isinstance(node, Characters):
        return 1
    if isinstance(node, Assertion):
        return 0
    if isinstance(node, Group):
        return 0 if node.head not in {"", "?:"} else _longest(node.item)
    if isinstance(node, Repeat):
        once = _longest(node.item)
        return 0 if once == 0 else None if once is None or node.high is None else once * node.high
    parts = [_longest(part) for part in (node.items if isinstance(node, Sequence) else node.branches)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return sum(known) if isinstance(node, Sequence) else max(known)


def _shortest(node: Node) -> int:
    if isinstance(node, Characters):
        return 1
    if isinstance(node, Assertion):
        return 0
    if isinstance(node, Group):
        return 0 if node.head not in {"", "?:"} else _shortest(node.item)
    if isinstance(node, Repeat):
        return _shortest(node.item) * node.low
    parts = [_shortest(part) for part in (node.items if isinstance(node, Sequence) else node.branches)]
    return sum(parts) if isinstance(node, Sequence) else min(parts)


def _candidates(node: Node) -> tuple[list[int], bool]:
    """The groups that can be the first non-empty one, and whether one of them is in every match.

    Groups that have a name or are repeated mark parts of a secret: with only such ones, the whole match is the secret.
    """
    if isinstance(node, Group):
        if node.head == "" and not node.named:
            return [node.number], _shortest(node.item) > 0
        return _candidates(node.item) if node.head in {"", "?:"} else ([], False)
    if isinstance(node, Repeat):
        groups, certain = _candidates(node.item) if node.high == 1 else ([], False)
        return groups, certain and node.low > 0
    if isinstance(node, Choice):
        found = [_candidates(branch) for branch in node.branches]
        return [group for groups, _ in found for group in groups], all(certain for _, certain in found)
    groups = []
    if isinstance(node, Sequence):
        for item in node.items:
            more, certain = _candidates(item)
            groups += more
            if certain:
                return groups, True
    return groups, False


def _numbers(node: Node) -> Iterator[int]:
    if isinstance(node, Group):
        if node.number:
            yield node.number
        yield from _numbers(node.item)
    elif isinstance(node, Repeat):
        yield from _numbers(node.item)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _numbers(item)
    elif isinstance(node, Choice):
        for branch in node.branches:
            yield from _numbers(branch)


def _without_run(node: Node) -> Node:
    """`node` without the lazy runs of single characters that it may begin with."""
    if isinstance(node, Choice):
        return replace(node, branches=tuple(_without_run(branch) for branch in node.branches))
    if isinstance(node, Group) and node.head == "?:":
        return replace(node, item=_without_run(node.item))
    if isinstance(node, Sequence) and node.items:
        first, rest = node.items[0], node.items[1:]
        if isinstance(first, Repeat) and first.lazy and first.low == 0 and isinstance(first.item, Characters):
            return _without_run(replace(node, items=rest))
        return replace(node, items=(_without_run(first), *rest))
    return node


def _implied(node: Node, keywords: tuple[str, ...]) -> bool:
    if isinstance(node, Choice):
        return all(_implied(branch, keywords) for branch in node.branches)
    if isinstance(node, Group):
        return node.head in {"", "?:"} and _implied(node.item, keywords)
    if isinstance(node, Repeat):
        return node.low > 0 and _implied(node.item, keywords)
    if not isinstance(node, Sequence):
        return _all_contain(_words(node) or frozenset(), keywords)
    run = frozenset({""})  # every text that the items since the last unknown one can be
    for item in node.items:
        words = _words(item)
        if words is not None and len(run) * len(words) <= _MANY_WORDS:
            run = frozenset(one + other for one in run for other in words)
            continue
        if _all_contain(run, keywords) or _implied(item, keywords):
            return True
        run = words if words is not None else frozenset({""})
    return _all_contain(run, keywords)


def _all_contain(texts: frozenset[str], keywords: tuple[str, ...]) -> bool:
    return bool(texts) and all(any(word in text for word in keywords) for text in texts)


def _words(node: Node) -> frozenset[str] | None:
    """Every text that `node` matches, in lower case; None: too many."""
    if isinstance(node, Assertion):
        return frozenset({""})
    if isinstance(node, Characters):
        points = {point for low, high in node.ranges for point in range(low, min(high, low + 8) + 1)}
        letters = frozenset(chr(point).lower() for point in points)
        return letters if len(letters) <= _FEW_CHARACTERS else None
    if isinstance(node, Group):
        return _words(node.item) if node.head in {"", "?:"} else frozenset({""})
    if isinstance(node, Choice):
        branches = [_words(branch) for branch in node.branches]
        known = [words for words in branches if words is not None]
        return frozenset().union(*known) if len(known) == len(branches) else None
    if isinstance(node, Repeat):
        return _repeated_words(node)
    return _joined(_words(item) for item in node.items)


def _repeated_words(node: Repeat) -> frozenset[str] | None:
    if node.high is None or node.high > 8:
        return None
    words = _words(node.item)
    texts: set[str] = set()
    for times in range(node.low, node.high + 1):
        joined = _joined([words] * times)
        if joined is None:
            return None
        texts |= joined
    return frozenset(texts)


def _joined(parts: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    texts = frozenset({""})
    for part in parts:
        if part is None or len(part) * len(texts) > _MANY_WORDS:
            return None
        texts = frozenset(one + other for one in texts for other in part)
    return texts
