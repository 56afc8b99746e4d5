"""A streamed chat answer: the client's view does not depend on how it was cut, and nothing leaves unseen."""

import random
import timeit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.chat_streams import (
    DENIED,
    HEAD,
    MARK,
    Client,
    OpenGuard,
    WordGuard,
    as_event,
    chunk,
    entry,
    play,
    read,
    usage_chunk,
)
from helpers.stream_guards import redacted
from yett.errors import UpstreamError
from yett.wire.openai_chat import DIALECT
from yett.wire.sse import SseEvent

DONE = b"[DONE]"


def codec(guard=None, **request):
    return DIALECT.open_stream({"model": "mine", "stream": True, **request}, "mine", guard or OpenGuard())


def run(*events, guard=None, **request):
    return play(codec(guard, **request), events)


def content(*texts, index=0):
    return [chunk({"content": text}, index) for text in texts]


# --- the plain course ---


def test_a_plain_stream_passes_with_the_caller_s_model_name():
    events = [
        chunk({"role": "assistant", "content": "", "refusal": None}),
        *content("Hel", "lo"),
        chunk(finish="stop"),
        usage_chunk(),
    ]
    stream = codec()
    client = play(stream, [*events, DONE])
    assert [c["choices"][0]["delta"] for c in client.chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert client.view() == ({(0, "role"): "assistant", (0, "content"): "Hello"}, {}, {0: "stop"}, True)
    assert all(c == c | HEAD | {"model": "mine", "object": "chat.completion.chunk"} for c in client.chunks)
    assert (stream.finish, stream.usage, stream.blocked, stream.unknown_events) == (
        "stop",
        usage_chunk()["usage"],
        None,
        0,
    )


def test_the_clean_end_waits_in_the_tail():
    stream = codec()
    assert b"[DONE]" not in stream.feed(SseEvent(DONE))
    assert (stream.done, stream.tail) == (True, b"data: [DONE]\n\n")
    assert stream.feed(as_event(content("late")[0])) == b""


def test_without_the_end_mark_it_is_not_done():
    stream = codec()
    play(stream, [*content("x"), chunk(finish="stop")])
    assert (stream.done, stream.tail) == (False, b"")


def test_held_text_produces_no_event_and_leaves_before_the_finish():
    stream = codec(WordGuard())
    out = [stream.feed(as_event(e)) for e in [*content("a <x", "1"), chunk(finish="stop")]]
    assert out[1] == b""
    last = read(out[2]).chunks
    assert [c["choices"][0]["delta"] for c in last] == [{"content": "<x1"}, {}]
    assert [c["choices"][0]["finish_reason"] for c in last] == [None, "stop"]


def test_text_still_held_at_the_end_leaves_without_a_finish():
    client = run(*content("a <x1"), DONE, guard=WordGuard())
    assert client.view() == ({(0, "content"): "a <x1"}, {}, {}, True)
    assert client.chunks[-1] == {**HEAD, "object": "chat.completion.chunk", "model": "mine"} | {
        "choices": [{"index": 0, "delta": {"content": "<x1"}, "finish_reason": None}]
    }


def test_every_text_of_a_delta_is_a_channel():
    guard = OpenGuard()
    run(
        chunk({"content": "a", "refusal": "b", "reasoning_content": "c", "thoughts": "d"}),
        chunk({"content": "e"}, index=3),
        DONE,
        guard=guard,
    )
    assert {at: "".join(texts) for at, texts in guard.channels.items()} == {
        "/choices/0/message/content": "a",
        "/choices/0/message/refusal": "b",
        "/choices/0/message/reasoning_content": "c",
        "/choices/0/message/thoughts": "d",
        "/choices/3/message/content": "e",
    }
    assert "thoughts" in guard.texts


def test_several_choices_in_one_chunk():
    both = chunk() | {
        "choices": [{"index": i, "delta": {"content": f"<x{i}"}, "finish_reason": None} for i in range(2)]
    }
    client = run(
        both,
        *content("0>", index=0),
        *content("1>!", index=1),
        chunk(finish="stop"),
        chunk(index=1, finish="length"),
        DONE,
        guard=WordGuard(),
    )
    assert client.view() == ({(0, "content"): MARK, (1, "content"): MARK + "!"}, {}, {0: "stop", 1: "length"}, True)


# --- tool calls ---


def piece(index=0, **function):
    more = {name: function.pop(name) for name in ("id", "type") if name in function}
    return {"index": index, **more, "function": function}


def call_chunks(*pieces, index=0):
    return [chunk({"tool_calls": [p]}, index) for p in pieces]


def test_a_tool_call_leaves_whole():
    first = piece(id="c1", type="function", name="mail", arguments="")
    stream = codec()
    out = [stream.feed(as_event(e)) for e in call_chunks(first, piece(arguments='{"to":'), piece(arguments='"j"}'))]
    assert out == [b"", b"", b""]
    client = read(stream.feed(as_event(chunk(finish="tool_calls"))))
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "mail", "arguments": '{"to":"j"}'}}
    assert client.view()[1:] == ({(0, 0): call}, {0: "tool_calls"}, False)
    assert [(c.pointer, c.name, c.arguments, c.call_id) for c in stream.tool_calls] == [
        ("/choices/0/message/tool_calls/0", "mail", '{"to":"j"}', "c1")
    ]


