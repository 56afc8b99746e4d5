"""The data port's HTTP protocol against raw sockets: framing, limits, deadlines, connection reuse. Runs on uvloop."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from yett.server.protocol import hardened_protocol

HEADER_BYTES = 65536
DEADLINE_S = 0.3
IDLE_S = 0.2
OK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass
class App:
    """Answers with what it received; keeps what it saw. `/hold` waits until it is told to go on."""

    seen: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    gone: threading.Event = field(default_factory=threading.Event)
    refusals: list[str] = field(default_factory=list)
    holding: threading.Event = field(default_factory=threading.Event)

    async def __call__(
        self, scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[dict[str, Any]], Any]
    ) -> None:
        self.seen.append(scope)
        scope["yett.on_disconnect"] = self.gone.set
        body = b"" if scope["path"] == "/early" else await self._body(receive)
        if body is None:
            return
        self.bodies.append(body)
        if scope["path"] == "/hold":
            self.holding.set()
            if (await receive())["type"] == "http.disconnect":
                return
        answer = json.dumps({"path": scope["path"], "body": len(body), "headers": len(scope["headers"])}).encode()
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(answer)).encode())]}
        )
        await send({"type": "http.response.body", "body": answer})

    async def _body(self, receive: Callable[[], Any]) -> bytes | None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message["body"]
            if not message["more_body"]:
                return body


@dataclass
class Port:
    app: App
    number: int

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.number), timeout=5)

    def ask(self, data: bytes) -> bytes:
        """Send `data`, return everything up to the end of the connection."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    received = b""
    while piece := sock.recv(65536):
        received += piece
    return received


def read_answer(sock: socket.socket) -> bytes:
    """One answer with a content-length, and nothing after it."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65536)
    assert len(body) == length
    return head + b"\r\n\r\n" + body


def refusal(answer: bytes) -> tuple[int, str]:
    """Status and code of the one error answer in `answer`, which must be OpenAI's envelope and the last of its kind."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in head
    assert b"x-should-retry: false" in head
    error = json.loads(body)["error"]
    assert set(error) >= {"message", "type", "code", "param"}
    return int(head.split(b" ", 2)[1]), error["code"]


@pytest.fixture(scope="module")
def server() -> Iterator[Port]:
    app = App()
    protocol = hardened_protocol(HEADER_BYTES, DEADLINE_S, on_refusal=app.refusals.append)
    config = uvicorn.Config(
        app, port=0, http=protocol, ws="none", lifespan="off", loop="uvloop", log_config=None, timeout_keep_alive=IDLE_S
    )  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        number = listener.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield Port(app, number)
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def port(server: Port) -> Port:
    for record in (server.app.seen, server.app.bodies, server.app.refusals):
        record.clear()
    server.app.gone.clear()
    server.app.holding.clear()
    return server


