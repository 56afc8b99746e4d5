"""A key in every place of a provider's answer that can hold text, whole and streamed: it never reaches the client.

Neither in one piece nor in pieces that a client would join. `-s` prints what became of the places.
"""

import json
from collections import Counter

import pytest

from helpers import responses_events as events_of
from helpers.asgi import Scripted, harness, sse

SECRET = "ghp_" + "Zq9" * 12
CALL = {"id": "call_1", "type": "function", "function": {"name": "mail", "arguments": "{}"}}
PROBS = {"content": [{"token": c, "logprob": -0.1, "bytes": list(c.encode()), "top_logprobs": []} for c in SECRET]}
SECRET_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "mail", "arguments": json.dumps({"to": SECRET})},
}
CITED = {"start_index": 0, "end_index": 1, "url": f"https://x.example/{SECRET}", "title": SECRET}
CITATION = {"type": "url_citation", "url_citation": CITED}


def whole(body):
    return Scripted([json.dumps(body | {"model": "up"}).encode()])


def chat_choice(index, message, **more):
    return {
        "index": index,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": "ok"} | message,
        **more,
    }


# What a message of a chat answer can hold the key in: message members, choice members.
MESSAGES = {
    "content": ({"content": f"take {SECRET} and go"}, {}),
    "content with logprobs": ({"content": SECRET}, {"logprobs": PROBS}),
    "logprobs of something else": ({"content": "ok"}, {"logprobs": PROBS}),
    "refusal": ({"content": None, "refusal": SECRET}, {}),
    "refusal logprobs": ({"content": None, "refusal": SECRET}, {"logprobs": {"refusal": PROBS["content"]}}),
    "reasoning_content": ({"reasoning_content": SECRET}, {}),
    "reasoning": ({"reasoning": SECRET}, {}),
    "tool arguments": ({"content": None, "tool_calls": [SECRET_CALL]}, {}),
    "tool name": ({"tool_calls": [SECRET_CALL | {"function": {"name": SECRET, "arguments": "{}"}}]}, {}),
    "tool call id": ({"tool_calls": [CALL | {"id": SECRET}]}, {}),
    "custom tool input": (
        {"tool_calls": [{"id": "call_1", "type": "custom", "custom": {"name": "f", "input": SECRET}}]}, {},
    ),
    "function_call": ({"function_call": SECRET_CALL["function"]}, {}),
    "annotations": ({"annotations": [CITATION]}, {}),
    "audio transcript": ({"audio": {"id": "a", "data": "AAAA", "transcript": SECRET, "expires_at": 1}}, {}),
    "unknown member": ({"thoughts": {"deep": [SECRET]}}, {}),
    "unknown member's name": ({"thoughts": {SECRET: 1}}, {}),
    "unknown member of the choice": ({}, {"content_filter_results": {"why": SECRET}}),
    "finish_reason": ({}, {"finish_reason": SECRET}),
}  # fmt: skip
STREAMED_AS_DELTAS = {"content", "refusal", "reasoning_content", "reasoning"}


def chat_whole(message, choice, index):
    """Two choices; the one at `index` has the key."""
    choices = [chat_choice(i, *([message] if i == index else [{}]), **(choice if i == index else {})) for i in (0, 1)]
    return whole({"id": "c1", "object": "chat.completion", "created": 1, "choices": choices})


def chat_stream(message, choice, index):
    """The same as chunks: texts in pieces of three characters, the other choice's chunks in between."""

    def chunk(number, delta, **more):
        at = {"index": number, "delta": delta, "finish_reason": None} | more
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up", "choices": [at]}

    grown = {name: text for name, text in message.items() if name in STREAMED_AS_DELTAS and text}
    rest = {name: value for name, value in message.items() if name not in STREAMED_AS_DELTAS and value}
    events = [chunk(index, {"role": "assistant"} | numbered(rest), **choice)]
    for name, text in grown.items():
        for at in range(0, len(text), 3):
            events += [chunk(index, {name: text[at : at + 3]}), chunk(1 - index, {"content": "ok "})]
    return sse(*events, *[chunk(i, {}, finish_reason="stop") for i in (0, 1)], size=50)


