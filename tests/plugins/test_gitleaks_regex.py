"""Which group is the secret, which keywords need no search, what is left out in front."""

from __future__ import annotations

import pytest

from yett_plugins.gitleaks_regex import translate
from yett_plugins.gitleaks_syntax import Unsupported


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (r"abc", ()),
        (r"a(b)c", (1,)),
        (r"a(b)(c)", (1,)),
        (r"a(?:b(c)|d(e))", (1, 2)),
        (r"(a)?(b)", (1, 2)),
        (r"a(b)?", ()),
        (r"(a*)b", ()),
        (r"((a)b)", (1,)),
        (r"a(b-){3}c", ()),
        (r"a(?P<kind>b)c", ()),
        (r"(?=(a))a", ()),
    ],
)
def test_the_secret_is_the_first_group_that_is_not_empty(pattern: str, groups: tuple[int, ...]) -> None:
    assert translate(pattern).groups == groups


def test_the_rule_may_name_the_group() -> None:
    assert translate(r"(a)(b)", 2).groups == (2,)
    with pytest.raises(Unsupported, match="no group 3"):
        translate(r"(a)(b)", 3)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"[\w.-]{0,50}?key(a)", "key(a)"),
        (r"[\w.-]{0,50}?(?i:[\w.-]{0,50}?ab)(c)", "(?:(?i:ab))(c)"),
        (r"[\w.-]{0,50}key(a)", r"[\w\x2d-\x2e]{0,50}key(a)"),
        (r"[\w.-]{0,50}?key", r"[\w\x2d-\x2e]{0,50}?key"),
    ],
    ids=["lazy", "nested", "greedy", "no group"],
)
def test_a_lazy_run_in_front_is_left_out_where_a_group_is_reported(pattern: str, expected: str) -> None:
    assert translate(pattern).regex == expected


def test_the_run_can_be_kept() -> None:
    assert translate(r"[a-z]{0,9}?key(a)", keep_run=True).regex.startswith("[a-z]{0,9}?")


@pytest.mark.parametrize(
    ("pattern", "keywords", "implied"),
    [
        (r"\bghp_[a-z]{36}", ("ghp_",), True),
        (r"(?i)\bGHP_[a-z]{36}", ("ghp_",), True),
        (r"(?:sk|rk)_(?:live|test)_\w+", ("sk_live", "sk_test", "rk_live", "rk_test"), True),
        (r"(?:sk|rk)_(?:live|test)_\w+", ("sk_live", "sk_test", "rk_live"), False),
        (r"linked[_-]?in=\d", ("linkedin", "linked_in", "linked-in"), True),
        (r"(?:abc|[0-9a-f]{40})", ("abc",), False),
        (r"(?:abc)?\d+", ("abc",), False),
        (r"(?:abc){2}\d+", ("abc",), True),
        (r"\w+", ("abc",), False),
        (r"(?=abc)\w+", ("abc",), False),
        (r"abc", (), False),
    ],
)
def test_implied_keywords(pattern: str, keywords: tuple[str, ...], implied: bool) -> None:
    assert translate(pattern, 0, keywords).implied is implied


@pytest.mark.parametrize(
    ("pattern", "high"),
    [(r"ab{2,5}(?:c|de)?", 8), (r"a+", None), (r"(?:a|b*)", None), (r"a\b$(?!bc)", 1), (r"(?:\b)*a", 1)],
)
def test_longest_match(pattern: str, high: int | None) -> None:
    assert translate(pattern).high == high
