import timeit
from itertools import permutations

import pytest

from helpers.policies import MODEL
from yett.flow import Leaf, Phase, Role
from yett.policy.conditions import Identity
from yett.policy.model import Rule
from yett.policy.rbac import Rbac
from yett.policy.snapshot import MAX_CACHED, NOT_EDITABLE, PolicySnapshot
from yett.verdict import Action, Finding

FOUND = Finding("pii.email", "/a", (0, 1), 0.8, "pii-email", Action.REDACT, message="found by a check")
LEAF = Leaf("/a", "x", Role.USER)


def rule(name: str, do: str, message: str = "", **when: object) -> Rule:
    return Rule.model_validate({"id": name, "do": do, "message": message, "when": {"finding": "*"} | when})


def snapshot(*rules: Rule) -> PolicySnapshot:
    return PolicySnapshot("sha256:0", rules, Rbac(MODEL, ""))


def test_no_rule_means_the_default_of_the_finding() -> None:
    verdict = snapshot().judge(FOUND, LEAF, Phase.REQUEST)
    assert (verdict.action, verdict.rule, verdict.reason) == (Action.REDACT, "default:pii-email", "found by a check")
    other = FOUND._replace(default=Action.DENY, detector="other")
    assert snapshot().judge(other, LEAF, Phase.REQUEST).rule == "default:other"


def test_a_rule_may_be_milder_than_the_default() -> None:
    assert snapshot(rule("mild", "flag")).judge(FOUND, LEAF, Phase.REQUEST).action is Action.ALLOW


def test_the_strictest_rule_wins_in_any_order() -> None:
    rules = [rule("a", "flag"), rule("d", "deny", "no"), rule("b", "redact"), rule("c", "deny", "never")]
    said = {
        (v.action, v.rule, v.reason)
        for order in permutations(rules)
        for v in [snapshot(*order).judge(FOUND, LEAF, Phase.REQUEST)]
    }
    assert said == {(Action.DENY, "c", "never")}, "between equals the first id in the alphabet speaks"


@pytest.mark.parametrize(
    ("do", "editable", "action", "reason"),
    [
        ("redact", True, Action.REDACT, "why"),
        ("redact", False, Action.DENY, NOT_EDITABLE),
        ("flag", False, Action.ALLOW, "why"),
        ("approve", False, Action.APPROVE, "why"),
        ("deny", False, Action.DENY, "why"),
    ],
)
def test_redact_where_nothing_can_be_edited_is_deny(do: str, editable: bool, action: Action, reason: str) -> None:
    verdict = snapshot(rule("r", do, "why")).judge(FOUND, LEAF._replace(editable=editable), Phase.REQUEST)
    assert (verdict.action, verdict.rule, verdict.reason) == (action, "r", reason)


def test_a_default_of_redact_where_nothing_can_be_edited_is_deny() -> None:
    assert snapshot().judge(FOUND, LEAF._replace(editable=False), Phase.REQUEST).action is Action.DENY


def test_remembered_answers_never_stand_for_another_question() -> None:
    policy = snapshot(
        rule("score", "deny", score=0.9),
        rule("newest", "approve", newest=True),
        rule("tool", "deny", role="tool_result"),
        rule("answer", "flag", direction="response"),
        rule("code", "redact", finding="secret.*"),
    )
    for _ in range(2):
        for score in (0.1, 0.89, 0.9, 1.0):
            for code in ("pii.email", "secret.aws"):
                for role in Role:
                    for newest in (False, True):
                        for editable in (False, True):
                            for phase in Phase:
                                finding = FOUND._replace(score=score, code=code)
                                leaf = Leaf("/a", "x", role, newest=newest, editable=editable)
                                fresh = snapshot(*policy.rules)
                                assert policy.judge(finding, leaf, phase) == fresh.judge(finding, leaf, phase)


def test_the_memory_is_bounded() -> None:
    policy = snapshot(rule("r", "flag")).bound_to(Identity())
    for number in range(MAX_CACHED + 10):
        policy.judge(FOUND._replace(code=f"x.{number}"), LEAF, Phase.REQUEST)
    assert len(policy._known) <= MAX_CACHED


def test_judging_is_quick() -> None:
    policy = snapshot(*(rule(f"r{n}", "flag", score=n / 100) for n in range(50))).bound_to(Identity())
    policy.judge(FOUND, LEAF, Phase.REQUEST)
    best_s = min(timeit.repeat(lambda: policy.judge(FOUND, LEAF, Phase.REQUEST), number=2000, repeat=5)) / 2000
    assert best_s < 10e-6, "under one microsecond on an idle machine"
