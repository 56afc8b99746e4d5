"""Step 1: the body's bytes, under limits. Nothing is buffered beyond them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from yett.errors import RequestError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientGone(Exception):  # not an error of ours: the other side hung up
    """The client closed the connection."""


async def read_body(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    max_bytes: int,
    deadline_s: float,
    arrived: Callable[[], bool] | None = None,
) -> bytes:
    """The request body: at most `max_bytes`, complete within `deadline_s`, JSON and not compressed.

    `arrived` says whether all of it is here: then nothing is waited for, and no clock is set. Raises RequestError
    (413, 415, 408) or ClientGone.
    """
    _refuse_by_headers(headers, max_bytes)
    if arrived is not None and arrived():
        return await _body(receive, max_bytes)
    try:
        async with asyncio.timeout(deadline_s):
            return await _body(receive, max_bytes)
    except TimeoutError:
        raise _too_slow(deadline_s) from None


async def _body(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _refuse_by_headers(headers: Mapping[bytes, bytes], max_bytes: int) -> None:
    encoding = headers.get(b"content-encoding")
    if encoding is not None and encoding.strip().lower() not in (b"", b"identity"):
        raise RequestError("send the body uncompressed", status=415, code="content_encoding_unsupported")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:18]) > max_bytes:
        raise _too_large(max_bytes)


def require_json(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a body that does not say it is JSON in UTF-8. Raises RequestError (415)."""
    content_type = headers.get(b"content-type", b"")
    if content_type == b"application/json":
        return
    media_type, _, parameters = content_type.partition(b";")
    charset = parameters.strip().lower().replace(b'"', b"")
    if media_type.strip().lower() != b"application/json":
        raise RequestError("send JSON: content-type: application/json", status=415, code="content_type_unsupported")
    if charset.startswith(b"charset=") and charset != b"charset=utf-8":
        raise RequestError("send JSON in UTF-8", status=415, code="content_type_unsupported")


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(f"the body is larger than limits.body_bytes ({max_bytes})", status=413, code="body_too_large")


def _too_slow(deadline_s: float) -> RequestError:
    return RequestError(f"the body did not arrive within {deadline_s:g} s", status=408, code="receive_timeout")
