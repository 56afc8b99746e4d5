"""The sans-IO reader and the head encoder: every cut of an answer reads the same, every prefix of it is no answer."""

from __future__ import annotations

import gzip

import pytest

from yett.errors import UpstreamError
from yett.upstream.http1 import PIECE_BYTES, Inflater, ResponseReader, encode_head

ANSWERS = {
    "length": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-A: \tb \r\n\r\nhello",
    "chunked": b"HTTP/1.1 404 No\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\nx: y\r\n\r\n",
    "interim first": b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "no content": b"HTTP/1.1 204 No\r\nx: y\r\n\r\n",
}


def read(*feeds: bytes) -> ResponseReader:
    reader = ResponseReader()
    reader.start("POST")
    for data in feeds:
        reader.feed(data)
    return reader


def seen(reader: ResponseReader) -> tuple[object, ...]:
    return reader.status, reader.headers, b"".join(reader.pieces), reader.done, reader.reusable


@pytest.mark.parametrize("case", ANSWERS)
def test_every_cut_reads_the_same(case: str) -> None:
    data = ANSWERS[case]
    whole = seen(read(data))
    assert whole[3:] == (True, True)
    assert whole[2] in {b"hello", b""}
    for cut in range(1, len(data)):
        assert seen(read(data[:cut], data[cut:])) == whole
    assert seen(read(*[data[i : i + 1] for i in range(len(data))])) == whole


@pytest.mark.parametrize("case", ANSWERS)
def test_no_prefix_is_an_answer(case: str) -> None:
    data = ANSWERS[case]
    for cut in range(len(data)):
        reader = read(data[:cut]) if cut else read()
        assert not reader.done
        with pytest.raises(UpstreamError) as caught:
            reader.feed_eof()
        assert caught.value.code == "upstream_reset"


def test_header_names_are_lower_case_values_trimmed_and_trailers_dropped() -> None:
    assert read(ANSWERS["length"]).headers == ((b"content-length", b"5"), (b"x-a", b"b"))
    assert read(ANSWERS["chunked"]).headers == ((b"transfer-encoding", b"Chunked"),)


def test_reader_carries_one_answer_after_the_other() -> None:
    reader = read(ANSWERS["chunked"])
    first = reader.pieces
    reader.start("POST")
    reader.feed(ANSWERS["length"])
    assert (reader.status, b"".join(reader.pieces), b"".join(first)) == (200, b"hello", b"hello")


def test_eof_ends_an_answer_without_length_and_its_connection() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert not reader.done
    reader.feed_eof()
    assert seen(reader)[2:] == (b"hello", True, False)


def test_endless_chunk_extension_is_bounded() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;")
    with pytest.raises(UpstreamError, match="65536 bytes"):
        for _ in range(100):
            reader.feed(b"x" * 1000)


def test_long_streams_of_small_chunks_are_not_taken_for_a_long_head() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(50_000):
        reader.feed(b"1\r\nx\r\n")
    reader.feed(b"0\r\n\r\n")
    assert (reader.done, len(b"".join(reader.pieces))) == (True, 50_000)


def test_inflater_gives_out_bounded_steps_and_stops_at_the_cap() -> None:
    inflater = Inflater(1 << 20)
    inflater.feed(gzip.compress(b"\0" * (2 << 20)))
    sizes = []
    with pytest.raises(UpstreamError) as caught:
        while piece := inflater.step():
            sizes.append(len(piece))
    assert caught.value.code == "upstream_too_large"
    assert max(sizes) <= PIECE_BYTES
    assert sum(sizes) == 1 << 20


@pytest.mark.parametrize("keep", range(1, 30))
def test_every_truncation_of_gzip_is_an_error(keep: int) -> None:
    data = gzip.compress(b"hello world")
    inflater = Inflater(1000)
    inflater.feed(data[:keep])
    while inflater.step():
        pass
    with pytest.raises(UpstreamError):
        inflater.finish()


def test_garbage_after_a_gzip_member_is_an_error() -> None:
    inflater = Inflater(1000)
    inflater.feed(gzip.compress(b"hello") + b"garbage")
    assert inflater.step() == b"hello"
    with pytest.raises(UpstreamError) as caught:
        inflater.step()
    assert caught.value.code == "upstream_protocol"


def test_head_has_a_length_where_a_body_is_expected() -> None:
    assert encode_head("POST", "/v1", "/x?a=b", ((b"A", b"b"),), b"host: h\r\n", 0) == (
        b"POST /v1/x?a=b HTTP/1.1\r\nhost: h\r\nA: b\r\ncontent-length: 0\r\n\r\n"
    )
    assert encode_head("GET", "", "/", (), b"host: h\r\n", 0) == b"GET / HTTP/1.1\r\nhost: h\r\n\r\n"
