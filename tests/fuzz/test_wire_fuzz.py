"""Random and mutated JSON through the wire: only the errors that are promised, and no string that nobody saw."""

import copy
import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.chat_streams import OpenGuard, WordGuard, as_event, chunk, entry, text_chunk, usage_chunk
from yett.errors import RequestError, Unavailable, UpstreamError
from yett.verdict import Edit
from yett.wire import openai_chat, openai_completions, pointer, strictjson
from yett.wire.sse import SseDecoder, SseEvent

DIALECTS = {"chat": openai_chat.DIALECT, "completions": openai_completions.DIALECT}
CANARY = "canary jane@example.com"

CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": {"b": ["c"]}}'}}
MESSAGES = [
    {"role": "system", "content": "s", "name": "n"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "t"},
            {"type": "image_url", "image_url": {"url": "http://h/i", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            {"type": "file", "file": {"file_id": "f", "filename": "n"}},
        ],
    },
    {
        "role": "assistant",
        "content": "a",
        "refusal": "r",
        "tool_calls": [CALL, {"id": "c", "type": "custom", "custom": {"name": "n", "input": "i"}}],
        "audio": {"id": "a1"},
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "result"},
    {"role": "function", "name": "f", "content": "r"},
]
REQUESTS = {
    "chat": {
        "model": "m",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u",
        "metadata": {"k": "v"},
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "strict": True,
                    "parameters": {"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}}},
                },
            },
            {"type": "custom", "custom": {"name": "c", "description": "d", "format": {"type": "text"}}},
            {"type": "web_search"},
        ],
        "functions": [{"name": "g", "parameters": {}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "stop": ["a"],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        "logit_bias": {"1": 2},
        "prediction": {"type": "content", "content": [{"type": "text", "text": "p"}]},
        "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "c"}}},
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "wav"},
        "prompt_cache_key": "k",
        "store": False,
        "seed": 5,
        "n": 1,
        "odd": {"x": ["y"]},
    },
    "completions": {
        "model": "m",
        "prompt": ["a", "b"],
        "suffix": "s",
        "stop": "x",
        "user": "u",
        "echo": True,
        "logprobs": 2,
        "odd": {"x": ["y"]},
    },
}
MESSAGE = {
    "role": "assistant",
    "content": "hi",
    "refusal": None,
    "tool_calls": [CALL],
    "function_call": {"name": "f", "arguments": "{}"},
    "annotations": [
        {"type": "url_citation", "url_citation": {"url": "u", "title": "t", "start_index": 0, "end_index": 1}}
    ],
    "audio": {"id": "a", "data": "AAAA", "transcript": "t", "expires_at": 1},
    "reasoning": "why",
}
ANSWERS = {
    "chat": {
        "id": "i",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "service_tier": "auto",
        "system_fingerprint": "fp",
        "usage": {"total_tokens": 1},
        "choices": [
            {
                "index": 0,
                "message": MESSAGE,
                "finish_reason": "stop",
                "logprobs": {"content": [entry("hi")], "refusal": None},
            }
        ],
    },
    "completions": {
        "id": "i",
        "object": "text_completion",
        "created": 1,
        "model": "m",
        "usage": {"total_tokens": 1},
        "choices": [
            {
                "index": 0,
                "text": "hi",
                "finish_reason": "stop",
                "logprobs": {
                    "tokens": ["hi"],
                    "token_logprobs": [-1.0],
                    "top_logprobs": [{"hi": -1.0}],
                    "text_offset": [0],
                },
            }
        ],
    },
}
STREAMS = {
    "chat": [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "hi"}, choice={"logprobs": {"content": [entry("hi")], "refusal": None}}),
        chunk({"reasoning": "r", "details": [{"type": "t", "text": "x"}]}, note={"a": "b"}),
        chunk({"content": "two"}, 1),
        chunk(
            {
                "tool_calls": [
                    {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
                ]
            }
        ),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '"b"}'}}]}),
        chunk({"function_call": {"name": "f", "arguments": "{}"}}, 1),
        chunk({"audio": {"id": "a", "data": "AAAA", "transcript": "t"}}),
        {"object": "odd", "text": "x"},
        chunk(finish="stop"),
        chunk(index=1, finish="tool_calls"),
        usage_chunk(),
    ],
    "completions": [
        text_chunk(
            "hi",
            choice={
                "logprobs": {
                    "tokens": ["hi"],
                    "token_logprobs": [-1.0],
                    "top_logprobs": [{"hi": -1.0}],
                    "text_offset": [0],
                }
            },
        ),
        text_chunk("two", 1, note="n"),
        {"object": "odd", "text": "x"},
        text_chunk("", finish="stop"),
        usage_chunk("text_completion"),
    ],
}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [
            "",
            "user",
            "function",
            "text",
            "a",
            '{"a":1}',
            '{"a":1,"a":2}',
            "data:image/png;base64,AAAA",
            "tool",
            "\U0001f600",
            "/~#",
            "-1",
        ]
    )
)
NAMES = st.sampled_from(
    [
        "messages",
        "role",
        "content",
        "type",
        "text",
        "tool_calls",
        "function",
        "arguments",
        "id",
        "index",
        "choices",
        "delta",
        "message",
        "model",
        "object",
        "logprobs",
        "tokens",
        "token",
        "bytes",
        "usage",
        "finish_reason",
        "tools",
        "prompt",
        "error",
        "audio",
        "x/y",
        "#",
        "",
        "url",
        "image_url",
    ]
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=15
)


