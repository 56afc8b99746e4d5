import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from yett.flow import Leaf, Phase, Role
from yett.policy.model import PolicyFile, Rule, When, matches_glob
from yett.verdict import Action

LEAF = Leaf("/a", "x", Role.USER, newest=True)


@pytest.mark.parametrize(
    ("when", "hits"),
    [
        pytest.param({"finding": "pii.email"}, True, id="the code"),
        pytest.param({"finding": "pii.*"}, True, id="a pattern"),
        pytest.param({"finding": "*"}, True, id="everything"),
        pytest.param({"finding": ["secret.*", "pii.e*"]}, True, id="one of several"),
        pytest.param({"finding": "secret.*"}, False, id="other code"),
        pytest.param({"finding": "pii.emai"}, False, id="not a prefix match"),
        pytest.param({"finding": "*", "direction": "request"}, True, id="direction"),
        pytest.param({"finding": "*", "direction": "response"}, False, id="other direction"),
        pytest.param({"finding": "*", "role": "user"}, True, id="role"),
        pytest.param({"finding": "*", "role": ["system", "user"]}, True, id="one of the roles"),
        pytest.param({"finding": "*", "role": "tool_result"}, False, id="other role"),
        pytest.param({"finding": "*", "newest": True}, True, id="newest"),
        pytest.param({"finding": "*", "newest": False}, False, id="history only"),
        pytest.param({"finding": "*", "score": 0.7}, True, id="score at the bound"),
        pytest.param({"finding": "*", "score": 0.71}, False, id="score below the bound"),
        pytest.param(
            {"finding": "pii.*", "role": "user", "newest": True, "direction": "response"}, False, id="all hold"
        ),
    ],
)
def test_when(when: dict[str, object], hits: bool) -> None:
    assert When.model_validate(when).matches("pii.email", LEAF, Phase.REQUEST, 0.7) is hits


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"finding": []},
        {"finding": ""},
        {"finding": "PII.*"},
        {"finding": "pii..x"},
        {"finding": "pii.[a-z]"},
        {"finding": "*", "direction": "both"},
        {"finding": "*", "role": "root"},
        {"finding": "*", "role": []},
        {"finding": "*", "newest": "yes"},
        {"finding": "*", "score": 2},
        {"finding": "*", "score": float("nan")},
        {"finding": "*", "scores": 1},
    ],
    ids=str,
)
def test_bad_conditions(when: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        When.model_validate(when)


@pytest.mark.parametrize(
    ("word", "action"),
    [("flag", Action.ALLOW), ("redact", Action.REDACT), ("approve", Action.APPROVE), ("deny", Action.DENY)],
)
def test_do(word: str, action: Action) -> None:
    rule = Rule.model_validate({"id": "r", "when": {"finding": "*"}, "do": word})
    assert rule.action is action
    assert rule.describe() == {"id": "r", "when": {"finding": ["*"]}, "do": word}


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "a b"},
        {"do": "allow"},
        {"do": "log"},
        {"message": "x" * 501},
        {"then": 1},
        {"when": None},
        {"severity": "huge"},
        {"tags": [""]},
        {"mode": "audit"},
        {"mode": "shadow", "sample": 0},
        {"mode": "shadow", "sample": 1},
        {"sample": 0.5},
        {"allow_values": ["sha256:00"]},
        {"when": {"tool": "x"}, "allow_values": ["sha256:" + "0" * 64]},
        {"except": [{"match": {"agent": "a"}, "until": "2027-01-01", "reason": "r"}]},
        {"except": [{"match": {"agent": "a"}, "until": "soon", "reason": "r", "owner": "o"}]},
        {"exceptions": []},
        {"examples": {"redact": ["x"]}},
        {"examples": {"deny": [{"text": "x", "at": "2027-01-01T00:00"}]}},
        {"examples": {"deny": "x"}},
    ],
    ids=str,
)
def test_bad_rules(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Rule.model_validate({"id": "r", "when": {"finding": "*"}, "do": "deny"} | change)


def test_what_people_are_shown() -> None:
    more = {"severity": "high", "tags": ["OWASP LLM01:2025"], "mode": "shadow", "sample": 0.5, "message": "no"}
    rule = Rule.model_validate({"id": "r", "when": {"finding": "*"}, "do": "deny"} | more)
    assert rule.describe() == {"id": "r", "when": {"finding": ["*"]}, "do": "deny"} | {
        name: value for name, value in more.items() if name != "message"
    }


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"version": "1"}, {"rules": None}, {"active": "no"}, {"rule": []}], ids=str
)
def test_bad_files(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PolicyFile.model_validate({"version": 1, "rules": []} | change)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text("ab.*", min_size=1, max_size=8), st.text("ab.", max_size=8))
def test_glob_equals_fnmatch(glob: str, code: str) -> None:
    assert matches_glob(glob, code) == fnmatch.fnmatchcase(code, glob)