def test_the_next_call_completes_the_one_before():
    stream = codec()
    events = call_chunks(piece(0, id="a", name="f", arguments="{}"), piece(1, id="b", name="g", arguments="{}"))
    assert stream.feed(as_event(events[0])) == b""
    assert list(read(stream.feed(as_event(events[1]))).calls) == [(0, 0)]


def test_arguments_are_checked_as_json_and_edited_in_place():
    guard = WordGuard()
    events = call_chunks(piece(id="c", name="f", arguments='{"a": "\\u003cx12> b", "k'), piece(arguments='": [1]}'))
    client = run(*events, chunk(finish="tool_calls"), DONE, guard=guard)
    assert client.calls[0, 0]["function"]["arguments"] == '{"a":"' + MARK + ' b","k":[1]}'
    assert [leaf.pointer.removeprefix("/choices/0/message/tool_calls/0") for leaf in guard.checked][2:] == [
        "/id",
        "/function/name",
        "/function/arguments#/a",
        "/function/arguments#/a",
        "/function/arguments#/k",
    ]


def test_a_denied_call_never_leaves():
    stream = codec(WordGuard())
    client = play(
        stream,
        [
            *content("ok "),
            *call_chunks(piece(id="c", name="f", arguments='{"a":"!den'), piece(arguments='y!"}')),
            chunk(finish="tool_calls"),
            DONE,
        ],
    )
    assert client.view() == (
        {(0, "content"): "ok ", (0, "role"): "assistant", (0, "refusal"): DENIED},
        {},
        {0: "content_filter"},
        True,
    )
    assert stream.blocked == DENIED


def test_a_legacy_function_call_leaves_whole():
    events = [
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": '["<x1'}}),
        chunk({"function_call": {"arguments": '2>"]'}}),
    ]
    client = run(*events, chunk(finish="function_call"), DONE, guard=WordGuard())
    assert client.calls == {(0, -1): {"name": "f", "arguments": f'["{MARK}"]'}}


def test_a_custom_call_leaves_whole():
    events = call_chunks(
        {"index": 0, "id": "c", "type": "custom", "custom": {"name": "sh", "input": "<x"}},
        {"index": 0, "custom": {"input": "12>"}},
    )
    assert run(*events, chunk(finish="tool_calls"), DONE, guard=WordGuard()).calls[0, 0]["custom"] == {
        "name": "sh",
        "input": MARK,
    }


