"""What the fields of a policy file do to whole exchanges: each is flipped, and the effect is seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.asgi import Harness, Scripted, chat_answer, chat_chunks, harness, sse
from yett.policy.evaluate import digest

MAIL = "Write to ada.lovelace@example.org now."
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "mail_send", "arguments": '{"to": "ada.lovelace@example.org"}'},
}


def own(*rules: dict[str, Any], **head: Any) -> Any:
    """A policy folder with one more file."""
    text = yaml.safe_dump({"version": 1, **head, "rules": list(rules)})
    return lambda folder: (folder / "own.yaml").write_text(text)


def rule(**change: Any) -> dict[str, Any]:
    return {"id": "own", "when": {"finding": "pii.*", "direction": "request"}, "do": "deny"} | change


async def refused(tmp_path: Path, policies: Any, reply: Any = None, **more: Any) -> bool:
    async with harness(tmp_path, reply, policies=policies) as gate:
        got = await gate.chat(more.pop("text", MAIL), **more)
        assert got.status in {200, 400}, got.body
        return got.status == 400


@pytest.mark.parametrize(
    ("bind", "concerned"),
    [
        (None, True),
        ({"tenant": "acme"}, True),
        ({"tenant": "other"}, False),
        ({"agent": "agent-*"}, True),
        ({"agent": "x"}, False),
        ({"role": "developer"}, True),
        ({"role": "admin"}, False),
        ({"key": "no-such-key"}, False),
        ({"route": "/v1/chat/*"}, True),
        ({"route": "/v1/responses"}, False),
        ({"model": "m"}, True),
        ({"model": "other"}, False),
    ],
    ids=str,
)
async def test_bind(bind: dict[str, str] | None, concerned: bool, tmp_path: Path) -> None:
    head = {"bind": bind} if bind else {}
    assert await refused(tmp_path, own(rule(), **head)) is concerned


async def test_what_a_caller_says_of_itself_binds_nothing(tmp_path: Path) -> None:
    headers = {"x-tenant": "other", "x-agent": "other", "x-yett-tenant": "other"}
    body = {"user": "other", "metadata": {"tenant": "other"}}
    assert await refused(tmp_path, own(rule(), bind={"tenant": "acme"}), headers=headers, **body)
    assert not await refused(tmp_path / "b", own(rule(), bind={"tenant": "other"}), headers=headers, **body)


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ({"when": {"model": "m"}}, True),
        ({"when": {"model": "other"}}, False),
        ({"when": {"size": {"at_least": 30}}}, True),
        ({"when": {"size": {"at_least": 3000}}}, False),
        ({"when": {"finding": "pii.*", "direction": "request", "size": {"at_least": 30}}}, True),
        ({"when": {"finding": "pii.*", "direction": "request", "size": {"at_least": 300}}}, False),
        ({"when": {"finding": "pii.*", "time": {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}}}, True),
        ({"mode": "shadow"}, False),
        ({"except": [{"match": {"agent": "agent-1"}, "until": "2999-01-01", "reason": "r", "owner": "o"}]}, False),
        ({"except": [{"match": {"agent": "agent-1"}, "until": "2001-01-01", "reason": "r", "owner": "o"}]}, True),
        ({"allow_values": [digest("ada.lovelace@example.org")]}, False),
        ({"allow_values": [digest("ada.lovelace@example.com")]}, True),
    ],
    ids=str,
)
async def test_requests(change: dict[str, Any], concerned: bool, tmp_path: Path) -> None:
    assert await refused(tmp_path, own(rule(**change))) is concerned


async def test_a_rule_about_wholes_is_recorded_with_its_message(tmp_path: Path) -> None:
    policies = own(rule(when={"size": {"at_least": 10}, "direction": "request"}, message="too long"))
    async with harness(tmp_path, policies=policies) as gate:
        got = await gate.chat(MAIL)
        assert "too long" in got.json()["error"]["message"]
        (row,) = [r for r in gate.records("decided")[0]["findings"] if r["code"] == "policy.whole"]
        assert (row["rule"], row["action"].lower()) == ("own", "deny")
        assert gate.upstream.requests == []


async def test_a_shadow_rule_is_in_the_record_and_in_nothing_else(tmp_path: Path) -> None:
    async with harness(tmp_path, policies=own(rule(mode="shadow"))) as gate:
        got = await gate.chat(MAIL)
        assert got.status == 200
        decided = gate.records("decided")[0]
        assert decided["rules"] == ["pii-in-requests"]
        rows = {row["rule"]: row["action"].lower() for row in decided["findings"]}
        assert rows == {"pii-in-requests": "redact", "shadow:deny:own": "allow"}


@pytest.mark.parametrize(("restore", "back"), [("caller", True), ("never", False)])
async def test_restore(restore: str, back: bool, tmp_path: Path) -> None:
    def echo(request: Any) -> Scripted:
        return chat_answer(json.loads(request.body)["messages"][-1]["content"])

    async with harness(tmp_path, echo, policies=own(rule(do="redact", restore=restore))) as gate:
        got = await gate.chat(MAIL)
        assert b"ada.lovelace@example.org" not in gate.upstream.raw
        assert (b"ada.lovelace@example.org" in got.body) is back


async def test_count(tmp_path: Path) -> None:
    counting = rule(when={"finding": "pii.*", "newest": True, "count": {"at_least": 3, "window_s": 600}})
    async with harness(tmp_path, policies=own(counting)) as gate:
        assert [(await gate.chat(MAIL)).status for _ in range(4)] == [200, 200, 400, 400]
        assert (await gate.chat("nothing in it")).status == 200


async def calling(gate: Harness, *, stream: bool) -> tuple[bool, bytes]:
    """Whether the answer's tool call was blocked, and the answer."""
    got = await gate.chat("go on", stream=stream)
    assert got.status == 200, got.body
    return b"content_filter" in got.body, got.body


