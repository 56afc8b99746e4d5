"""One connection to a provider, and the answer that is read from it.

A connection carries one request at a time. Its timer is lazy: it looks at the clock when it fires and arms itself
anew, so a byte that arrives costs no timer call.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Self

from yett.errors import UpstreamError
from yett.upstream.http1 import Inflater, ResponseReader
from yett.upstream.messages import (
    Deadlines,
    Headers,
    protocol_error,
    reset_error,
    timeout_error,
    too_large_error,
)

HIGH_WATER_BYTES = 64 << 10
_ONE_WRITE_BYTES = 64 << 10  # up to here head and body are copied together and leave in one segment train


@dataclass(frozen=True, slots=True)
class Limits:
    """How many decoded bytes an answer may have, read whole and as a stream."""

    body_bytes: int
    stream_bytes: int


class Connection(asyncio.Protocol):
    """The protocol object of one connection. The pool owns it; `on_idle` and `on_lost` tell the pool."""

    __slots__ = (
        "_began_s",
        "_deadlines",
        "_heard_s",
        "_on_idle",
        "_on_lost",
        "_paused",
        "_poll",
        "_reader",
        "_response",
        "_timer",
        "_timer_s",
        "_transport",
        "_wrote_s",
        "idle_since_s",
        "loop",
        "lost",
    )

    _transport: asyncio.Transport

    def __init__(
        self,
        sock: socket.socket,
        deadlines: Deadlines,
        on_idle: Callable[[Connection], None],
        on_lost: Callable[[Connection], None],
        *,
        tls: bool,
    ) -> None:
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        self._poll = poll.poll
        self._deadlines = deadlines
        self._on_idle = on_idle
        self._on_lost = on_lost
        self.loop = asyncio.get_running_loop()
        # asyncio gives an end without close_notify, which anybody on the way can send, as a clean end.
        self._reader = ResponseReader(allow_until_eof=not tls)
        self._response: HttpResponse | None = None
        self._timer: asyncio.TimerHandle | None = None  # also runs on between two requests, which is cheaper
        self._timer_s = 0.0
        self._paused = False
        self.idle_since_s = 0.0
        self.lost = False

    # --- used by the pool and the transport ---

    def fresh(self) -> bool:
        """Whether an idle connection can still carry a request; asked right before the write.

        The provider may have closed it and the loop not yet have seen that. A look into the socket's buffer narrows
        this window to the flight time of one packet: what is lost in it was sent and is never sent again.
        """
        if self._transport.is_closing():
            return False
        return not self._poll(0)  # else: the end of the stream, an error, or bytes that nobody asked for

    async def exchange(self, method: str, head: bytes, body: bytes, limits: Limits, began_s: float) -> HttpResponse:
        """Write a request and wait for the head of its answer; `began_s` is when `send` began (total deadline)."""
        response = self._response = HttpResponse(self, limits)
        reader = self._reader
        reader.start(method)
        if len(body) <= _ONE_WRITE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)
        self._began_s, self._wrote_s = began_s, self.loop.time()
        if self._timer is None or self._timer_s > self._next_look(self._wrote_s):
            self._stop_timer()
            self._arm(self._wrote_s)
        while not response.status and response.error is None:
            await response.wait()
        if response.error is not None:
            raise response.error
        return response

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._stop_timer()
        self._transport.abort()

    def close(self) -> None:
        """Close an idle connection in an orderly way."""
        self._stop_timer()
        self._transport.close()

    def taken(self, size: int) -> None:
        """The consumer took `size` bytes of body."""
        self._reader.buffered -= size
        if self._paused and self._reader.buffered <= HIGH_WATER_BYTES // 2:
            self._paused = False
            self._heard_s = self.loop.time()  # the silence was ours
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # --- called by the event loop ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = transport  # type: ignore[assignment]  # a stream transport, by construction

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer."""
        response = self._response
        if response is None:
            self.abort()  # bytes nobody asked for: nothing on this connection can be trusted
            return
        reader = self._reader
        self._heard_s = self.loop.time()
        try:
            reader.feed(data)
        except UpstreamError as error:
            self._fail(error)
            return
        if reader.head_done and not response.status:
            # Here and not after the wake-up: by then the connection may already carry another request.
            response.begin(reader)
        if reader.done:
            self._finish(response)
        elif reader.buffered > response.high_water and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()
        response.wake()

    def eof_received(self) -> bool:
        """The provider closed its side."""
        response = self._response
        if response is not None:
            try:
                self._reader.feed_eof()
            except UpstreamError as error:
                self._fail(error)
            else:
                self._finish(response)
                response.wake()
        return False  # the transport closes itself

    def connection_lost(self, exc: Exception | None) -> None:
        """Closed, by either side or by the network."""
        self.lost = True
        self._stop_timer()
        self._fail(reset_error())
        self._on_lost(self)

    # --- inside ---

    def _finish(self, response: HttpResponse) -> None:
        self._response = None
        response.finished = True
        # An answer before the whole request was written: the rest would be read as the next request.
        if self._reader.reusable and not self._transport.get_write_buffer_size():
            self.idle_since_s = self._heard_s
            self._on_idle(self)
        else:
            self.abort()

    def _fail(self, error: UpstreamError) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.error = error
            self.abort()
            response.wake()

    def give_up(self, response: HttpResponse) -> None:
        """The consumer does not want the rest of `response`."""
        if self._response is response:
            self._response = None
            self.abort()

    def _due(self) -> tuple[float, str]:
        """When the running phase ends, and its name."""
        limits = self._deadlines
        total = self._began_s + limits.total_s
        if self._paused:
            return total, "total"
        if not self._reader.body_begun:
            phase, name = self._wrote_s + limits.first_byte_s, "first byte"
        else:
            phase, name = self._heard_s + limits.idle_s, "idle"
        return (phase, name) if phase < total else (total, "total")

    def _next_look(self, now: float) -> float:
        # Never further ahead than idle_s: the phase may change to idle before the timer fires.
        return min(self._due()[0], now + self._deadlines.idle_s)

    def _arm(self, now: float) -> None:
        self._timer_s = self._next_look(now)
        self._timer = self.loop.call_at(self._timer_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._response is None:
            return  # idle: the next request arms it again
        now, (due, name) = self.loop.time(), self._due()
        if now >= due:
            self._fail(timeout_error(name))
        else:
            self._arm(now)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class HttpResponse:
    """An answer under way; see `UpstreamResponse`. Used by one task at a time."""

    __slots__ = (
        "_connection",
        "_inflater",
        "_length",
        "_limits",
        "_seen",
        "_waiter",
        "error",
        "finished",
        "headers",
        "high_water",
        "pieces",
        "status",
    )

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self._connection = connection
        self._limits = limits
        self._inflater: Inflater | None = None
        self._length: int | None = None
        self._seen = 0
        self._waiter: asyncio.Future[None] | None = None
        self.status = 0
        self.headers: Headers = ()
        self.pieces: list[bytes] = []  # shared with the connection's reader, which appends
        self.high_water = HIGH_WATER_BYTES
        self.finished = False
        self.error: UpstreamError | None = None

    def begin(self, reader: ResponseReader) -> None:
        """The head has arrived; called by the connection."""
        self.status, self.headers, self.pieces = reader.status, reader.headers, reader.pieces
        self._length = None if reader.gzip else reader.length
        if reader.gzip:
            self._inflater = Inflater(self._limits.stream_bytes)

    async def read(self) -> bytes:
        """See `UpstreamResponse.read`."""
        limit = self._limits.body_bytes
        if self._length is not None and self._length > limit:
            await self.aclose()
            raise too_large_error(limit)
        if self.finished and self._inflater is None and not self._seen:
            body = b"".join(self.pieces)  # all of it has arrived: the usual case for small answers
            self.pieces.clear()
            self._seen = len(body)
            if len(body) > limit:
                raise too_large_error(limit)
            return body
        self.high_water = limit if self._inflater is None else HIGH_WATER_BYTES
        parts, size = [], 0
        async for piece in self:
            parts.append(piece)
            size += len(piece)
            if size > limit:
                await self.aclose()
                raise too_large_error(limit)
        return b"".join(parts)

    def chunks(self) -> AsyncIterator[bytes]:
        """See `UpstreamResponse.chunks`."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._next() if self._inflater is None else await self._next_inflated(self._inflater)
        except UpstreamError as error:
            self._refuse(error)
            raise
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """See `UpstreamResponse.aclose`."""
        if not self.finished:
            self._refuse(protocol_error("the answer was closed before it was read"))

    # --- called by the connection ---

    async def wait(self) -> None:
        """Wait until something has happened. A consumer that is cancelled here closes the connection."""
        if self._waiter is not None:
            raise RuntimeError("two tasks wait for one answer")
        self._waiter = self._connection.loop.create_future()
        try:
            await self._waiter
        except asyncio.CancelledError:
            self._connection.give_up(self)
            raise
        finally:
            self._waiter = None

    def wake(self) -> None:
        """Something has happened."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- inside ---

    async def _next(self) -> bytes:
        """The next bytes as they came over the wire; empty at the clean end."""
        pieces = self.pieces
        while not pieces:
            if self.error is not None:
                raise self.error
            if self.finished:
                return b""
            await self.wait()
        if len(pieces) == 1:
            piece = pieces.pop()
        else:
            piece = b"".join(pieces)
            pieces.clear()
        if not self.finished:
            self._connection.taken(len(piece))
        self._seen += len(piece)
        if self._seen > self._limits.stream_bytes:
            raise too_large_error(self._limits.stream_bytes)
        return piece

    async def _next_inflated(self, inflater: Inflater) -> bytes:
        while not (piece := inflater.step()):
            raw = await self._next()
            if not raw:
                inflater.finish()
                return b""
            inflater.feed(raw)
        await asyncio.sleep(0)  # a bomb inflates in steps, and others get their turn between them
        return piece

    def _refuse(self, error: UpstreamError) -> None:
        """Nothing more is given out; if the answer is not whole, the provider's call is cancelled."""
        self._connection.give_up(self)
        self.pieces.clear()
        self.error = self.error or error
        self.finished = False
