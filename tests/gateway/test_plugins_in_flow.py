"""Third-party plugins inside a running gateway: what they find counts, what they break closes."""

import asyncio
import json
import re

import pytest

from helpers.asgi import chat_answer, chat_chunks, harness, sse
from yett.detector import CallableDetector, Detector, Found, Pattern, Streaming
from yett.flow import Principal, Target
from yett.hookspecs import hookimpl
from yett.verdict import Action, Finding

HERE = "tests.gateway.test_plugins_in_flow"


class Fixture:
    """A plugin whose hooks a test sets on the instance's class."""

    name = "fixture"


@pytest.fixture
def plugin(monkeypatch):
    """Give the gateway one plugin with the given hooks: plugin(check_request=function)."""
    import yett.app

    def make(**hooks):
        made = type("Made", (Fixture,), {name: hookimpl(function) for name, function in hooks.items()})
        monkeypatch.setattr(yett.app, "find_plugin", lambda name: (made, name))
        return {"plugins": ["made:Made"]}

    return make


async def test_a_check_can_deny(tmp_path, plugin):
    def check_request(self, flow):
        return [Finding("my.finding", flow.leaves[0].pointer, default=Action.DENY, message="not on a Sunday")]

    async with harness(tmp_path, settings=plugin(check_request=check_request)) as gate:
        reply = await gate.chat("hi")
        assert (reply.status, reply.code) == (400, "guardrail_blocked")
        assert "not on a Sunday" in reply.json()["error"]["message"]
        assert gate.upstream.requests == []


async def test_a_check_can_redact_a_span(tmp_path, plugin):
    async def check_request(self, flow):
        leaf = flow.leaves[0]
        return [Finding("my.word", leaf.pointer, (0, 3), default=Action.REDACT, entity="WORD")]

    async with harness(tmp_path, settings=plugin(check_request=check_request)) as gate:
        await gate.chat("abc def")
        assert gate.upstream.bodies[0]["messages"][0]["content"] == "<WORD> def"


