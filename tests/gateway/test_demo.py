"""The embedded demo provider: answers a newcomer can read, in every shape the API has."""

from __future__ import annotations

import base64
import json
import struct

import jsonschema
import pytest
from openai.types import CreateEmbeddingResponse, ModerationCreateResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.completion import Completion
from openai.types.responses import Response

from yett.upstream.demo import DemoTransport
from yett.upstream.demo_model import instance, pieces, spelled_out
from yett.upstream.messages import UpstreamRequest

TAG = "<EMAIL_q7k2xm4p>"
SAVE_NOTE = {
    "type": "function",
    "function": {
        "name": "save_note",
        "parameters": {
            "type": "object",
            "properties": {"text": {"type": "string"}, "pin": {"type": "boolean"}},
            "required": ["text"],
        },
    },
}
FLAT_SAVE_NOTE = {"type": "function", **SAVE_NOTE["function"]}


async def ask(path, body, method="POST"):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await DemoTransport().send(UpstreamRequest(method=method, path=path, headers=(), body=raw))


async def answer(path, body):
    response = await ask(path, body)
    assert response.status == 200
    return json.loads(await response.read())


async def events(path, body):
    response = await ask(path, {**body, "stream": True})
    assert dict(response.headers)[b"content-type"].startswith(b"text/event-stream")
    return [part async for part in response.chunks()]


def data_of(parts):
    lines = [line for part in parts for line in part.decode().split("\n") if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def chat(text, **more):
    return {"model": "demo", "messages": [{"role": "user", "content": text}], **more}


async def test_the_answer_shows_the_pseudonym_twice():
    body = await answer("/v1/chat/completions", chat(f"Write to {TAG}"))
    content = body["choices"][0]["message"]["content"]
    assert content == f"The provider received: Write to [EMAIL q7k2xm4p]\nYou wrote: Write to {TAG}"
    assert ChatCompletion.model_validate(body).choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        (TAG, "[EMAIL q7k2xm4p]"),
        ("<CREDIT_CARD_abcdefgh>,<IP_ADDRESS_23456777>", "[CREDIT_CARD abcdefgh],[IP_ADDRESS 23456777]"),
        ("<SECRET> and <b>", "<SECRET> and <b>"),
    ],
    ids=["plain", "one", "two-words", "not-a-pseudonym"],
)
def test_spelled_out(text, shown):
    assert spelled_out(text) == shown


@pytest.mark.parametrize("text", ["", "a", "  two  spaces ", "line\nbreak\n", TAG, "ä" * 30])
def test_pieces_are_small_and_join_to_the_text(text):
    assert "".join(pieces(text)) == text
    assert all(len(piece.strip()) <= 8 for piece in pieces(text))


async def test_the_same_request_gets_the_same_bytes():
    first, second = [await ask("/v1/chat/completions", chat("hi", n=2, logprobs=True)) for _ in range(2)]
    assert await first.read() == await second.read()


async def test_stream_joins_to_the_whole_answer():
    request = chat(f"Write to {TAG}", n=2, stream_options={"include_usage": True})
    whole = await answer("/v1/chat/completions", request)
    parts = await events("/v1/chat/completions", request)
    chunks = [ChatCompletionChunk.model_validate(item) for item in data_of(parts)]
    for index in (0, 1):
        texts = [c.delta.content or "" for chunk in chunks for c in chunk.choices if c.index == index]
        assert "".join(texts) == whole["choices"][index]["message"]["content"]
    assert parts[-1] == b"data: [DONE]\n\n"
    assert data_of(parts)[-1]["usage"] == whole["usage"]
    assert all(item["usage"] is None for item in data_of(parts)[:-1])


async def test_the_pseudonym_is_split_over_chunks():
    chunks = data_of(await events("/v1/chat/completions", chat(TAG)))
    assert not any(TAG in (c["delta"].get("content") or "") for chunk in chunks for c in chunk["choices"])


async def test_logprobs_cover_the_text():
    body = await answer("/v1/chat/completions", chat("hi", logprobs=True, top_logprobs=3))
    choice = ChatCompletion.model_validate(body).choices[0]
    assert "".join(entry.token for entry in choice.logprobs.content) == choice.message.content
    assert all(len(entry.top_logprobs) == 3 and entry.logprob < 0 for entry in choice.logprobs.content)