def numbered(message):
    """Tool calls of a delta have an index."""
    calls = [{"index": i, **call} for i, call in enumerate(message.get("tool_calls", ()))]
    return message | ({"tool_calls": calls} if calls else {})


def texts_of(value, at=(), found=None):
    """Every text of an answer by its place, the pieces of a stream joined: equal places of equal indices are one."""
    found = {} if found is None else found
    if isinstance(value, dict):
        at += tuple(
            value[name] for name in ("index", "output_index", "content_index", "summary_index") if name in value
        )
        for name, member in value.items():
            found[(*at, "key")] = found.get((*at, "key"), "") + name
            texts_of(member, (*at, name), found)
    elif isinstance(value, list):
        for member in value:
            texts_of(member, at, found)
    elif isinstance(value, str):
        found[at] = found.get(at, "") + value
    return found


def assert_kept_in(gate, reply, place):
    """The key is nowhere in what the client got, in no piece and in no joined pieces; the flow is closed once."""
    assert reply.status in {200, 502}, place
    said = {}
    for event in reply.events or [reply.json()]:
        if isinstance(event, dict):
            texts_of(event, (event.get("type", ""),), said)
    assert SECRET.encode() not in reply.body, place
    assert [at for at, text in said.items() if SECRET[:20] in text] == [], place
    ends = [row for row in gate.records("completed") if row["flow"] == reply.headers["x-request-id"]]
    assert len(ends) == 1, place
    if reply.status == 502 or (reply.events and "error" in str(reply.events[-1])[:20]):
        return "refused"
    codes = {one["code"] for one in ends[0]["findings"]}
    return "redacted" if "secret.github_token" in codes else "dropped"


