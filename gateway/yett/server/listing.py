"""What a client may list: health without detail, and the models its key may use."""

from __future__ import annotations

import difflib

from yett.errors import RequestError
from yett.flow import Principal
from yett.policy.snapshot import PolicySnapshot
from yett.server.call import Call
from yett.server.core import Core
from yett.wire import strictjson


async def health(call: Call, core: Core, path: str) -> None:
    """`/livez`: the process answers. `/readyz`: it would serve now. Detail is on the admin port only."""
    ready = path == "/livez" or (not core.stopping and core.audit.healthy)
    body = b"ok\n" if ready else b"not ready\n"
    await call.reply(200 if ready else 503, body, [(b"content-type", b"text/plain")])


async def models(call: Call, core: Core, principal: Principal, name: str) -> None:
    """`GET /v1/models` and `/v1/models/{id}`, filtered by what the principal may use."""
    if call.scope["method"] != "GET":
        raise RequestError("use GET for models", status=405, code="method_not_allowed")
    policy = core.policies.current
    call.revision = policy.revision
    permitted = _permitted(core, principal, policy)
    if name:
        if name not in permitted:
            raise unknown_model(core, principal, policy, name)
        body: object = _model(name)
    else:
        body = {"object": "list", "data": [_model(one) for one in permitted]}
    await call.reply(200, strictjson.dumps(body))


def unknown_model(core: Core, principal: Principal, policy: PolicySnapshot, name: str) -> RequestError:
    """404 with the nearest names among those this principal may use."""
    near = difflib.get_close_matches(name, _permitted(core, principal, policy), n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return RequestError(f"this model does not exist here{hint}", status=404, code="model_not_found", pointer="/model")


def _permitted(core: Core, principal: Principal, policy: PolicySnapshot) -> list[str]:
    return [name for name in core.models if name != "*" and policy.rbac.allowed(principal, f"model:{name}", "use")]


def _model(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "yett"}
