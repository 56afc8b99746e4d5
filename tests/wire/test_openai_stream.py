"""What streams share: usage, what has no rule of its own, failures. Shown on chat streams."""

import orjson
import pytest

from helpers.chat_streams import (
    DENIED,
    MARK,
    JoinGuard,
    OpenGuard,
    WordGuard,
    as_event,
    chunk,
    play,
    read,
    usage_chunk,
)
from yett.errors import Unavailable, UpstreamError, envelope
from yett.wire.openai_chat import DIALECT
from yett.wire.sse import SseEvent

DONE = b"[DONE]"


def codec(guard=None, **request):
    return DIALECT.open_stream({"model": "mine", "stream": True, **request}, "mine", guard or OpenGuard())


def run(*events, guard=None, **request):
    return play(codec(guard, **request), events)


def content(*texts, index=0):
    return [chunk({"content": text}, index) for text in texts]


# --- usage ---


def test_usage_is_stripped_unless_the_client_asked():
    events = [chunk({"content": "a"}, usage=None), chunk(finish="stop", usage=None), usage_chunk(), DONE]
    assert not any("usage" in c for c in run(*events).chunks)
    body = {"model": "m", "stream": True, "messages": []}
    DIALECT.prepare(body, "real")
    assert not any("usage" in c for c in play(DIALECT.open_stream(body, "m", OpenGuard()), events).chunks)


@pytest.mark.parametrize("prepared", [False, True])
def test_usage_passes_if_the_client_asked(prepared):
    body = {"model": "m", "stream": True, "messages": [], "stream_options": {"include_usage": True}}
    if prepared:
        DIALECT.prepare(body, "real")
    events = [
        chunk({"content": "a"}, usage=None),
        chunk({"content": "<x1"}, usage=None),
        chunk(finish="stop", usage=None),
        usage_chunk(),
        DONE,
    ]
    chunks = play(DIALECT.open_stream(body, "m", WordGuard()), events).chunks
    assert [c["usage"] for c in chunks] == [None, None, None, usage_chunk()["usage"]]
    assert chunks[-1]["choices"] == []


def test_usage_on_the_finish_chunk():
    stream = codec(stream_options={"include_usage": True})
    chunks = play(stream, [*content("a"), chunk(finish="stop", usage={"total_tokens": 7}), DONE]).chunks
    assert chunks[-1]["usage"] == {"total_tokens": 7} == stream.usage


def test_obfuscation_is_dropped():
    assert "obfuscation" not in str(run(chunk({"content": "a"}, obfuscation="jane"), DONE).chunks)


@pytest.mark.parametrize(
    "where", ["id", "system_fingerprint", "x_note", "choice", "delta name", "role", "finish", "nested"]
)
def test_a_denied_word_outside_the_texts_blocks(where):
    word = "!deny!"
    events = {
        "id": chunk({"content": "a"}, id=word),
        "system_fingerprint": chunk({"content": "a"}, system_fingerprint=word),
        "x_note": chunk({"content": "a"}, x_note={"a": [word]}),
        "choice": chunk({"content": "a"}, choice={"note": word}),
        "delta name": chunk({word: "a"}),
        "role": chunk({"role": word}),
        "finish": chunk(finish=word),
        "nested": chunk({"details": [{"text": word}]}),
    }
    stream = codec(WordGuard())
    client = play(stream, [events[where], DONE])
    assert word not in str(client.chunks)
    assert (stream.blocked, client.done) == (DENIED, True)
    assert set(client.finish.values()) == {"content_filter"}


# --- what has no rule ---


def test_a_steady_unknown_member_is_checked_once_and_passes():
    guard = WordGuard()
    note = {"x_groq": {"id": "req_1"}, "choice": {"content_filter_results": {"hate": {"severity": "safe <x12>"}}}}
    client = run(chunk({"content": "a"}, **dict(note)), chunk({"content": "b"}, **dict(note)), DONE, guard=guard)
    assert [c["x_groq"] for c in client.chunks] == [{"id": "req_1"}] * 2
    assert [c["choices"][0]["content_filter_results"]["hate"]["severity"] for c in client.chunks] == [
        "safe " + MARK
    ] * 2
    assert len([leaf for leaf in guard.checked if leaf.text == "req_1"]) == 1


def test_an_unknown_member_with_all_text_held_still_passes():
    client = run(chunk({"content": "<x1"}, x_note="n"), DONE, guard=WordGuard())
    assert client.chunks[0]["choices"] == []
    assert client.chunks[0]["x_note"] == "n"


def test_a_growing_unknown_member_waits_for_the_end():
    stream = codec(JoinGuard())
    events = [
        chunk({"content": "a"}, note="one "),
        chunk({"content": "b <x"}, note="two "),
        chunk({"content": "12>"}, note="three"),
        chunk(finish="stop"),
    ]
    out = [stream.feed(as_event(e)) for e in events]
    assert out[1:] == [b"", b"", b""]
    client = play(stream, [DONE])
    assert client.texts == {(0, "content"): "b " + MARK}
    assert [c.get("note") for c in client.chunks if "note" in c] == ["two ", "three"]
    assert (client.finish, stream.unknown_events) == ({0: "stop"}, 1)


@pytest.mark.parametrize("cut", [["!de", "ny!"], ["a", "!den", "y! b"], ["a", "b", "!", "deny!"]])
@pytest.mark.parametrize("place", ["beside", "delta", "event"])
def test_a_denied_word_cut_over_unknown_places_is_found(cut, place):
    make = {
        "beside": lambda text: chunk(note=text),
        "delta": lambda text: chunk({"details": [{"type": "t", "text": text}]}),
        "event": lambda text: {"object": "other.delta", "delta": {"text": text}},
    }[place]
    stream = codec(JoinGuard())
    client = play(stream, [*content("hi"), *map(make, cut), chunk(finish="stop"), DONE])
    assert stream.blocked == DENIED
    assert "y!" not in str(client.chunks)
    assert (client.finish, client.done) == ({0: "content_filter"}, True)


