"""Flip a setting, see the gate behave differently: none is lost between the file and the code."""

import asyncio
import json

import pytest

from helpers.asgi import Scripted, chat_answer, harness
from yett.errors import ConfigError

EMAIL = "ada.lovelace@example.org"
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]}]


async def test_media_image(tmp_path):
    async with harness(tmp_path, settings={"media": {"image": "allow"}}) as gate:
        reply = await gate.chat(messages=IMAGE)
        assert reply.status == 200
        rows = gate.records("decided")[0]["ledger"]["new"]
        assert [row[0] for row in rows if row[2] == "opaque"] == ["/messages/0/content/0"]


def response(request):
    body = {"id": "resp_77", "object": "response", "model": "x", "status": "completed", "output": []}
    return Scripted([json.dumps(body).encode()])


async def test_references_owned(tmp_path):
    from yett.auth import create_key

    async with harness(tmp_path, response, settings={"references": "owned"}) as gate:
        body = {"model": "m", "input": "hi", "store": True}
        follow = {"model": "m", "input": "more", "previous_response_id": "resp_77"}
        early = await gate.call("/v1/responses", follow)
        assert (early.status, early.code) == (403, "reference_not_owned")
        assert (await gate.call("/v1/responses", body)).status == 200
        assert gate.upstream.bodies[-1]["store"] is True
        assert (await gate.call("/v1/responses", follow)).status == 200
        stranger = create_key(gate.root / "config/keys.yaml", agent="agent-2", role="developer", tenant="acme")
        gate.gateway.reload()
        assert (await gate.call("/v1/responses", follow, key=stranger)).code == "reference_not_owned"


async def test_references_deny_is_the_default_and_keeps_nothing_at_the_provider(tmp_path):
    async with harness(tmp_path, response) as gate:
        denied = await gate.call("/v1/responses", {"model": "m", "input": "x", "previous_response_id": "resp_77"})
        assert (denied.status, denied.code) == (403, "references_denied")
        assert "references" in denied.json()["error"]["message"]
        await gate.call("/v1/responses", {"model": "m", "input": "x", "store": True})
        assert gate.upstream.bodies[-1]["store"] is False


@pytest.mark.parametrize(
    ("limits", "body", "status", "code"),
    [
        pytest.param(
            {"body_bytes": 64},
            {"model": "m", "messages": [{"role": "user", "content": "x" * 64}]},
            413,
            "body_too_large",
            id="body_bytes",
        ),
        pytest.param(
            {"json_depth": 3},
            {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
            400,
            "too_deep",
            id="json_depth",
        ),
        pytest.param(
            {"max_leaves": 2},
            {"model": "m", "messages": [{"role": "user", "content": "x"}] * 4},
            413,
            "too_many_texts",
            id="max_leaves",
        ),
    ],
)
async def test_limits(tmp_path, limits, body, status, code):
    async with harness(tmp_path, settings={"limits": limits}) as gate:
        reply = await gate.call("/v1/chat/completions", body)
        assert (reply.status, reply.code) == (status, code)
        assert gate.upstream.requests == []


async def test_receive_deadline(tmp_path):
    async with harness(tmp_path, settings={"timeouts": {"receive_s": 0.05}}) as gate:
        sent = []

        async def receive():
            await asyncio.Event().wait()

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "query_string": b"",
            "headers": [(b"authorization", f"Bearer {gate.key}".encode()), (b"content-type", b"application/json")],
        }
        await asyncio.wait_for(gate.gateway.data(scope, receive, send), 5)
        assert sent[0]["status"] == 408


async def test_builtins_switched_off(tmp_path):
    async with harness(tmp_path, settings={"builtins": {"pii": False}}) as gate:
        await gate.chat(f"mail {EMAIL}")
        assert EMAIL.encode() in gate.upstream.raw
        assert any("pii" in told for told in gate.gateway.promises()["configuration"]["opened"])


