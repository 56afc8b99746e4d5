"""Cross-origin access for browsers: only for origins that the setting cors_origins names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yett.errors import Denied
from yett.server.call import Call

EXPOSED = b"x-request-id, traceparent, x-yett-decision, x-yett-policy-revision, retry-after"
ALLOWED_HEADERS = b"authorization, content-type, traceparent, x-request-id, x-stainless-*"


def cors_headers(headers: Mapping[bytes, bytes], origins: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """The headers that let the caller's page read the answer; none unless its origin is named."""
    origin = headers.get(b"origin")
    if origin is None or not origins:
        return []
    if origin.decode("latin-1") not in origins and "*" not in origins:
        return []
    return [
        (b"access-control-allow-origin", origin),
        (b"vary", b"origin"),
        (b"access-control-expose-headers", EXPOSED),
    ]


async def preflight(call: Call, origins: Sequence[str]) -> None:
    """Answer an OPTIONS request. Raises Denied (403) for an origin that is not named."""
    allowed = cors_headers(call.headers, origins)
    if not allowed:
        raise Denied("this origin is not in the setting cors_origins", status=403, code="origin_denied")
    more = [
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", b"*, " + ALLOWED_HEADERS),
        (b"access-control-max-age", b"600"),
    ]
    await call.reply(204, b"", more)
