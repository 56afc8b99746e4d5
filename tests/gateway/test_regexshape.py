"""What is proven about a pattern before it may run."""

from __future__ import annotations

import pytest
import re2
import regex

from yett.regexshape import NotLocal, plain_pattern, re2_options, searcher, shape_of

REFUSED = {
    "back-reference": (r"(a|b)\1", "refers back"),
    "named back-reference": (r"(?P<q>['\"]).{1,9}(?P=q)", "refers back"),
    "conditional": (r"(a)?(?(1)b|c)", "refers back"),
    "non-boundary": (r"foo\B", "stream"),
    "unbounded look-ahead": (r"a(?=.*b)", "no longest width"),
    "unbounded negative look-ahead": (r"a(?!\d+b)", "no longest width"),
    "unbounded look-behind": (r"(?<=a+)b", "no longest width"),
    "empty match": (r"a*", "empty text"),
    "empty alternative": (r"(?:abc|)", "empty text"),
    "look-around alone": (r"(?=a)", "empty text"),
    "syntax error": (r"a(b", "cannot be analysed"),
    "fuzzy": (r"(?:foo){e<=1}", "fuzzy"),
    "posix class": (r"[[:alpha:]]x", "POSIX"),
    "recursion": (r"a(?R)?b", "cannot be analysed"),
    "verb": (r"a(*PRUNE)b", "cannot be analysed"),
    "keep out": (r"a\Kb", "cannot be analysed"),
    "unicode flag": (r"(?u)\w+x", "flags"),
    "verbose flag": (r"(?x) a b", "flags"),
    "flag switched off": (r"(?-i:a)b", "switched off"),
    "flag in the middle": (r"a(?i)b", "cannot be analysed"),
}