@pytest.mark.parametrize("hook", ["check_request", "check_response"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_check_that_raises_closes_the_gate(tmp_path, plugin, hook, stream):
    def broken(self, flow):
        raise RuntimeError("secret words")

    def reply(request):
        return sse(*chat_chunks("hello")) if stream else chat_answer()

    async with harness(tmp_path, reply, settings=plugin(**{hook: broken})) as gate:
        got = await gate.chat("hi", stream=stream)
        assert b"hello" not in got.body
        assert b"fine" not in got.body
        assert b"secret words" not in got.body
        assert b"guard_failed" in got.body
        assert "[DONE]" not in got.events if stream and hook == "check_response" else got.status == 503
        assert [r["outcome"] for r in gate.records("completed")] == ["error"]


@pytest.mark.parametrize("size", [0, 1, 9])
async def test_a_check_of_the_answer_blocks_a_stream_before_a_word_leaves(tmp_path, plugin, size):
    def check_response(self, flow):
        if any("bomb" in leaf.text for leaf in flow.leaves):
            return [Finding("my.bomb", flow.leaves[0].pointer, default=Action.DENY)]
        return []

    def reply(request):
        return sse(*chat_chunks("take ", "the bo", "mb"), size=size)

    async with harness(tmp_path, reply, settings=plugin(check_response=check_response)) as gate:
        got = await gate.chat("hi", stream=True)
        assert got.text() == ""
        assert any(c["finish_reason"] == "content_filter" for e in got.events[:-1] for c in e["choices"])
        assert got.events[-1] == "[DONE]"
        assert gate.records("completed")[0]["outcome"] == "blocked"
        assert [found["code"] for found in gate.records("completed")[0]["findings"]] == ["my.bomb"]


async def test_a_denied_stream_without_a_word_is_no_success(tmp_path, plugin):
    def check_response(self, flow):
        return [Finding("my.never", "/choices/0", default=Action.DENY)]

    settings = plugin(check_response=check_response)
    async with harness(tmp_path, lambda r: sse(*chat_chunks()), settings=settings) as gate:
        got = await gate.chat("hi", stream=True)
        assert "[DONE]" not in got.events or b"content_filter" in got.body
        assert gate.records("completed")[0]["outcome"] != "ok"


@pytest.mark.parametrize("size", [0, 1, 9])
async def test_a_check_of_the_answer_can_redact_in_a_stream(tmp_path, plugin, size):
    def check_response(self, flow):
        at = flow.leaves[0].text.index("bomb")
        return [Finding("my.bomb", flow.leaves[0].pointer, (at, at + 4), default=Action.REDACT, entity="WORD")]

    def reply(request):
        return sse(*chat_chunks("take ", "the bo", "mb, ", "please"), size=size)

    async with harness(tmp_path, reply, settings=plugin(check_response=check_response)) as gate:
        got = await gate.chat("hi", stream=True)
        assert got.text() == "take the <WORD>, please"
        assert got.events[-1] == "[DONE]"
        assert gate.records("completed")[0]["outcome"] == "ok"
        assert gate.records("completed")[0]["action"] == "REDACT"


async def test_a_check_can_redact_the_arguments_of_a_streamed_call(tmp_path, plugin):
    def check_response(self, flow):
        found = [leaf for leaf in flow.leaves if leaf.text == "all"]
        return [Finding("my.word", leaf.pointer, default=Action.REDACT, entity="WORD") for leaf in found]

    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "wipe", "arguments": '{"disk": "all", "to": "a@b.example"}'},
    }

    def reply(request):
        tag = json.loads(request.body)["messages"][0]["content"]
        made = call | {"function": {"name": "wipe", "arguments": json.dumps({"disk": "all", "to": tag})}}
        return sse(*chat_chunks({"tool_calls": [made | {"index": 0}]}, finish="tool_calls"))

    async with harness(tmp_path, reply, settings=plugin(check_response=check_response)) as gate:
        got = await gate.chat("ada@example.com", stream=True)
        deltas = [c["delta"] for e in got.events[:-1] for c in e["choices"]]
        arguments = "".join(t["function"].get("arguments", "") for d in deltas for t in d.get("tool_calls", ()))
        assert json.loads(arguments) == {"disk": "<WORD>", "to": "ada@example.com"}


class Shouting:
    """A scanner for tests: words in capitals."""

    def scan(self, texts):
        return [[Found(m.start(), m.end(), "my.shout", 0.9) for m in re.finditer(r"\b[A-Z]{4,}\b", t)] for t in texts]


def shouting(streaming=Streaming.HOLD_ALL, default=Action.REDACT):
    finds = (Detector("shout", "my.shout", "SHOUT", (), default=default, reversible=False),)
    make = f"{__name__}:Shouting"
    return CallableDetector("shouting", make, finds, streaming=streaming, isolation="inline")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_inline_detector_redacts_both_ways(tmp_path, plugin, stream):
    def reply(request):
        return sse(*chat_chunks("yes, LOU", "DLY")) if stream else chat_answer("yes, LOUDLY")

    settings = plugin(register_detectors=lambda self: [shouting()])
    async with harness(tmp_path, reply, settings=settings) as gate:
        got = await gate.chat("say it LOUD", stream=stream)
        assert gate.upstream.bodies[0]["messages"][0]["content"] == "say it <SHOUT>"
        text = got.text() if stream else got.json()["choices"][0]["message"]["content"]
        assert text == "yes, <SHOUT>"
        assert [found["code"] for found in gate.records("completed")[0]["findings"]] == ["my.shout"]


async def test_a_detector_that_only_detects_lets_the_stream_pass_and_records(tmp_path, plugin):
    settings = plugin(register_detectors=lambda self: [shouting(Streaming.DETECT_ONLY, Action.DENY)])
    async with harness(tmp_path, lambda r: sse(*chat_chunks("so ", "LOUD")), settings=settings) as gate:
        got = await gate.chat("hi", stream=True)
        assert got.text() == "so LOUD"
        (record,) = gate.records("completed")
        assert [(found["code"], found["action"]) for found in record["findings"]] == [("my.shout", "ALLOW")]


