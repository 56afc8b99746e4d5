"""How an answer leaves: whole ones in one write, streams head first, and nothing that HTTP would read otherwise."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from yett.server.cycle import ONE_WRITE_BYTES, Cycle

DATE = (b"date", b"today")


class Wire:
    """A transport that keeps what is written, write by write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def cycle_on(wire: Wire, *, method: str = "GET", keep_alive: bool = True) -> Cycle:
    protocol: Any = SimpleNamespace(
        transport=wire,
        logger=logging.getLogger("test"),
        server_state=SimpleNamespace(default_headers=[DATE]),
        expect_100_continue=False,
    )
    flow = FlowControl(wire)  # type: ignore[arg-type]  # all that it needs
    scope: Any = {"type": "http", "method": method, "path": "/"}
    return Cycle(protocol, scope, flow, keep_alive=keep_alive, on_response=lambda: None)


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Any:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: bytes, *, more: bool = False) -> Any:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_a_whole_answer_is_one_write() -> None:
    wire = Wire()
    cycle = cycle_on(wire)
    await cycle.send(start((b"content-length", b"2")))
    assert wire.writes == []
    await cycle.send(body(b"ok"))
    assert wire.writes == [b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 2\r\n\r\nok"]
    assert (cycle.response_complete, wire.closed) == (True, False)


async def test_a_large_body_is_not_copied_behind_its_head() -> None:
    wire = Wire()
    cycle = cycle_on(wire)
    data = b"a" * (ONE_WRITE_BYTES + 1)
    await cycle.send(start((b"content-length", b"%d" % len(data))))
    await cycle.send(body(data))
    assert [len(piece) for piece in wire.writes][1:] == [len(data)]


async def test_the_head_of_a_stream_does_not_wait() -> None:
    wire = Wire()
    cycle = cycle_on(wire)
    await cycle.send(start())
    assert wire.writes == [b"HTTP/1.1 200 OK\r\ndate: today\r\ntransfer-encoding: chunked\r\n\r\n"]
    for message in (body(b"hello", more=True), body(b"", more=True), body(b"")):
        await cycle.send(message)
    assert wire.writes[1:] == [b"5\r\nhello\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize(
    ("method", "status", "headers", "tail"),
    [
        pytest.param("HEAD", 200, [(b"content-length", b"2")], b"content-length: 2\r\n\r\n", id="HEAD with a length"),
        pytest.param("HEAD", 200, [], b"today\r\n\r\n", id="HEAD without"),
        pytest.param("OPTIONS", 204, [], b"today\r\n\r\n", id="no content"),
    ],
)
async def test_an_answer_without_a_body_is_its_head(
    method: str, status: int, headers: list[tuple[bytes, bytes]], tail: bytes
) -> None:
    wire = Wire()
    cycle = cycle_on(wire, method=method)
    await cycle.send(start(*headers, status=status))
    await cycle.send(body(b"ok" if method == "HEAD" else b""))
    assert b"".join(wire.writes).endswith(tail)
    assert cycle.response_complete


@pytest.mark.parametrize("asks", ["client", "app"])
async def test_the_last_answer_of_a_connection_says_so_and_closes_it(asks: str) -> None:
    wire = Wire()
    cycle = cycle_on(wire, keep_alive=asks != "client")
    own = [(b"connection", b"close")] if asks == "app" else []
    await cycle.send(start((b"content-length", b"0"), *own))
    await cycle.send(body(b""))
    assert b"".join(wire.writes).count(b"connection: close\r\n") == 1
    assert wire.closed


WRONG = {
    "line break in a value": [start((b"x", b"a\r\nset-cookie: b"))],
    "line break in a name": [start((b"x: a\ny", b"b"))],
    "NUL in a value": [start((b"x", b"a\0b"))],
    "body before the head": [body(b"a")],
    "two heads": [start((b"content-length", b"1")), start()],
    "longer than it says": [start((b"content-length", b"1")), body(b"ab")],
    "shorter than it says": [start((b"content-length", b"3")), body(b"ab")],
    "more after the end": [start((b"content-length", b"1")), body(b"a"), body(b"b")],
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_is_no_answer_raises_and_does_not_leave(name: str) -> None:
    wire = Wire()
    cycle = cycle_on(wire)
    *before, wrong = WRONG[name]
    for message in before:
        await cycle.send(message)
    written = list(wire.writes)
    with pytest.raises(RuntimeError):
        await cycle.send(wrong)
    assert wire.writes == written


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    wire = Wire()
    cycle = cycle_on(wire)
    cycle.flow.pause_writing()
    sending = asyncio.ensure_future(cycle.send(start()))
    await asyncio.sleep(0)
    assert wire.writes == []
    cycle.flow.resume_writing()
    await sending
    assert len(wire.writes) == 1


async def test_nothing_is_written_to_a_client_that_left() -> None:
    wire = Wire()
    cycle = cycle_on(wire)
    cycle.disconnected = True
    await cycle.send(start((b"content-length", b"0")))
    await cycle.send(body(b""))
    assert wire.writes == []


def test_a_request_has_arrived_when_no_more_body_is_to_come() -> None:
    cycle = cycle_on(Wire())
    assert not cycle.arrived()
    cycle.more_body = False
    assert cycle.arrived()
