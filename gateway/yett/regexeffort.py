"""How often a backtracking engine can change its mind: what proves that a pattern needs no clock.

`ways_of` counts, from above, in how many ways a pattern can read one text from one place. Where it is small, no text
makes matching there slow. The classic case: a repeat has one way only if what may follow cannot go on with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yett.regexshape import Ranges, ranges_of

MANY_WAYS = 1 << 30
_TOP = 0x10FFFF
_DEEP = 30  # two ways at each of so many turns are MANY_WAYS
_ANYTHING: Ranges = ((0, _TOP),)
_CHARACTERS = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN"})
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_LETTERS = (0x41, 0x5A, 0x61, 0x7A)


def ways_of(nodes: Sequence[Any], max_len: int) -> int:
    """Most ways to match `nodes` (a parse tree of `re`) at one place, up to MANY_WAYS.

    No repeat reads further than `max_len` characters.
    """
    return _Count(max_len).sequence(nodes, _ANYTHING)


class _Count:
    """One count. `follow` always is every character that may come next (the end of the text may come as well)."""

    def __init__(self, max_len: int) -> None:
        self._max_len = max_len

    def sequence(self, nodes: Sequence[Any], follow: Ranges) -> int:
        """Ways through `nodes`, one after the other."""
        ways = 1
        for op, value in reversed(nodes):
            ways = min(MANY_WAYS, ways * self._node(str(op), value, follow))
            follow = _first(str(op), value, follow)
        return ways

    def _node(self, op: str, value: Any, follow: Ranges) -> int:
        if op in _CHARACTERS or op == "AT":
            return 1
        if op in _REPEATS:
            return self._repeat(value, follow)
        if op == "BRANCH":
            return self._branch(value[1], follow)
        if op == "SUBPATTERN":
            return self.sequence(value[3], follow)
        if op == "ATOMIC_GROUP":
            return self.sequence(value, follow)
        if op in {"ASSERT", "ASSERT_NOT"}:
            return self.sequence(value[1], _ANYTHING)
        return MANY_WAYS

    def _branch(self, branches: Sequence[Any], follow: Ranges) -> int:
        ways = [self.sequence(branch, follow) for branch in branches]
        firsts = [_first_of(branch, follow) for branch in branches]
        apart = all(_apart(one, other) for at, one in enumerate(firsts) for other in firsts[at + 1 :])
        return max(ways) if apart else min(MANY_WAYS, sum(ways))

    def _repeat(self, value: Any, follow: Ranges) -> int:
        low, most, body = value
        if _empty(body):
            return MANY_WAYS
        high = min(int(most), self._max_len)
        first = _first_of(body, ())
        once = self.sequence(body, (*first, *follow))
        stops = max(1, high - low + 1)
        if once == 1:
            return 1 if _apart(first, follow) else stops
        return MANY_WAYS if high >= _DEEP else min(MANY_WAYS, stops * once**high)


def _first_of(nodes: Sequence[Any], follow: Ranges) -> Ranges:
    for op, value in reversed(nodes):
        follow = _first(str(op), value, follow)
    return follow


def _first(op: str, value: Any, follow: Ranges) -> Ranges:
    """Every character that may come next where `op` stands before what begins with `follow`."""
    if op in _CHARACTERS:
        return _folded(_characters(op, value))
    if op in _REPEATS:
        first = _first_of(value[2], follow)
        return first if value[0] else (*first, *follow)
    if op == "BRANCH":
        return tuple(span for branch in value[1] for span in _first_of(branch, follow))
    if op == "SUBPATTERN":
        return _first_of(value[3], follow)
    if op == "ATOMIC_GROUP":
        return _first_of(value, follow)
    if op == "ASSERT_NOT" and value[0] > 0:
        return _without(follow, value[1])
    return follow


def _characters(op: str, value: Any) -> Ranges:
    if op == "IN":
        return ranges_of(value)
    return ((value, value),) if op == "LITERAL" else _ANYTHING


def _folded(ranges: Ranges) -> Ranges:
    """`ranges` with the other case of their ASCII letters: flags need not be followed then."""
    upper_first, upper_last, lower_first, lower_last = _LETTERS
    other: list[tuple[int, int]] = []
    for low, high in ranges:
        if (at := max(low, upper_first)) <= (end := min(high, upper_last)):
            other.append((at + 32, end + 32))
        if (at := max(low, lower_first)) <= (end := min(high, lower_last)):
            other.append((at - 32, end - 32))
    return (*ranges, *other)


def _without(follow: Ranges, nodes: Sequence[Any]) -> Ranges:
    """`follow` where the look-ahead for `nodes` must fail: without the single characters that it looks for."""
    branches = nodes[0][1][1] if len(nodes) == 1 and str(nodes[0][0]) == "BRANCH" else [nodes]
    for branch in branches:
        ranges = _characters(str(branch[0][0]), branch[0][1]) if len(branch) == 1 else _ANYTHING
        if ranges != _ANYTHING:  # that may stand for an unknown class
            for low, high in ranges:
                follow = tuple(
                    (start, end)
                    for first, last in follow
                    for start, end in ((first, min(last, low - 1)), (max(first, high + 1), last))
                    if start <= end
                )
    return follow


def _apart(one: Ranges, other: Ranges) -> bool:
    return all(high < first or last < low for low, high in one for first, last in other)


def _empty(nodes: Sequence[Any]) -> bool:
    """Whether `nodes` may match the empty text."""
    return all(_node_empty(str(op), value) for op, value in nodes)


def _node_empty(op: str, value: Any) -> bool:
    if op in _CHARACTERS:
        return False
    if op in _REPEATS:
        return value[0] == 0 or _empty(value[2])
    if op == "BRANCH":
        return any(_empty(branch) for branch in value[1])
    if op == "SUBPATTERN":
        return _empty(value[3])
    if op == "ATOMIC_GROUP":
        return _empty(value)
    return True
