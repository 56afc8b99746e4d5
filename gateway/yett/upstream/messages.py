"""The narrow seam between the gateway and whatever carries its requests to a provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from yett.errors import UpstreamError

Headers = tuple[tuple[bytes, bytes], ...]

MAX_BODY_BYTES = 32 << 20
MAX_STREAM_BYTES = 256 << 20


class UpstreamRequest(NamedTuple):
    """One request to a provider.

    `path` is the target with its query, relative to the transport's base URL (`/chat/completions` under
    `https://host/v1`). `headers` must not contain what the transport sets itself: host, content-length,
    transfer-encoding, connection, accept-encoding, expect, upgrade, te, trailer, keep-alive, proxy-connection.
    """

    method: str
    path: str
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each phase of a call may take.

    `connect_s` from `send` to a connection, waiting for a free one included; `first_byte_s` from the write to the
    first byte of the answer's body (servers may send the head while the prompt still waits in their queue);
    `idle_s` between two reads after that; `total_s` from `send` to the last byte.
    """

    connect_s: float = 5.0
    first_byte_s: float = 600.0
    idle_s: float = 60.0
    total_s: float = 1800.0


class UpstreamResponse(Protocol):
    """An answer whose head has arrived. Either `read` it, or go through `chunks`; then `aclose` in any case."""

    status: int
    headers: Headers  # lower-case names

    async def read(self) -> bytes:
        """The whole decoded body. Raises UpstreamError if it is cut short, too large, late or not HTTP."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The decoded body as it arrives; what had arrived before a failure is given out before the error."""

    async def aclose(self) -> None:
        """Done with this answer: if it is not whole yet, the connection is closed, which cancels the call."""


class Transport(Protocol):
    """Carries requests to one provider.

    Every failure is an `UpstreamError` with a stable code:

    upstream_connect    no connection: name, address, TLS, or all connections busy
    upstream_timeout    a deadline passed
    upstream_reset      the provider closed the connection before its answer was whole
    upstream_protocol   the answer, or the request, is not acceptable HTTP
    upstream_too_large  the decoded body is over the cap
    """

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Send a request and wait for the head of the answer. Cancelling closes the connection at once."""

    async def aclose(self) -> None:
        """Let running answers end (for a bounded time), then close every connection."""


def connect_error(message: str) -> UpstreamError:
    """The provider could not be reached."""
    return UpstreamError(message, code="upstream_connect")


def timeout_error(phase: str) -> UpstreamError:
    """The deadline of `phase` passed."""
    return UpstreamError(f"the provider did not answer in time ({phase})", code="upstream_timeout", status=504)


def reset_error(message: str = "the provider closed the connection before its answer was complete") -> UpstreamError:
    """The provider went away in the middle."""
    return UpstreamError(message, code="upstream_reset")


def protocol_error(message: str) -> UpstreamError:
    """The provider's answer (or our request) is not HTTP that we accept."""
    return UpstreamError(message, code="upstream_protocol")


def too_large_error(limit: int) -> UpstreamError:
    """The decoded body is over `limit` bytes."""
    return UpstreamError(f"the provider's answer is larger than {limit} bytes", code="upstream_too_large")
