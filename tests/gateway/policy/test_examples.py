from typing import Any

import pytest

from helpers.detectors import engine
from helpers.policies import rule
from yett.at_hand import DetectorsAtHand
from yett.callables import CallableScans
from yett.detector import Detector, Pattern
from yett.policy.evaluate import digest
from yett.policy.examples import try_examples

FOUND = [
    Detector("mail", "pii.email", "EMAIL", (Pattern("mail", r"[a-z]{1,20}@[a-z]{1,20}\.org", 0.9),)),
    Detector("word", "x.word", "WORD", (Pattern("word", "bomb", 0.5),)),
]
AT_HAND = DetectorsAtHand(engine(FOUND), FOUND, CallableScans(()))


def tried(made: Any) -> list[str]:
    return ["skipped" if one.skipped else "failed" if one.failed else "passed" for one in try_examples(made, AT_HAND)]


MAIL = {"finding": "pii.*"}
CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({"when": MAIL, "examples": {"deny": ["a@b.org"], "allow": ["a at b"]}}, ["passed", "passed"]),
    ({"when": MAIL, "examples": {"deny": ["a at b"], "allow": ["a@b.org"]}}, ["failed", "failed"]),
    ({"when": {"finding": "y.*"}, "examples": {"deny": ["a@b.org"], "allow": ["b"]}}, ["skipped", "skipped"]),
    ({"when": MAIL | {"direction": "response"}, "examples": {"deny": ["a@b.org"]}}, ["passed"]),
    ({"when": MAIL | {"role": "tool_result"}, "examples": {"deny": ["a@b.org"]}}, ["passed"]),
    ({"when": MAIL | {"newest": False}, "examples": {"deny": ["a@b.org"]}}, ["passed"]),
    ({"when": MAIL | {"role": "system"}, "examples": {"allow": [{"text": "a@b.org", "role": "user"}]}}, ["passed"]),
    ({"when": MAIL | {"newest": True}, "examples": {"allow": [{"text": "a@b.org", "newest": False}]}}, ["passed"]),
    ({"when": {"finding": "x.*", "score": 0.6}, "examples": {"allow": ["a bomb"]}}, ["passed"]),
    ({"when": MAIL | {"tool": "t*"}, "examples": {"deny": [{"text": "a@b.org", "tool": "tx"}]}}, ["passed"]),
    ({"when": MAIL | {"tool": "t*"}, "examples": {"deny": ["a@b.org"]}}, ["failed"]),
    ({"when": MAIL | {"model": "m"}, "examples": {"deny": [{"text": "a@b.org", "model": "m"}]}}, ["passed"]),
    (
        {
            "when": MAIL | {"time": {"after": "18:00"}},
            "examples": {
                "deny": [{"text": "a@b.org", "at": "2027-01-01T18:30+00:00"}],
                "allow": [{"text": "a@b.org", "at": "2027-01-01T18:30+02:00"}],
            },
        },
        ["passed", "passed"],
    ),
    ({"when": MAIL | {"count": {"at_least": 9, "window_s": 9}}, "examples": {"deny": ["a@b.org"]}}, ["passed"]),
    ({"when": {"tool": "x"}, "examples": {"deny": [{"text": "", "tool": "x"}], "allow": ["x"]}}, ["passed", "passed"]),
    ({"when": {"size": {"at_least": 3}}, "examples": {"deny": ["abc"], "allow": ["ab"]}}, ["passed", "passed"]),
    ({"when": MAIL, "allow_values": [digest("a@b.org")], "examples": {"allow": ["a@b.org"]}}, ["passed"]),
    ({"when": MAIL, "allow_values": [digest("a@b.org", b"k")], "examples": {"allow": ["a@b.org"]}}, ["skipped"]),
    ({"when": MAIL, "do": "flag", "sample": 0.001, "examples": {"flag": ["a@b.org"]}}, ["passed"]),
    ({"when": MAIL, "mode": "shadow", "examples": {"deny": ["a@b.org"]}}, ["passed"]),
    (
        {
            "when": MAIL,
            "do": "flag",
            "except": [{"match": {"role": "user"}, "until": "2999-01-01", "reason": "r", "owner": "o"}],
            "examples": {"flag": [{"text": "a@b.org", "role": "system"}], "allow": ["a@b.org"]},
        },
        ["passed", "passed"],
    ),
]


@pytest.mark.parametrize(("made", "expected"), CASES, ids=[str(case[0]) for case in CASES])
def test_examples(made: dict[str, Any], expected: list[str]) -> None:
    given = dict(made)
    assert tried(rule("r", given.pop("do", "deny"), **given)) == expected


def test_a_failure_says_what_was_expected_and_not_the_text() -> None:
    (one,) = try_examples(rule(when=MAIL, examples={"deny": ["geheim"]}), AT_HAND)
    assert str(one) == "rule r: examples.deny[0]: expected deny, got allow"
