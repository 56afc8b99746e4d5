from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.policies import rule
from yett.flow import Leaf, Phase, Role
from yett.policy.conditions import Bind, When, matches_glob
from yett.policy.covers import always_covers, bind_covers, covers, globs_cover

TABLE: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"finding": "pii.*"}, {"finding": "pii.email"}, True),
    ({"finding": "pii.email"}, {"finding": "pii.*"}, False),
    ({"finding": ["pii.*", "x.y"]}, {"finding": ["x.y", "pii.a*"]}, True),
    ({"finding": "*"}, {"finding": "*", "direction": "request"}, True),
    ({"finding": "*", "direction": "request"}, {"finding": "*"}, False),
    ({"finding": "*", "role": ["user", "system"]}, {"finding": "*", "role": "user"}, True),
    ({"finding": "*", "role": "user"}, {"finding": "*"}, False),
    ({"finding": "*", "newest": True}, {"finding": "*", "newest": True}, True),
    ({"finding": "*", "newest": True}, {"finding": "*", "newest": False}, False),
    ({"finding": "*", "score": 0.5}, {"finding": "*", "score": 0.7}, True),
    ({"finding": "*", "score": 0.7}, {"finding": "*", "score": 0.5}, False),
    ({"finding": "*", "score": 0.7}, {"finding": "*"}, False),
    ({"finding": "*"}, {"tool": "x"}, False),
    ({"model": "*"}, {"finding": "*", "model": "a"}, False),
    ({"model": "*"}, {"tool": "x", "model": "a"}, False),
    ({"tool": "mail_*"}, {"tool": "mail_send"}, True),
    ({"size": {"at_least": 10}}, {"size": {"at_least": 20}}, True),
    ({"size": {"at_least": 20}}, {"size": {"at_least": 10}}, False),
    ({"time": {"after": "18:00"}}, {"time": {"after": "18:00"}, "model": "x"}, True),
    ({"time": {"after": "18:00"}}, {"time": {"after": "19:00"}}, False),
]


@pytest.mark.parametrize(("wide", "narrow", "answer"), TABLE, ids=[f"{w} over {n}" for w, n, _ in TABLE])
def test_covers(wide: dict[str, Any], narrow: dict[str, Any], answer: bool) -> None:
    assert covers(When.model_validate(wide), When.model_validate(narrow)) is answer


WHENS = st.fixed_dictionaries(
    {"finding": st.lists(st.sampled_from(["*", "pii.*", "pii.email", "*.email", "x.y"]), min_size=1, max_size=2)},
    optional={
        "direction": st.sampled_from(["request", "response", "any"]),
        "role": st.lists(st.sampled_from(["user", "system"]), min_size=1, max_size=2),
        "newest": st.booleans(),
        "score": st.sampled_from([0.2, 0.5, 0.8]),
    },
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(wide=WHENS, narrow=WHENS)
def test_what_is_covered_is_always_matched(wide: dict[str, Any], narrow: dict[str, Any]) -> None:
    one, other = When.model_validate(wide), When.model_validate(narrow)
    cases = [
        (code, Leaf("/a", "", role, newest=newest), phase, score)
        for code in ("pii.email", "pii.iban", "x.email", "x.y")
        for role in (Role.USER, Role.SYSTEM, Role.OTHER)
        for newest in (False, True)
        for phase in Phase
        for score in (0.1, 0.3, 0.6, 0.9)
    ]
    if covers(one, other):
        assert all(one.matches(*case) for case in cases if other.matches(*case))
    assert covers(one, one)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text("ab*", min_size=1, max_size=5), st.text("ab*", min_size=1, max_size=5), st.text("ab", max_size=7))
def test_globs(wide: str, narrow: str, name: str) -> None:
    if globs_cover((wide,), (narrow,)) and matches_glob(narrow, name):
        assert matches_glob(wide, name)


@pytest.mark.parametrize(
    ("wide", "narrow", "answer"),
    [
        (None, {"tenant": "a"}, True),
        (None, None, True),
        ({"tenant": "a"}, None, False),
        ({"tenant": "a*"}, {"tenant": "ab", "agent": "x"}, True),
        ({"tenant": "a", "agent": "x"}, {"tenant": "a"}, False),
        ({"tenant": "a"}, {"agent": "x"}, False),
    ],
)
def test_bind_covers(wide: dict[str, str] | None, narrow: dict[str, str] | None, answer: bool) -> None:
    made = [one and Bind.model_validate(one) for one in (wide, narrow)]
    assert bind_covers(made[0] or None, made[1] or None) is answer


HOLE = {"match": {"agent": "a"}, "until": "2027-01-01", "reason": "r", "owner": "o"}


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({}, True),
        ({"except": [HOLE]}, False),
        ({"allow_values": ["sha256:" + "0" * 64]}, False),
        ({"mode": "shadow"}, False),
        ({"when": {"finding": "*", "count": {"at_least": 2, "window_s": 9}}}, False),
    ],
    ids=str,
)
def test_a_rule_with_holes_covers_nothing(change: dict[str, Any], answer: bool) -> None:
    assert always_covers(rule("a", "deny", **change), rule("b", "flag")) is answer