def test_calls_without_an_index_go_by_their_id():
    pieces = [
        {"id": "a", "function": {"name": "f", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"id": "b", "function": {"name": "g", "arguments": "[]"}},
    ]
    client = run(*call_chunks(*pieces), chunk(finish="tool_calls"), DONE)
    assert [(c["id"], c["function"]["arguments"]) for c in client.calls.values()] == [("a", "{}"), ("b", "[]")]


def test_ambiguous_arguments_break_the_stream():
    stream = codec()
    play(stream, call_chunks(piece(name="f", arguments='{"a":1,"a":2}')))
    with pytest.raises(UpstreamError) as error:
        stream.feed(as_event(chunk(finish="tool_calls")))
    assert error.value.code == "upstream_protocol"


# --- what is denied ---


def test_a_denied_text_ends_every_open_choice():
    stream = codec(WordGuard())
    events = [
        chunk({"role": "assistant"}, 0),
        *content("zero", index=0),
        *content("one", index=1),
        *content("done", index=2),
        chunk(index=2, finish="stop"),
        *content("fine !de", "ny! SECRET", index=0),
        *content("late", index=1),
        DONE,
    ]
    client = play(stream, events)
    assert client.view() == (
        {
            (0, "role"): "assistant",
            (0, "content"): "zerofine ",
            (0, "refusal"): DENIED,
            (1, "content"): "one",
            (1, "role"): "assistant",
            (1, "refusal"): DENIED,
            (2, "content"): "done",
        },
        {},
        {0: "content_filter", 1: "content_filter", 2: "stop"},
        True,
    )
    assert (stream.blocked, stream.done, stream.finish) == (DENIED, True, "content_filter")


def test_what_stood_before_the_denied_word_leaves():
    assert run(*content("before !deny! after"), DONE, guard=WordGuard()).texts[0, "content"] == "before "


def test_a_denial_at_the_end_of_the_stream():
    class Late(WordGuard):
        def channel(self, pointer, role):
            channel = super().channel(pointer, role)
            original = channel.finish
            channel.finish = lambda: channel.feed("!deny!") if channel.waiting else original()
            return channel

    stream = codec(Late())
    client = play(stream, [*content("a <x1"), DONE])
    assert client.view() == (
        {(0, "content"): "a <x1", (0, "role"): "assistant", (0, "refusal"): DENIED},
        {},
        {0: "content_filter"},
        True,
    )
    assert stream.blocked == DENIED


# --- audio ---


def test_an_audio_transcript_is_a_channel():
    guard = WordGuard()
    stream = codec(guard)
    events = [
        chunk({"audio": {"id": "audio_1", "transcript": "a <x"}}),
        chunk({"audio": {"data": "AAAA", "transcript": "12>"}}),
        chunk({"audio": {"expires_at": 1700000000}}),
        chunk(finish="stop"),
        DONE,
    ]
    deltas = [c["choices"][0]["delta"] for c in play(stream, events).chunks]
    assert deltas == [
        {"audio": {"id": "audio_1", "transcript": "a "}},
        {"audio": {"data": "AAAA", "transcript": MARK}},
        {"audio": {"expires_at": 1700000000}},
        {},
    ]
    assert stream.held_ids == ["audio_1"]
    assert "audio_1" in [leaf.text for leaf in guard.checked]


# --- logprobs ---


def with_logprobs(text, *entries):
    return chunk({"content": text}, choice={"logprobs": {"content": list(entries), "refusal": None}})


def test_logprobs_leave_with_their_text():
    events = [
        with_logprobs("Hi ", entry("Hi"), entry(" ")),
        with_logprobs("<x", entry("<"), entry("x")),
        with_logprobs("12", entry("12")),
        with_logprobs("> you", entry(">"), entry(" you")),
        chunk(finish="stop", choice={"logprobs": None}),
        DONE,
    ]
    client = run(*events, guard=WordGuard())
    assert client.texts[0, "content"] == f"Hi {MARK} you"
    assert client.tokens[0, "content"] == ["Hi", " ", " you"]
    assert client.chunks[-1]["choices"][0]["logprobs"] is None


def test_logprobs_that_do_not_add_up_are_null():
    client = run(
        with_logprobs("Hi", entry("jane")), with_logprobs("", entry("jane")), with_logprobs("yo", entry("yo")), DONE
    )
    assert {key: tokens for key, tokens in client.tokens.items() if tokens} == {(0, "content"): ["yo"]}
    assert client.chunks[0]["choices"][0]["logprobs"] is None
    assert "jane" not in str(client.chunks)


def test_logprobs_of_half_a_character():
    raw = "é".encode()
    events = [with_logprobs("é!", entry("\\xc3", raw[:1]), entry("bytes:\\xa9", raw[1:]), entry("!")), DONE]
    assert run(*events).tokens[0, "content"] == ["\\xc3", "bytes:\\xa9", "!"]


# --- chunking ---

TEXTS = st.lists(
    st.sampled_from(["<", "x", "1", "12", ">", "<x12>", "!", "deny", "a", " ", "é", "\U0001f600", "<x34", "!den"]),
    max_size=10,
).map("".join)


def cut(text, rng):
    while text:
        size = rng.randrange(1, 5)
        yield text[:size]
        text = text[size:]


def streamed(texts, arguments, rng):
    """The events of a stream with these texts and these calls' arguments, cut and interleaved at random."""
    lanes = []
    for (index, name), text in texts.items():
        lanes.append([chunk({name: part}, index) for part in cut(text, rng)])
    for index, calls in arguments.items():
        lane = []
        for number, text in enumerate(calls):
            lane.append(
                chunk({"tool_calls": [piece(number, id=f"c{number}", type="function", name="f", arguments="")]}, index)
            )
            lane += [chunk({"tool_calls": [piece(number, arguments=part)]}, index) for part in cut(text, rng)]
        lanes.append(lane)
    events = []
    while any(lanes):
        events.append(rng.choice([lane for lane in lanes if lane]).pop(0))
    return [*events, *(chunk(index=i, finish="stop") for i in range(3)), usage_chunk(), DONE]


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 2), st.sampled_from(["content", "refusal", "reasoning", "more"])), TEXTS, max_size=4
    ),
    st.dictionaries(
        st.integers(0, 2),
        st.lists(st.sampled_from(['{"a":"<x12>"}', "[]", "no <x34> json", '{"b":"\\u003cx56>c"}']), max_size=2),
        max_size=2,
    ),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=150, derandomize=True)
