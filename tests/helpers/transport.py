"""A scripted server with our transport in front of it, and the request that the transport's tests send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from helpers.upstream import Call, FakeUpstream, Reply
from yett.errors import UpstreamError
from yett.upstream.transport import Deadlines, HttpTransport, UpstreamRequest

POST = UpstreamRequest("POST", "/chat/completions", ((b"content-type", b"application/json"),), b'{"a":1}')
LIMITS = Deadlines(connect_s=2, first_byte_s=5, idle_s=5, total_s=10)


@asynccontextmanager
async def served(
    reply: Reply | Callable[[Call], Reply], **options: Any
) -> AsyncIterator[tuple[FakeUpstream, HttpTransport]]:
    async with FakeUpstream(reply if callable(reply) else lambda _: reply) as upstream:
        settings: dict[str, Any] = {"deadlines": LIMITS, "drain_s": 1.0} | options
        transport = HttpTransport(upstream.base_url, **settings)
        try:
            yield upstream, transport
        finally:
            await transport.aclose()
            await upstream.until(lambda: upstream.open == 0)


async def fetch(transport: HttpTransport, request: UpstreamRequest = POST) -> tuple[int, bytes]:
    response = await transport.send(request)
    return response.status, await response.read()


async def fails(transport: HttpTransport, request: UpstreamRequest = POST) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await fetch(transport, request)
    return caught.value


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((*lines, b"", b""))
