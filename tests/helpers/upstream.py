"""A scripted HTTP/1.1 upstream on 127.0.0.1: the ground truth of what left the gateway.

Every request is kept with its raw bytes (`calls`, `raw`); every answer is a `Reply`, made by `upstream.reply`, which is
a callable from `Call` to `Reply` and speaks OpenAI by default (see helpers.openai_replies). `FakeUpstream` lives in the
running loop, `ThreadedUpstream` in a thread of its own for synchronous clients.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, Self

from helpers import openai_replies

Step = bytes | asyncio.Event  # an event in a script: wait for it before the next bytes are written


class Call(NamedTuple):
    """One request as it arrived. `raw` is the whole request, head and framing included."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    """One scripted answer. Exactly one of `json`, `body`, `chunks`, `events` and `raw` gives the content.

    json     any JSON value, sent with content-length
    body     bytes, sent with content-length
    chunks   bytes (or asyncio.Event to wait for), each one chunk of chunked encoding, written and drained by itself
    events   SSE: dicts and lists become `data: <json>`, strings `data: <string>`, bytes are sent verbatim;
             `cut` re-cuts the whole SSE text: an int is the piece size, a list gives piece sizes in turn
    raw      bytes (or events to wait for) written as they are: the script makes head and framing itself
    wait     waited for before the first byte
    end      what happens after: keep | close | reset (RST) | half_close (FIN, keeps reading) | cut (TCP FIN under
             TLS, without close_notify) | hang (never ends). All but keep and half_close leave the last chunk out
    truncate bytes of content left out at the end (the announced length stays)
    length   overrides content-length; "" sends none
    """

    json: Any = None
    body: bytes | None = None
    chunks: Sequence[Step] | None = None
    events: Sequence[Any] | None = None
    raw: Sequence[Step] | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | Sequence[int] | None = None
    wait: asyncio.Event | None = None
    end: str = "keep"
    truncate: int = 0
    length: str | None = None
    gzip: bool = False

    def steps(self) -> list[Step]:
        """Everything that is written, in order; each element by itself."""
        if self.raw is not None:
            return list(self.raw)
        headers = {"content-type": "application/json"} | {k.lower(): v for k, v in self.headers.items()}
        if self.chunks is None and self.events is None:
            content = self.body if self.body is not None else json.dumps(self.json).encode()
            if self.gzip:
                content, headers["content-encoding"] = gzip.compress(content), "gzip"
            headers["content-length"] = str(len(content)) if self.length is None else self.length
            return [self._head(headers) + content[: len(content) - self.truncate]]
        if self.events is not None:
            headers["content-type"] = self.headers.get("content-type", "text/event-stream")
        headers["transfer-encoding"] = "chunked"
        pieces = self.chunks if self.chunks is not None else self._sse()
        framed: list[Step] = [p if isinstance(p, asyncio.Event) else b"%x\r\n%b\r\n" % (len(p), p) for p in pieces if p]
        tail = [] if self.end in {"hang", "reset", "close", "cut"} else [b"0\r\n\r\n"]
        return [self._head(headers), *framed, *tail]

    def _head(self, headers: dict[str, str]) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Scripted"] + [f"{k}: {v}" for k, v in headers.items() if v != ""]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _sse(self) -> list[Step]:
        pieces = [e if isinstance(e, asyncio.Event) else sse(e) for e in self.events or ()]
        if self.cut is None:
            return pieces
        text = b"".join(p for p in pieces if isinstance(p, bytes))
        sizes = [self.cut] if isinstance(self.cut, int) else list(self.cut)
        out: list[Step] = []
        while text:
            size = max(1, sizes[len(out) % len(sizes)])
            out.append(text[:size])
            text = text[size:]
        return out


def sse(event: Any) -> bytes:
    """One SSE event: bytes verbatim; a dict with a `type` also gets an `event:` line, as the Responses API does."""
    if isinstance(event, bytes):
        return event
    data = event if isinstance(event, str) else json.dumps(event)
    name = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
    return f"{name}data: {data}\n\n".encode()


def openai_reply(call: Call) -> Reply:
    """The default script: what api.openai.com would say, deterministic, echoing the last user message."""
    answer = openai_replies.answer(call.method, call.path, call.body)
    return Reply(json=answer.json, events=answer.events, status=answer.status)


class FakeUpstream:
    """The server; `async with FakeUpstream() as upstream`, then `upstream.url` (or `base_url` with /v1)."""

    def __init__(
        self, reply: Callable[[Call], Reply] = openai_reply, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.reply = reply
        self.calls: list[Call] = []
        self.raw = b""  # every byte that ever arrived, in order of arrival
        self.connections = 0  # ever accepted
        self.open = 0  # open now
        self.disconnects = 0  # the client went away before its answer was whole
        self.unsent: list[bytes] = []  # what was still to be written when the client went away
        self._ssl = ssl_context
        self._links: set[_Link] = set()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Link(self), "127.0.0.1", 0, ssl=self._ssl)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._server.close()
        for link in list(self._links):
            link.transport.abort()
        await self.until(lambda: not self._links)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"{'https' if self._ssl else 'http'}://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return self.url + "/v1"

    async def until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Wait until `condition` holds; looked at after every event here. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def drop_connections(self) -> None:
        """Close every open connection, as a server does that restarts or times out idle clients."""
        for link in list(self._links):
            link.transport.close()

    def clear(self) -> None:
        """Forget what was recorded."""
        self.calls.clear()
        self.raw = b""


class _Link(asyncio.Protocol):
    """One connection: requests are parsed as they arrive and answered one after the other."""

    transport: asyncio.Transport

    def __init__(self, server: FakeUpstream) -> None:
        self.server = server
        self.buffer = b""
        self.queue: asyncio.Queue[Call] = asyncio.Queue()
        self.writable = asyncio.Event()
        self.writable.set()
        self.busy: deque[Step] = deque()  # what the current answer has still to write

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.server.connections += 1
        self.server.open += 1
        self.server._links.add(self)
        self.task = asyncio.get_running_loop().create_task(self.serve())
        self.server._changed.set()

    def data_received(self, data: bytes) -> None:
        self.server.raw += data
        self.buffer += data
        while (found := parse_call(self.buffer)) is not None:
            self.buffer = self.buffer[len(found.raw) :]
            self.server.calls.append(found)
            self.queue.put_nowait(found)
        self.server._changed.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.busy:
            self.server.disconnects += 1
            self.server.unsent.append(b"".join(s for s in self.busy if isinstance(s, bytes)))
        self.task.cancel()
        self.server.open -= 1
        self.server._links.discard(self)
        self.server._changed.set()

    async def serve(self) -> None:
        while True:
            call = await self.queue.get()
            reply = self.server.reply(call)
            self.busy = deque([reply.wait or b"", *reply.steps(), b""])  # the last is the end itself
            while len(self.busy) > 1:
                step = self.busy[0]
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif step:
                    self.transport.write(step)
                    await self.writable.wait()
                self.busy.popleft()
                self.server._changed.set()
            if reply.end == "hang":
                await asyncio.Event().wait()
            self.busy.clear()
            self.finish(reply.end)

    def finish(self, end: str) -> None:
        if end == "close":
            self.transport.close()
        elif end == "half_close":
            self.transport.write_eof()
        elif end == "cut":
            with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as raw:
                raw.shutdown(socket.SHUT_WR)
        elif end == "reset":
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()


def parse_call(data: bytes) -> Call | None:
    """The first whole request in `data`, or None if more bytes are needed."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = data[:end].split(b"\r\n")
    method, path, _ = first.decode("latin-1").split(" ", 2)
    headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(b":") for line in lines)}
    start = end + 4
    if headers.get(b"transfer-encoding") == b"chunked":
        return _chunked(method, path, headers, data, start)
    size = int(headers.get(b"content-length", b"0"))
    if len(data) < start + size:
        return None
    return Call(method, path, headers, data[start : start + size], data[: start + size])


