"""Headers are allow-lists both ways: what is not named here does not cross, and no value crosses unlooked-at.

A header value is text that no detector reads, so towards the provider every value is ours or of a narrow shape.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

from yett.errors import RequestError
from yett.flow import TraceContext
from yett.version import __version__

RawHeaders = Iterable[tuple[bytes, bytes]]

USER_AGENT = b"yett/" + __version__.encode()
_EVENT_STREAM = b"text/event-stream"
_FEATURES = re.compile(
    rb"[a-z][a-z0-9_.-]{0,63}(=[a-z0-9_.-]{1,32})?(, ?[a-z][a-z0-9_.-]{0,63}(=[a-z0-9_.-]{1,32})?){0,7}"
)
_TO_CLIENT = frozenset(
    {b"content-type", b"openai-processing-ms", b"openai-version", b"retry-after", b"retry-after-ms"}
)  # never content-length, set-cookie, openai-organization: those are the provider's business with us
_TO_CLIENT_PREFIX = b"x-ratelimit-"
_VALUE = re.compile(rb"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?")
_BREAKS = re.compile(rb"[\r\n\0]")
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]{0,256})?")


def to_provider(
    headers: RawHeaders, *, trace: TraceContext | None = None, request_id: str = ""
) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of the call to the provider, lower-case names, without host, length and credentials.

    Of the client's own only `accept` (as one of two values) and `openai-beta` (as a list of feature words) count.
    Raises RequestError `invalid_header` if one of them holds a line break, NUL or anything else.
    """
    accept, features = b"application/json", b""
    for name, value in headers:
        lower = name.lower()
        if lower == b"accept" and _EVENT_STREAM in value:
            accept = _EVENT_STREAM
        elif lower == b"openai-beta":
            if _FEATURES.fullmatch(value) is None:
                raise RequestError("the openai-beta header must be a list of feature words", code="invalid_header")
            features = value
    out = [(b"content-type", b"application/json"), (b"accept", accept), (b"user-agent", USER_AGENT)]
    if features:
        out.append((b"openai-beta", features))
    if trace is not None:
        out.append((b"traceparent", trace.traceparent(secrets.token_hex(8)).encode()))
    if request_id:
        if _VALUE.fullmatch(request_id.encode()) is None:
            raise ValueError("a request id is one printable word")
        out.append((b"x-request-id", request_id.encode()))
    return tuple(out)


def to_client(headers: RawHeaders) -> tuple[tuple[bytes, bytes], ...]:
    """The provider's headers that the client may see, lower-case names, first of each, malformed values left out."""
    out: dict[bytes, bytes] = {}
    for name, value in headers:
        lower = name.lower()
        allowed = lower in _TO_CLIENT or (lower.startswith(_TO_CLIENT_PREFIX) and _FEATURES.fullmatch(lower))
        if allowed and _VALUE.fullmatch(value):
            out.setdefault(lower, value)
    return tuple(out.items())


def safe(value: bytes) -> bool:
    """Whether `value` may stand in a header: it cannot begin another one."""
    return _BREAKS.search(value) is None


def parse_traceparent(value: bytes | None) -> TraceContext:
    """The caller's W3C trace context, or a fresh one where it is absent or malformed (never half of it)."""
    found = _TRACEPARENT.fullmatch(value) if value is not None else None
    if found is not None:
        version, trace_id, parent_id, flags, more = found.groups()
        sound = version != b"ff" and not (version == b"00" and more) and trace_id.strip(b"0") and parent_id.strip(b"0")
        if sound:
            return TraceContext(trace_id.decode(), parent_id.decode(), bool(int(flags, 16) & 1))
    return TraceContext(secrets.token_hex(16), secrets.token_hex(8))
