from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from yett.flow import Leaf, Phase, Role
from yett.policy.conditions import Bind, Circumstances, ExemptMatch, Identity, Time, When

MONDAY_NOON = datetime(2027, 1, 4, 12, 0, tzinfo=UTC)
LEAF = Leaf("/a", "x", Role.USER)


def at(clock: str, day: int = 4) -> datetime:
    hour, minute = clock.split(":")
    return datetime(2027, 1, day, int(hour), int(minute), tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "now", "inside"),
    [
        pytest.param({"after": "18:00"}, at("18:00"), True, id="the first minute"),
        pytest.param({"after": "18:00"}, at("17:59"), False, id="a minute early"),
        pytest.param({"before": "07:00"}, at("06:59"), True, id="the last minute"),
        pytest.param({"before": "07:00"}, at("07:00"), False, id="a minute late"),
        pytest.param({"after": "09:00", "before": "17:00"}, at("12:00"), True, id="within the day"),
        pytest.param({"after": "09:00", "before": "17:00"}, at("17:00"), False, id="the end is not within"),
        pytest.param({"after": "18:00", "before": "07:00"}, at("23:30"), True, id="evening of a night"),
        pytest.param({"after": "18:00", "before": "07:00"}, at("03:00"), True, id="morning of a night"),
        pytest.param({"after": "18:00", "before": "07:00"}, at("12:00"), False, id="noon is no night"),
        pytest.param({"days": ["sat", "sun"]}, at("12:00", 9), True, id="a saturday"),
        pytest.param({"days": "mon"}, at("12:00"), True, id="one day alone"),
        pytest.param({"days": ["sat", "sun"]}, at("12:00"), False, id="a monday"),
        pytest.param({"days": "tue", "zone": "Asia/Tokyo"}, at("23:00"), True, id="tuesday where they live"),
        pytest.param({"after": "13:00", "zone": "Europe/Berlin"}, at("12:00"), True, id="an hour ahead"),
        pytest.param({"after": "13:00"}, at("12:00"), False, id="utc without a zone"),
    ],
)
def test_time(span: dict[str, Any], now: datetime, inside: bool) -> None:
    assert Time.model_validate(span).holds(now) is inside