def places(value, at=()):
    """Every place of a JSON value, as a path."""
    yield at
    if isinstance(value, dict):
        for name, member in value.items():
            yield from places(member, (*at, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*at, index))


def replaced(value, path, new):
    """A copy of `value` with `new` at `path`."""
    value = copy.deepcopy(value)
    if not path:
        return new
    parent = value
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = new
    return value


def get(value, path):
    for step in path:
        value = value[step]
    return value


def mutations(value, rng, count, pool):
    paths = list(places(value))
    for _ in range(count):
        mutant = value
        for _ in range(rng.randrange(1, 3)):
            path = rng.choice(paths)
            try:
                mutant = replaced(mutant, path, copy.deepcopy(rng.choice(pool)))
            except (KeyError, IndexError, TypeError):
                continue
        yield mutant


POOL = [
    None,
    True,
    0,
    -1,
    1.5,
    10**12,
    "",
    "user",
    "x",
    [],
    {},
    [1, 2],
    [[1]],
    ["x"],
    {"a": "b"},
    {"type": "text"},
    [{}],
    [None],
    "[DONE]",
    {"index": 0},
    '{"a":1,"a":2}',
    "[" * 70,
]


def survives(dialect, body):
    try:
        exchange = dialect.read_request(body)
    except RequestError as error:
        assert error.status < 500
        return
    for leaf in exchange.leaves:
        assert leaf.text
    edits = {leaf.pointer: [Edit(leaf.pointer, None, "E")] for leaf in exchange.leaves if leaf.editable}
    pointer.apply(body, edits)
    dialect.prepare(body, "m")
    strictjson.dumps(body)


def answers(dialect, body):
    try:
        answer = dialect.read_answer(body)
    except UpstreamError:
        return
    edits = {leaf.pointer: [Edit(leaf.pointer, None, "E")] for leaf in answer.leaves if leaf.editable}
    blocked = dialect.block_answer(body, "no")
    edited = pointer.apply(body, edits)
    dialect.finish_answer(body, {"model": "mine"}, edited)
    strictjson.dumps(body)
    strictjson.dumps(blocked)


def streams(dialect, events, guard=None):
    codec = dialect.open_stream({"model": "m", "stream": True}, "m", guard or OpenGuard())
    out = b""
    try:
        for event in events:
            out += codec.feed(as_event(event))
        out += codec.feed(SseEvent(b"[DONE]"))
    except UpstreamError:
        out += codec.fail({"error": {"message": "broken"}})
    decoder = SseDecoder()
    for event in decoder.feed(out + codec.tail):
        assert event.data == b"[DONE]" or strictjson.loads(event.data) is not None or event.data == b"null"
    decoder.finish()
    return out


@pytest.mark.parametrize("name", DIALECTS)
@given(JSON)
@settings(deadline=None, max_examples=200, derandomize=True)
def test_any_json_survives(name, body):
    survives(DIALECTS[name], copy.deepcopy(body))
    answers(DIALECTS[name], copy.deepcopy(body) if isinstance(body, dict) else {"choices": body})
    streams(DIALECTS[name], [copy.deepcopy(body)] if not isinstance(body, bytes) else [])


@pytest.mark.parametrize("name", DIALECTS)
def test_mutated_requests_survive(name):
    for body in mutations(REQUESTS[name], random.Random(1), 1500, POOL):
        survives(DIALECTS[name], body)