@pytest.mark.parametrize(("source", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(source: str, reason: str) -> None:
    with pytest.raises(NotLocal, match=reason):
        shape_of(source, ignore_case=False, group=0)


@pytest.mark.parametrize(("source", "group"), [(r"a(b)", 2), (r"a(b)", -1), (r"a(?=(b))", 1), (r"(?<=(a))b", 1)])
def test_groups_that_cannot_be_reported(source: str, group: int) -> None:
    with pytest.raises(NotLocal, match="group"):
        shape_of(source, ignore_case=False, group=group)


WIDTHS = {
    "literal": ("abc", 3, 3, 4, 0),
    "counted": (r"\d{2,4}x?", 2, 5, 6, 0),
    "branch": (r"a|bcd", 1, 3, 4, 0),
    "look-ahead adds": (r"ab(?!cde)", 2, 2, 6, 0),
    "look-behind": (r"(?<![\w.]{2})ab", 2, 2, 3, 2),
    "boundary looks behind": (r"\bab\b", 2, 2, 3, 1),
    "nested": (r"(?:ab{2}){3}", 9, 9, 10, 0),
    "look-ahead in a repeat": (r"(?:a(?=bc)){3}", 3, 3, 6, 0),
    "possessive": (r"a{1,3}+b", 2, 4, 5, 0),
    "atomic": (r"(?>ab|a)b", 2, 3, 4, 0),
    "unbounded": (r"ab+", 2, None, None, 0),
    "repeat of nothing": (r"a(?:){0,}", 1, 1, 2, 0),
    "property": (r"\p{Lu}[\p{L}\d]", 2, 2, 3, 0),
}


@pytest.mark.parametrize(("source", "low", "high", "reach", "behind"), WIDTHS.values(), ids=WIDTHS)
def test_widths(source: str, low: int, high: int | None, reach: int | None, behind: int) -> None:
    shape = shape_of(source, ignore_case=False, group=0)
    assert (shape.low, shape.high, shape.reach, shape.behind) == (low, high, reach, behind)


NEEDED = {
    "literal": ("ab", False, {"a", "b"}),
    "branch": ("ab|cb", False, {"b"}),
    "optional": ("a?b", False, {"b"}),
    "class": ("[ab]@", False, {"@"}),
    "any case": ("a@b", True, {"@"}),
    "scoped case": ("(?i:a)b", False, {"b"}),
    "look-ahead does not count": ("a(?=b)", False, {"a"}),
}


@pytest.mark.parametrize(("source", "ignore_case", "needed"), NEEDED.values(), ids=NEEDED)
def test_needed_characters(source: str, ignore_case: bool, needed: set[str]) -> None:
    assert shape_of(source, ignore_case=ignore_case, group=0).needed == needed


COVERED = {
    "white space includes vertical tab": (r"a\sb", "a\x0bb"),
    "everything beyond ASCII is alike": (r"a[^b]c", "a\u00e9c"),
    "explicit letters beyond ASCII": ("stra\u00dfe", "stra\u00dfe"),
    "any character": ("a.b", "a\U0001f600b"),
    "any, dot all": ("(?s)a.b", "a\nb"),
    "case": ("(?i)abc", "aBC"),
    "scoped case": ("a(?i:bc)", "aBC"),
    "line anchors": ("^ab$", "x\nab\ny"),
    "text anchors": (r"\Aab\Z", "ab"),
    "long counts": (r"a{1200}", "a" * 1200),
    "large nested counts": (r"(?:a{1,50}b{0,50}){1,60}", "ab" * 60),
    "property": (r"\p{Lu}\P{Lu}x", "A\u00e9x"),
    "negated property": (r"[^\p{Lu}]x", "ax"),
    "not a digit": (r"\D\S\W", "a\u00e9-"),
    "closing bracket in a set": (r"[]a]\b-[^]b]", "a-c"),
    "opening bracket in a set": (r"[[a]\b", "a"),
    "backspace in a set": (r"x[\b]", "x\b"),
    "trailing look-ahead": ("ab(?=cd)", "abcd"),
}


@pytest.mark.parametrize(("source", "text"), COVERED.values(), ids=COVERED)
def test_re2_covers_the_pattern_and_every_beginning_of_it(source: str, text: str) -> None:
    shape = shape_of(source, ignore_case=False, group=0)
    exact = regex.compile(source, regex.ASCII | regex.MULTILINE | regex.VERSION0).search(text)
    assert exact
    data = text.encode("ascii", "replace")
    assert re2.compile(shape.superset.encode(), re2_options()).search(data).start() <= exact.start()
    opening = re2.compile(rf"(?:{shape.opening})\z".encode(), re2_options())
    for end in range(exact.start() + 1, exact.end() + 1):
        assert opening.search(data[:end]).start() <= exact.start()


@pytest.mark.parametrize(
    ("source", "waiting"),
    [
        (r"\bab", r"\bab"),
        (r"ab\\b", r"ab\\b"),
        (r"[\b]", r"[\b]"),
        (r"[]\b]", r"[]\b]"),
        (r"[^]\b]x", r"[^]\b]x"),
        (r"\[\bx", r"\[(?:(?<=\w)(?!\w)|(?<!\w)(?=\w))x"),
        (r"a|\bb", r"a|(?:(?<=\w)(?!\w)|(?<!\w)(?=\w))b"),
    ],
)
def test_boundaries_wait_for_the_character_that_decides_them(source: str, waiting: str) -> None:
    assert shape_of(source, ignore_case=False, group=0).waiting == waiting


DIGIT = {
    r"\d": True,
    r"[0-57]x": True,
    "a1b": True,
    r"(?:a\d|\db)+": True,
    r"(?:a\d|b)": False,
    r"a\d*": False,
    r"[\d.]": False,
    r"a(?=\d)": False,
    r"a(?!\d)": False,
    r"\D": False,
    "\u0661": False,
}


@pytest.mark.parametrize("source", DIGIT)
def test_which_patterns_need_a_digit(source: str) -> None:
    assert shape_of(source, ignore_case=False, group=0).digit is DIGIT[source]


def test_the_bare_search_is_re2s_own() -> None:
    search = searcher(r"\bb+")
    assert search(b"a bb b", 0, 6)[0] == (2, 4)
    assert search(b"a bb b", 3, 6)[0] == (5, 6)
    assert search(b"a bb b", 0, 1)[0] == (-1, -1)
    with pytest.raises(re2.error):
        searcher("(")


@pytest.mark.parametrize(
    ("body", "flags", "taken"),
    [("a", "", True), ("\u00e9", "", True), ("\u00e9", "i", False), ("(?i:\u00e9)", "", False), (r"\p{L}", "", False)],
)
def test_what_the_standard_librarys_engine_is_given(body: str, flags: str, taken: bool) -> None:
    assert (plain_pattern(body, flags) is not None) is taken
