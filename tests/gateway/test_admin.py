"""The admin port: detail for operators, closed to others."""

import json

import pytest

from helpers.asgi import harness
from yett.server.admin import make_admin_app


async def ask(gate, path, method="GET", token=""):
    app = make_admin_app(gate.gateway.core, gate.gateway.reload)
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"admin")] + ([(b"authorization", f"Bearer {token}".encode())] if token else [])
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(m.get("body", b"") for m in sent[1:])


async def test_readyz_tells_which_promises_hold(tmp_path):
    async with harness(tmp_path) as gate:
        status, body = await ask(gate, "/readyz")
        told = json.loads(body)
        assert status == 200
        assert told["ready"] is True
        assert told["guards"]["closed"] is True
        assert told["policy"]["rejected"] is None
        gate.gateway.core.stopping = True
        assert (await ask(gate, "/readyz"))[0] == 503


async def test_metrics_count_decisions_and_outcomes(tmp_path):
    async with harness(tmp_path) as gate:
        await gate.chat("hi")
        await gate.chat("AKIA" + "QWERTYUIOPASDFGH")
        _, body = await ask(gate, "/metrics")
        text = body.decode()
        assert 'yett_flows_total{dialect="openai_chat",outcome="ok"} 1.0' in text
        assert 'yett_decisions_total{action="ALLOW",phase="request"} 1.0' in text


async def test_plugins_policy_and_flows_are_listed(tmp_path):
    async with harness(tmp_path) as gate:
        plugins = json.loads((await ask(gate, "/yett/v1/plugins"))[1])
        assert {"pii", "secrets"} <= {plugin["name"] for plugin in plugins}
        policy = json.loads((await ask(gate, "/yett/v1/policy"))[1])
        assert policy["revision"].startswith("sha256:")
        assert json.loads((await ask(gate, "/yett/v1/flows"))[1]) == {"in_flight": 0}


async def test_reload_can_be_asked_for(tmp_path):
    async with harness(tmp_path) as gate:
        before = gate.gateway.core.policies.current.revision
        (gate.root / "policies/extra.yaml").write_text(
            "version: 1\nrules:\n  - {id: more, when: {finding: 'x.*', direction: request}, do: flag}\n"
        )
        status, body = await ask(gate, "/yett/v1/reload", "POST")
        assert status == 200
        assert json.loads(body)["revision"] != before


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/yett/v1/plugins", "/yett/v1/flows"])
async def test_a_token_closes_everything_but_liveness(tmp_path, path):
    async with harness(tmp_path, settings={"admin": {"token": "t0ken"}}) as gate:
        assert (await ask(gate, path))[0] == 401
        assert (await ask(gate, path, token="wrong"))[0] == 401
        assert (await ask(gate, path, token="t0ken"))[0] == 200
        assert (await ask(gate, "/livez"))[0] == 200


async def test_the_api_describes_itself(tmp_path):
    async with harness(tmp_path) as gate:
        status, body = await ask(gate, "/openapi.json")
        assert status == 200
        assert "/yett/v1/reload" in json.loads(body)["paths"]
