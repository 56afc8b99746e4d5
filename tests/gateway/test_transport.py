"""Our transport against a scripted server, on both event loops: answers, failures, deadlines, cancelling."""

from __future__ import annotations

import asyncio

import pytest

from helpers.behaviours import BAD, GOOD
from helpers.loops import on_both_loops
from helpers.transport import LIMITS, POST, fails, fetch, head, served
from helpers.upstream import Reply
from yett.errors import UpstreamError
from yett.upstream.transport import Deadlines, UpstreamRequest


@on_both_loops
async def test_request_goes_out_in_one_piece_and_its_answer_comes_back() -> None:
    async with served(Reply(json={"ok": True}, headers={"X-Request-Id": "r1"})) as (upstream, transport):
        response = await transport.send(POST)
        assert response.status == 200
        assert dict(response.headers)[b"x-request-id"] == b"r1"
        assert await response.read() == b'{"ok": true}'
        assert (
            upstream.raw
            == (
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept-encoding: identity\r\n"
                b"content-type: application/json\r\ncontent-length: 7\r\n\r\n" % upstream.port
            )
            + b'{"a":1}'
        )


@pytest.mark.parametrize("case", GOOD)
@on_both_loops
async def test_good_answers(case: str) -> None:
    reply, status, body = GOOD[case]
    async with served(reply) as (_, transport):
        assert await fetch(transport) == (status, body)
        response = await transport.send(POST)  # and once more, as a stream
        assert b"".join([piece async for piece in response.chunks()]) == body


@on_both_loops
async def test_decoded_answer_does_not_claim_to_be_coded() -> None:
    async with served(Reply(body=b"ok", gzip=True)) as (_, transport):
        response = await transport.send(POST)
        assert not {b"content-encoding", b"content-length"} & {name for name, _ in response.headers}
        assert await response.read() == b"ok"


@on_both_loops
async def test_head_answer_has_no_body_whatever_it_announces() -> None:
    async with served(Reply(raw=[head(b"HTTP/1.1 200 OK", b"content-length: 9")])) as (upstream, transport):
        assert await fetch(transport, UpstreamRequest("HEAD", "/models")) == (200, b"")
        assert b"content-length" not in upstream.calls[0].headers


@pytest.mark.parametrize("case", BAD)
@on_both_loops
async def test_bad_answers(case: str) -> None:
    reply, code = BAD[case]
    slow = code == "upstream_timeout"
    deadlines = Deadlines(connect_s=2, first_byte_s=0.05, idle_s=0.05, total_s=1) if slow else LIMITS
    async with served(reply, deadlines=deadlines, idle_expiry_s=0.02) as (upstream, transport):
        error = await fails(transport)
        assert error.code == code, error
        assert error.status == (504 if slow else 502)
        await upstream.until(lambda: upstream.open == 0)  # a spoiled connection is never kept
        assert len(upstream.calls) == 1  # and nothing is sent twice


@on_both_loops
async def test_stream_gives_what_arrived_then_the_error() -> None:
    async with served(Reply(chunks=[b"one", b"two"], end="reset")) as (_, transport):
        response = await transport.send(POST)
        got = b""
        with pytest.raises(UpstreamError) as caught:
            async for piece in response.chunks():
                got += piece
        assert caught.value.code == "upstream_reset"
        assert got in {b"onetwo", b"one", b""}  # a reset may destroy what was not read yet
        with pytest.raises(UpstreamError):  # and it stays broken
            await response.read()


CAPS = {
    "announced": Reply(body=b"x" * 1001),
    "chunked": Reply(chunks=[b"x" * 500, b"y" * 501]),
    "until close": Reply(raw=[head(b"HTTP/1.1 200 OK"), b"x" * 1001], end="close"),
    "gzip bomb": Reply(body=b"\0" * 5_000_000, gzip=True),
}


@pytest.mark.parametrize("case", CAPS)
@on_both_loops
async def test_decoded_size_is_capped(case: str) -> None:
    async with served(CAPS[case], max_body_bytes=1000, max_stream_bytes=1000) as (_, transport):
        assert (await fails(transport)).code == "upstream_too_large"
        response = await transport.send(POST)
        with pytest.raises(UpstreamError) as caught:
            assert sum([len(piece) async for piece in response.chunks()]) <= 1000
        assert caught.value.code == "upstream_too_large"


@on_both_loops
async def test_total_deadline_ends_a_stream_that_never_falls_silent() -> None:
    gates = [asyncio.Event() for _ in range(100)]
    for i, gate in enumerate(gates):
        asyncio.get_running_loop().call_later(i / 100, gate.set)
    endless = Reply(chunks=[step for gate in gates for step in (gate, b"tick")])
    async with served(endless, deadlines=Deadlines(2, 5, 5, 0.2)) as (upstream, transport):
        with pytest.raises(UpstreamError) as caught:
            response = await transport.send(POST)
            async for piece in response.chunks():
                assert not piece.replace(b"tick", b"")
        assert caught.value.code == "upstream_timeout"
        assert "total" in caught.value.message
        await upstream.until(lambda: upstream.disconnects == 1)


