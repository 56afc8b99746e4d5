"""Connections are kept, reused, given up and counted as the pool promises."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from helpers.loops import on_both_loops
from helpers.transport import LIMITS, POST, fails, fetch, head, served
from helpers.upstream import Call, FakeUpstream, Reply
from yett.errors import UpstreamError
from yett.upstream.connection import Connection
from yett.upstream.egress import Address, Resolver
from yett.upstream.transport import Deadlines, HttpTransport, UpstreamRequest

OK = Reply(body=b"ok")


@on_both_loops
async def test_one_connection_serves_requests_in_turn() -> None:
    async with served(OK) as (upstream, transport):
        for _ in range(5):
            assert await fetch(transport) == (200, b"ok")
        assert (upstream.connections, len(upstream.calls)) == (1, 5)


@on_both_loops
async def test_answers_go_to_the_request_they_belong_to_under_load() -> None:
    async with served(lambda call: Reply(body=call.body * 3), max_connections=7) as (upstream, transport):

        async def worker(name: int) -> None:
            for i in range(40):
                body = b"%d-%d " % (name, i)
                assert (await fetch(transport, UpstreamRequest("POST", "/x", (), body)))[1] == body * 3

        await asyncio.gather(*(worker(name) for name in range(25)))
        assert upstream.connections == 7
        assert len(upstream.calls) == 1000


@on_both_loops
async def test_answer_can_be_read_after_its_connection_serves_others() -> None:
    async with served(lambda call: Reply(body=call.body)) as (upstream, transport):
        first = await transport.send(UpstreamRequest("POST", "/", (), b"first"))
        second = await transport.send(UpstreamRequest("POST", "/", (), b"second"))
        assert upstream.connections == 1
        assert [await second.read(), await first.read()] == [b"second", b"first"]
        await first.aclose()
        assert await fetch(transport, UpstreamRequest("POST", "/", (), b"third")) == (200, b"third")
        assert upstream.connections == 1  # closing an answer that was whole touches nobody else's connection


NOT_REUSED = {
    "connection: close": Reply(body=b"ok", headers={"connection": "close"}),
    "HTTP/1.0": Reply(raw=[head(b"HTTP/1.0 200 OK", b"content-length: 2") + b"ok"]),
    "extra bytes": Reply(raw=[head(b"HTTP/1.1 200 OK", b"content-length: 2") + b"okEXTRA"]),
    "a second answer": Reply(raw=[(head(b"HTTP/1.1 200 OK", b"content-length: 2") + b"ok") * 2]),
    "an answer after the body is gone": Reply(raw=[head(b"HTTP/1.1 204 No Content", b"content-length: 2") + b"ok"]),
}


@pytest.mark.parametrize("case", NOT_REUSED)
@on_both_loops
async def test_connection_is_not_reused_after(case: str) -> None:
    async with served(NOT_REUSED[case]) as (upstream, transport):
        for _ in range(2):
            assert (await fetch(transport))[1] in {b"ok", b""}
        assert upstream.connections == 2


@on_both_loops
async def test_unasked_bytes_on_an_idle_connection_close_it_and_never_become_an_answer() -> None:
    async with served(OK) as (upstream, transport):
        await fetch(transport)
        next(iter(upstream._links)).transport.write(head(b"HTTP/1.1 200 OK", b"content-length: 4") + b"evil")
        assert await fetch(transport) == (200, b"ok")
        await upstream.until(lambda: upstream.open == 1)
        assert upstream.connections == 2


@on_both_loops
async def test_unasked_bytes_that_the_loop_has_read_close_an_idle_connection() -> None:
    async with served(OK, idle_expiry_s=60.0) as (upstream, transport):
        await fetch(transport)
        next(iter(upstream._links)).transport.write(b"\r\n")
        await upstream.until(lambda: upstream.open == 0)
        assert transport._pool._idle == []


@on_both_loops
async def test_connection_closed_while_idle_is_replaced_before_anything_is_sent() -> None:
    async with served(OK) as (upstream, transport):
        await fetch(transport)
        upstream.drop_connections()
        await upstream.until(lambda: upstream.open == 0)
        assert await fetch(transport) == (200, b"ok")
        assert (upstream.connections, len(upstream.calls)) == (2, 2)


@on_both_loops
async def test_close_that_the_loop_has_not_seen_is_seen_in_the_socket() -> None:
    async with served(OK) as (upstream, transport):
        await fetch(transport)
        fd = next(iter(upstream._links)).transport.get_extra_info("socket").fileno()
        with socket.socket(fileno=os.dup(fd)) as theirs:
            theirs.shutdown(socket.SHUT_WR)
        # no turn of the loop between the close and the next request
        assert await fetch(transport) == (200, b"ok")
        assert len(upstream.calls) == 2


@on_both_loops
async def test_request_that_may_have_been_sent_is_never_sent_again() -> None:
    replies = iter([OK, Reply(raw=[], end="reset"), OK])
    async with served(lambda _: next(replies)) as (upstream, transport):
        await fetch(transport)
        assert (await fails(transport)).code == "upstream_reset"  # on the reused connection
        assert len(upstream.calls) == 2
        assert await fetch(transport) == (200, b"ok")


@on_both_loops
async def test_idle_connections_expire() -> None:
    async with served(OK, idle_expiry_s=0.02) as (upstream, transport):
        await fetch(transport)
        await upstream.until(lambda: upstream.open == 0)
        assert await fetch(transport) == (200, b"ok")
        assert upstream.connections == 2


class Impatient(asyncio.Protocol):
    """Refuses at the first bytes of a request and reads no further."""

    def __init__(self, links: list[asyncio.Transport]) -> None:
        self.links = links

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.links.append(self.transport)

    def data_received(self, data: bytes) -> None:
        self.transport.pause_reading()
        self.transport.write(head(b"HTTP/1.1 413 Too Large", b"content-length: 0"))


@on_both_loops
async def test_answer_before_the_whole_request_was_written_ends_the_connection() -> None:
    links: list[asyncio.Transport] = []
    server = await asyncio.get_running_loop().create_server(lambda: Impatient(links), "127.0.0.1", 0)
    transport = HttpTransport(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", deadlines=LIMITS)
    for _ in range(2):
        assert await fetch(transport, UpstreamRequest("POST", "/", (), b"x" * (16 << 20))) == (413, b"")
        assert transport._pool._idle == []  # the rest of the body would be read as the next request
    await transport.aclose()
    assert len(links) == 2
    for link in links:
        link.abort()
    server.close()
    await server.wait_closed()


@on_both_loops
async def test_requests_wait_for_a_free_connection_and_say_so_when_there_is_none() -> None:
    gate = asyncio.Event()
    deadlines = Deadlines(connect_s=0.25, first_byte_s=5, idle_s=5, total_s=5)
    async with served(Reply(chunks=[gate, b"ok"]), deadlines=deadlines, max_connections=1) as (upstream, transport):
        held = await transport.send(POST)
        error = await fails(transport)
        assert error.code == "upstream_connect"
        assert "busy" in error.message
        loop = asyncio.get_running_loop()
        waiting, given_up = loop.create_task(fetch(transport)), loop.create_task(fetch(transport))
        await asyncio.sleep(0)
        given_up.cancel()
        gate.set()
        assert await held.read() == b"ok"
        assert await waiting == (200, b"ok")
        assert upstream.connections == 1
        await asyncio.wait([given_up])
        assert given_up.cancelled()


@pytest.mark.parametrize("what", ["slot", "connection"])
async def test_what_is_handed_to_a_task_that_just_gave_up_is_given_on(what: str) -> None:
    async with served(OK, max_connections=1) as (_, transport):
        await fetch(transport)
        pool = transport._pool
        connection = pool.take(asyncio.get_running_loop().time())
        assert connection is not None
        waiting = asyncio.get_running_loop().create_task(pool._slot())
        await asyncio.sleep(0)
        if what == "slot":
            pool._lost(connection)  # frees the slot, which goes to the waiting task
        else:
            pool._became_idle(connection)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        assert (pool._slots, len(pool._idle)) == ((0, 0) if what == "slot" else (1, 1))
        connection.abort()


@on_both_loops
async def test_slot_of_a_connection_that_is_closed_at_once_is_free_again() -> None:
    class Slam(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.close()

    server = await asyncio.get_running_loop().create_server(Slam, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = HttpTransport(f"http://127.0.0.1:{port}", deadlines=LIMITS, max_connections=1)
    for _ in range(20):
        error = await fails(transport)
        assert error.code in {"upstream_reset", "upstream_connect"}
        assert "busy" not in error.message
    await transport.aclose()
    server.close()
    await server.wait_closed()


@on_both_loops
async def test_slot_of_a_connection_lost_before_it_was_registered_is_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served(OK) as (upstream, transport):
        await fetch(transport)
        pool = transport._pool
        (lost,) = pool._idle
        upstream.drop_connections()
        await upstream.until(lambda: upstream.open == 0)
        while not lost.lost:
            await asyncio.sleep(0)

        async def connect(_: object) -> Connection:
            return lost

        monkeypatch.setattr(pool, "_connect_to_any", connect)
        assert (await fails(transport)).code == "upstream_connect"
        assert (pool._slots, pool._open) == (0, set())


@on_both_loops
async def test_slot_of_a_failed_connection_is_free_again() -> None:
    async with served(Reply(raw=[], end="close"), max_connections=1) as (_, transport):
        for _ in range(3):
            assert (await fails(transport)).code == "upstream_reset"


@on_both_loops
async def test_slot_of_a_refused_connection_is_free_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening
        transport = HttpTransport(f"http://127.0.0.1:{taken.getsockname()[1]}", deadlines=LIMITS, max_connections=1)
        for _ in range(3):
            assert (await fails(transport)).code == "upstream_connect"
        await transport.aclose()


@on_both_loops
async def test_connect_deadline() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        transport = HttpTransport(
            f"http://127.0.0.1:{full.getsockname()[1]}", deadlines=Deadlines(connect_s=0.1), max_connections=1
        )
        for _ in range(2):
            error = await fails(transport)
            assert (error.code, error.status) == ("upstream_timeout", 504)
        await transport.aclose()
        for filler in fillers:
            filler.close()


class Everywhere(Resolver):
    """Says that every name lives at these addresses."""

    def __init__(self, *addresses: Address) -> None:
        super().__init__()
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        self.asked.append(host)
        return self.addresses


@on_both_loops
async def test_name_is_pinned_to_its_address_and_stands_in_the_host_header() -> None:
    async with FakeUpstream(lambda _: OK) as upstream:
        dead = Address("127.0.0.1", 1, socket.AF_INET)
        resolver = Everywhere(dead, Address("127.0.0.1", upstream.port, socket.AF_INET))
        transport = HttpTransport("http://provider.example:81/v1", deadlines=LIMITS, resolver=resolver)
        assert await fetch(transport) == (200, b"ok")  # the dead address was passed over
        assert await fetch(transport) == (200, b"ok")
        assert resolver.asked == ["provider.example"]  # once per connection, not per request
        assert upstream.calls[0].headers[b"host"] == b"provider.example:81"
        await transport.aclose()


@on_both_loops
async def test_closing_lets_running_answers_end_and_refuses_new_ones() -> None:
    gate = asyncio.Event()
    async with served(Reply(chunks=[b"a", gate, b"b"]), drain_s=5.0) as (upstream, transport):
        response = await transport.send(POST)
        closing = asyncio.get_running_loop().create_task(transport.aclose())
        await asyncio.sleep(0)
        assert (await fails(transport)).code == "upstream_connect"
        gate.set()
        assert await response.read() == b"ab"
        await closing
        await upstream.until(lambda: upstream.open == 0)


@on_both_loops
async def test_connection_that_stands_only_after_closing_began_is_not_used() -> None:
    gate = asyncio.Event()
    async with FakeUpstream(lambda _: OK) as upstream:

        class Slow(Resolver):
            async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
                await gate.wait()
                return (Address("127.0.0.1", upstream.port, socket.AF_INET),)

        transport = HttpTransport("http://provider.example", deadlines=LIMITS, resolver=Slow())
        loop = asyncio.get_running_loop()
        sending = loop.create_task(fails(transport))
        await asyncio.sleep(0)
        closing = loop.create_task(transport.aclose())
        await asyncio.sleep(0)
        gate.set()
        assert (await sending).code == "upstream_connect"
        await closing
        assert upstream.calls == []


@on_both_loops
async def test_closing_aborts_what_does_not_end_in_time() -> None:
    async with served(Reply(chunks=[b"a"], end="hang"), drain_s=0.02) as (upstream, transport):
        response = await transport.send(POST)
        await transport.aclose()
        with pytest.raises(UpstreamError) as caught:
            await response.read()
        assert caught.value.code == "upstream_reset"
        await upstream.until(lambda: upstream.disconnects == 1)


@on_both_loops
async def test_closing_wakes_those_who_wait_for_a_connection() -> None:
    async with served(Reply(chunks=[b"a"], end="hang"), max_connections=1, drain_s=0.02) as (_, transport):
        response = await transport.send(POST)
        waiting = asyncio.get_running_loop().create_task(fails(transport))
        await asyncio.sleep(0)
        await transport.aclose()
        assert (await waiting).code == "upstream_connect"
        await response.aclose()


async def test_two_transports_share_nothing() -> None:
    def echo(call: Call) -> Reply:
        return Reply(body=call.headers[b"authorization"])

    async with served(echo) as (one, first), served(echo) as (two, second):
        assert await fetch(first, UpstreamRequest("GET", "/", ((b"authorization", b"1"),))) == (200, b"1")
        assert await fetch(second, UpstreamRequest("GET", "/", ((b"authorization", b"2"),))) == (200, b"2")
        assert (one.connections, two.connections) == (1, 1)
