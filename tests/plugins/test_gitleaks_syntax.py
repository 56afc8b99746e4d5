"""Go's regular expressions are read as RE2 reads them: what RE2 finds in a text, the translated pattern finds too."""

from __future__ import annotations

import random

import pytest
import re2
import regex

from yett_plugins.gitleaks_regex import translate
from yett_plugins.gitleaks_syntax import Unsupported, complement, merged, parse

ENGINE_FLAGS = regex.ASCII | regex.MULTILINE | regex.VERSION0  # as the scan engine compiles patterns

PATTERNS = {
    "flag in the middle": r"a(?i)bc|d(?-i)e",
    "flag to the end of its group": r"(?:x(?i)y)z",
    "flag off in a group": r"(?i)ab(?-i:cd)e",
    "flags together": r"(?is)a.b",
    "flag switched off together": r"(?s-i:a.b)",
    "named group": r"(?P<name>ab+)c",
    "named group, new form": r"(?<name>ab+)c",
    "dot": r"a.c",
    "text anchors": r"^ab|bc$",
    "line anchors": r"(?m)^ab|bc$",
    "absolute anchors": r"\Aab|bc\z",
    "boundary": r"\bab\b",
    "no boundary": r"\Bb\B",
    "POSIX": r"[[:alpha:]][[:digit:]_]+[[:^space:]]",
    "POSIX in a negated set": r"[^[:alnum:]a]b",
    "Perl classes": r"\d\w\s\S\W\D",
    "Perl classes in a set": r"[\d\s-]+[^\W_]",
    "set edges": r"[]a-][^]b][a\-c]",
    "repeats": r"a{2}b{1,2}c{0,}d?e*f+",
    "lazy repeats": r"a+?b{1,3}?c*?d??e",
    "literal braces": r"a{b}c{,2}}",
    "escapes": r"\x61\x{62}\t\.\-\/\142",
    "quoted": r"\Qa.b(\E.c",
    "alternation with nothing": r"a(?:b|)c",
    "category": r"\pL\p{Nd}\PL",
    "category off": r"\P{L}\p{^Lu}a",
    "nested groups": r"((a)|(b(c)))+",
    "fold beyond ASCII": r"(?i)ä[à-é]",
}
ALPHABET = "aAbBcCdDeE01_-.{}() \t\n/,xyzäÄéÉf]"


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_matches_are_those_of_re2(pattern: str) -> None:
    ours = regex.compile(translate(pattern).regex, ENGINE_FLAGS)
    theirs = re2.compile(pattern)
    rng, found = random.Random(pattern), 0
    for _ in range(400):
        text = "".join(rng.choices(ALPHABET, k=rng.randint(0, 24)))
        text += rng.choice(("", "abc", "aBCdE", "xYz", "aa bb", "a.b(c", "ab\t.-/b", "abcdef", "a{b}c{,2}}", "a.b(zc"))
        expected = [match.span() for match in theirs.finditer(text) if match.end() > match.start()]
        assert [match.span() for match in ours.finditer(text) if match.end() > match.start()] == expected, repr(text)
        found += bool(expected)
    assert found > 0


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a)\1", "escape"),
        (r"a**", "repeat"),
        (r"*a", "repeat"),
        (r"a{3,2}", "repeat"),
        (r"(a", "not closed"),
        (r"a)", "closes nothing"),
        (r"[a", "not closed"),
        (r"[z-a]", "range"),
        (r"[[:nothing:]]", "class"),
        (r"(?U)a+", "flag"),
        (r"(?P>a)", "group"),
        (r"a\C", "escape"),
        (r"a\Z", "escape"),
        (r"a\p{Greek}", "not supported"),
        ("a\\", "escape"),
        ("[\\", "escape"),
        (r"\x{110000}", "Unicode"),
    ],
)
def test_what_cannot_be_translated_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        parse(pattern)


def test_look_arounds_are_taken_although_go_has_none() -> None:
    ours = regex.compile(translate(r"(?<!x)a(?=b)(?!bc)|(?<=q)z").regex, ENGINE_FLAGS)
    assert [match.start() for match in ours.finditer("ab xab abc qz z")] == [0, 12]


def test_ranges() -> None:
    assert merged([(5, 9), (1, 3), (4, 4), (20, 30)]) == ((1, 9), (20, 30))
    assert complement([(0, 9), (11, 0x10FFFF)]) == ((10, 10),)
    assert complement([]) == ((0, 0x10FFFF),)