@pytest.mark.parametrize("name", DIALECTS)
def test_mutated_answers_survive(name):
    for body in mutations(ANSWERS[name], random.Random(2), 1500, POOL):
        answers(DIALECTS[name], body if isinstance(body, dict) else {"choices": body})


@pytest.mark.parametrize("name", DIALECTS)
def test_mutated_streams_survive(name):
    for number, events in enumerate(mutations(STREAMS[name], random.Random(3), 1200, POOL)):
        sent = events if isinstance(events, list) else [events]
        streams(DIALECTS[name], sent, WordGuard() if number % 2 else None)


@pytest.mark.parametrize("name", DIALECTS)
def test_random_bytes_as_events_survive(name):
    rng = random.Random(4)
    for _ in range(300):
        data = orjson.dumps(rng.choice(STREAMS[name]))
        cut = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            cut[rng.randrange(len(cut))] = rng.randrange(256)
        codec = DIALECTS[name].open_stream({"model": "m"}, "m", OpenGuard())
        try:
            codec.feed(SseEvent(bytes(cut)))
        except UpstreamError as error:
            assert error.code == "upstream_protocol"


# --- nothing unseen ---

NOT_TEXT_IN_REQUESTS = {("model",): "shape-checked name, refused where it cannot be one"}


def strings(value):
    return [path for path in places(value) if isinstance(get(value, path), str)]


def names(value):
    return [path for path in places(value) if path and isinstance(path[-1], str)]


def renamed(value, path):
    """A copy of `value` in which the last name of `path` is the canary."""
    parent_path, name = path[:-1], path[-1]
    parent = get(value, parent_path)
    return replaced(value, parent_path, {CANARY if k == name else k: v for k, v in parent.items()})


def variants(value):
    """`value` with the canary in place of each string and of each member name, one at a time."""
    yield from ((path, replaced(value, path, CANARY)) for path in strings(value))
    yield from ((path, renamed(value, path)) for path in names(value))
    yield from ((path, replaced(value, path, {"new": [CANARY]})) for path in places(value) if path)


def seen_in_request(exchange):
    return any(CANARY in leaf.text for leaf in exchange.leaves) or any(
        fact.value == CANARY and fact.kind == "identity" for fact in exchange.facts
    )


@pytest.mark.parametrize("name", DIALECTS)
def test_every_string_of_a_request_is_seen_or_refused(name):
    count = 0
    for path, body in variants(REQUESTS[name]):
        try:
            exchange = DIALECTS[name].read_request(body)
        except RequestError as error:
            assert "canary" not in f"{error} {error.pointer}"
            continue
        assert seen_in_request(exchange), path
        count += 1
    assert count > 15


@pytest.mark.parametrize("name", DIALECTS)
def test_every_string_of_an_answer_is_seen_or_does_not_leave(name):
    count = 0
    for path, body in variants(ANSWERS[name]):
        try:
            answer = DIALECTS[name].read_answer(body)
        except UpstreamError as error:
            assert "canary" not in f"{error} {error.pointer}"
            continue
        seen = any(CANARY in leaf.text for leaf in answer.leaves)
        assert "canary" not in str(DIALECTS[name].block_answer(body, "no"))
        DIALECTS[name].finish_answer(body, {"model": "mine"}, [])
        assert seen or CANARY not in str(body), path
        count += 1
    assert count > 15


@pytest.mark.parametrize("name", DIALECTS)
def test_every_string_of_a_stream_is_seen_or_does_not_leave(name):
    count = 0
    for path, events in variants(STREAMS[name]):
        guard = OpenGuard()
        if not isinstance(events, list):
            continue
        out = streams(DIALECTS[name], events, guard)
        assert any(CANARY in text for text in guard.seen) or CANARY.encode() not in out, path
        count += CANARY.encode() in out
    assert count > 15


def test_an_edit_that_cannot_be_made_stops_the_stream():
    class Wrong(OpenGuard):
        def check(self, leaves):
            return {"/nowhere": [Edit("/nowhere", None, "x")]} if leaves[0].pointer.startswith("/choices") else {}

    codec = DIALECTS["chat"].open_stream({"model": "m"}, "m", Wrong())
    codec.feed(as_event(STREAMS["chat"][4]))
    with pytest.raises(Unavailable) as error:
        codec.feed(as_event(chunk(finish="tool_calls")))
    assert error.value.code == "guard_failed"
