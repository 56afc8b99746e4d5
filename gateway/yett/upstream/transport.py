"""Yett's own HTTP/1.1 client: a keep-alive pool per provider on asyncio.Protocol and httptools.

No redirects are followed and nothing is ever sent twice: a request moves to another connection only before its first
byte is written. The seam (`Transport`) and its errors are in `yett.upstream.messages`.
"""

from __future__ import annotations

import asyncio
import ssl

from yett.upstream.connection import HttpResponse, Limits
from yett.upstream.egress import Resolver, parse_base_url
from yett.upstream.http1 import encode_head
from yett.upstream.messages import (
    MAX_BODY_BYTES,
    MAX_STREAM_BYTES,
    Deadlines,
    Transport,
    UpstreamRequest,
    UpstreamResponse,
)
from yett.upstream.pool import IDLE_EXPIRY_S, IDLE_EXPIRY_TLS_S, Pool

__all__ = [
    "Deadlines",
    "HttpTransport",
    "Transport",
    "UpstreamRequest",
    "UpstreamResponse",
    "client_ssl_context",
]


def client_ssl_context() -> ssl.SSLContext:
    """Verifying TLS for providers: system certificates, TLS 1.2 or newer, HTTP/1.1."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class HttpTransport:
    """Carries requests to one base URL; see `Transport`. Made anywhere, used in one event loop."""

    def __init__(
        self,
        base_url: str,
        *,
        deadlines: Deadlines,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_stream_bytes: int = MAX_STREAM_BYTES,
        max_connections: int = 1024,
        idle_expiry_s: float | None = None,
        drain_s: float = 5.0,
        ssl_context: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._base = parse_base_url(base_url)
        self._limits = Limits(max_body_bytes, max_stream_bytes)
        self._drain_s = drain_s
        self._fixed = b"host: %b\r\naccept-encoding: identity\r\n" % self._base.authority.encode()
        if idle_expiry_s is None:
            idle_expiry_s = IDLE_EXPIRY_TLS_S if self._base.tls else IDLE_EXPIRY_S
        self._pool = Pool(
            self._base,
            deadlines=deadlines,
            max_connections=max_connections,
            idle_expiry_s=idle_expiry_s,
            ssl_context=(ssl_context or client_ssl_context()) if self._base.tls else None,
            resolver=resolver or Resolver(),
        )

    async def send(self, request: UpstreamRequest) -> HttpResponse:
        """Send `request`; the answer's head has arrived when this returns. Raises UpstreamError."""
        body = request.body
        head = encode_head(request.method, self._base.path, request.path, request.headers, self._fixed, len(body))
        began_s = asyncio.get_running_loop().time()
        connection = self._pool.take(began_s) or await self._pool.open()
        return await connection.exchange(request.method, head, body, self._limits, began_s)

    async def aclose(self) -> None:
        """Let running answers end for `drain_s`, then close every connection."""
        await self._pool.aclose(self._drain_s)
