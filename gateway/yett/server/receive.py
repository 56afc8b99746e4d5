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


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], max_bytes: int, deadline_s: float) -> bytes:
    """The request body: at most `max_bytes`, complete within `deadline_s`, JSON and not compressed.

    Raises RequestError (413, 415, 408) or ClientGone.
    """
    _refuse_by_headers(headers, max_bytes)
    message = await _next(receive, deadline_s)
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return _within(body, max_bytes)
    chunks, size = [body], len(body)
    try:
        async with asyncio.timeout(deadline_s):
            while message.get("more_body", False):
                message = await _message(receive)
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                chunks.append(chunk)
    except TimeoutError:
        raise _too_slow(deadline_s) from None
    return b"".join(chunks)


async def _next(receive: Receive, deadline_s: float) -> Message:
    try:
        async with asyncio.timeout(deadline_s):
            return await _message(receive)
    except TimeoutError:
        raise _too_slow(deadline_s) from None


async def _message(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message


def _refuse_by_headers(headers: Mapping[bytes, bytes], max_bytes: int) -> None:
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"", b"identity"):
        raise RequestError("send the body uncompressed", status=415, code="content_encoding_unsupported")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:18]) > max_bytes:
        raise _too_large(max_bytes)


def require_json(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a body that does not say it is JSON in UTF-8. Raises RequestError (415)."""
    content_type = headers.get(b"content-type", b"")
    media_type, _, parameters = content_type.partition(b";")
    charset = parameters.strip().lower().replace(b'"', b"")
    if media_type.strip().lower() != b"application/json":
        raise RequestError("send JSON: content-type: application/json", status=415, code="content_type_unsupported")
    if charset.startswith(b"charset=") and charset != b"charset=utf-8":
        raise RequestError("send JSON in UTF-8", status=415, code="content_type_unsupported")


def _within(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise _too_large(max_bytes)
    return body


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(f"the body is larger than limits.body_bytes ({max_bytes})", status=413, code="body_too_large")


def _too_slow(deadline_s: float) -> RequestError:
    return RequestError(f"the body did not arrive within {deadline_s:g} s", status=408, code="receive_timeout")