@pytest.mark.parametrize("name", ["first byte", "idle", "total"])
@on_both_loops
async def test_deadlines_hold_on_a_connection_that_is_used_again(name: str) -> None:
    deadlines = {
        "first byte": Deadlines(2, 0.1, 0.1, 5),
        "idle": Deadlines(2, 5, 0.1, 5),
        "total": Deadlines(2, 5, 5, 0.1),
    }[name]
    silent = Reply(chunks=[b"a"] if name == "idle" else [], end="hang")
    replies = iter([Reply(json={}), Reply(json={}), silent])
    async with served(lambda _: next(replies), deadlines=deadlines) as (upstream, transport):
        loop = asyncio.get_running_loop()
        for _ in range(2):
            assert await fetch(transport) == (200, b"{}")
            await asyncio.sleep(0.03)  # the timer of this request still runs when the next one begins
        began_s = loop.time()
        error = await fails(transport)
        assert (error.code, name in error.message) == ("upstream_timeout", True)
        assert 0.09 <= loop.time() - began_s < 1.0
        assert upstream.connections == 1


@on_both_loops
async def test_thinking_after_the_head_is_first_byte_time_not_idle_time() -> None:
    gate = asyncio.Event()
    async with served(Reply(chunks=[gate, b"ok"]), deadlines=Deadlines(2, 5, 0.05, 10)) as (_, transport):
        response = await transport.send(POST)
        asyncio.get_running_loop().call_later(0.1, gate.set)
        assert await response.read() == b"ok"


@on_both_loops
async def test_reading_pauses_when_the_consumer_is_slow_and_its_silence_is_not_the_providers() -> None:
    size = 20 << 20
    reply = Reply(raw=[head(b"HTTP/1.1 200 OK", b"content-length: %d" % size), *[b"x" * 65536] * (size // 65536)])
    async with served(reply, deadlines=Deadlines(2, 5, 0.25, 10)) as (upstream, transport):
        response = await transport.send(POST)
        link = next(iter(upstream._links))
        await upstream.until(lambda: not link.writable.is_set())
        await asyncio.sleep(0.6)  # longer than idle_s
        assert len(link.busy) > 50  # most of it still stands at the provider
        resumed_s = asyncio.get_running_loop().time()
        first = len(await anext(response.chunks()))
        assert response._connection._due()[0] >= resumed_s + 0.25
        assert first + len(await response.read()) == size


@on_both_loops
async def test_cancelled_send_closes_the_connection() -> None:
    async with served(Reply(raw=[], end="hang")) as (upstream, transport):
        task = asyncio.get_running_loop().create_task(transport.send(POST))
        await upstream.until(lambda: len(upstream.calls) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.until(lambda: upstream.disconnects == 1, 1.0)


@on_both_loops
async def test_cancelled_read_closes_the_connection() -> None:
    async with served(Reply(chunks=[b"a"], end="hang")) as (upstream, transport):
        response = await transport.send(POST)
        task = asyncio.get_running_loop().create_task(response.read())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await upstream.until(lambda: upstream.disconnects == 1, 1.0)


@on_both_loops
async def test_closing_an_unfinished_answer_cancels_the_call() -> None:
    async with served(Reply(chunks=[b"a"], end="hang")) as (upstream, transport):
        response = await transport.send(POST)
        await response.aclose()
        await upstream.until(lambda: upstream.disconnects == 1, 1.0)
        with pytest.raises(UpstreamError):
            await response.read()
        await response.aclose()


SMUGGLE: dict[str, UpstreamRequest] = {
    "LF in a value": UpstreamRequest("GET", "/", ((b"a", b"b\nc: d"),)),
    "CRLF in a value": UpstreamRequest("GET", "/", ((b"a", b"b\r\nc: d"),)),
    "CR in a value": UpstreamRequest("GET", "/", ((b"a", b"b\rc"),)),
    "NUL in a value": UpstreamRequest("GET", "/", ((b"a", b"\0"),)),
    "CRLF in a name": UpstreamRequest("GET", "/", ((b"a\r\nb", b"c"),)),
    "LF ends a name": UpstreamRequest("GET", "/", ((b"a\n", b"c"),)),
    "colon in a name": UpstreamRequest("GET", "/", ((b"a:b", b"c"),)),
    "empty name": UpstreamRequest("GET", "/", ((b"", b"c"),)),
    "space in a name": UpstreamRequest("GET", "/", ((b"a ", b"c"),)),
    "own host": UpstreamRequest("GET", "/", ((b"Host", b"evil"),)),
    "own length": UpstreamRequest("POST", "/", ((b"Content-Length", b"0"),), b"x"),
    "own coding": UpstreamRequest("POST", "/", ((b"transfer-encoding", b"chunked"),), b"x"),
    "own connection": UpstreamRequest("GET", "/", ((b"connection", b"x-api-key"),)),
    "CRLF in the target": UpstreamRequest("GET", "/a\r\nb: c"),
    "space in the target": UpstreamRequest("GET", "/a HTTP/1.1"),
    "NUL in the target": UpstreamRequest("GET", "/\0"),
    "fragment": UpstreamRequest("GET", "/a#b"),
    "not ASCII": UpstreamRequest("GET", "/\u00e9"),
    "absolute target": UpstreamRequest("GET", "@evil.example/"),
    "method with CRLF": UpstreamRequest("GET / HTTP/1.1\r\n", "/"),
    "empty method": UpstreamRequest("", "/"),
}


@pytest.mark.parametrize("case", SMUGGLE)
async def test_requests_that_would_smuggle_are_never_sent(case: str) -> None:
    async with served(Reply(json={})) as (upstream, transport):
        error = await fails(transport, SMUGGLE[case])
        assert error.code == "upstream_protocol"
        assert "evil" not in error.message
        assert upstream.connections == 0