@pytest.mark.parametrize(
    "when",
    [
        {"direction": "request"},
        {"tool": ""},
        {"tool": []},
        {"tool": "a b"},
        {"model": "gpt 4"},
        {"size": {"at_least": 0}},
        {"size": {"at_least": "10"}},
        {"size": {}},
        {"size": {"at_most": 3}},
        {"time": {}},
        {"time": {"after": "8:00"}},
        {"time": {"after": "24:00"}},
        {"time": {"after": 1080}},
        {"time": {"after": "08:00", "before": "08:00"}},
        {"time": {"days": ["monday"]}},
        {"time": {"days": []}},
        {"time": {"after": "08:00", "zone": "Mars/Olympus"}},
        {"time": {"after": "08:00", "zone": "../etc/passwd"}},
        {"time": {"after": "08:00", "zone": ""}},
        {"count": {"at_least": 1, "window_s": 60}},
        {"count": {"at_least": 5}},
        {"count": {"at_least": 5, "window_s": 0}},
        {"count": {"at_least": 5, "window_s": float("inf")}},
        {"count": {"at_least": 10**9, "window_s": 60}},
        {"tool": "x", "score": 0.5},
        {"tool": "x", "newest": True},
        {"model": "x", "role": "user"},
        {"finding": "*", "size": {"at_least": 3}},
        {"finding": "*", "size": {"at_least": 3}, "direction": "response"},
        {"finding": "*", "taint": "external"},
        {"finding": "*", "language": "de"},
    ],
    ids=str,
)
def test_bad_conditions(when: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        When.model_validate(when)


@pytest.mark.parametrize(
    ("when", "given", "holds"),
    [
        ({"tool": "mail_*"}, {"tool": "mail_send"}, True),
        ({"tool": "mail_*"}, {"tool": "search"}, False),
        ({"tool": "mail_*"}, {"tool": ""}, False),
        ({"tool": ["a", "b"]}, {"tool": "b"}, True),
        ({"model": "gpt-*"}, {"model": "gpt-4o"}, True),
        ({"model": "gpt-*"}, {"model": "claude"}, False),
        ({"size": {"at_least": 10}}, {"characters": 10}, True),
        ({"size": {"at_least": 10}}, {"characters": 9}, False),
        ({"time": {"after": "18:00"}}, {}, False),
        ({"tool": "a", "size": {"at_least": 5}}, {"tool": "a", "characters": 1}, False),
    ],
    ids=str,
)
def test_circumstances(when: dict[str, Any], given: dict[str, Any], holds: bool) -> None:
    circumstances = Circumstances(MONDAY_NOON, **given)
    assert When.model_validate(when).holds(circumstances, unknown_tool=False) is holds


@pytest.mark.parametrize("answer", [True, False])
def test_a_tool_that_is_not_known_is_what_the_asker_says(answer: bool) -> None:
    when = When.model_validate({"tool": "a"})
    assert when.holds(Circumstances(MONDAY_NOON, tool=None), unknown_tool=answer) is answer


@pytest.mark.parametrize(
    ("match", "covered"),
    [
        ({"finding": "pii.email"}, True),
        ({"finding": "pii.iban"}, False),
        ({"agent": "billing-*"}, True),
        ({"agent": "other"}, False),
        ({"tenant": "acme", "key": "k1"}, True),
        ({"tenant": "acme", "key": "k2"}, False),
        ({"role": "user", "tool": "x"}, False),
    ],
    ids=str,
)
def test_exceptions_name_texts_and_callers(match: dict[str, Any], covered: bool) -> None:
    given = Circumstances(MONDAY_NOON, "acme", "p", "billing-bot", "k1")
    assert ExemptMatch.model_validate(match).covers("pii.email", LEAF, Phase.REQUEST, 0.9, given) is covered


def test_an_unknown_tool_is_never_excepted() -> None:
    match = ExemptMatch.model_validate({"tool": "*"})
    assert not match.covers("pii.email", LEAF, Phase.REQUEST, 1.0, Circumstances(MONDAY_NOON, tool=None))


@pytest.mark.parametrize(
    "match", [{}, {"agents": "x"}, {"agent": ""}, {"count": {"at_least": 2, "window_s": 1}}], ids=str
)
def test_bad_exceptions(match: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExemptMatch.model_validate(match)


ME = Identity("acme", "bot", ("developer", "analyst"), "k1", "/v1/chat/completions", "gpt-4o")


@pytest.mark.parametrize(
    ("bind", "level", "fits"),
    [
        ({"route": "/v1/chat/*"}, 1, True),
        ({"route": "/v1/responses"}, 1, False),
        ({"model": ["gpt-*", "x"]}, 1, True),
        ({"tenant": "acme"}, 2, True),
        ({"tenant": "acm"}, 2, False),
        ({"agent": "b*"}, 3, True),
        ({"role": "analyst"}, 4, True),
        ({"role": "admin"}, 4, False),
        ({"key": "k1"}, 5, True),
        ({"tenant": "acme", "model": "gpt-4o"}, 2, True),
        ({"tenant": "acme", "key": "k2"}, 5, False),
    ],
    ids=str,
)
def test_bind(bind: dict[str, Any], level: int, fits: bool) -> None:
    made = Bind.model_validate(bind)
    assert (made.level, made.fits(ME)) == (level, fits)


@pytest.mark.parametrize("bind", [{}, {"tenants": "a"}, {"tenant": ""}, {"tenant": []}, {"tenant": "a b"}], ids=str)
def test_bad_binds(bind: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Bind.model_validate(bind)
