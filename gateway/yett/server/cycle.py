"""One request of the data port and its answer: uvicorn's, with an answer that leaves in one write.

The head of an answer whose length is known waits for its first body bytes, as ASGI allows; a stream's head leaves at
once. Names and values are not looked at one by one: the finished head has exactly the line ends that were put there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn._types import ASGISendEvent, HTTPScope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

ONE_WRITE_BYTES = 64 << 10  # a larger body is not copied behind its head
_NO_BODY = frozenset({204, 304})


class Cycle(RequestResponseCycle):
    """A request under way. The protocol fills `body` and `more_body`; `on_response` hears that the answer is whole."""

    def __init__(  # not uvicorn's own: what it logs is not logged here
        self, protocol: HttpToolsProtocol, scope: HTTPScope, flow: FlowControl, *, keep_alive: bool,
        on_response: Callable[[], None],
    ) -> None:  # fmt: skip
        self.scope = scope
        self.transport = protocol.transport
        self.flow = flow
        self.logger = protocol.logger
        self.default_headers = protocol.server_state.default_headers
        self.message_event = asyncio.Event()
        self.on_response = on_response
        self.disconnected = False
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = protocol.expect_100_continue
        self.body = bytearray()
        self.more_body = True
        self.response_started = False
        self.response_complete = False
        self.chunked_encoding = False
        self.expected_content_length = 0  # bytes of body still to come
        self._head = b""  # what has not left yet

    def arrived(self) -> bool:
        """Whether all of the request's body is here, so that `receive` does not wait."""
        return not self.more_body

    async def send(self, message: ASGISendEvent) -> None:
        """ASGI's `send`; waits while the client does not read. Raises RuntimeError for what is not an answer."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start" and not self.response_started:
            self._start(message["status"], [*self.default_headers, *message["headers"]])
        elif message["type"] == "http.response.body" and self.response_started and not self.response_complete:
            self._write(message.get("body", b""), message.get("more_body", False))
        else:
            raise RuntimeError(f"{message['type']} does not belong here in an answer")

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        known = dict(headers)
        length = known.get(b"content-length")
        if b"connection" in known:
            self.keep_alive = self.keep_alive and b"close" not in known[b"connection"].lower()
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        if length is not None:
            self.expected_content_length = int(length)
        elif self.scope["method"] != "HEAD" and status not in _NO_BODY:
            self.chunked_encoding = True
            headers.append((b"transfer-encoding", b"chunked"))
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        if not lines.count(b"\n") == lines.count(b"\r") == len(headers) or b"\0" in lines:
            raise RuntimeError("a header of the answer holds a line break or NUL")
        self.response_started = True
        self.waiting_for_100_continue = False
        head = b"%b%b\r\n" % (STATUS_LINE[status], lines)
        if self.chunked_encoding:
            self.transport.write(head)
        else:
            self._head = head

    def _write(self, data: bytes, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length, data = 0, b""
        elif self.chunked_encoding:
            data = (b"%x\r\n%b\r\n" % (len(data), data) if data else b"") + (b"" if more else b"0\r\n\r\n")
        else:
            self.expected_content_length -= len(data)
            if self.expected_content_length < 0 or (self.expected_content_length and not more):
                raise RuntimeError("the answer's body is not as long as its content-length")
        if self._head:
            head, self._head = self._head, b""
            if len(data) <= ONE_WRITE_BYTES:
                data = head + data
            else:
                self.transport.write(head)
        if data:
            self.transport.write(data)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()