def _chunked(method: str, path: str, headers: dict[bytes, bytes], data: bytes, at: int) -> Call | None:
    body = b""
    while True:
        line = data.find(b"\r\n", at)
        if line < 0:
            return None
        size = int(data[at:line].split(b";")[0], 16)
        if len(data) < line + 2 + size + 2:
            return None
        body += data[line + 2 : line + 2 + size]
        at = line + 2 + size + 2
        if size == 0:
            return Call(method, path, headers, body, data[:at])


class ThreadedUpstream:
    """A FakeUpstream in a thread of its own, for tests whose client blocks. Attributes are those of FakeUpstream."""

    def __init__(self, reply: Callable[[Call], Reply] = openai_reply) -> None:
        self._reply = reply
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), name="fake-upstream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_inner"], name)

    @property
    def reply(self) -> Callable[[Call], Reply]:
        return self._inner.reply

    @reply.setter
    def reply(self, reply: Callable[[Call], Reply]) -> None:
        self._inner.reply = reply

    def release(self, event: asyncio.Event) -> None:
        """Set an event of a script, from the test's thread."""
        self._loop.call_soon_threadsafe(event.set)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """As FakeUpstream.until, from the test's thread."""
        asyncio.run_coroutine_threadsafe(self._inner.until(condition, timeout_s), self._loop).result(timeout_s + 1)

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with FakeUpstream(self._reply) as self._inner:
            self._ready.set()
            await self._stop.wait()
