"""Texts that a regular expression matches, drawn from its parse tree."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import regex

from yett.regexshape import parsed, ranges_of

_PRINTABLE = range(0x20, 0x7F)
_MORE = 8  # turns of a repeat beyond the fewest


def samples(pattern: str, count: int, seed: str) -> list[str]:
    """Up to `count` different ASCII texts that `pattern` finds with case ignored, less often for tight look-arounds."""
    dice, body = random.Random(seed), pattern.removeprefix("(?s)")
    tree, exact = parsed(body, "i"), regex.compile(body, regex.IGNORECASE | regex.ASCII | regex.DOTALL)
    found: dict[str, None] = {}
    for _ in range(count):
        if (match := exact.search(_sequence(tree, dice))) is not None:
            found[match[0]] = None
    return list(found)


def _sequence(nodes: Sequence[Any], dice: random.Random) -> str:
    return "".join(_sample(str(op), value, dice) for op, value in nodes)


def _sample(op: str, value: Any, dice: random.Random) -> str:
    if op == "LITERAL":
        return dice.choice((chr(value), chr(value).swapcase()))
    if op == "ANY":
        return chr(dice.choice(_PRINTABLE))
    if op == "IN":
        return chr(dice.choice([c for low, high in ranges_of(value) for c in range(low, min(high, 0x7E) + 1)]))
    if op in {"MAX_REPEAT", "MIN_REPEAT"}:
        low, high, body = value
        return "".join(_sequence(body, dice) for _ in range(dice.randint(low, min(int(high), low + _MORE))))
    if op == "BRANCH":
        return _sequence(dice.choice(value[1]), dice)
    if op == "SUBPATTERN":
        return _sequence(value[3], dice)
    assert op in {"AT", "ASSERT", "ASSERT_NOT"}, op
    return ""
