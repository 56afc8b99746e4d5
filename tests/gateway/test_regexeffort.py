"""Patterns that no text can make slow, and those that some text can."""

from __future__ import annotations

import re
import time

import pytest

from helpers.detectors import pii
from helpers.sample_detectors import ALL
from yett.regexeffort import MANY_WAYS, ways_of
from yett.regexshape import parsed
from yett.rules import Rule

WAYS = {
    "characters": ("abc", 1),
    "a repeat that its follower ends": ("a+b", 1),
    "a repeat that a look-ahead ends": (r"\d{2,8}(?!\w)", 1),
    "a look-ahead with alternatives": (r"\d{2,8}(?!\d|-\d)", 1),
    "a look-ahead for more than a character ends nothing": (r"\d{2,8}(?!\d\d)", 7),
    "a repeat that nothing ends": (r"\d{2,8}", 7),
    "a fixed repeat": (r"\d{8}\d", 1),
    "an unbounded repeat that nothing ends": (r"\d+", 100),
    "the same character in the other case": ("a+A", 100),
    "an optional part": ("a?b", 1),
    "an optional part that may be the next": ("a?a", 2),
    "branches apart": ("(?:ab|cd)e", 1),
    "branches that begin alike": ("(?:ab|[a-c]c)e", 2),
    "separated groups": (r"\d{2,5}(?:[ -]\d{2,8}){1,5}(?!\w)(?![ -])", 1),
    "a repeat in a repeat, ended": ("(?:a+b)+c", 1),
    "choices multiply": (r"(?:a{1,3}){5}b", 3**5 * 1),
    "a repeat in a repeat": ("(?:a+)+b", MANY_WAYS),
    "alternatives in a repeat": ("(?:a|ab|b)+c", MANY_WAYS),
    "a repeat of perhaps nothing": ("(?:a*)*b", MANY_WAYS),
    "many optional parts": ("(?:a?){40}a{40}", MANY_WAYS),
    "an optional nothing": ("(?:|a)+b", MANY_WAYS),
    "an unknown class in a look-ahead ends nothing": (r"\d{1,9}(?!\p{L})", 9),
    "inside a look-ahead": (r"a(?=b{1,4})", 4),
    "lazy": (r"a+?b", 1),
    "possessive": (r"a++b", 1),
    "atomic": (r"(?>a|[ab]b)c", 2),
}


@pytest.mark.parametrize(("source", "ways"), WAYS.values(), ids=WAYS)
def test_ways(source: str, ways: int) -> None:
    assert ways_of(parsed(source, ""), 100) == ways


SLOW = ("(?:a+)+b", "(?:a|aa)+b", "(?:a*)*b")


@pytest.mark.parametrize("source", SLOW)
def test_what_is_slow_has_many_ways(source: str) -> None:
    started = time.process_time()
    re.compile(source).match("a" * 22)
    took = time.process_time() - started
    assert took > 0.0005  # hundreds of times what 22 characters should take
    assert ways_of(parsed(source, ""), 512) == MANY_WAYS


RULES = [Rule(d, p, 0) for d in (*ALL, *pii()) for p in d.patterns]


def test_most_rules_need_no_clock() -> None:
    plain = [rule for rule in RULES if getattr(rule._match, "__self__", None).__class__ is re.Pattern]
    assert len(plain) >= 0.7 * len(RULES)


HOSTILE = ("1" * 600, "1 " * 300, "1-" * 300, "a" * 600, "a." * 300, "+1(1" * 150, "DE89" + " a" * 300, "0x" + "1" * 40)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_rule_without_a_clock_is_slow_on_hostile_text(text: str) -> None:
    for rule in RULES:
        if isinstance(getattr(rule._match, "__self__", None), re.Pattern):
            started = time.process_time()
            rule._match(text, 0, min(len(text), rule.reach))
            assert time.process_time() - started < 0.02, rule.pattern.name
