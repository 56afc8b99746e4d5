"""Step 10: what was checked goes to the provider, re-encoded from the value that was checked."""

from __future__ import annotations

from yett.errors import Unavailable
from yett.flow import Flow, Target
from yett.server.call import Call
from yett.server.core import Core, Provider
from yett.upstream.transport import UpstreamRequest, UpstreamResponse
from yett.wire import strictjson
from yett.wire.exchange import JsonObject
from yett.wire.headers import to_provider


async def forward(core: Core, call: Call, flow: Flow, target: Target, path: str, body: JsonObject) -> UpstreamResponse:
    """Send the checked body to the target's provider. Raises UpstreamError."""
    provider = core.providers[target.provider]
    return await provider.transport.send(_request(call, flow, provider, path, body))


def _request(call: Call, flow: Flow, provider: Provider, path: str, body: JsonObject) -> UpstreamRequest:
    if not path.startswith("/v1/"):
        raise Unavailable("only paths under /v1 are forwarded", code="guard_failed")
    headers = (
        *to_provider(call.scope["headers"]),
        (b"traceparent", call.traceparent.encode()),
        (b"x-request-id", flow.id.encode()),
        *provider.headers,
    )
    return UpstreamRequest(
        method=call.scope["method"],
        path=provider.path_prefix + path.removeprefix("/v1"),
        headers=headers,
        body=strictjson.dumps(body),
    )
