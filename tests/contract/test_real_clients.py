"""Unmodified clients that change only their base URL, against a running gateway process.

openai-python 3.x and LangChain are in the environment; openai-python 2.x and the Node package are installed once into
.venv-clients (the `proof` tests). Each client runs the same scenario and must see the same things.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import openai
import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from helpers.gateway import MODELS, ROOT, post, running_gateway
from helpers.upstream import ThreadedUpstream
from yett.auth import create_key

HERE = Path(__file__).parent
CACHE = ROOT / ".venv-clients"
OPENAI_2 = "openai==2.54.0"
OPENAI_NODE = "openai@7.57.0"
EMAIL = "maria.lopez@example.org"
SECRET = "ghp_" + "Zx8Kq2Lw9Rt4Yp7Vb3Nm6Jh1Gf5Ds0Ac2Ue4"
PROVIDER_KEY = "sk-provider-key-that-no-client-may-see"
ORDER = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with running_gateway(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """A gateway whose provider is ours: (gateway, upstream); the upstream keeps what really arrived."""
    with ThreadedUpstream() as upstream:
        provider = {"kind": "openai", "base_url": upstream.base_url, "api_key": PROVIDER_KEY}
        with running_gateway(tmp_path_factory.mktemp("observed"), providers={"truth": provider}) as running:
            yield running, upstream


def client_of(running, **more):
    return openai.OpenAI(base_url=running.base_url, api_key=running.key, **more)


def scenario(command, running):
    """What one client saw."""
    env = {
        **os.environ,
        "OPENAI_BASE_URL": running.base_url,
        "OPENAI_API_KEY": running.key,
        "SCENARIO_EMAIL": EMAIL,
        "SCENARIO_SECRET": SECRET,
    }
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{done.stderr[-3000:]}\ngateway: {running.log[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def expect(seen):
    """The promises of the scenario, the same for every client."""
    shown = re.compile(
        rf"The provider received: Write to \[EMAIL [a-z2-7]{{8}}\]\nYou wrote: Write to {re.escape(EMAIL)}"
    )
    for name in ("plain", "stream", "completion", "responses_plain", "responses_stream", "async_plain", "async_stream"):
        assert shown.fullmatch(seen[name]), (name, seen[name])
    assert seen["several"] == [seen["plain"]] * 3
    assert seen["async_many"] == [seen["plain"]]
    assert seen["stream"] == seen["plain"]
    assert seen["responses_completed"] == seen["responses_stream"] == seen["responses_plain"]
    assert seen["responses_order"] == ORDER
    assert seen["usage"] is True
    assert seen["structured"] == {"text": "a short note", "count": 0}
    assert seen["tool_name"] == "send_mail"
    for name in ("tool_arguments", "tool_stream", "responses_call"):
        assert seen[name] == {"to": EMAIL}, name
    assert seen["tool_answer"].endswith(f"The tool answered: sent to {EMAIL}")
    assert "[EMAIL " in seen["tool_answer"]
    assert (seen["embedding_size"], seen["embeddings_agree"]) == (256, True)
    assert (seen["models"], seen["model"]) == (sorted(MODELS), "gpt-4o-mini")
    assert seen["blocked_code"] == "guardrail_blocked"
    assert SECRET not in seen["blocked_message"]
    assert (seen["unknown_model"], seen["wrong_key"]) == ("model_not_found", 401)


def test_openai_python_3(gateway):
    seen = scenario([sys.executable, str(HERE / "clients/openai_python.py")], gateway)
    assert seen["version"].startswith("3.")
    expect(seen)


@pytest.mark.proof
def test_openai_python_2(gateway):
    seen = scenario([str(openai_2_python()), str(HERE / "clients/openai_python.py")], gateway)
    assert seen["version"].startswith("2.")
    expect(seen)


@pytest.mark.proof
def test_openai_node(gateway):
    folder = openai_node_folder()
    script = folder / "openai_node.mjs"
    shutil.copyfile(HERE / "node/openai_node.mjs", script)  # node looks for packages beside the script
    expect(scenario(["node", str(script)], gateway))


def test_what_really_reaches_the_provider(observed):
    running, upstream = observed
    upstream.clear()
    with client_of(running) as client:
        messages = [{"role": "user", "content": f"Write to {EMAIL}"}]
        client.chat.completions.create(model="gpt-4o-mini", messages=messages)
        list(client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=True))
        client.responses.create(model="gpt-4o-mini", input=f"Write to {EMAIL}")
        client.embeddings.create(model="text-embedding-3-small", input=f"Write to {EMAIL}")
    assert len(upstream.calls) == 4
    raw = b"".join(call.raw for call in upstream.calls)
    assert EMAIL.encode() not in raw
    assert running.key.encode() not in raw
    assert all(call.headers[b"authorization"] == f"Bearer {PROVIDER_KEY}".encode() for call in upstream.calls)
    assert PROVIDER_KEY not in running.log
    assert EMAIL not in running.log


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_blocked_request_is_not_retried_and_never_sent(observed, stream):
    running, upstream = observed
    upstream.clear()
    with client_of(running, max_retries=3) as client, pytest.raises(openai.BadRequestError) as caught:
        messages = [{"role": "user", "content": f"use {SECRET}"}]
        client.chat.completions.create(model="gpt-4o-mini", messages=messages, stream=stream)
    assert caught.value.code == "guardrail_blocked"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert SECRET not in str(caught.value)
    assert upstream.calls == []


def test_headers_that_a_client_can_log(gateway):
    trace = "0af7651916cd43dd8448eb211c80319c"
    with client_of(gateway) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "hello"}],
            extra_headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
        )
    assert raw.parse()._request_id == raw.headers["x-request-id"]
    assert raw.headers["traceparent"].split("-")[1] == trace
    assert raw.headers["x-yett-decision"]
    assert raw.headers["x-yett-policy-revision"]


def test_a_role_without_rights_is_refused(gateway):
    key = create_key(gateway.root / "config/keys.yaml", agent="visitor", role="stranger")
    assert post(f"{gateway.admin_url}/yett/v1/reload")[0] == 200
    with client_of(gateway, max_retries=3).with_options(api_key=key) as client:
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}])
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert list(client.models.list()) == []


class Note(BaseModel):
    text: str
    count: int


def langchain(running, **more):
    return ChatOpenAI(base_url=running.base_url, api_key=running.key, model="gpt-4o-mini", **more)


def test_langchain_plain_and_streamed(gateway):
    model = langchain(gateway)
    plain = model.invoke(f"Write to {EMAIL}").content
    assert plain.endswith(f"You wrote: Write to {EMAIL}")
    assert re.search(r"\[EMAIL [a-z2-7]{8}\]", plain)
    assert "".join(chunk.content for chunk in model.stream(f"Write to {EMAIL}")) == plain


async def test_langchain_asynchronous(gateway):
    chunks = [chunk async for chunk in langchain(gateway).astream(f"Write to {EMAIL}")]
    assert "".join(chunk.content for chunk in chunks).endswith(EMAIL)


def test_langchain_tools(gateway):
    def send_mail(to: str) -> str:
        """Send a mail."""
        return to

    model = langchain(gateway).bind_tools([send_mail])
    question = HumanMessage(f"call send_mail {json.dumps({'to': EMAIL})}")
    proposal = model.invoke([question])
    (call,) = proposal.tool_calls
    assert (call["name"], call["args"]) == ("send_mail", {"to": EMAIL})
    last = model.invoke([question, proposal, ToolMessage(f"sent to {EMAIL}", tool_call_id=call["id"])])
    assert last.content.endswith(f"The tool answered: sent to {EMAIL}")


def test_langchain_structured_output(gateway):
    note = langchain(gateway).with_structured_output(Note).invoke("a short note")
    assert note == Note(text="a short note", count=0)


def test_langchain_over_responses(gateway):
    answer = langchain(gateway, use_responses_api=True).invoke(f"Write to {EMAIL}")
    assert answer.text.endswith(f"You wrote: Write to {EMAIL}")


def test_langchain_embeddings(gateway):
    model = OpenAIEmbeddings(
        base_url=gateway.base_url, api_key=gateway.key, model="text-embedding-3-small", check_embedding_ctx_length=False
    )
    assert len(model.embed_query("one")) == 256


def openai_2_python() -> Path:
    """The interpreter of an environment with openai-python 2.x, made on first use."""
    folder = CACHE / "openai2"
    python = folder / "bin/python"
    if not (folder / ".installed").exists():
        _install([sys.executable, "-m", "venv", "--clear", str(folder)])
        _install([str(python), "-m", "pip", "install", "--quiet", OPENAI_2])
        (folder / ".installed").touch()
    return python


def openai_node_folder() -> Path:
    """A folder with the Node package, made on first use."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("SKIPPED LOUDLY: node and npm are not on this machine")
    folder = CACHE / "node"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".installed").exists():
        _install(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), OPENAI_NODE])
        (folder / ".installed").touch()
    return folder


def _install(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"SKIPPED LOUDLY: could not install a client: {error}")
