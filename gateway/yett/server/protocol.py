"""The HTTP/1.1 protocol of the data port: uvicorn's, with deadlines, limits and strict framing in front of the app.

llhttp refuses most malformed framing by itself (folded lines, bare CR or LF, NUL, both Content-Length and
Transfer-Encoding, bad chunk sizes); this class adds what it lets through and bounds what it collects. Every refusal is
an OpenAI error body and ends the connection. A request that comes while an earlier answer is being written is refused
by closing after that answer, because bytes in the middle of it would be read as part of it.
"""

from __future__ import annotations

import re
from asyncio import TimerHandle, Transport
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, NoReturn, cast
from urllib.parse import unquote

import httptools
import orjson
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from yett.errors import RequestError, envelope
from yett.flow import new_id
from yett.server.cycle import Cycle

URL_BYTES = 8 * 1024
HEADERS_MAX = 100
PIPELINE_MAX = 16
LINGER_S = 1.0
LINGER_BYTES = 1 << 20
METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})

_VERSIONS = frozenset({"1.0", "1.1"})
_BODY = frozenset({b"transfer-encoding", b"content-length"})
_FRAMING = _BODY | {b"host", b"upgrade"}
_TARGET = re.compile(rb"/(?!/)[^#]*\Z")  # origin form, and nothing that another parser could take for a host
_HOST_BYTES = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]"


def hardened_protocol(
    header_bytes: int, header_deadline_s: float, on_refusal: Callable[[str], None] | None = None
) -> type[HttpToolsProtocol]:
    """A protocol class for `uvicorn.Config(http=...)`.

    `header_bytes` bounds request line and headers of one request (431); headers must be complete `header_deadline_s`
    after the connection was made or, on a connection kept alive, after their first byte (408), whatever progress they
    make. Idle connections close after uvicorn's `timeout_keep_alive`. `on_refusal` is told the code of each refusal.
    """
    limits = _Limits(header_bytes, header_deadline_s, on_refusal or _ignore)
    return type("HardenedProtocol", (_Hardened,), {"limits": limits})


@dataclass(frozen=True, slots=True)
class _Limits:
    header_bytes: int
    header_deadline_s: float
    on_refusal: Callable[[str], None]