def proposes(request: Any) -> Scripted:
    if json.loads(request.body).get("stream"):
        return sse(*chat_chunks({"tool_calls": [{"index": 0, **CALL}]}, finish="tool_calls"), size=11)
    return chat_answer(None, tool_calls=[CALL])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("when", "blocked"),
    [
        ({"tool": "mail_*", "direction": "response"}, True),
        ({"tool": "search", "direction": "response"}, False),
        ({"tool": "mail_*", "role": "tool_arguments", "size": {"at_least": 10}}, True),
        ({"tool": "mail_*", "role": "tool_arguments", "size": {"at_least": 1000}}, False),
        ({"finding": "pii.*", "tool": "mail_*"}, True),
        ({"finding": "pii.*", "tool": "search"}, False),
        ({"model": "m", "direction": "response"}, True),
    ],
    ids=str,
)
async def test_tool_calls_of_answers(when: dict[str, Any], blocked: bool, stream: bool, tmp_path: Path) -> None:
    async with harness(tmp_path, proposes, policies=own(rule(when=when))) as gate:
        was, body = await calling(gate, stream=stream)
        assert was is blocked
        assert (b"ada.lovelace" in body) is not blocked


OFFERED = {"type": "function", "function": {"name": "mail_send", "parameters": {}}}
HISTORY = [
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": None, "tool_calls": [CALL | {"function": {"name": "read", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": MAIL},
]


@pytest.mark.parametrize(
    ("when", "body", "concerned"),
    [
        ({"tool": "mail_send"}, {"tools": [OFFERED]}, True),
        ({"tool": "mail_send", "role": "tool_result"}, {"tools": [OFFERED]}, False),
        ({"tool": "read", "role": "tool_result"}, {"messages": HISTORY}, True),
        ({"tool": "write", "role": "tool_result"}, {"messages": HISTORY}, False),
        ({"finding": "pii.*", "tool": "read"}, {"messages": HISTORY}, True),
        ({"finding": "pii.*", "tool": "write"}, {"messages": HISTORY}, False),
        ({"finding": "pii.*", "tool": "write"}, {"messages": [HISTORY[0], HISTORY[2]]}, True),
    ],
    ids=str,
)
async def test_tools_of_requests(when: dict[str, Any], body: dict[str, Any], concerned: bool, tmp_path: Path) -> None:
    """In the last one the call is left out of the history: whose result it is cannot be known."""
    assert await refused(tmp_path, own(rule(when=when)), text="hi", **body) is concerned


async def test_warnings_are_in_readyz(tmp_path: Path) -> None:
    expired = {"match": {"agent": "a"}, "until": "2001-01-01", "reason": "r", "owner": "ops"}
    async with harness(tmp_path, policies=own(rule(**{"except": [expired]}))) as gate:
        (told,) = gate.gateway.promises()["policy"]["warnings"]  # type: ignore[index]
        assert "own.yaml:" in told
        assert "the exception of ops ended on 2001-01-01" in told