def test_unknown_events_are_released_in_order():
    stream = codec(WordGuard())
    odd = [{"object": "poem", "verse": "<x12>"}, ["text <x34>"], {"choices": "none"}]
    live = stream.feed(as_event(content("a")[0]))
    assert [stream.feed(as_event(e)) for e in [odd[0], *content("b"), *odd[1:], chunk(finish="stop")]] == [b""] * 5
    raw = stream.feed(SseEvent(DONE))
    events = [orjson.loads(block[6:]) for block in raw.split(b"\n\n") if block]
    assert events[0] == {"object": "poem", "verse": MARK}
    assert events[1]["choices"][0]["delta"] == {"content": "b"}
    assert events[2:4] == [["text " + MARK], {"choices": "none"}]
    assert events[4]["choices"][0]["finish_reason"] == "stop"
    assert (stream.unknown_events, stream.done, b'"a"' in live) == (1, True, True)


@pytest.mark.parametrize(("name", "shown"), [("poem.delta", b"event: poem.delta\n"), ("jane@x.com", b""), ("J9", b"")])
def test_the_name_of_an_unknown_event_carries_no_text(name, shown):
    stream = codec()
    stream.feed(SseEvent(b'{"a":"b"}', name))
    out = stream.feed(SseEvent(DONE))
    assert out == shown + b'data: {"a":"b"}\n\n'


def test_a_changing_id_is_latched():
    chunks = run(*[chunk({"content": "a"}, id=f"id-{i}", created=1_700_000_000 + i) for i in range(3)], DONE).chunks
    assert [(c["id"], c["created"]) for c in chunks] == [("id-0", 1_700_000_000)] * 3


def piece(index=0, **function):
    more = {name: function.pop(name) for name in ("id", "type") if name in function}
    return {"index": index, **more, "function": function}


def call_chunks(*pieces, index=0):
    return [chunk({"tool_calls": [p]}, index) for p in pieces]


# --- failures ---


def test_the_provider_s_error_ends_the_stream_unclean():
    stream = codec(WordGuard())
    client = play(
        stream, [*content("a <x1"), {"error": {"message": "overloaded <x12>", "code": "busy"}}, *content("2> b"), DONE]
    )
    assert client.chunks[-1] == {"error": {"message": "overloaded " + MARK, "code": "busy"}}
    assert client.texts == {(0, "content"): "a "}
    assert (client.done, stream.done, stream.tail) == (False, False, b"")
    assert stream.fail({"error": {}}) == b""


def test_fail_is_a_terminal_error_event():
    stream = codec()
    body = envelope(Unavailable("gone", code="upstream_truncated"))
    assert read(stream.fail(body)).chunks == [body]
    assert stream.fail(body) == b""
    assert stream.feed(as_event(content("x")[0])) == b""


MALFORMED = {
    "not json": b"{",
    "duplicate key": b'{"choices":[],"choices":[]}',
    "nan": b'{"choices":[NaN]}',
    "not utf-8": b'"\xff"',
    "choice is text": orjson.dumps(chunk() | {"choices": ["x"]}),
    "delta is text": orjson.dumps(chunk(choice={"delta": "x"})),
    "index is text": orjson.dumps(chunk(choice={"index": "0"})),
    "index is true": orjson.dumps(chunk(choice={"index": True})),
    "index too large": orjson.dumps(chunk({"content": "x"}, index=1000)),
    "negative index": orjson.dumps(chunk(index=-1)),
    "tool calls is text": orjson.dumps(chunk({"tool_calls": "x"})),
    "tool call is text": orjson.dumps(chunk({"tool_calls": ["x"]})),
    "call index is text": orjson.dumps(chunk({"tool_calls": [{"index": "0"}]})),
    "call index too large": orjson.dumps(chunk({"tool_calls": [{"index": 99999}]})),
    "function call is text": orjson.dumps(chunk({"function_call": 5})),
    "audio is text": orjson.dumps(chunk({"audio": [1]})),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_event_is_the_provider_s_error(data):
    with pytest.raises(UpstreamError) as error:
        codec().feed(SseEvent(data))
    assert error.value.code == "upstream_protocol"


SEQUENCES = {
    "text after the finish": [chunk(finish="stop"), *content("late")],
    "call after the finish": [chunk(finish="stop"), *call_chunks(piece(name="f"))],
    "late piece of a call": call_chunks(piece(0, id="a"), piece(1, id="b"), piece(0, arguments="x")),
    "too many texts": [chunk({f"t{i}": "x" for i in range(100)})],
    "too many unknown members": [chunk(**{f"m{i}": "x" for i in range(5000)})],
}


@pytest.mark.parametrize("events", SEQUENCES.values(), ids=SEQUENCES)
def test_an_impossible_sequence_is_the_provider_s_error(events):
    stream = codec()
    with pytest.raises(UpstreamError) as error:
        play(stream, events)
    assert error.value.code == "upstream_protocol"


@pytest.mark.parametrize(
    "late", [chunk(), chunk({"content": ""}), chunk({"content": None}), chunk(finish="stop"), usage_chunk()]
)
def test_an_empty_chunk_after_the_finish_is_harmless(late):
    stream = codec()
    out = b"".join(stream.feed(as_event(e)) for e in [*content("a"), chunk(finish="stop"), late, DONE])
    assert out.count(b'"finish_reason":"stop"') == 1
    assert stream.done