class _Hardened(HttpToolsProtocol):
    limits: ClassVar[_Limits]

    def __init__(self, *args: Any, **more: Any) -> None:  # uvicorn's own signature, passed on
        super().__init__(*args, **more)
        self.headers = _NO_TRAILERS
        self._received = 0  # bytes of the feed under way
        self._unfinished = 0  # bytes of earlier feeds, of a request whose headers are not complete
        self._heard = False  # any byte since the deadline was set
        self._deadline: TimerHandle | None = None
        self._linger: TimerHandle | None = None
        self._discarded: int | None = None  # bytes thrown away since the refusal; None while there was none
        self._refusal: RequestError | None = None
        self._running: RequestResponseCycle | None = None
        self._idle_since_s = 0.0  # loop time since which the connection waits for a request; 0 while it does not
        self._reaper: TimerHandle | None = None

    # Connection

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start the clock: a connection that says nothing is closed at the deadline."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.limits.header_deadline_s, self._headers_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks; tell the call whose answer is not complete (`scope["yett.on_disconnect"]`)."""
        self._cancel_deadline()
        for timer in (self._linger, self._reaper):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True  # uvicorn says so to the last request only, which may be a queued one
            running.message_event.set()
            notify = cast("dict[str, Any]", running.scope).get("yett.on_disconnect")
            if notify is not None:
                notify()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse what breaks its rules or ours."""
        if self._discarded is not None:
            self._discard(len(data))
            return
        self._idle_since_s = 0.0
        self._received = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._upgraded()
        except httptools.HttpParserError:
            self._refuse(self._refusal or _malformed())
        else:
            cycle = self.cycle
            if self.headers is not _NO_TRAILERS or cycle is None or cycle.response_complete:
                self._wait_for_headers()

    def _wait_for_headers(self) -> None:
        """Bound what is no request yet: bytes by the limit, time by the deadline."""
        self._heard = True
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.limits.header_deadline_s, self._headers_late)
        if self._unfinished or not self._in_flight():
            self._unfinished += self._received
        else:  # the feed may hold the end of the request before
            self._unfinished = 1
        if self._reading_headers() and len(self.url) > URL_BYTES:
            self._refuse(_url_too_long())
        elif self._unfinished > self.limits.header_bytes or len(self.headers) > HEADERS_MAX:
            self._refuse(self._headers_too_large())

    def _reading_headers(self) -> bool:
        return self.headers is not _NO_TRAILERS

    # Parser callbacks

    def on_headers_complete(self) -> None:
        """Check the request, then let the app hear of it: at once, or after those that came before it."""
        version = self._check()
        scope, parser = self.scope, self.parser
        raw_path, _, query = self.url.partition(b"?")
        path = raw_path.decode("ascii")
        scope["method"] = parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = query
        before = self.cycle
        keep_alive = version != "1.0" and parser.should_keep_alive()
        self.cycle = Cycle(self, scope, self.flow, keep_alive=keep_alive, on_response=self.on_response_complete)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))
        self.headers = _NO_TRAILERS  # the scope keeps the list with the headers; trailers must not join it
        self._unfinished = 0
        if self._deadline is not None:
            self._cancel_deadline()

    def on_response_complete(self) -> None:
        """An answer is written: on to the next request, or wait for one.

        If the app did not wait for all of the body, the connection cannot be used again.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        if self.cycle.more_body and self.cycle.response_complete:
            self._discarded = 0
            self._close_softly()
            return
        self._idle_since_s = self.loop.time()
        if self._reaper is None:  # one timer for the connection, not one for each wait
            self._reaper = self.loop.call_later(self.timeout_keep_alive, self._reap)

    def _reap(self) -> None:
        """Close a connection that has waited long enough; look again later if it has not."""
        self._reaper = None
        if not self._idle_since_s or self.transport.is_closing():
            return
        left_s = self._idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._reaper = self.loop.call_later(left_s, self._reap)
        else:
            self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        scope = cast("dict[str, Any]", cycle.scope)
        scope["yett.abort"] = self.transport.abort
        scope["yett.arrived"] = cast("Cycle", cycle).arrived
        super()._start_asgi_task(cycle, app)

    def _should_upgrade(self) -> bool:
        return False

    def _check(self) -> str:
        """Raise what is wrong with the request line or the headers; return the HTTP version."""
        if len(self.url) > URL_BYTES:
            self._raise(_url_too_long())
        if self.parser.get_method() not in METHODS:
            self._raise(RequestError("This method is not supported.", code="method_refused"))
        if _TARGET.match(self.url) is None:
            self._raise(RequestError("The request target must be a plain path.", code="request_target_refused"))
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            self._raise(RequestError("This HTTP version is not supported.", code="http_version_refused", status=505))
        headers = self.headers
        if len(headers) > HEADERS_MAX or self._oversized():
            self._raise(self._headers_too_large())
        names = dict(headers)
        host = names.get(b"host")
        if not host or len(names) != len(headers) or b"transfer-encoding" in names or b"upgrade" in names:
            self._check_framing([header for header in headers if header[0] in _FRAMING], version)
        elif host.translate(None, _HOST_BYTES):
            self._raise(_framing("The Host header is malformed."))
        if len(self.pipeline) >= PIPELINE_MAX:
            self._raise(RequestError("Too many requests wait on this connection.", code="pipeline_too_long"))
        return version

    def _oversized(self) -> bool:
        if not self._unfinished and self._received <= self.limits.header_bytes:
            return False  # all of it came with this feed
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return size > self.limits.header_bytes

    def _check_framing(self, headers: list[tuple[bytes, bytes]], version: str) -> None:
        """At most one Host (in HTTP/1.1 exactly one) and at most one way to say how long the body is."""
        hosts = bodies = 0
        for name, value in headers:
            if name == b"host":
                hosts += 1
                if not value or value.translate(None, _HOST_BYTES):
                    self._raise(_framing("The Host header is malformed."))
            elif name == b"upgrade":
                self._check_upgrade(value)
            else:
                bodies += 1
                if name == b"transfer-encoding" and (value != b"chunked" or version == "1.0"):
                    self._raise(_framing("The only transfer encoding is chunked, in HTTP/1.1."))
        if hosts != 1 and (hosts or version == "1.1"):
            self._raise(_framing("There must be exactly one Host header."))
        if bodies > 1:
            self._raise(_framing("The body's length is given more than once."))

    def _check_upgrade(self, value: bytes) -> None:
        if b"websocket" in value.lower():
            self._raise(RequestError("WebSockets are not supported; use HTTP.", code="websocket_unsupported"))
        names = {name for name, _ in self.headers}
        if self.parser.should_upgrade() and not names.isdisjoint(_BODY):  # llhttp would drop the body
            self._raise(
                RequestError(
                    "A request with a body cannot ask for an upgrade; let your client speak plain HTTP/1.1.",
                    code="upgrade_unsupported",
                )
            )

    def _raise(self, error: RequestError) -> NoReturn:
        """Leave the parser's callback; httptools wraps whatever leaves one."""
        self._refusal = error
        raise error

    # Refusals

    def _headers_too_large(self) -> RequestError:
        return RequestError(
            f"Headers may have {self.limits.header_bytes} bytes in {HEADERS_MAX} lines.",
            code="headers_too_large",
            status=431,
        )

    def _headers_late(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or self._discarded is not None:
            return
        if self._heard:
            self._refuse(RequestError("The request took too long to arrive.", code="request_timeout", status=408))
        else:
            self.transport.close()

    def _in_flight(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _upgraded(self) -> None:
        """An upgrade to something we do not speak is a plain request, and the last one on this connection."""
        self._last_request()
        self._discarded = 0

    def _last_request(self) -> None:
        self.cycle.keep_alive = False
        if self.cycle.response_complete and not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, error: RequestError) -> None:
        """Answer with `error` and close; where another answer is under way, close after that one instead."""
        self._cancel_deadline()
        self._refusal, self._discarded = None, 0
        self.limits.on_refusal(error.code)
        if self._in_flight():
            if self._reading_headers():
                self._last_request()
                return
            # The body of a request that the app has already is broken: for the app, its client is gone.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started or self.pipeline:
                self.transport.close()
                return
        self.transport.write(self._answer(error))
        self._close_softly()

    def send_400_response(self, msg: str) -> None:
        """Uvicorn's plain-text refusal, in our form."""
        self._refuse(_malformed())

    def _answer(self, error: RequestError) -> bytes:
        request_id = new_id()
        body = orjson.dumps(envelope(error, request_id=request_id))
        reason = HTTPStatus(error.status).phrase
        lines = [f"HTTP/1.1 {error.status} {reason}".encode()]
        lines += [name + b": " + value for name, value in self.server_state.default_headers]
        lines += [
            b"content-type: application/json",
            f"content-length: {len(body)}".encode(),
            f"x-request-id: {request_id}".encode(),
            b"x-should-retry: false",
            b"connection: close",
            b"",
            b"",
        ]
        return b"\r\n".join(lines) + body

    def _close_softly(self) -> None:
        """Say that we are done, and read a little longer: closing on unread bytes would take the answer back (RST)."""
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._linger = self.loop.call_later(LINGER_S, self.transport.close)

    def _discard(self, received: int) -> None:
        self._discarded = (self._discarded or 0) + received
        if self._discarded > LINGER_BYTES:
            self.transport.abort()

    def _cancel_deadline(self) -> None:
        self._heard = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Trailers(list[tuple[bytes, bytes]]):
    """Where headers go after the headers: nowhere. They would reach the app's scope behind its back."""

    def append(self, _: tuple[bytes, bytes]) -> None:
        raise _framing("Trailers are not supported.")


_NO_TRAILERS = _Trailers()


def _malformed() -> RequestError:
    return RequestError("The request is not well-formed HTTP.", code="malformed_http")


def _framing(message: str) -> RequestError:
    return RequestError(message, code="malformed_http")


def _url_too_long() -> RequestError:
    return RequestError(f"The request target is longer than {URL_BYTES} bytes.", code="url_too_long", status=414)


def _ignore(code: str) -> None:
    """Nobody wants to know."""
