"""Any other endpoint: all that is text is seen, streams leave whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.stream_guards import DENIED, MARK, OpenGuard, WordGuard, parsed
from yett.errors import UpstreamError
from yett.flow import Role
from yett.wire.passthrough import DIALECT
from yett.wire.sse import SseDecoder, SseEvent

Json = dict[str, Any]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | st.text("abc/#~", min_size=1, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc/#~", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    if isinstance(value, dict):
        return [text for name, one in value.items() for text in (name, *strings(one))]
    return []


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), JSON, max_size=4))
def test_every_string_both_ways_is_a_leaf(body: Json) -> None:
    asked = DIALECT.read_request(body)
    assert sorted(leaf.text for leaf in asked.leaves) == sorted(strings(body))
    assert all(leaf.newest and leaf.role is Role.USER for leaf in asked.leaves)
    assert sorted(leaf.text for leaf in DIALECT.read_answer(body).leaves) == sorted(strings(body))


@pytest.mark.parametrize(
    ("body", "model", "stream"),
    [
        ({"model": "m", "stream": True}, "m", True),
        ({"model": ["m"], "stream": "yes"}, "", False),
        ({}, "", False),
    ],
)
def test_model_and_stream_are_read_where_they_are_what_they_seem(body: Json, model: str, stream: bool) -> None:
    exchange = DIALECT.read_request(body)
    assert (exchange.model, exchange.stream) == (model, stream)


@pytest.mark.parametrize(
    ("body", "expected"),
    [({"model": "mine"}, {"model": "theirs"}), ({"a": 1}, {"a": 1}), ({"model": 5}, {"model": 5})],
)
def test_prepare(body: Json, expected: Json) -> None:
    DIALECT.prepare(body, "theirs")
    assert body == expected


def test_finish_and_block() -> None:
    body: Json = {"model": "theirs", "id": "x_1", "usage": {"n": 1}, "text": "bob"}
    answer = DIALECT.read_answer(body)
    assert (answer.held_ids, answer.usage) == (["x_1"], {"n": 1})
    DIALECT.finish_answer(body, {"model": "mine"}, ())
    assert body["model"] == "mine"
    other: Json = {"text": "bob"}
    DIALECT.finish_answer(other, {"model": "mine"}, ())
    assert other == {"text": "bob"}
    assert DIALECT.block_answer(body, "no") == {
        "error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "guardrail_blocked"}
    }


def events_of(raw: bytes) -> list[tuple[str, bytes]]:
    decoder = SseDecoder()
    events = decoder.feed(raw)
    decoder.finish()
    return [(event.event, event.data) for event in events]


STREAM = [SseEvent(b'{"text":"say <x1"}', "piece"), SseEvent(b'"a word"'), SseEvent(b"plain <x12>", "note")]


def test_a_stream_leaves_whole_and_in_order_at_its_end() -> None:
    codec = DIALECT.open_stream({}, "m", WordGuard())
    assert [codec.feed(event) for event in STREAM] == [b"", b"", b""]
    assert not codec.done
    out = codec.feed(SseEvent(b"[DONE]", "done"))
    assert events_of(out) == [
        ("piece", b'{"text":"say <x1"}'),
        ("", b'"a word"'),
        ("note", f"plain {MARK}".encode()),
    ]
    assert codec.done
    assert events_of(codec.tail) == [("done", b"[DONE]")]
    assert codec.feed(STREAM[0]) == b""


def test_events_that_came_together_are_fed_one_by_one() -> None:
    alone, together = (DIALECT.open_stream({}, "m", WordGuard()) for _ in range(2))
    events = [*STREAM, SseEvent(b"[DONE]"), STREAM[0]]
    assert together.feed_all(events) == b"".join([alone.feed(event) for event in events]) != b""
    assert together.done


@pytest.mark.parametrize("last", ["speech.audio.done", "transcript.text.done"])
@pytest.mark.parametrize("named", [True, False], ids=["event-name", "type"])
def test_streams_without_done_end_with_their_last_event(last: str, named: bool) -> None:
    codec = DIALECT.open_stream({}, "m", WordGuard())
    codec.feed(SseEvent(b'{"delta":"hello"}'))
    data = b'{"text":"hello"}' if named else b'{"type":"' + last.encode() + b'"}'
    assert parsed(codec.feed(SseEvent(data, last if named else ""))) == [{"delta": "hello"}]
    assert codec.done
    assert events_of(codec.tail) == [(last if named else "", data)]


def test_pieces_of_one_text_are_one_channel() -> None:
    guard = OpenGuard()
    codec = DIALECT.open_stream({}, "m", guard)
    for piece in ("<x", "12>"):
        codec.feed(SseEvent(b'{"a":{"text":"' + piece.encode() + b'","id":"1"}}', "piece"))
    codec.feed(SseEvent(b"[DONE]"))
    found = [leaf for leaf in guard.leaves if leaf.text in {"<x", "12>"}]
    assert [leaf.text for leaf in found] == ["<x", "12>"]
    assert found[0].channel == found[1].channel != ""
    assert guard.leaves.index(found[1]) - guard.leaves.index(found[0]) == 1
    assert "piece" in guard.texts


def test_a_denied_stream_is_an_error_event_and_nothing_else() -> None:
    codec = DIALECT.open_stream({}, "m", WordGuard())
    codec.feed(SseEvent(b'{"text":"fine"}'))
    codec.feed(SseEvent(b'{"text":"!deny!"}'))
    assert codec.feed(SseEvent(b"[DONE]")) == b""
    assert (codec.blocked, codec.done, codec.finish) == (DENIED, True, "content_filter")
    assert parsed(codec.tail)[0]["error"]["code"] == "guardrail_blocked"
    assert b"fine" not in codec.tail
    assert b"[DONE]" not in codec.tail


@pytest.mark.parametrize(
    "event",
    [SseEvent(b'{"a":1,"a":2}'), SseEvent(b'{"a":NaN}'), SseEvent(b"{}", "bad name"), SseEvent(b"{}", "x" * 200)],
    ids=["duplicate", "nan", "name", "long-name"],
)
def test_ambiguous_events_are_the_providers_fault(event: SseEvent) -> None:
    with pytest.raises(UpstreamError):
        DIALECT.open_stream({}, "m", WordGuard()).feed(event)


@pytest.mark.parametrize("error", [{"error": {"message": "m"}}, {"message": "m"}])
def test_fail_is_one_error_event(error: Json) -> None:
    codec = DIALECT.open_stream({}, "m", WordGuard())
    codec.feed(STREAM[0])
    assert events_of(codec.fail(error)) == [("error", b'{"error":{"message":"m"}}')]
    assert codec.feed(SseEvent(b"[DONE]")) == b""