async def test_what_only_detects_reads_the_arguments_of_streamed_calls_too(tmp_path, plugin):
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "say", "arguments": '{"how": "LOUD"}'}}
    settings = plugin(register_detectors=lambda self: [shouting(Streaming.DETECT_ONLY, Action.DENY)])
    answer = sse(*chat_chunks({"tool_calls": [call]}, finish="tool_calls"))
    async with harness(tmp_path, lambda r: answer, settings=settings) as gate:
        got = await gate.chat("hi", stream=True)
        assert got.events[-1] == "[DONE]"
        (record,) = gate.records("completed")
        assert [(found["code"], found["action"]) for found in record["findings"]] == [("my.shout", "ALLOW")]


@pytest.mark.parametrize(
    ("builtins", "runs"),
    [({}, False), ({"gibberish": True}, True), ({"gibberish": {}}, True), ({"gibberish": False}, False)],
    ids=str,
)
async def test_an_optional_built_in_runs_where_it_is_named(tmp_path, builtins, runs):
    async with harness(tmp_path, settings={"builtins": builtins}) as gate:
        assert ("gibberish" in gate.gateway.core.pipeline.detector_names) is runs


@pytest.mark.parametrize("count", [1, 3])
async def test_a_detector_in_a_worker_redacts_and_as_many_run_as_configured(tmp_path, plugin, count):
    finds = (Detector("any", "my.any", "ANY", (), reversible=False),)
    counted = CallableDetector("counted", "helpers.scanners:Digits", finds)
    settings = plugin(register_detectors=lambda self: [counted]) | {"limits": {"detector_workers": count}}
    async with harness(tmp_path, settings=settings) as gate:
        assert len(gate.gateway.core.workers.pids) == count
        await gate.chat("room 42")
        assert gate.upstream.bodies[0]["messages"][0]["content"] == "room <ANY>"
    assert gate.gateway.core.workers.pids == ()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_detector_can_ask_what_the_flow_is_about(tmp_path, plugin, stream):
    """A code word is a finding in the answer unless the caller said it first."""
    word = Detector(
        "codeword",
        "my.codeword",
        "WORD",
        (Pattern("codeword", r"\bzugzwang\b", 1.0),),
        reversible=False,
        concerns=lambda flow, matched: all(matched not in leaf.text for leaf in flow.asked if leaf.role == "system"),
    )
    settings = plugin(register_detectors=lambda self: [word])

    def reply(request):
        return sse(*chat_chunks("it is zugz", "wang.")) if stream else chat_answer("it is zugzwang.")

    async with harness(tmp_path, reply, settings=settings) as gate:
        for system, answer in (("chess", "it is <WORD>."), ("say zugzwang", "it is zugzwang.")):
            messages = [{"role": "system", "content": system}, {"role": "user", "content": "go"}]
            got = await gate.chat(messages=messages, stream=stream)
            assert (got.text() if stream else got.json()["choices"][0]["message"]["content"]) == answer


async def test_an_innocent_stream_passes_the_check_unchanged(tmp_path, plugin):
    settings = plugin(check_response=lambda self, flow: [])
    async with harness(tmp_path, lambda r: sse(*chat_chunks("all ", "good")), settings=settings) as gate:
        got = await gate.chat("hi", stream=True)
        assert got.text() == "all good"
        assert got.events[-1] == "[DONE]"


