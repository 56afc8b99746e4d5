"""The connections to one provider: idle ones are taken last in, first out, and a fixed number may be open."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque

from yett.errors import UpstreamError
from yett.upstream.connection import Connection
from yett.upstream.egress import Address, BaseUrl, Resolver
from yett.upstream.messages import Deadlines, connect_error, timeout_error

# Common servers close idle connections after 5 s (uvicorn, Node), a provider's front end after minutes; a handshake
# is dear on the second and cheap on the first.
IDLE_EXPIRY_S = 4.0
IDLE_EXPIRY_TLS_S = 55.0
_CLOSING = "the gateway is shutting down"


class Pool:
    """Hands out connections. `take` is the fast path; `open` waits for a free slot and connects."""

    def __init__(
        self,
        base: BaseUrl,
        *,
        deadlines: Deadlines,
        max_connections: int,
        idle_expiry_s: float,
        ssl_context: ssl.SSLContext | None,
        resolver: Resolver,
    ) -> None:
        self._base = base
        self._deadlines = deadlines
        self._max_connections = max_connections
        self._idle_expiry_s = idle_expiry_s
        self._ssl = ssl_context
        self._resolver = resolver
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._slots = 0  # open connections and those being opened
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._purge: asyncio.TimerHandle | None = None
        self._drained: asyncio.Future[None] | None = None
        self._closing = False

    def take(self, now_s: float) -> Connection | None:
        """An idle connection that is still good, or None."""
        while self._idle:
            connection = self._idle.pop()
            if now_s - connection.idle_since_s < self._idle_expiry_s and connection.fresh():
                return connection
            connection.abort()
        return None

    async def open(self) -> Connection:
        """A new connection; when all slots are taken, the next one that becomes free. Bounded by connect_s."""
        waiting = True
        try:
            async with asyncio.timeout(self._deadlines.connect_s):
                while (handed := await self._slot()) is not None:
                    if handed.fresh():
                        return handed
                    handed.abort()
                waiting = False
                return await self._connect()
        except TimeoutError as error:
            if waiting:
                raise connect_error(f"all {self._max_connections} connections to the provider are busy") from error
            self._resolver.forget(self._base.host, self._base.port)
            raise timeout_error("connect") from error

    async def aclose(self, drain_s: float) -> None:
        """Refuse new work, let running answers end for `drain_s`, then close everything."""
        self._closing = True
        if self._purge is not None:
            self._purge.cancel()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(connect_error(_CLOSING))
        self._waiting.clear()
        while self._idle:
            self._idle.pop().close()
        await self._wait_drained(drain_s)
        for connection in list(self._open):
            connection.abort()
        await self._wait_drained(None)

    # --- slots ---

    async def _slot(self) -> Connection | None:
        """A connection handed over by another request, or None: a slot to open one in."""
        if self._closing:
            raise connect_error(_CLOSING)
        if self._slots < self._max_connections:
            self._slots += 1
            return None
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())  # handed over in the very moment of giving up
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            raise

    def _give_back(self, connection: Connection | None) -> None:
        if connection is None:
            self._free_slot()
        else:
            self._became_idle(connection)

    def _free_slot(self) -> None:
        waiter = self._next_waiter()
        if waiter is not None:
            waiter.set_result(None)  # the slot goes to it
            return
        self._slots -= 1
        if not self._slots and self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _next_waiter(self) -> asyncio.Future[Connection | None] | None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                return waiter
        return None

    # --- connections ---

    async def _connect(self) -> Connection:
        """A connection in the slot that the caller holds; the slot is free again if this fails."""
        try:
            addresses = await self._resolver.resolve(self._base.host, self._base.port)
            connection = await self._connect_to_any(addresses)
        except BaseException:
            self._free_slot()
            raise
        self._open.add(connection)
        if connection.lost:  # before it was registered: nobody else will free its slot
            self._lost(connection)
            raise connect_error("the provider closed the connection at once")
        if self._closing:
            connection.abort()
            raise connect_error(_CLOSING)
        return connection

    async def _connect_to_any(self, addresses: tuple[Address, ...]) -> Connection:
        failure: UpstreamError | None = None
        for i, address in enumerate(addresses):
            left = len(addresses) - i
            try:
                # A dead address must leave time for the others; the last has all that is left.
                async with asyncio.timeout(self._deadlines.connect_s / left if left > 1 else None):
                    return await self._connect_to(address)
            except ssl.SSLCertVerificationError as error:
                failure = connect_error("the provider's TLS certificate could not be verified")
                failure.__cause__ = error
            except (OSError, EOFError) as error:
                failure = connect_error("the connection to the provider could not be made")
                failure.__cause__ = error
        self._resolver.forget(self._base.host, self._base.port)
        raise failure or connect_error("the provider's host name has no address")

    async def _connect_to(self, address: Address) -> Connection:
        loop = asyncio.get_running_loop()
        sock = socket.socket(address.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(sock, (address.ip, address.port))
        except BaseException:
            sock.close()
            raise
        connection = Connection(sock, self._deadlines, self._became_idle, self._lost, tls=self._ssl is not None)
        # From here on the transport owns the socket, also when the handshake fails.
        await loop.create_connection(
            lambda: connection,
            sock=sock,
            ssl=self._ssl,
            server_hostname=self._base.host if self._ssl is not None else None,
            ssl_handshake_timeout=self._deadlines.connect_s if self._ssl is not None else None,
        )
        return connection

    def _became_idle(self, connection: Connection) -> None:
        if self._closing:
            connection.close()
            return
        waiter = self._next_waiter()
        if waiter is not None:
            waiter.set_result(connection)
            return
        self._idle.append(connection)
        if self._purge is None:
            self._arm_purge()

    def _lost(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        if connection in self._open:  # else it is still being made, and _connect answers for its slot
            self._open.discard(connection)
            self._free_slot()

    def _arm_purge(self) -> None:
        self._purge = asyncio.get_running_loop().call_later(self._idle_expiry_s, self._purge_idle)

    def _purge_idle(self) -> None:
        oldest_s = asyncio.get_running_loop().time() - self._idle_expiry_s
        while self._idle and self._idle[0].idle_since_s <= oldest_s:
            self._idle.pop(0).close()
        self._purge = None
        if self._idle:
            self._arm_purge()

    async def _wait_drained(self, drain_s: float | None) -> None:
        if not self._slots:
            return
        self._drained = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(drain_s):
                await self._drained
        except TimeoutError:
            return  # the caller aborts what is left
