"""The same seam on aiohttp: the reference that our own transport is compared with, and an operator's way out.

Install the extra `yett[aiohttp]`. Slower (about three times the CPU), and less strict where noted in the tests.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from yett.errors import ConfigError, UpstreamError
from yett.upstream.connection import Limits
from yett.upstream.egress import parse_base_url
from yett.upstream.http1 import MAX_HEAD_BYTES, MAX_HEADERS, Inflater, encode_head
from yett.upstream.messages import (
    MAX_BODY_BYTES,
    MAX_STREAM_BYTES,
    Deadlines,
    Headers,
    UpstreamRequest,
    connect_error,
    protocol_error,
    reset_error,
    timeout_error,
    too_large_error,
)

if TYPE_CHECKING:
    import aiohttp


class AiohttpTransport:
    """See `Transport`. Must be made inside the event loop that uses it."""

    def __init__(
        self,
        base_url: str,
        *,
        deadlines: Deadlines,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_stream_bytes: int = MAX_STREAM_BYTES,
        max_connections: int = 1024,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        try:
            import aiohttp
        except ImportError as error:
            raise ConfigError("the aiohttp transport needs the extra yett[aiohttp]") from error
        self._base = parse_base_url(base_url)
        self._deadlines = deadlines
        self._limits = Limits(max_body_bytes, max_stream_bytes)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_connections, ssl=ssl_context or True, ttl_dns_cache=30),
            timeout=aiohttp.ClientTimeout(
                total=deadlines.total_s, connect=deadlines.connect_s, sock_read=deadlines.idle_s
            ),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            trust_env=False,
        )

    async def send(self, request: UpstreamRequest) -> AiohttpResponse:
        """Send `request`; the answer's head has arrived when this returns. Raises UpstreamError."""
        from yarl import URL

        encode_head(
            request.method, self._base.path, request.path, request.headers, b"", len(request.body)
        )  # the same refusals
        url = URL(f"{self._base.scheme}://{self._base.authority}{self._base.path}{request.path}", encoded=True)
        headers = [(n.decode("ascii"), v.decode("latin-1")) for n, v in request.headers]
        headers.append(("accept-encoding", "identity"))
        try:
            async with asyncio.timeout(self._deadlines.connect_s + self._deadlines.first_byte_s):
                response = await self._session.request(
                    request.method, url, headers=headers, data=request.body, allow_redirects=False
                )
        except Exception as error:
            raise _translate(error) from error
        return _respond(response, self._limits)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()


def _respond(response: aiohttp.ClientResponse, limits: Limits) -> AiohttpResponse:
    coding = response.headers.get("content-encoding", "identity").lower()
    problem = ""
    if coding not in {"", "identity", "gzip", "x-gzip"} or len(response.headers.getall("content-encoding", ())) > 1:
        problem = "a content coding that was not asked for"
    elif response.headers.get("transfer-encoding", "chunked").lower() != "chunked":
        problem = "an unknown transfer coding"
    elif not 200 <= response.status <= 599 or tuple(response.version or ()) not in {(1, 0), (1, 1)}:
        problem = "an unknown HTTP version or status"
    elif len(response.raw_headers) > MAX_HEADERS:
        problem = f"more than {MAX_HEADERS} headers"
    if problem:
        response.close()
        raise protocol_error(f"the provider's answer has {problem}")
    return AiohttpResponse(response, limits, gzip=coding in {"gzip", "x-gzip"})


class AiohttpResponse:
    """See `UpstreamResponse`."""

    def __init__(self, response: aiohttp.ClientResponse, limits: Limits, *, gzip: bool) -> None:
        self._response = response
        self._limits = limits
        self._inflater = Inflater(limits.stream_bytes) if gzip else None
        self.status = response.status
        dropped = {b"content-encoding", b"content-length"} if gzip else set()
        raw = ((name.lower(), value) for name, value in response.raw_headers)
        self.headers: Headers = tuple(header for header in raw if header[0] not in dropped)

    async def read(self) -> bytes:
        """See `UpstreamResponse.read`."""
        parts, size = [], 0
        async for piece in self.chunks():
            parts.append(piece)
            size += len(piece)
            if size > self._limits.body_bytes:
                await self.aclose()
                raise too_large_error(self._limits.body_bytes)
        return b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """See `UpstreamResponse.chunks`."""
        size = 0
        try:
            async for raw in self._response.content.iter_any():
                for piece in self._decode(raw):
                    size += self._counted(size, piece)
                    yield piece
            if self._inflater is not None:
                self._inflater.finish()
        except Exception as error:
            self._response.close()
            raise _translate(error) from error

    async def aclose(self) -> None:
        """See `UpstreamResponse.aclose`."""
        self._response.close()

    def _counted(self, size: int, piece: bytes) -> int:
        if size + len(piece) > self._limits.stream_bytes:
            raise too_large_error(self._limits.stream_bytes)
        return len(piece)

    def _decode(self, raw: bytes) -> list[bytes]:
        if self._inflater is None:
            return [raw]
        self._inflater.feed(raw)
        return list(iter(self._inflater.step, b""))


def _translate(error: Exception) -> Exception:
    """The UpstreamError for one of aiohttp's; anything that is not a failure of the call is returned as it is."""
    import aiohttp

    match error:
        case UpstreamError():
            return error
        case aiohttp.ConnectionTimeoutError():
            return timeout_error("connect")
        case TimeoutError():
            return timeout_error("aiohttp")
        case aiohttp.ClientConnectorError() | aiohttp.ClientSSLError():
            return connect_error("the connection to the provider could not be made")
        case aiohttp.ClientResponseError():
            return protocol_error("the provider's answer is not valid HTTP")
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | OSError():
            return reset_error()
    return error
