"""Canaries in every input field, faults in the provider: no output holds them but the caller's own answer."""

import json
import random

import pytest

from helpers.asgi import Scripted, chat_answer, chat_chunks, harness, sse
from yett.errors import UpstreamError

ROUNDS = 150
KEY = "ghp_" + "Zq9" * 12


def canary(n):
    return f"canary{n}.person@corp-example.org"


def body(rng, n):
    """A chat request with a personal datum somewhere, and sometimes a secret in its history."""
    text = f"about {canary(n)}"
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"to": canary(n)})}}
    tool = {"type": "function", "function": {"name": "f", "description": f"ask {canary(n)}"}}
    messages = rng.choice(
        [
            [{"role": "user", "content": text}],
            [{"role": "system", "content": text}, {"role": "user", "content": "hi"}],
            [{"role": "user", "content": [{"type": "text", "text": text}]}],
            [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [call]}],
            [
                {"role": "user", "content": f"old {KEY}"},
                {"role": "assistant", "content": "ok"},
                {"role": "user", "content": text},
            ],
            [{"role": "user", "content": f"new {KEY}"}],
        ]
    )
    more = rng.choice(
        [{}, {"metadata": {"who": canary(n)}}, {"tools": [tool]}, {"user": canary(n)}, {"stop": [canary(n)]}]
    )
    return {"model": "m", "messages": messages, "stream": rng.random() < 0.5, **more}


def provider(rng):
    """Echoes, streams, fails in every way; reflects what it got in its error messages."""

    def reply(request):
        said = json.dumps(json.loads(request.body).get("messages"))
        kind = rng.randrange(6)
        if kind == 0:
            return UpstreamError("gone", code="upstream_reset")
        if kind == 1:
            return Scripted([json.dumps({"error": {"message": said}}).encode()], rng.choice([400, 429, 500]))
        if kind == 2:
            return Scripted([b"garbage " + request.body])
        if json.loads(request.body).get("stream"):
            return sse(*chat_chunks(*said), done=rng.random() < 0.7, size=rng.choice([0, 5, 50]))
        return chat_answer(said)

    return reply


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_canary_leaves_but_to_its_owner(tmp_path, capfd, seed):
    rng = random.Random(seed)
    refusals = []
    async with harness(tmp_path, provider(rng), settings={"audit": {"content": "redacted"}}) as gate:
        for n in range(ROUNDS):
            reply = await gate.call("/v1/chat/completions", body(rng, n))
            if reply.status != 200:
                refusals.append(reply.body)
        metrics = gate.gateway.core.metrics.expose()
        provider_bytes = gate.upstream.raw
    audit = b"".join(p.read_bytes() for p in sorted((gate.root / "var/audit").rglob("*")) if p.is_file())
    logs = "".join(capfd.readouterr()).encode()
    for name, output in {
        "provider": provider_bytes,
        "audit": audit,
        "metrics": metrics,
        "logs": logs,
    }.items():
        assert b"corp-example" not in output, name
        assert KEY.encode() not in output, name
        assert gate.key.encode() not in output, name
        assert b"provider-secret" not in output, name
    assert refusals
    for refusal in refusals:
        assert KEY.encode() not in refusal
        assert b"Traceback" not in refusal
    assert len(gate.records("completed")) == ROUNDS
    assert {r["flow"] for r in gate.records("completed")} == {r["flow"] for r in gate.records("decided")}