async def test_max_tokens_cuts():
    body = await answer("/v1/chat/completions", chat("a long enough text", max_completion_tokens=2))
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize(
    ("text", "more", "arguments"),
    [
        ("please call save_note now", {}, {"text": "please call save_note now"}),
        ('call save_note {"text": "x", "pin": true}', {}, {"text": "x", "pin": True}),
        ("broken { call save_note", {}, {"text": "broken { call save_note"}),
        ("hello", {"tool_choice": "required"}, {"text": "hello"}),
        ("hello", {"tool_choice": {"type": "function", "function": {"name": "save_note"}}}, {"text": "hello"}),
        ("save_note is a tool", {}, None),
        ("call save_note", {"tool_choice": "none"}, None),
        ("call save_note_twice", {}, None),
    ],
    ids=["named", "json", "broken-json", "required", "forced", "only-mentioned", "none", "longer-name"],
)
async def test_tool_calls(text, more, arguments):
    body = await answer("/v1/chat/completions", chat(text, tools=[SAVE_NOTE], **more))
    choice = body["choices"][0]
    calls = choice["message"].get("tool_calls", [])
    assert [json.loads(call["function"]["arguments"]) for call in calls] == ([arguments] if arguments else [])
    assert choice["finish_reason"] == ("tool_calls" if arguments else "stop")


async def test_a_tool_whose_strings_are_optional_still_gets_the_text():
    tool = {"type": "function", "function": {"name": "log", "parameters": {"properties": {"line": {"type": "string"}}}}}
    tool["function"]["parameters"]["required"] = []
    body = await answer("/v1/chat/completions", chat("call log", tools=[tool]))
    assert json.loads(body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]) == {"line": "call log"}


async def test_tool_call_stream_joins():
    chunks = data_of(await events("/v1/chat/completions", chat("call save_note", tools=[SAVE_NOTE])))
    deltas = [call for chunk in chunks for c in chunk["choices"] for call in c["delta"].get("tool_calls", [])]
    assert json.loads("".join(d["function"]["arguments"] for d in deltas)) == {"text": "call save_note"}
    assert deltas[0]["id"].startswith("call_")


async def test_a_tool_result_is_answered():
    request = chat("call save_note", tools=[SAVE_NOTE], tool_choice="required")
    request["messages"].append({"role": "tool", "tool_call_id": "call_1", "content": f"saved for {TAG}"})
    body = await answer("/v1/chat/completions", request)
    assert body["choices"][0]["message"]["content"].endswith(f"The tool answered: saved for {TAG}")


SCHEMAS = {
    "strict": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 3}},
        "required": ["name", "age"],
    },
    "ref": {"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "array", "items": {"type": "boolean"}, "minItems": 2}}},
    "union": {"anyOf": [{"type": "null"}, {"enum": ["x", "y"]}]},
    "nullable": {"type": ["null", "number"], "exclusiveMinimum": 4, "maximum": 6},
    "negative": {"type": "integer", "minimum": -9, "maximum": -2.5},
    "merged": {
        "allOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}, {"required": ["b"]}]
    },
    "sized": {"type": "string", "minLength": 20, "maxLength": 22},
    "short": {"type": "string", "maxLength": 2},
    "date": {"type": "string", "format": "date"},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_instances_are_valid(schema):
    jsonschema.validate(instance(schema, "echo"), schema)


def test_a_schema_that_contains_itself_ends():
    assert instance({"properties": {"child": {"$ref": "#"}}}, "x") is not None


async def test_structured_output_echoes():
    layout = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMAS["strict"], "strict": True}}
    body = await answer("/v1/chat/completions", chat("Ada", response_format=layout))
    assert json.loads(body["choices"][0]["message"]["content"]) == {"name": "Ada", "age": 3}


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