def test_the_client_s_view_does_not_depend_on_the_chunking(texts, arguments, rng):
    texts = {key: text.replace("deny", "dony") for key, text in texts.items()}
    whole = play(
        codec(WordGuard()),
        [
            *(chunk({name: text}, i) for (i, name), text in texts.items() if text),
            *(
                chunk({"tool_calls": [piece(n, id=f"c{n}", type="function", name="f", arguments=t)]}, i)
                for i, ts in arguments.items()
                for n, t in enumerate(ts)
            ),
            *(chunk(index=i, finish="stop") for i in range(3)),
            DONE,
        ],
    )
    client = play(codec(WordGuard()), streamed(texts, arguments, rng))
    assert client.view() == whole.view()
    assert {key: text for key, text in client.texts.items() if text} == {
        key: redacted(text) for key, text in texts.items() if text
    }


@given(TEXTS, st.integers(0, 2**32))
@settings(deadline=None, max_examples=150, derandomize=True)
def test_a_denied_word_leaves_only_what_stood_before_it(text, seed):
    text += "!deny!" + "SECRET"
    client = play(codec(WordGuard()), streamed({(0, "content"): text}, {}, random.Random(seed)))
    before = text[: text.index("!deny!")]
    assert client.texts.get((0, "content"), "") == redacted(before)
    assert client.finish == {0: "content_filter"} | dict.fromkeys(client.finish, "content_filter")
    assert "SECRET" not in str(client.chunks)


@given(
    st.lists(st.sampled_from(["a", " ", "<x12>", "<x", "12>", "é", "\U0001f600", "!"]), max_size=8),
    st.integers(0, 2**32),
)
@settings(deadline=None, max_examples=100, derandomize=True)
def test_surviving_logprobs_spell_the_unedited_text(tokens, seed):
    rng, events, waiting = random.Random(seed), [], list(tokens)
    while waiting:
        count = rng.randrange(1, 4)
        batch, waiting = waiting[:count], waiting[count:]
        events.append(with_logprobs("".join(batch), *map(entry, batch)))
    client = run(*events, chunk(finish="stop"), DONE, guard=WordGuard())
    kept = client.tokens.get((0, "content"), [])
    assert "".join(kept) == client.texts.get((0, "content"), "").replace(MARK, "")


def test_a_chunk_costs_little():
    data = orjson.dumps(chunk({"content": " word"}))
    stream = codec()
    event = SseEvent(data)
    best = min(timeit.repeat(lambda: stream.feed(event), number=500, repeat=5)) / 500
    assert best < 150e-6


def test_the_openai_client_s_types_fit():
    openai = pytest.importorskip("openai")
    client = run(
        chunk({"role": "assistant"}),
        *content("a"),
        *call_chunks(piece(id="c", type="function", name="f", arguments="{}")),
        chunk(finish="stop"),
        DONE,
    )
    assert isinstance(client, Client)
    for body in client.chunks:
        parsed = openai.types.chat.ChatCompletionChunk.model_validate(body, strict=False)
        assert parsed.model == "mine"