@pytest.mark.parametrize("index", [0, 1], ids=["first choice", "second choice"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_key_in_any_place_of_a_chat_answer(tmp_path, stream, index):
    script = []
    outcomes = {}
    async with harness(tmp_path, lambda request: script[-1]) as gate:
        for place, (message, choice) in MESSAGES.items():
            script.append((chat_stream if stream else chat_whole)(message, choice, index))
            reply = await gate.chat(place, stream=stream, n=2, logprobs=True)
            outcomes[place] = assert_kept_in(gate, reply, place)
    print(f"\nchat answer, {'stream' if stream else 'plain'}: {dict(Counter(outcomes.values()))}")
    must = {"content", "refusal", "reasoning_content", "tool arguments", "annotations", "content with logprobs"}
    assert {place: outcomes[place] for place in must if outcomes[place] != "redacted"} == {}


def pieces(text):
    return [text[at : at + 3] for at in range(0, len(text), 3)]


NOTE = {"type": "url_citation", **CITED}
ITEMS = {
    "content": events_of.message_events([pieces(f"take {SECRET} and go")]),
    "second part": events_of.message_events([["ok"], pieces(SECRET)]),
    "content with logprobs": events_of.message_events([pieces(SECRET)], probs=True),
    "refusal": events_of.message_events([pieces(SECRET)], kind="refusal"),
    "annotations": events_of.message_events([["ok"]], annotations=[NOTE]),
    "unknown member of a part": events_of.message_events([["ok"]], thoughts={"deep": [SECRET]}),
    "reasoning summary": events_of.reasoning_events([["ok"], pieces(SECRET)]),
    "tool arguments": events_of.call_events(pieces(json.dumps({"to": SECRET}))),
    "tool name": events_of.call_events(["{}"], name=SECRET),
}
ECHOES = {
    "instructions": {"instructions": SECRET},
    "metadata": {"metadata": {"who": SECRET}},
    "metadata name": {"metadata": {SECRET: "x"}},
    "unknown member": {"unknown": {"deep": [SECRET]}},
    "tool": {"tools": [{"type": "function", "name": "f", "description": SECRET, "parameters": {}}]},
    "safety_identifier": {"safety_identifier": SECRET},
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_key_in_any_place_of_a_responses_answer(tmp_path, stream):
    told = {place: (item, {}) for place, item in ITEMS.items() if stream or place != "second part"}
    told |= {place: (events_of.message_events([["ok"]]), echo) for place, echo in ECHOES.items()}
    script = []
    outcomes = {}
    async with harness(tmp_path, lambda request: script[-1]) as gate:
        for place, ((events, item), echo) in told.items():
            if stream:
                script.append(sse(*events_of.stream((events, item), **echo), done=False, size=50))
            else:
                script.append(Scripted([json.dumps(events_of.response([item], **echo)).encode()]))
            reply = await gate.call("/v1/responses", {"model": "m", "input": place, "stream": stream})
            outcomes[place] = assert_kept_in(gate, reply, place)
    print(f"\nresponses answer, {'stream' if stream else 'plain'}: {dict(Counter(outcomes.values()))}")
    must = {"content", "second part", "refusal", "reasoning summary", "tool arguments", "annotations", "instructions"}
    assert {place: outcomes[place] for place in must & set(outcomes) if outcomes[place] != "redacted"} == {}


async def test_a_key_in_the_second_part_of_a_whole_responses_answer(tmp_path):
    _, item = ITEMS["second part"]
    answer = Scripted([json.dumps(events_of.response([item])).encode()])
    async with harness(tmp_path, lambda request: answer) as gate:
        reply = await gate.call("/v1/responses", {"model": "m", "input": "x"})
        assert SECRET.encode() not in reply.body


TEXT_PROBS = {
    "tokens": list(SECRET),
    "token_logprobs": [-0.1] * 40,
    "top_logprobs": None,
    "text_offset": list(range(40)),
}
TEXTS = {
    "text": {"text": f"take {SECRET} and go"},
    "text with logprobs": {"text": SECRET, "logprobs": TEXT_PROBS},
    "unknown member": {"text": "ok", "thoughts": [SECRET]},
    "finish_reason": {"text": "ok", "finish_reason": SECRET},
}


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_key_in_any_place_of_a_completion(tmp_path, stream):
    script = []
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "up"}
    plain = {"text": "ok", "logprobs": None, "finish_reason": "stop"}
    async with harness(tmp_path, lambda request: script[-1]) as gate:
        for place, choice in TEXTS.items():
            choices = [{"index": 0, **plain}, {"index": 1, **plain, **choice}]
            events = [head | {"choices": [one]} for one in choices]
            if stream and place == "text":
                parts = [{"index": 1, **plain, "text": part, "finish_reason": None} for part in pieces(choice["text"])]
                events[1:] = [head | {"choices": [one]} for one in [*parts, {"index": 1, **plain, "text": ""}]]
            script.append(sse(*events, size=50) if stream else whole(head | {"choices": choices}))
            reply = await gate.call("/v1/completions", {"model": "m", "prompt": place, "stream": stream, "n": 2})
            outcome = assert_kept_in(gate, reply, place)
            assert outcome == "redacted" or not place.startswith("text"), place


OTHERS = {
    "embeddings": [{"data": [], SECRET: 1}, {"data": [], "unknown": [SECRET]}, {"object": SECRET, "data": []}],
    "moderations": [
        {"results": [{"flagged": False, "categories": {SECRET: True}, "category_scores": {}}]},
        {"results": [], "unknown": SECRET},
        {"id": SECRET, "results": []},
    ],
}


@pytest.mark.parametrize("endpoint", OTHERS)
async def test_a_key_in_any_place_of_another_answer(tmp_path, endpoint):
    script = []
    async with harness(tmp_path, lambda request: whole(script[-1])) as gate:
        for number, body in enumerate(OTHERS[endpoint]):
            script.append(body)
            reply = await gate.call(f"/v1/{endpoint}", {"model": "m", "input": f"text {number}"})
            assert_kept_in(gate, reply, str(number))
