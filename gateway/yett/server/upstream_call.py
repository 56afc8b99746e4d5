"""Step 10: what was checked goes to the provider, re-encoded from the value that was checked."""

from __future__ import annotations

from yett.errors import Unavailable
from yett.flow import Flow, Target
from yett.server.call import Call
from yett.server.core import Core, Provider
from yett.upstream.messages import Headers
from yett.upstream.transport import UpstreamRequest, UpstreamResponse
from yett.wire.headers import to_provider

_ASKED = (b"accept", b"openai-beta")  # what a client says itself to the provider


async def forward(core: Core, call: Call, flow: Flow, target: Target, path: str, body: bytes) -> UpstreamResponse:
    """Send the checked body to the target's provider; an empty `path` is the caller's own. Raises UpstreamError."""
    provider = core.providers[target.provider]
    if not path:
        path = call.scope["path"]
        if call.scope["query_string"]:
            path += "?" + call.scope["query_string"].decode("ascii")
    return await provider.transport.send(_request(call, flow, provider, path, body))


def _request(call: Call, flow: Flow, provider: Provider, path: str, body: bytes) -> UpstreamRequest:
    if not path.startswith("/v1/"):
        raise Unavailable("only paths under /v1 are forwarded", code="guard_failed")
    asked = [(name, call.headers[name]) for name in _ASKED if name in call.headers]
    headers = (
        *_content_type(call, to_provider(asked)),
        (b"traceparent", call.traceparent.encode()),
        (b"x-request-id", flow.id.encode()),
        *provider.headers,
    )
    return UpstreamRequest(
        method=call.scope["method"],
        path=provider.path_prefix + path.removeprefix("/v1"),
        headers=headers,
        body=body,
    )


def _content_type(call: Call, headers: Headers) -> Headers:
    """JSON, as `to_provider` says, but for a body that passes as it came."""
    own = call.headers.get(b"content-type", b"application/json")
    if own.startswith(b"application/json"):
        return headers
    return tuple((name, own if name == b"content-type" else value) for name, value in headers)
