from datetime import UTC, datetime
from typing import Any

import pytest

from helpers.policies import rule, snapshot
from yett.policy.lint import lint
from yett.policy.snapshot import Place, PolicySnapshot

CODES = ["pii.email", "pii.iban", "secret.aws_key"]
OK = {"deny": ["x"]}
HOLE = {"match": {"agent": "a"}, "until": "2026-01-01", "reason": "r", "owner": "ops"}


def problems(*rules: Any, codes: Any = CODES) -> list[tuple[str, str]]:
    made = snapshot(*rules, now=lambda: datetime(2027, 1, 1, tzinfo=UTC))
    return [(one.rule, one.kind) for one in lint(made, codes)]


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"examples": OK}, []),
        ({}, ["no-examples"]),
        ({"examples": {"allow": ["x"]}}, ["no-examples"]),
        ({"when": {"finding": "pii.emial"}, "examples": OK}, ["unknown-finding"]),
        ({"when": {"finding": "pii.*"}, "examples": OK}, []),
        ({"when": {"finding": ["pii.*", "x.*", "y.*"]}, "examples": OK}, ["unknown-finding"] * 2),
        ({"when": {"finding": "*", "direction": "response", "newest": True}, "examples": OK}, ["never-fires"]),
        ({"when": {"finding": "*", "direction": "response", "newest": False}, "examples": OK}, []),
        ({"when": {"finding": "*", "direction": "response", "role": "user"}, "examples": OK}, ["never-fires"]),
        ({"when": {"finding": "*", "direction": "response", "role": ["user", "assistant"]}, "examples": OK}, []),
        ({"when": {"finding": "*", "tool": "x", "role": ["user", "system"]}, "examples": OK}, ["never-fires"]),
        ({"when": {"finding": "*", "tool": "x", "role": ["user", "tool_result"]}, "examples": OK}, []),
        ({"when": {"tool": "x", "role": "user"}, "examples": OK}, ["never-fires"]),
        ({"when": {"tool": "x", "role": "tool_result", "direction": "response"}, "examples": OK}, ["never-fires"]),
        ({"when": {"tool": "x", "role": "tool_arguments", "direction": "response"}, "examples": OK}, []),
        ({"except": [HOLE], "examples": OK}, ["expired"]),
        ({"except": [HOLE | {"until": "2027-01-01"}], "examples": OK}, []),
        (
            {"except": [HOLE | {"match": {"finding": "x.y"}, "until": "2028-01-01"}], "examples": OK},
            ["unknown-finding"],
        ),
    ],
    ids=str,
)
def test_one_rule(change: dict[str, Any], kinds: list[str]) -> None:
    assert problems(rule("r", **change)) == [("r", kind) for kind in kinds]


@pytest.mark.parametrize(
    ("finding", "kinds"),
    [
        ("leak.*", []),
        ("leak.prompt", []),
        (["leak.*", "size.long"], []),
        ("leak.promt", ["unknown-finding", "no-examples"]),
        (["leak.*", "pii.*"], ["no-examples"]),
        ("*", ["no-examples"]),
    ],
    ids=str,
)
def test_a_rule_about_what_is_switched_off_waits(finding: Any, kinds: list[str]) -> None:
    made = snapshot(rule("r", when={"finding": finding}))
    assert [one.kind for one in lint(made, CODES, ["leak.prompt", "size.long"])] == kinds


def test_the_nearest_code_is_told() -> None:
    (told,) = lint(snapshot(rule("r", when={"finding": "pii.emial"}, examples=OK)), CODES)
    assert str(told).startswith(
        "r.yaml:1: rule r: when: no loaded detector finds 'pii.emial' (did you mean 'pii.email'?)"
    )


def test_without_detectors_no_code_is_unknown() -> None:
    assert problems(rule("r", when={"finding": "x.y"}, examples=OK), codes=None) == []


def in_one_file(*rules: Any) -> PolicySnapshot:
    made = snapshot(*rules)
    made.places.update({one.id: Place(f"a.yaml:{line}") for line, one in enumerate(rules)})
    return made


@pytest.mark.parametrize(
    ("wide", "narrow", "told"),
    [
        pytest.param(rule("a", "deny", examples=OK), rule("b", "flag", examples={"flag": ["x"]}), ["b"], id="milder"),
        pytest.param(
            rule("a", "redact", examples={"redact": ["x"]}),
            rule("b", "deny", when={"finding": "pii.*"}, examples=OK),
            [],
            id="a narrower one is stricter",
        ),
        pytest.param(rule("a", "deny", examples=OK), rule("b", "deny", examples=OK), ["b"], id="said twice"),
        pytest.param(
            rule("a", "deny", examples=OK), rule("b", "flag", mode="shadow", examples={"flag": ["x"]}), [], id="shadow"
        ),
        pytest.param(
            rule("a", "deny", examples=OK, mode="shadow"),
            rule("b", "flag", examples={"flag": ["x"]}),
            [],
            id="by a shadow",
        ),
    ],
)
def test_rules_that_another_swallows(wide: Any, narrow: Any, told: list[str]) -> None:
    found = lint(in_one_file(wide, narrow), CODES)
    assert [one.rule for one in found if one.kind == "shadowed"] == told


def test_a_file_on_top_of_another_may_swallow_its_rules() -> None:
    assert problems(rule("a", "deny", examples=OK), rule("b", "flag", examples={"flag": ["x"]})) == []
