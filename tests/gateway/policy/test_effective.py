"""The laws of merging, and every condition that depends on more than the finding."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.policies import rule, snapshot
from yett.flow import Flow, Leaf, Phase, Principal, Role, ToolCall, ToolOffer, ToolResult, TraceContext
from yett.policy.conditions import Identity
from yett.policy.effective import tool_of
from yett.policy.evaluate import digest
from yett.verdict import Action, Finding

FOUND = Finding("pii.email", "/a", (0, 1), 0.8, "pii-email", Action.REDACT)
LEAF = Leaf("/a", "x" * 20, Role.USER, newest=True)
ME = Identity("acme", "bot", ("developer",), "k1", "/v1/chat/completions", "gpt-4o")
WHO = Principal("bot-1", "acme", "bot", ("developer",), "k1")
DOING = ["flag", "redact", "approve", "deny"]
BINDS: list[dict[str, Any]] = [
    {"tenant": "acme"}, {"agent": "bot"}, {"role": "developer"}, {"key": "k1"}, {"route": "*"}, {"model": "gpt-*"},
]  # fmt: skip


def flow(**more: Any) -> Flow:
    made = Flow("f", TraceContext("0" * 32, "0" * 16), more.pop("principal", WHO), "openai_chat", model="gpt-4o")
    for name, value in more.items():
        setattr(made, name, value)
    return made


def outcome(
    floor: Sequence[str], bound: Sequence[str], identity: Identity = ME, default: Action = Action.REDACT
) -> Action:
    rules = [rule(f"floor{n}", do) for n, do in enumerate(floor)] + [
        rule(f"bound{n}", do) for n, do in enumerate(bound)
    ]
    binds = {f"bound{n}": BINDS[n % len(BINDS)] for n in range(len(bound))}
    policy = snapshot(*rules, binds=binds).bound_to(identity)
    return policy.judge(FOUND._replace(default=default), LEAF, Phase.REQUEST).action


SOME = st.lists(st.sampled_from(DOING), max_size=4)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(floor=SOME, bound=SOME, default=st.sampled_from(list(Action)))
def test_a_lower_level_never_loosens(floor: list[str], bound: list[str], default: Action) -> None:
    above = outcome(floor, (), default=default)
    assert above == max((Action.parse(do) for do in floor), default=default)
    assert outcome(floor, bound, default=default) == max([above, *map(Action.parse, bound)])


@settings(max_examples=50, deadline=None, derandomize=True)
@given(floor=SOME, bound=SOME, stranger=st.sampled_from([Identity(), ME._replace(tenant="x", agent="y")]))
def test_who_is_not_bound_gets_no_less_than_the_floor(floor: list[str], bound: list[str], stranger: Identity) -> None:
    assert outcome(floor, (), stranger) <= outcome(floor, bound, stranger) <= outcome(floor, bound)


def test_the_default_speaks_where_only_lower_levels_do() -> None:
    policy = snapshot(rule("mild", "flag"), binds={"mild": {"tenant": "acme"}}).bound_to(ME)
    verdict = policy.judge(FOUND, LEAF, Phase.REQUEST)
    assert (verdict.action, verdict.rule) == (Action.REDACT, "default:pii-email")


def test_callers_with_the_same_rules_share_a_policy_and_memory_is_bounded() -> None:
    made = snapshot(rule("a"), rule("b"), binds={"b": {"tenant": "acme"}})
    assert made.bound_to(ME) is made.bound_to(ME._replace(agent="other"))
    assert made.bound_to(ME) is not made.bound_to(Identity())
    for number in range(5000):
        made.bound_to(ME._replace(model=f"m{number}"))
    assert len(made._bound) <= 4096
    assert len(made._shared) == 1
    unbound = snapshot(rule("a"))
    assert unbound.bound_to(ME) is unbound.bound_to(Identity())


@pytest.mark.parametrize(("model", "action"), [("gpt-4o", Action.DENY), ("claude", Action.REDACT)])
def test_rules_for_models(model: str, action: Action) -> None:
    made = snapshot(rule(when={"finding": "*", "model": "gpt-*"})).bound_to(ME._replace(model=model))
    assert made.judge(FOUND, LEAF, Phase.REQUEST).action is action


TOOLS = flow(
    tools=[ToolOffer("/tools/0/function", "search")],
    tool_calls=[ToolCall("/messages/1/tool_calls/0", "mail_send", "{}", "c1")],
    tool_results=[ToolResult("/messages/2/content", "c1", "sent"), ToolResult("/messages/3/content", "c9", "?")],
)
AT = [
    ("/tools/0/function/description", Role.TOOL_DESCRIPTION, "search"),
    ("/messages/1/tool_calls/0/function/arguments#/to", Role.TOOL_ARGUMENTS, "mail_send"),
    ("/messages/1/tool_calls/01", Role.ASSISTANT, ""),
    ("/messages/2/content/0/text", Role.TOOL_RESULT, "mail_send"),
    ("/messages/3/content", Role.TOOL_RESULT, None),
    ("/choices/0/message/tool_calls/0", Role.TOOL_ARGUMENTS, None),
    ("/messages/0/content", Role.USER, ""),
]


@pytest.mark.parametrize(("pointer", "role", "name"), AT, ids=[one[0] for one in AT])
def test_the_tool_of_a_text(pointer: str, role: Role, name: str | None) -> None:
    assert tool_of(TOOLS, Leaf(pointer, "x", role)) == name


@pytest.mark.parametrize(("pointer", "role", "name"), AT, ids=[one[0] for one in AT])
def test_rules_for_tools_close_where_the_tool_is_not_known(pointer: str, role: Role, name: str | None) -> None:
    leaf, named = Leaf(pointer, "x", role), name in {"mail_send", None}
    when = {"finding": "*", "tool": "mail_*"}
    strict = snapshot(rule("r", "deny", when=when)).bound_to(ME)
    assert (strict.judge(FOUND, leaf, Phase.REQUEST, TOOLS).action is Action.DENY) is named
    mild = snapshot(rule("r", "flag", when=when)).bound_to(ME)
    assert (mild.judge(FOUND, leaf, Phase.REQUEST, TOOLS).action is Action.ALLOW) is (name == "mail_send")


@pytest.mark.parametrize(("characters", "action"), [(19, Action.REDACT), (20, Action.DENY)])
def test_rules_for_sizes(characters: int, action: Action) -> None:
    made = snapshot(rule(when={"finding": "*", "direction": "request", "size": {"at_least": 20}})).bound_to(ME)
    leaf = LEAF._replace(text="x" * characters)
    assert made.judge(FOUND, leaf, Phase.REQUEST, flow()).action is action


def test_rules_for_times_follow_the_clock() -> None:
    moment = [datetime(2027, 1, 4, 17, 59, tzinfo=UTC)]
    made = snapshot(rule(when={"finding": "*", "time": {"after": "18:00"}}), now=lambda: moment[0]).bound_to(ME)
    assert made.judge(FOUND, LEAF, Phase.REQUEST, flow()).action is Action.REDACT
    moment[0] = datetime(2027, 1, 4, 18, 0, tzinfo=UTC)
    assert made.judge(FOUND, LEAF, Phase.REQUEST, flow()).action is Action.DENY


def test_rules_that_count_count_their_own_findings_per_principal() -> None:
    made = snapshot(rule(when={"finding": "pii.*", "count": {"at_least": 3, "window_s": 60}})).bound_to(ME)
    other = flow(principal=Principal("bot-2", "acme"))
    said = [made.judge(FOUND, LEAF, Phase.REQUEST, flow()).action for _ in range(2)]
    said.append(made.judge(FOUND._replace(code="x.y"), LEAF, Phase.REQUEST, flow()).action)
    said.append(made.judge(FOUND, LEAF, Phase.REQUEST, other).action)
    said.append(made.judge(FOUND, LEAF, Phase.REQUEST, flow()).action)
    assert said == [Action.REDACT] * 4 + [Action.DENY]


EXCEPT = {"match": {"finding": "pii.email", "agent": "bot"}, "until": "2027-01-31", "reason": "r", "owner": "o"}


@pytest.mark.parametrize(
    ("day", "code", "agent", "action"),
    [
        (31, "pii.email", "bot", Action.ALLOW),
        (32, "pii.email", "bot", Action.DENY),
        (31, "pii.iban", "bot", Action.DENY),
        (31, "pii.email", "other", Action.DENY),
    ],
)
def test_exceptions_hold_to_their_last_day(day: int, code: str, agent: str, action: Action) -> None:
    now = datetime(2027, 1, 31, 23, 59, tzinfo=UTC) if day == 31 else datetime(2027, 2, 1, tzinfo=UTC)
    made = snapshot(rule(**{"except": [EXCEPT]}), now=lambda: now)
    who = flow(principal=replace(WHO, agent=agent))
    assert made.bound_to(ME).judge(FOUND._replace(code=code), LEAF, Phase.REQUEST, who).action is action
    assert bool(made.warnings()) is (day == 32)


def test_an_exception_loosens_its_own_rule_only() -> None:
    holed = rule("holed", **{"except": [EXCEPT]})
    now = datetime(2027, 1, 1, tzinfo=UTC)
    both = snapshot(holed, rule("other", "redact"), now=lambda: now).bound_to(ME)
    assert both.judge(FOUND, LEAF, Phase.REQUEST, flow()).rule == "other"
    lower = snapshot(rule("floor", "deny"), holed, binds={"holed": {"tenant": "acme"}}, now=lambda: now).bound_to(ME)
    assert lower.judge(FOUND, LEAF, Phase.REQUEST, flow()).action is Action.DENY


@pytest.mark.parametrize("key", [b"", b"k" * 32], ids=["sha256", "hmac"])
def test_allowed_values(key: bytes) -> None:
    made = snapshot(rule(allow_values=[digest("info@example.org", key)]), value_key=key).bound_to(ME)
    said = {
        value: made.judge(FOUND, LEAF, Phase.REQUEST, flow(), value).action
        for value in ("info@example.org", "Info@example.org", "")
    }
    assert said == {"info@example.org": Action.ALLOW, "Info@example.org": Action.DENY, "": Action.DENY}


def test_a_keyed_digest_means_nothing_under_another_key() -> None:
    made = snapshot(rule(allow_values=[digest("a", b"k" * 32)]), value_key=b"l" * 32).bound_to(ME)
    assert made.judge(FOUND, LEAF, Phase.REQUEST, flow(), "a").action is Action.DENY


def test_shadow_rules_never_decide_and_say_what_they_would() -> None:
    made = snapshot(rule("s", "deny", mode="shadow"), rule("r", "flag")).bound_to(ME)
    assert made.rehearses
    assert made.judge(FOUND, LEAF, Phase.REQUEST, flow()).rule == "r"
    assert made.rehearse(FOUND, LEAF, Phase.REQUEST, flow(), "") == [("s", Action.DENY)]
    alone = snapshot(rule("s", "flag", mode="shadow")).bound_to(ME)
    assert alone.judge(FOUND, LEAF, Phase.REQUEST, flow()).rule == "default:pii-email", "nor do they hide the default"


def test_a_sample_is_a_share_of_sessions_and_sticks_to_them() -> None:
    made = snapshot(rule("s", "deny", mode="shadow", sample=0.3)).bound_to(ME)
    drawn = {
        name: {bool(made.rehearse(FOUND, LEAF, Phase.REQUEST, flow(session=name), "")) for _ in range(3)}
        for name in (f"s{n}" for n in range(1000))
    }
    assert all(len(said) == 1 for said in drawn.values())
    assert 250 < sum(said == {True} for said in drawn.values()) < 350


@pytest.mark.parametrize(("restore", "one_way"), [("caller", False), ("never", True)])
def test_what_is_never_restored(restore: str, one_way: bool) -> None:
    made = snapshot(rule("r", "redact", restore=restore), rule("q", "redact")).bound_to(ME)
    assert made.judge(FOUND, LEAF, Phase.REQUEST, flow()).one_way is one_way


WHOLES = [
    ({"size": {"at_least": 30}}, 2, [""]),
    ({"size": {"at_least": 41}}, 2, []),
    ({"model": "gpt-*"}, 2, [""]),
    ({"tool": "mail_*"}, 2, ["/messages/2/content", "/messages/3/content", "/messages/1/tool_calls/0"]),
    ({"tool": "search"}, 2, ["/tools/0/function", "/messages/3/content"]),
    ({"tool": "*", "role": "tool_description"}, 2, ["/tools/0/function"]),
    ({"tool": "mail_*", "role": "tool_arguments", "size": {"at_least": 3}}, 2, []),
    ({"tool": "*", "direction": "response"}, 2, []),
]


@pytest.mark.parametrize(("when", "leaves", "pointers"), WHOLES, ids=[str(one[0]) for one in WHOLES])
def test_rules_without_a_finding(when: dict[str, Any], leaves: int, pointers: list[str]) -> None:
    made = snapshot(rule("r", "deny", when=when, message="why")).bound_to(ME)
    said = made.wholes(TOOLS, Phase.REQUEST, [LEAF] * leaves)
    assert [one.finding.pointer for one in said] == pointers
    assert {(one.verdict.action, one.verdict.rule, one.verdict.reason) for one in said} <= {(Action.DENY, "r", "why")}
    assert made.judge(FOUND, LEAF, Phase.REQUEST, TOOLS).action is Action.REDACT, "and they say nothing of findings"


@pytest.mark.parametrize(
    ("direction", "request_", "response"), [("any", True, True), ("request", True, False), ("response", False, True)]
)
def test_who_holds_streams(direction: str, request_: bool, response: bool) -> None:
    made = snapshot(rule(when={"tool": "x", "direction": direction})).bound_to(ME)
    assert (made.speaks_of_wholes(Phase.REQUEST), made.speaks_of_wholes(Phase.RESPONSE)) == (request_, response)
    assert made.holds_streams is response


def test_a_shadow_rule_about_wholes_is_only_rehearsed() -> None:
    made = snapshot(rule("s", when={"model": "*"}, mode="shadow")).bound_to(ME)
    (said,) = made.wholes(TOOLS, Phase.REQUEST, [])
    assert (said.verdict.action, said.rehearsed) == (Action.ALLOW, (("s", Action.DENY),))


def test_open_questions_are_never_answered_from_memory() -> None:
    moment = [datetime(2027, 1, 4, hour, tzinfo=UTC) for hour in (3, 12, 20)]
    now = [moment[0]]
    rules = [
        rule("night", when={"finding": "*", "time": {"after": "18:00", "before": "07:00"}}),
        rule("mail", "approve", when={"finding": "*", "tool": "mail_*"}),
        rule("plain", "flag"),
    ]
    made = snapshot(*rules, now=lambda: now[0]).bound_to(ME)
    for at, (pointer, role, _) in product(moment, AT):
        now[0] = at
        leaf = Leaf(pointer, "x", role)
        fresh = snapshot(*rules, now=lambda: now[0]).bound_to(ME)
        assert made.judge(FOUND, leaf, Phase.REQUEST, TOOLS) == fresh.judge(FOUND, leaf, Phase.REQUEST, TOOLS)