async def test_tool_calls_are_checked_in_whole_answers_and_streams(tmp_path, plugin):
    def check_tool_call(self, call):
        return [Finding("my.tool", call.pointer, default=Action.DENY)] if call.name == "wipe" else []

    call = {"id": "c1", "type": "function", "function": {"name": "wipe", "arguments": '{"disk": "all"}'}}

    def reply(request):
        if json.loads(request.body).get("stream"):
            return sse(*chat_chunks({"tool_calls": [call | {"index": 0}]}, finish="tool_calls"))
        return chat_answer(None, tool_calls=[call])

    async with harness(tmp_path, reply, settings=plugin(check_tool_call=check_tool_call)) as gate:
        for stream in (False, True):
            got = await gate.chat("hi", stream=stream)
            assert b"content_filter" in got.body
            assert b"disk" not in got.body


async def test_tool_offers_and_results_are_checked(tmp_path, plugin):
    seen = []

    def check_tool_offer(self, tool):
        seen.append(("offer", tool.name))
        return []

    def check_tool_result(self, call, result):
        seen.append(("result", call.name if call else None, result.text))
        return []

    settings = plugin(check_tool_offer=check_tool_offer, check_tool_result=check_tool_result)
    async with harness(tmp_path, settings=settings) as gate:
        call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        messages = [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "seen"},
        ]
        got = await gate.chat(messages=messages, tools=[{"type": "function", "function": {"name": "look"}}])
        assert got.status == 200
        assert seen == [("offer", "look"), ("result", "look", "seen")]


async def test_observers_see_each_phase_and_the_end_once(tmp_path, plugin):
    seen = []

    def decided(self, phase, decision):
        seen.append((phase.value, decision.action.name))

    def flow_ended(self, flow, outcome):
        seen.append(("ended", outcome))
        raise RuntimeError  # an observer's fault is not felt

    async with harness(tmp_path, settings=plugin(decided=decided, flow_ended=flow_ended)) as gate:
        assert (await gate.chat("hi")).status == 200
        assert seen == [("request", "ALLOW"), ("response", "ALLOW"), ("ended", "ok")]


async def test_a_plugin_can_authenticate(tmp_path, plugin):
    def authenticate(self, headers):
        return Principal("sso", "acme", "agent", ("developer",)) if headers.get(b"x-sso") == b"yes" else None

    async with harness(tmp_path, settings=plugin(authenticate=authenticate)) as gate:
        assert (await gate.chat("hi", key="nobody", headers={"x-sso": "yes"})).status == 200
        assert (await gate.chat("hi", key="nobody")).status == 401
        assert gate.records("decided")[0]["principal"]["id"] == "sso"


async def test_a_plugin_can_choose_among_the_targets_and_no_others(tmp_path, plugin):
    choice = {"target": Target("up", "second")}
    models = {"m": {"targets": [{"provider": "up", "model": "first"}, {"provider": "up", "model": "second"}]}}
    settings = plugin(select_target=lambda self, targets: choice["target"]) | {"models": models}
    async with harness(tmp_path, settings=settings) as gate:
        await gate.chat("hi")
        assert gate.upstream.bodies[0]["model"] == "second"
        choice["target"] = Target("up", "elsewhere")
        assert (await gate.chat("hi")).code == "guard_failed"


async def test_a_hanging_check_closes_at_its_deadline(tmp_path, plugin):
    async def check_request(self, flow):
        await asyncio.Event().wait()

    settings = plugin(check_request=check_request) | {"plugins": [{"name": "made:Made", "deadline_s": 0.05}]}
    async with harness(tmp_path, settings=settings) as gate:
        got = await asyncio.wait_for(gate.chat("hi"), 2)
        assert (got.status, got.code) == (503, "guard_failed")


async def test_an_opened_guard_is_loud(tmp_path, plugin):
    def check_request(self, flow):
        raise RuntimeError

    settings = plugin(check_request=check_request) | {"plugins": [{"name": "made:Made", "on_error": "allow"}]}
    async with harness(tmp_path, settings=settings) as gate:
        assert (await gate.chat("hi")).status == 200
        assert "fixture" in gate.records("decided")[0]["degraded"]
        assert gate.gateway.promises()["guards"]["opened"] == ["fixture"]