async def test_responses_events_are_in_order_and_complete():
    request = {"model": "demo", "input": f"Write to {TAG}", "instructions": "be brief"}
    whole = await answer("/v1/responses", request)
    stream = data_of(await events("/v1/responses", request))
    kinds = [event["type"] for event in stream]
    assert list(dict.fromkeys(kinds)) == ORDER
    assert [event["sequence_number"] for event in stream] == list(range(len(stream)))
    text = "".join(event["delta"] for event in stream if event["type"] == "response.output_text.delta")
    assert text == Response.model_validate(whole).output_text
    assert text == Response.model_validate(stream[-1]["response"]).output_text
    assert f"You wrote: Write to {TAG}" in text


async def test_responses_call_functions():
    items = [{"role": "user", "content": [{"type": "input_text", "text": "call save_note"}]}]
    request = {"model": "demo", "input": items, "tools": [FLAT_SAVE_NOTE]}
    stream = data_of(await events("/v1/responses", request))
    call = stream[-1]["response"]["output"][0]
    assert (call["type"], json.loads(call["arguments"])) == ("function_call", {"text": "call save_note"})
    deltas = [e["delta"] for e in stream if e["type"] == "response.function_call_arguments.delta"]
    assert "".join(deltas) == call["arguments"]
    items += [call, {"type": "function_call_output", "call_id": call["call_id"], "output": "done"}]
    body = await answer("/v1/responses", request)
    assert Response.model_validate(body).output_text.endswith("The tool answered: done")


async def test_embeddings_are_unit_vectors_in_both_encodings():
    floats = await answer("/v1/embeddings", {"model": "demo", "input": ["a", "b"]})
    packed = await answer("/v1/embeddings", {"model": "demo", "input": ["a", "b"], "encoding_format": "base64"})
    vectors = [item["embedding"] for item in floats["data"]]
    assert vectors[0] != vectors[1]
    for vector, item in zip(vectors, packed["data"], strict=True):
        assert sum(value * value for value in vector) == pytest.approx(1)
        assert struct.unpack("<256f", base64.b64decode(item["embedding"])) == pytest.approx(vector, rel=1e-6)
    assert CreateEmbeddingResponse.model_validate(floats).usage.total_tokens == 2


async def test_completions_plain_and_streamed():
    request = {"model": "demo", "prompt": ["one", "two"], "n": 2, "logprobs": 2}
    whole = Completion.model_validate(await answer("/v1/completions", request))
    assert [choice.index for choice in whole.choices] == [0, 1, 2, 3]
    assert "".join(whole.choices[2].logprobs.tokens) == whole.choices[2].text
    chunks = data_of(await events("/v1/completions", request))
    for choice in whole.choices:
        parts = [c["text"] for chunk in chunks for c in chunk["choices"] if c["index"] == choice.index]
        assert "".join(parts) == choice.text


async def test_moderation_flags_nothing():
    body = ModerationCreateResponse.model_validate(await answer("/v1/moderations", {"input": ["a", "b"]}))
    assert [result.flagged for result in body.results] == [False, False]


BAD = {
    "not-json": ("/v1/chat/completions", b"{", 400),
    "not-an-object": ("/v1/chat/completions", [], 400),
    "no-messages": ("/v1/chat/completions", {"model": "demo"}, 400),
    "empty-messages": ("/v1/chat/completions", {"messages": []}, 400),
    "bad-stream": ("/v1/chat/completions", {"stream": True}, 400),
    "token-prompt": ("/v1/completions", {"prompt": [1, 2]}, 400),
    "token-embedding": ("/v1/embeddings", {"input": [[1, 2]]}, 400),
    "huge-embedding": ("/v1/embeddings", {"input": "x", "dimensions": 10**9}, 400),
    "stored-conversation": ("/v1/responses", {"input": "x", "previous_response_id": "resp_1"}, 400),
    "no-input": ("/v1/responses", {"input": []}, 400),
    "unknown-path": ("/v1/images/generations", {"prompt": "x"}, 404),
}


@pytest.mark.parametrize(("path", "body", "status"), BAD.values(), ids=BAD)
async def test_bad_requests_get_an_openai_error(path, body, status):
    response = await ask(path, body)
    assert response.status == status
    assert json.loads(await response.read())["error"]["type"] == "invalid_request_error"


async def test_closing_drops_the_rest():
    response = await ask("/v1/chat/completions", chat("hi", stream=True))
    await response.aclose()
    assert [part async for part in response.chunks()] == []
