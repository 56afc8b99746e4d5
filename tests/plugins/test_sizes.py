"""Sizes: each limit by itself, what counts and what does not, and what the caller is told."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from helpers.asgi import harness
from helpers.plugin_settings import flow_of, settings_for
from yett.flow import FlowView, Leaf, Role
from yett.verdict import Action
from yett_plugins.sizes import Sizes, messages_in


def messages(flow: FlowView, **config: object) -> list[str]:
    return [one.message for one in Sizes(Sizes.Config.model_validate(config)).check_request(flow)]


FLOW = flow_of((Role.SYSTEM, "be brief"), (Role.USER, "one two\nthree"), (Role.USER, "four"))


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"characters": 17}, []),
        ({"characters": 16}, ["user characters: 17, at most 16"]),
        ({"words": 4}, []),
        ({"words": 3}, ["user words: 4, at most 3"]),
        ({"lines": 3}, []),
        ({"lines": 2}, ["user lines: 3, at most 2"]),
        ({"lines": 1, "words": 1}, ["user words: 4, at most 1", "user lines: 3, at most 1"]),
        ({}, []),
    ],
    ids=str,
)
def test_limits_of_a_role(limits: dict[str, int], told: list[str]) -> None:
    assert messages(FLOW, roles={"user": limits}) == told


def test_roles_without_texts_and_without_limits_pass() -> None:
    assert messages(FLOW, roles={"tool_result": {"characters": 1}}) == []
    assert messages(FLOW) == []
    assert messages(flow_of(), roles={"user": {"characters": 1}}, messages=1) == []


def test_the_newest_turn_alone() -> None:
    old, new = (
        Leaf("/messages/0/content", "x" * 50, Role.USER),
        Leaf("/messages/2/content", "y" * 9, Role.USER, newest=True),
    )
    flow = flow_of(leaves=(old, new))
    assert messages(flow, roles={"user": {"characters": 10}}) == ["user characters: 59, at most 10"]
    assert messages(flow, roles={"user": {"characters": 10}}, newest_only=True) == []


def test_messages_are_counted_by_their_place() -> None:
    leaves = [Leaf(f"/messages/{n}/content/{part}/text", "a") for n in range(3) for part in range(2)]
    assert messages_in([*leaves, Leaf("/metadata/a", "b"), Leaf("/input/0/content", "c")]) == 4
    assert messages(FLOW, messages=3) == []
    assert messages(FLOW, messages=2) == ["messages: 3, at most 2"]


def test_keys_and_numbers_do_not_count() -> None:
    flow = flow_of(leaves=(Leaf("/messages/0/content", "abc", Role.USER, part="key"),))
    assert messages(flow, roles={"user": {"characters": 1}}) == []


@pytest.mark.parametrize(
    "config",
    [
        {"roles": {"users": {"words": 1}}},
        {"roles": {"user": {"words": 0}}},
        {"messages": -1},
        {"roles": {"user": {"w": 1}}},
    ],
    ids=str,
)
def test_wrong_settings_are_errors(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Sizes.Config.model_validate(config)


def test_do_is_the_default_action() -> None:
    (one,) = Sizes(Sizes.Config.model_validate({"messages": 1, "do": "flag"})).check_request(FLOW)
    assert (one.code, one.default) == ("size.too_long", Action.ALLOW)


async def test_a_long_request_is_refused(tmp_path) -> None:
    config = {"roles": {"user": {"characters": 10}}}
    async with harness(tmp_path, settings=settings_for(Sizes, config)) as gate:
        assert (await gate.chat("short")).status == 200
        got = await gate.chat("much too long")
        assert (got.status, got.code) == (400, "guardrail_blocked")
        assert len(gate.upstream.requests) == 1
