"""Server-sent events are read alike however they are cut, and nothing half-read counts."""

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.errors import UpstreamError
from yett.wire.sse import SseDecoder, SseEvent, encode

STREAMS = {
    "one": (b"data: a\n\n", [SseEvent(b"a")]),
    "two": (b"data: a\n\ndata: b\n\n", [SseEvent(b"a"), SseEvent(b"b")]),
    "crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [SseEvent(b"a"), SseEvent(b"b")]),
    "cr": (b"data: a\r\rdata: b\r\r", [SseEvent(b"a"), SseEvent(b"b")]),
    "mixed ends": (b"data: a\r\n\ndata: b\n\r\ndata: c\n\r", [SseEvent(b"a"), SseEvent(b"b"), SseEvent(b"c")]),
    "no space": (b"data:a\n\n", [SseEvent(b"a")]),
    "two spaces": (b"data:  a\n\n", [SseEvent(b" a")]),
    "lines joined": (b"data: a\ndata: b\n\n", [SseEvent(b"a\nb")]),
    "empty line of data": (b"data\ndata: b\n\n", [SseEvent(b"\nb")]),
    "empty data": (b"data:\n\n", [SseEvent(b"")]),
    "named": (b"event: x.y\ndata: {}\nid: 7\n\n", [SseEvent(b"{}", "x.y", "7")]),
    "id with nul": (b"id: 7\x00\ndata: a\n\n", [SseEvent(b"a")]),
    "comment": (b": ping\n\ndata: a\n:x\n\n", [SseEvent(b"a")]),
    "event without data": (b"event: x\n\ndata: a\n\n", [SseEvent(b"a")]),
    "retry and unknown": (b"retry: 10\nfoo: bar\ndata: a\n\n", [SseEvent(b"a")]),
    "blank lines": (b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [SseEvent(b"a"), SseEvent(b"b")]),
    "bom": (b"\xef\xbb\xbfdata: a\n\n", [SseEvent(b"a")]),
    "colon in data": (b'data: {"a": "b: c"}\n\n', [SseEvent(b'{"a": "b: c"}')]),
    "not utf-8 is kept for the parser to refuse": (b"data: \xff\n\n", [SseEvent(b"\xff")]),
    "data in capitals is another field": (b"DATA: a\n\n", []),
    "nothing": (b"", []),
}


def read(chunks, **settings):
    decoder = SseDecoder(**settings)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    decoder.finish()
    return events


@pytest.mark.parametrize(("stream", "expected"), STREAMS.values(), ids=STREAMS)
def test_reads(stream, expected):
    assert read([stream]) == expected
    assert read([stream[i : i + 1] for i in range(len(stream))]) == expected
    for cut in range(len(stream)):
        assert read([stream[:cut], b"", stream[cut:]]) == expected, cut


@given(
    st.lists(
        st.sampled_from([b"data", b": ", b":", b"a", b"\n", b"\r", b"\r\n", b"event: e", b"\n\n", b"\xef\xbb\xbf"])
    ).map(b"".join),
    st.lists(st.integers(0, 60), max_size=6),
)
@settings(deadline=None, max_examples=500, derandomize=True)
def test_chunking_never_matters(stream, cuts):
    stream += b"\n\n"
    points = [0, *sorted(min(c, len(stream)) for c in cuts), len(stream)]
    chunks = [stream[a:b] for a, b in itertools.pairwise(points)]
    assert read(chunks) == read([stream])


UNFINISHED = {
    "text": b"data: a",
    "line": b"data: a\n",
    "named": b"event: x\ndata: a\n",
    "after one": b"data: a\n\ndata: b",
}


@pytest.mark.parametrize("stream", UNFINISHED.values(), ids=UNFINISHED)
def test_an_unfinished_event_is_a_protocol_error(stream):
    with pytest.raises(UpstreamError) as error:
        read([stream])
    assert error.value.code == "upstream_protocol"


@pytest.mark.parametrize("stream", [b"", b"\n", b": ping\n", b"data: a\n\n: bye"])
def test_an_unfinished_comment_is_no_error(stream):
    assert len(read([stream])) <= 1


@pytest.mark.parametrize(
    "chunks",
    [[b"data: " + b"x" * 200 + b"\n\n"], [b"data: "] + [b"x"] * 200, [b"data: x\n"] * 40, [b":" + b"x" * 200]],
    ids=["at once", "slowly", "many lines", "comment"],
)
def test_an_event_over_the_cap_is_refused(chunks):
    with pytest.raises(UpstreamError) as error:
        read(chunks, max_event_bytes=100)
    assert error.value.code == "upstream_too_large"


def test_many_events_in_one_chunk_are_not_one_large_event():
    assert len(read([b"data: 0123456789\n\n" * 100], max_event_bytes=100)) == 100


def test_one_byte_at_a_time_stays_linear():
    def seconds(n):
        decoder = SseDecoder()
        start = time.perf_counter()
        for _ in range(n):
            decoder.feed(b"\n:"[_ % 2 : _ % 2 + 1])
        return time.perf_counter() - start

    assert min(seconds(80_000) for _ in range(2)) < max(0.01, seconds(10_000)) * 8 * 6


@pytest.mark.parametrize(
    ("data", "event", "expected"),
    [
        (b"{}", "", b"data: {}\n\n"),
        (b"[DONE]", "", b"data: [DONE]\n\n"),
        (b"{}", "response.done", b"event: response.done\ndata: {}\n\n"),
        (b"a\nb\r\nc\rd", "", b"data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (b"", "", b"data: \n\n"),
    ],
)
def test_encodes(data, event, expected):
    assert encode(data, event) == expected


@given(st.binary(max_size=30))
@settings(deadline=None, max_examples=200, derandomize=True)
def test_what_is_encoded_comes_back_as_one_event(data):
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert read([encode(data, "e")]) == [SseEvent(lines, "e")]


@pytest.mark.parametrize("event", ["a\nb", "a\rdata: x"])
def test_an_event_name_cannot_forge_a_field(event):
    with pytest.raises(ValueError, match="one line"):
        encode(b"{}", event)