# (request, status, code): none of these may reach the app.
REFUSED = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "malformed_http"),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed_http"),
    "two hosts, same": (b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400, "malformed_http"),
    "two hosts, 1.0": (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed_http"),
    "empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "malformed_http"),
    "host with path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "malformed_http"),
    "host with user": (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "malformed_http"),
    "host list": (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "malformed_http"),
    "length and chunked": (
        POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "malformed_http",
    ),
    "chunked and length": (
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        400,
        "malformed_http",
    ),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, "malformed_http"),
    "length list": (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400, "malformed_http"),
    "length with plus": (POST + b"Content-Length: +3\r\n\r\nabc", 400, "malformed_http"),
    "length negative": (POST + b"Content-Length: -3\r\n\r\nabc", 400, "malformed_http"),
    "length in hex": (POST + b"Content-Length: 0x3\r\n\r\nabc", 400, "malformed_http"),
    "length overflow": (POST + b"Content-Length: 99999999999999999999\r\n\r\nabc", 400, "malformed_http"),
    "length empty": (POST + b"Content-Length:\r\n\r\nabc", 400, "malformed_http"),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "malformed_http"),
    "chunked twice": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "malformed_http",
    ),
    "chunked, chunked": (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, "malformed_http"),
    "xchunked": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, "malformed_http"),
    "identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400, "malformed_http"),
    "CHUNKED": (POST + b"Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", 400, "malformed_http"),
    "chunked with a tail": (POST + b"Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 400, "malformed_http"),
    "vertical tab before chunked": (POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n", 400, "malformed_http"),
    "chunked in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "malformed_http"),
    "space before colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "malformed_http"),
    "empty name": (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, "malformed_http"),
    "bracket in name": (b"GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n", 400, "malformed_http"),
    "non-ASCII name": (b"GET / HTTP/1.1\r\nHost: a\r\nX\xc3\xa9: b\r\n\r\n", 400, "malformed_http"),
    "no colon": (b"GET / HTTP/1.1\r\nHost: a\r\nfoo\r\n\r\n", 400, "malformed_http"),
    "folded line": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400, "malformed_http"),
    "folded, empty": (POST + b"Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n", 400, "malformed_http"),
    "space after request line": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "malformed_http"),
    "NUL": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\x00c\r\n\r\n", 400, "malformed_http"),
    "bare CR": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400, "malformed_http"),
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400, "malformed_http"),
    "LF in a value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n", 400, "malformed_http"),
    "absolute form": (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request_target_refused"),
    "authority form": (b"GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed_http"),
    "asterisk form": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request_target_refused"),
    "two slashes": (b"GET //b/x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request_target_refused"),
    "fragment": (b"GET /x#y HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request_target_refused"),
    "non-ASCII target": (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed_http"),
    "space in target": (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed_http"),
    "HTTP/0.9": (b"GET /\r\n\r\n", 505, "http_version_refused"),
    "HTTP/1.2": (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400, "malformed_http"),
    "HTTP/2.0": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "http_version_refused"),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed_http"),
    "lower-case version": (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400, "malformed_http"),
    "CONNECT": (b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method_refused"),
    "TRACE": (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "method_refused"),
    "unknown method": (b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "malformed_http"),
    "RTSP": (b"DESCRIBE / RTSP/1.0\r\nHost: a\r\n\r\n", 400, "method_refused"),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "malformed_http"),
    "WebSocket": (
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
        400,
        "websocket_unsupported",
    ),
    "upgrade with a body": (
        POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
        400,
        "upgrade_unsupported",
    ),
    "70 kB in one header": (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        431,
        "headers_too_large",
    ),
    "70 kB, never ending": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000, 431, "headers_too_large"),
    "1,000 headers": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 1000 + b"\r\n", 431, "headers_too_large"),
    "1,000 headers, never ending": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 1000, 431, "headers_too_large"),
    "9 kB target": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "url_too_long"),
    "9 kB target, never ending": (b"GET /" + b"a" * 9000, 414, "url_too_long"),
    "line ends without a request": (b"\r\n" * 40_000, 431, "headers_too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_clean_http_never_reaches_the_app(port: Port, name: str) -> None:
    request, status, code = REFUSED[name]
    assert refusal(port.ask(request)) == (status, code)
    assert port.app.seen == []
    assert port.app.refusals == [code]


@pytest.mark.parametrize("name", ["two hosts", "length and chunked", "70 kB in one header", "CONNECT"])
def test_byte_by_byte_the_answer_is_the_same(port: Port, name: str) -> None:
    request, status, code = REFUSED[name]
    with port.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = max(1, len(request) // 100)
        for at in range(0, len(request), step):
            sock.sendall(request[at : at + step])
        assert refusal(read_all(sock)) == (status, code)
    assert port.app.seen == []


BROKEN_BODIES = {
    "size is no number": b"ZZ\r\nabc\r\n",
    "size negative": b"-1\r\nabc\r\n",
    "size with 0x": b"0x3\r\nabc\r\n0\r\n\r\n",
    "size overflow": b"FFFFFFFFFFFFFFFFF\r\nabc\r\n",
    "size ends with LF": b"3\nabc\r\n0\r\n\r\n",
    "extension ends with LF": b"3;a\nabc\r\n0\r\n\r\n",
    "chunk longer than its size": b"3\r\nabcd\r\n0\r\n\r\n",
    "trailer": b"3\r\nabc\r\n0\r\nAuthorization: x\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_a_broken_body_is_refused_and_the_app_hears_that_its_client_left(port: Port, name: str) -> None:
    assert refusal(port.ask(CHUNKED + BROKEN_BODIES[name])) == (400, "malformed_http")
    assert port.app.bodies == []
    assert all(len(scope["headers"]) == 2 for scope in port.app.seen)


GOOD = {
    "no body": (OK, {"path": "/", "body": 0, "headers": 1}),
    "length": (POST + b"Content-Length: 3\r\n\r\nabc", {"path": "/x", "body": 3, "headers": 2}),
    "chunked": (CHUNKED + b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", {"path": "/x", "body": 5, "headers": 2}),
    "leading line ends": (b"\r\n\r\n" + OK, {"path": "/", "body": 0, "headers": 1}),
    "host with port": (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", {"path": "/", "body": 0, "headers": 1}),
    "100 headers": (
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 99 + b"\r\n",
        {"path": "/", "body": 0, "headers": 100},
    ),
    "60 kB of headers": (
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 60_000 + b"\r\n\r\n",
        {"path": "/", "body": 0, "headers": 2},
    ),
    "8 kB target": (b"GET /?" + b"a" * 8000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", {"path": "/", "body": 0, "headers": 1}),
    "1 MB body": (
        POST + b"Content-Length: 1000000\r\n\r\n" + b"a" * 1_000_000,
        {"path": "/x", "body": 1_000_000, "headers": 2},
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_clean_requests_pass_and_keep_the_connection(port: Port, name: str) -> None:
    request, expected = GOOD[name]
    with port.connect() as sock:
        for _ in range(2):
            sock.sendall(request)
            answer = read_answer(sock)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert json.loads(answer.partition(b"\r\n\r\n")[2]) == expected
    assert port.app.refusals == []


def test_http_1_0_without_a_host_is_answered_and_closed(port: Port) -> None:
    answer = port.ask(b"GET /x HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer


def test_an_upgrade_to_http2_is_a_plain_request_and_the_last(port: Port) -> None:
    answer = port.ask(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n" + OK)
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert b"connection: close" in answer
    assert [scope["path"] for scope in port.app.seen] == ["/x"]


def test_pipelined_requests_are_answered_in_order(port: Port) -> None:
    with port.connect() as sock:
        sock.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(10)))
        received = b""
        while received.count(b'"path"') < 10:
            received += sock.recv(65536)
    assert [scope["path"] for scope in port.app.seen] == [f"/{n}" for n in range(10)]


def test_a_hundred_pipelined_requests_are_too_many(port: Port) -> None:
    answer = port.ask(OK * 100)
    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 ") <= 20
    assert port.app.refusals == ["pipeline_too_long"]


def test_garbage_behind_a_request_cannot_break_into_its_answer(port: Port) -> None:
    answer = port.ask(OK + b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + OK)
    assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200 ") == 1
    assert len(port.app.seen) == 1
    assert port.app.refusals == ["malformed_http"]


def test_an_answer_before_the_end_of_the_body_ends_the_connection(port: Port) -> None:
    with port.connect() as sock:
        sock.sendall(b"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_client_that_leaves_is_reported_to_the_call(port: Port) -> None:
    with port.connect() as sock:
        sock.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        assert port.app.holding.wait(5)
    assert port.app.gone.wait(5)


def test_a_complete_answer_is_no_departure(port: Port) -> None:
    port.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    port.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert not port.app.gone.is_set()


# Slow senders. `drip` sends a piece whenever nothing came back for 20 ms, for as long as the connection lives.


def drip(sock: socket.socket, pieces: Iterator[bytes]) -> bytes:
    received = b""
    sock.settimeout(0.02)
    for piece in pieces:
        try:
            if not (got := sock.recv(65536)):
                return received
            received += got
        except TimeoutError:
            sock.sendall(piece)
        except ConnectionResetError:
            return received
    pytest.fail("the connection outlived its deadline")


def repeat(piece: bytes) -> Iterator[bytes]:
    return iter([piece] * 250)  # 5 s of dripping


def test_a_connection_that_says_nothing_is_closed(port: Port) -> None:
    assert port.ask(b"") == b""
    assert port.app.refusals == []


SLOW = {
    "header lines": (b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: y\r\n"),
    "header value": (b"GET / HTTP/1.1\r\nHost: ", b"a"),
    "request line": (b"GET /", b"a"),
    "line ends": (b"\r\n", b"\r\n"),
    "nothing more": (b"GET / HTTP/1.1\r\nHost: a\r\n", b""),
}


@pytest.mark.parametrize("name", SLOW)
def test_progress_does_not_move_the_deadline(port: Port, name: str) -> None:
    begin, more = SLOW[name]
    with port.connect() as sock:
        sock.sendall(begin)
        assert refusal(drip(sock, repeat(more))) == (408, "request_timeout")
    assert port.app.seen == []


@pytest.mark.parametrize("name", SLOW)
def test_the_deadline_holds_for_later_requests_too(port: Port, name: str) -> None:
    begin, more = SLOW[name]
    with port.connect() as sock:
        sock.sendall(OK)
        read_answer(sock)
        sock.sendall(begin)
        assert refusal(drip(sock, repeat(more))) == (408, "request_timeout")
    assert len(port.app.seen) == 1


def test_an_idle_connection_is_closed_without_a_word(port: Port) -> None:
    with port.connect() as sock:
        sock.sendall(OK)
        read_answer(sock)
        assert sock.recv(1) == b""
    assert port.app.refusals == []


def test_the_deadline_is_for_headers_not_for_bodies(port: Port) -> None:
    with port.connect() as sock:
        sock.sendall(POST + b"Content-Length: 40\r\n\r\n")
        received = b""
        sock.settimeout(0.02)
        for _ in range(40):  # 0.8 s in all
            with pytest.raises(TimeoutError):
                sock.recv(1)
            sock.sendall(b"a")
        sock.settimeout(5)
        received = read_answer(sock)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert port.app.bodies == [b"a" * 40]