async def test_a_builtin_that_does_not_exist_stops_the_start(tmp_path):
    with pytest.raises(ConfigError, match="no built-in plugin 'piii'"):
        async with harness(tmp_path, settings={"builtins": {"piii": False}}):
            raise AssertionError("it started")


@pytest.mark.parametrize(("mode", "kept"), [("none", False), ("redacted", True)])
async def test_audit_content(tmp_path, mode, kept):
    from yett.audit.content import leaf_digest

    async with harness(tmp_path, settings={"audit": {"content": mode}}) as gate:
        await gate.chat(f"mail {EMAIL}")
        core = gate.gateway.core
        assert (core.content is not None) is kept
        if kept:
            core.content.flush()
            text = core.content.get(leaf_digest(core.leaf_key, f"mail {EMAIL}"))
            assert text.startswith("mail <EMAIL_")


@pytest.mark.parametrize("durability", ["os", "group", "fsync"])
async def test_every_durability_serves_and_records(tmp_path, durability):
    async with harness(tmp_path, settings={"audit": {"durability": durability}}) as gate:
        assert (await gate.chat("hi")).status == 200
        assert [r["kind"] for r in gate.records()][-2:] == ["decided", "completed"]


async def test_moderations_without_a_model_is_501(tmp_path):
    async with harness(tmp_path) as gate:
        reply = await gate.call("/v1/moderations", {"input": f"mail {EMAIL}"})
        assert (reply.status, reply.code) == (501, "moderations_not_configured")
        assert gate.upstream.requests == []


async def test_moderations_are_forwarded_without_personal_data(tmp_path):
    answer = {"id": "modr-1", "model": "x", "results": [{"flagged": False, "categories": {}, "category_scores": {}}]}
    async with harness(tmp_path, lambda request: Scripted([json.dumps(answer).encode()])) as gate:
        reply = await gate.call("/v1/moderations", {"model": "m", "input": f"mail {EMAIL}"})
        assert reply.status == 200
        assert gate.upstream.bodies[0]["input"] == "mail <EMAIL>"


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_embeddings_get_one_way_marks(tmp_path, encoding):
    vector = [0.5, 0.25] if encoding == "float" else "AAAAPwAAgD4="
    data = [{"object": "embedding", "index": 0, "embedding": vector}]
    answer = {"object": "list", "model": "x", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    async with harness(tmp_path, lambda request: Scripted([json.dumps(answer).encode()])) as gate:
        body = {"model": "m", "input": [f"mail {EMAIL}", "plain"], "encoding_format": encoding}
        reply = await gate.call("/v1/embeddings", body)
        assert reply.json()["data"][0]["embedding"] == vector
        assert gate.upstream.bodies[0]["input"] == ["mail <EMAIL>", "plain"]


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]], ids=["one text", "several"])
async def test_token_ids_are_refused_with_the_clients_setting_named(tmp_path, tokens):
    async with harness(tmp_path) as gate:
        reply = await gate.call("/v1/embeddings", {"model": "m", "input": tokens})
        assert (reply.status, reply.code) == (400, "tokens_not_scannable")
        assert "check_embedding_ctx_length" in reply.json()["error"]["message"]
        assert gate.upstream.requests == []


async def test_strict_policy_redacts_the_models_own_personal_data(tmp_path):
    def activate(folder):
        text = (folder / "strict.yaml").read_text()
        (folder / "strict.yaml").write_text(text.replace("active: false", "active: true"))

    invented = lambda request: chat_answer("ask bob@example.net")  # noqa: E731
    async with harness(tmp_path, invented) as gate:
        assert b"bob@example.net" in (await gate.chat("hi")).body
        assert gate.records("completed")[0]["findings"][0]["action"] == "ALLOW"
    async with harness(tmp_path, invented, policies=activate, name="strict") as gate:
        reply = await gate.chat("hi")
        assert reply.json()["choices"][0]["message"]["content"] == "ask <EMAIL>"
