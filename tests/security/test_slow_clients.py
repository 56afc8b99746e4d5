"""Clients that send slowly, or read slowly, hold nothing for longer than the deadlines; others are served meanwhile."""

import asyncio
import contextlib
import json
import socket
import time
from urllib.parse import urlsplit

import pytest

from helpers.gateway import get, running_gateway
from helpers.gateway_calls import CHAT, RESPONSES, Client, ask, records, request, until
from helpers.openai_replies import chat_chunk, response_text_events
from helpers.upstream import Reply, ThreadedUpstream, sse

SLOW = 50  # connections of each kind, all at once
HEADER_S, RECEIVE_S, IDLE_S = 0.6, 0.6, 0.5
SLACK_S = 1.5
BODY = json.dumps(request("hello")).encode()
PIECE = "word " * 1000
PIECES = 4000  # about 20 MB: more than any socket buffer on the way


@pytest.fixture(scope="module")
def upstream():
    with ThreadedUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def gate(upstream, tmp_path_factory):
    provider = {"kind": "openai", "base_url": upstream.base_url, "api_key": "unused"}
    extra = {"timeouts": {"header_s": HEADER_S, "receive_s": RECEIVE_S, "idle_s": IDLE_S}}
    with running_gateway(tmp_path_factory.mktemp("slow"), {"up": provider}, extra=extra) as running:
        yield running


def address(gate):
    parts = urlsplit(gate.base_url)
    return parts.hostname, parts.port


def head(gate, length):
    lines = [
        f"POST {CHAT} HTTP/1.1",
        "host: gateway",
        f"authorization: Bearer {gate.key}",
        "content-type: application/json",
        f"content-length: {length}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


# What a slow client sends: at once, then byte by byte for as long as the connection lives.
SENDS = {
    "connects only": (lambda gate: (b"", b""), b""),
    "begins its head": (lambda gate: (head(gate, 10)[:20], b""), b"408"),
    "drips its head": (lambda gate: (b"POST / HTTP/1.1\r\nx-pad: ", b"a" * 1000), b"408"),
    "drips headers": (lambda gate: (b"POST / HTTP/1.1\r\n", b"a: b\r\n" * 300), b"408"),
    "sends a head only": (lambda gate: (head(gate, len(BODY)), b""), b"408"),
    "drips its body": (lambda gate: (head(gate, 100_000), b" " * 1000), b"408"),
    "drips chunks": (
        lambda gate: (head(gate, 0).replace(b"content-length: 0", b"transfer-encoding: chunked"), b"1\r\n \r\n" * 300),
        b"408",
    ),
}

ALSO = {"begins its head", "drips headers", "sends a head only"}  # much like another: proofs


async def slow_call(gate, first, rest):
    """(what came back, seconds until the gateway closed the connection)."""
    reader, writer = await asyncio.open_connection(*address(gate))
    started = time.monotonic()

    async def drip():
        for byte in rest:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    writer.write(first)
    dripping = asyncio.ensure_future(drip())
    try:
        async with asyncio.timeout(10):
            answer = await reader.read()
    except ConnectionResetError:
        answer = b""
    took_s = time.monotonic() - started
    dripping.cancel()
    writer.close()
    await asyncio.gather(dripping, writer.wait_closed(), return_exceptions=True)
    return answer, took_s


async def normal_calls(gate, count):
    """Seconds of each of `count` ordinary calls, one after the other, each on a new connection."""
    took = []
    for number in range(count):
        answer = await asyncio.to_thread(ask, gate, f"hello {number}")
        assert answer.status == 200
        took.append(answer.took_s)
        await asyncio.sleep(0.02)
    return took


@pytest.mark.parametrize("kind", [pytest.param(k, marks=pytest.mark.proof) if k in ALSO else k for k in SENDS])
async def test_fifty_clients_that_send_slowly_are_closed_at_the_deadline(gate, kind):
    make, status = SENDS[kind]
    first, rest = make(gate)
    slow, took = await asyncio.gather(
        asyncio.gather(*(slow_call(gate, first, rest) for _ in range(SLOW))), normal_calls(gate, 30)
    )
    assert [s for _, s in slow if not HEADER_S * 0.9 <= s <= HEADER_S + SLACK_S] == []
    assert {answer[9:12] for answer, _ in slow} == {status}
    assert max(took) < 1.0
    until(lambda: len(records(gate.audit_dir, "decided")) == len(records(gate.audit_dir, "completed")))


def long_stream(path):
    """A stream that is far longer than what fits into the buffers on the way."""
    if path == CHAT:
        return Reply(events=[sse(chat_chunk({"content": PIECE}))] * PIECES, end="hang")
    events = response_text_events([PIECE])
    delta = next(event for event in events if event["type"] == "response.output_text.delta")
    at = events.index(delta)
    return Reply(events=[*events[:at], *[sse(delta)] * PIECES], end="hang")


def stuck_client(gate, upstream, path):
    """A client that asked for a long stream and read a little of it; its flow."""
    upstream.reply = lambda call: long_stream(path)
    calls = len(upstream.calls)
    client = Client(gate, timeout_s=5)
    client.connection.connect()
    client.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.send(path, request("hello", path, stream=True))
    client.connection.sock.recv(1000)
    upstream.wait_until(lambda: len(upstream.calls) > calls)
    return client, upstream.calls[-1].headers[b"x-request-id"].decode()


@pytest.mark.parametrize("path", [pytest.param(CHAT, id="chat"), pytest.param(RESPONSES, id="responses")])
def test_the_provider_call_of_a_client_that_does_not_read_is_cancelled(gate, upstream, path):
    gone = upstream.disconnects
    client, flow = stuck_client(gate, upstream, path)
    with contextlib.closing(client):
        upstream.wait_until(lambda: upstream.disconnects > gone, timeout_s=IDLE_S + 3)
        found = until(lambda: [row for row in records(gate.audit_dir, "completed") if row["flow"] == flow])
        assert [(row["outcome"], row["code"]) for row in found] == [("error", "client_too_slow")]


def test_a_client_that_does_not_read_holds_no_place_and_no_connection(gate, upstream):
    gone = upstream.disconnects
    client, _ = stuck_client(gate, upstream, CHAT)
    with contextlib.closing(client):
        upstream.wait_until(lambda: upstream.disconnects > gone, timeout_s=IDLE_S + 3)
        until(lambda: json.loads(get(f"{gate.admin_url}/readyz")[1])["flows_in_flight"] == 0, 1.5)
        assert b"[DONE]" not in read_rest(client.connection.sock)


def read_rest(sock):
    """What still comes; the gateway must close the connection by itself."""
    received = b""
    try:
        while piece := sock.recv(1 << 20):
            received += piece
    except ConnectionResetError:
        return received
    return received
