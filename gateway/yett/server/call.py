"""One HTTP call on the data port: what came in, and the few ways to answer it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from yett.errors import HttpError, envelope
from yett.flow import Ids, TraceContext
from yett.server.receive import Receive, Scope, Send
from yett.wire import strictjson
from yett.wire.exchange import StreamCodec
from yett.wire.headers import parse_traceparent
from yett.wire.reference import public

Headers = list[tuple[bytes, bytes]]
JSON_TYPE = (b"content-type", b"application/json")
SSE_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")
NO_RETRY = (b"x-should-retry", b"false")
SEAMS = ("yett.on_disconnect", "yett.abort", "yett.arrived")  # what call and server protocol leave in the scope


class Call:
    """One call. Every answer it sends carries the request id, the trace, and what was decided."""

    __slots__ = (
        "codec",
        "decision",
        "ended",
        "extra",
        "headers",
        "id",
        "receive",
        "revision",
        "scope",
        "send",
        "sending_since",
        "span_id",
        "started",
        "status",
        "trace",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, ids: Ids) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.id = ids.flow()
        given = self.headers.get(b"traceparent")
        self.trace = parse_traceparent(given) if given else TraceContext(ids.flow(), ids.span())
        self.span_id = ids.span()
        self.started = time.monotonic()
        self.decision = "none"
        self.revision = ""
        self.status = 0  # 0 until the response head is sent
        self.ended = False
        self.extra: Headers = []
        self.codec: StreamCodec | None = None
        self.sending_since = 0.0  # monotonic time of a send that has not returned, 0 when none is pending

    @property
    def traceparent(self) -> str:
        """The trace header of this hop."""
        return self.trace.traceparent(self.span_id)

    def duration_ms(self) -> float:
        """Milliseconds since the call began."""
        return round((time.monotonic() - self.started) * 1000, 3)

    async def start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Send the response head."""
        self.status = status
        await self.send({"type": "http.response.start", "status": status, "headers": [*self._own_headers(), *headers]})

    def _own_headers(self) -> Headers:
        own: Headers = [
            (b"x-request-id", self.id.encode()),
            (b"traceparent", self.traceparent.encode()),
            (b"x-yett-decision", self.decision.encode()),
        ]
        if self.revision:
            own.append((b"x-yett-policy-revision", self.revision.encode()))
        own += self.extra
        return own

    async def body(self, data: bytes, *, more: bool) -> None:
        """Send body bytes; waits while the client is slow to read."""
        self.ended = not more
        self.sending_since = time.monotonic()
        await self.send({"type": "http.response.body", "body": data, "more_body": more})
        self.sending_since = 0.0

    async def reply(self, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = (JSON_TYPE,)) -> None:
        """Send a whole answer."""
        self.status = status
        whole = [*self._own_headers(), *headers, (b"content-length", b"%d" % len(body))]
        self.sending_since = time.monotonic()
        await self.send({"type": "http.response.start", "status": status, "headers": whole})
        self.ended = True
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
        self.sending_since = 0.0

    async def refuse(self, error: HttpError, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Answer with OpenAI's error envelope; 4xx tells the SDKs not to try again."""
        more = [JSON_TYPE, *headers]
        if error.retry_after_s is not None:
            more.append((b"retry-after", str(error.retry_after_s).encode()))
        if not error.retry:
            more.append(NO_RETRY)
        if error.status == 401:
            more.append((b"www-authenticate", b"Bearer"))
        await self.reply(error.status, strictjson.dumps(self.envelope(error)), more)

    def envelope(self, error: HttpError) -> dict[str, Any]:
        """The error body of `error` for this call."""
        body = envelope(error, self.trace.trace_id, self.id)
        if error.pointer is not None:  # a member's name may be the very thing that was refused
            body["error"]["param"] = public(error.pointer)
        return body

    def abort(self) -> None:
        """Close the connection at once, whatever is still in its buffer."""
        self.ended = True
        close = self.scope.get("yett.abort")
        if close is not None:
            close()

    async def end_stream(self, error: HttpError) -> None:
        """End a stream that has begun: the dialect's terminal error event, never a clean end."""
        data = self.codec.fail(self.envelope(error)) if self.codec is not None else b""
        await self.body(data, more=False)

    def on_disconnect(self, notify: Callable[[], None]) -> None:
        """Ask the server protocol to call `notify` if the client leaves before the answer is complete."""
        self.scope["yett.on_disconnect"] = notify

    def let_go(self) -> None:
        """The call is over: take the seams to the server protocol apart.

        They refer to this call and it refers to them; with them in place the whole flow, texts and all, would lie in
        memory until the next collection of garbage.
        """
        for seam in SEAMS:
            self.scope.pop(seam, None)

    async def comment(self) -> None:
        """A server-sent-events comment: keeps proxies from closing a stream that is held back."""
        await self.body(b": waiting\n\n", more=True)
