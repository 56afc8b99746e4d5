"""The data port. One call from its first byte to its last record, as prose; each step is a function you can open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from yett.errors import Denied, HttpError, RequestError, Unavailable
from yett.flow import Flow, Ids, Leaf, Phase, Principal, Role, Target
from yett.pipeline import Checked
from yett.policy.conditions import Identity
from yett.policy.effective import EffectivePolicy
from yett.policy.snapshot import PolicySnapshot
from yett.server import answers, listing
from yett.server.admitted import Admitted
from yett.server.call import Call
from yett.server.core import Core
from yett.server.cors import cors_headers, preflight
from yett.server.facts import opaque_pointers, refuse_by_settings
from yett.server.live import LiveFlow
from yett.server.passed import Passed, read_passed
from yett.server.receive import ClientGone, Receive, Scope, Send, read_body, require_json
from yett.server.recorder import WORDS, Recorder
from yett.server.routes import MODERATIONS, PASSTHROUGH, ROUTES, Route
from yett.server.upstream_call import forward
from yett.stream_guard import block_message
from yett.telemetry import told
from yett.wire import pointer, strictjson
from yett.wire.exchange import Exchange, JsonObject

log = structlog.get_logger("yett.server")
LAST_WORD_S = 1.0


class DataPlane:
    """The ASGI application of the data port."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._ids = Ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call; whatever goes wrong is answered in OpenAI's envelope."""
        call = Call(scope, receive, send, self._ids)
        origins = self.core.settings.cors_origins
        if origins:
            call.extra = cors_headers(call.headers, origins)
        try:
            await self._dispatch(call)
        except ClientGone:
            return
        except HttpError as error:
            await self._refuse(call, error)
        except Exception as error:  # noqa: BLE001  # the last resort: never a traceback to a client
            log.error("internal_error", request_id=call.id, **told(error))
            await self._refuse(
                call, Unavailable("internal error; nothing was let through", code="internal_error", status=500)
            )
        finally:
            call.let_go()

    async def _dispatch(self, call: Call) -> None:
        method, path = call.scope["method"], call.scope["path"]
        if path in ("/livez", "/readyz"):
            await listing.health(call, self.core, path)
            return
        if method == "OPTIONS" and b"origin" in call.headers:
            await preflight(call, self.core.settings.cors_origins)
            return
        if not path.startswith("/v1/"):
            raise RequestError("no such path; the API is under /v1", status=404, code="not_found")
        principal = await self._authenticate(call)
        if path == "/v1/models" or path.startswith("/v1/models/"):
            await listing.models(call, self.core, principal, path.removeprefix("/v1/models").strip("/"))
            return
        await self._serve(call, self._route(method, path), principal)

    def _route(self, method: str, path: str) -> Route:
        """Whose dialect `path` speaks. Raises RequestError (405), or Denied for a path that is not to be passed."""
        route = ROUTES.get(path, PASSTHROUGH)
        if route is not PASSTHROUGH and method != "POST":
            raise RequestError(f"use POST for {path}", status=405, code="method_not_allowed")
        if route is PASSTHROUGH and self.core.settings.passthrough == "deny":
            raise Denied(
                "this path is not served here; the setting passthrough: deny refuses it",
                status=403,
                code="passthrough_denied",
            )
        return route

    async def _authenticate(self, call: Call) -> Principal:
        hooks = self.core.registry.hooks["authenticate"]
        try:
            if hooks:
                found: Principal | None = await self.core.calls.first(hooks, {"headers": call.headers}, Principal)
                if found is not None:
                    return found
            return self.core.keys.current.authenticate(call.headers.get(b"authorization"))
        except HttpError as error:
            self.core.refusals.add(error)
            raise

    async def _serve(self, call: Call, route: Route, principal: Principal) -> None:
        """One flow: admitted or refused, forwarded, answered, recorded; its end is noted exactly once."""
        core = self.core
        if core.stopping or len(core.live) >= core.settings.limits.inflight:
            raise Unavailable("the gateway is at its limit of calls in flight", code="overloaded", retry_after_s=1)
        policy = core.policies.current
        call.revision = policy.revision
        flow = Flow(call.id, call.trace, principal, route.dialect.name, revision=policy.revision)
        recorder = Recorder(core, call, flow)
        live = core.live.enter(flow, call)
        call.on_disconnect(lambda: live.end("client_gone"))
        try:
            admitted = await self._admit(call, route, flow, policy, recorder)
            body = strictjson.dumps(admitted.body) if admitted.raw is None else admitted.raw
            upstream = await forward(core, call, flow, admitted.target, route.path, body)
            try:
                await answers.answer(core, call, admitted, upstream)
            finally:
                await upstream.aclose()  # whatever happened: an answer that is not whole cancels the provider's call
        except asyncio.CancelledError:
            await self._cancelled(call, live, recorder)
        except ClientGone:
            await recorder.close_quietly("client_gone", 499, "client_gone")
        except HttpError as error:
            outcome = "denied" if isinstance(error, RequestError) else "error"
            await recorder.close_quietly(outcome, error.status, error.code)
            raise
        finally:
            core.live.leave(live)
            if not recorder.closed:
                await recorder.close_quietly("error", 500, "internal_error")
            observers = core.registry.hooks["flow_ended"]
            if observers:
                await core.calls.observe(observers, {"flow": flow.view(), "outcome": recorder.outcome})

    async def _admit(
        self, call: Call, route: Route, flow: Flow, revision: PolicySnapshot, recorder: Recorder
    ) -> Admitted:
        """Steps 1 to 9: read, understand, authorise, scan, decide, record. Raises what the client is told."""
        core, settings = self.core, self.core.settings
        arrived = call.scope.get("yett.arrived")
        limit = settings.limits.body_bytes
        data = await read_body(call.receive, call.headers, limit, settings.timeouts.receive_s, arrived)
        request = self._read(call, route, data)
        exchange, body = request.exchange, request.body
        if len(exchange.leaves) > settings.limits.max_leaves:
            raise RequestError("the body has more texts than limits.max_leaves", status=413, code="too_many_texts")
        flow.model, flow.stream = exchange.model, exchange.stream
        targets = self._targets(flow, revision)
        policy = revision.bound_to(_identity(flow, route.path or call.scope["path"]))
        if flow.model not in core.models:  # a name that only "*" stands for is the caller's own text
            exchange.leaves.append(Leaf("/model", flow.model, Role.OTHER, editable=False, newest=True))
        if exchange.facts:
            await self._refuse_facts(flow, exchange, policy)
        flow.tools, flow.tool_calls, flow.tool_results = exchange.tools, exchange.tool_calls, exchange.tool_results
        flow.target = target = await self._select(flow, targets)
        checked = await core.pipeline.check(
            flow,
            policy,
            Phase.REQUEST,
            exchange.leaves,
            opaque=opaque_pointers(exchange) if exchange.facts else (),
            one_way=route.one_way,
            constrained=exchange.constrained,
        )
        await recorder.decided(checked.decision, checked)
        await recorder.tell(Phase.REQUEST, checked.decision)
        call.decision = WORDS[checked.decision.action]
        if checked.denied:
            raise _denied(checked)
        self._carry_out(flow, route, body, exchange, checked, target)
        self._keep(flow, exchange, checked)
        return Admitted(flow, route, policy, recorder, body, exchange, target, request.raw)

    def _read(self, call: Call, route: Route, data: bytes) -> Passed:
        """Step 2: strict JSON, understood by the route's dialect."""
        settings = self.core.settings
        depth = settings.limits.json_depth
        if route is PASSTHROUGH:
            return read_passed(call.scope, call.headers, data, settings.passthrough_types, depth)
        require_json(call.headers)
        body = strictjson.loads(data, max_depth=depth)
        if not isinstance(body, dict):
            raise RequestError("the body must be a JSON object", pointer="")
        return Passed(route.dialect.read_request(body), body, None)

    def _targets(self, flow: Flow, policy: PolicySnapshot) -> Sequence[Target]:
        """Names resolve first (404), then RBAC says who may use them (403)."""
        models = self.core.models
        if not flow.model and flow.dialect == PASSTHROUGH.dialect.name:
            return (Target(next(iter(self.core.providers)), ""),)
        targets = models.get(flow.model)
        if targets is None and "*" in models:
            targets = tuple(Target(t.provider, flow.model if t.model == "*" else t.model) for t in models["*"])
        if targets is None and flow.dialect == MODERATIONS.dialect.name:
            flow.model = ""
            message = "no configured model answers moderations: add the model to `models` in the configuration"
            raise RequestError(message, status=501, code="moderations_not_configured", pointer="/model")
        if targets is None:
            asked, flow.model = flow.model, ""  # not one of our words: it is neither recorded nor repeated
            raise listing.unknown_model(self.core, flow.principal, policy, asked)
        if not policy.rbac.allowed(flow.principal, f"model:{flow.model}", "use"):
            raise Denied(
                "this key may not use this model",
                status=403,
                code="model_forbidden",
                pointer="/model",
                rules=("rbac",),
            )
        return targets

    async def _select(self, flow: Flow, targets: Sequence[Target]) -> Target:
        hooks = self.core.registry.hooks["select_target"]
        if not hooks:
            return targets[0]
        chosen: Target | None = await self.core.calls.first(hooks, {"flow": flow.view(), "targets": targets}, Target)
        if chosen is not None and chosen not in targets:
            raise Unavailable("a plugin chose a target that is not configured", code="guard_failed")
        return chosen or targets[0]

    async def _refuse_facts(self, flow: Flow, exchange: Exchange, policy: EffectivePolicy) -> None:
        settings = self.core.settings
        owned = set()
        if settings.references == "owned":
            for fact in exchange.facts:
                if fact.kind == "reference" and await self.core.state.get(answers.held_key(flow.principal, fact.value)):
                    owned.add(fact.value)
        refuse_by_settings(
            exchange,
            settings.media.model_dump(),
            settings.references,
            owned.__contains__,
            lambda kind: policy.rbac.allowed(flow.principal, f"hosted:{kind}", "use"),
        )

    def _carry_out(
        self, flow: Flow, route: Route, body: JsonObject, exchange: Exchange, checked: Checked, target: Target
    ) -> None:
        """Step 8's edits, then what the dialect changes for the provider."""
        if checked.edits:
            pointer.apply(body, checked.edits)
        for fact in exchange.facts:
            if fact.kind == "identity":
                vault = self.core.vaults.of(flow.principal.tenant)
                pointer.set(body, fact.pointer, vault.identity(fact.value))
        asked = {"store": body["store"]} if "store" in body else {}
        route.dialect.prepare(body, target.model)
        if self.core.settings.references == "owned":
            body.pop("store", None)
            body |= asked
        elif exchange.facts and any(fact.kind == "store" for fact in exchange.facts):
            body["store"] = False

    def _keep(self, flow: Flow, exchange: Exchange, checked: Checked) -> None:
        """Hand the leaves, as they go upstream, to the content store."""
        if self.core.content is not None:
            answers.keep_content(self.core, flow, exchange.leaves, checked)

    async def _cancelled(self, call: Call, live: LiveFlow, recorder: Recorder) -> None:
        """The task was cancelled: by a client that left or does not read, a revoked key, or a shutdown."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        why = live.ended_by or "shutting_down"
        if why in ("client_gone", "client_too_slow"):
            await recorder.close_quietly("client_gone" if why == "client_gone" else "error", 499, why)
            call.abort()
            return
        error = Unavailable(
            "this flow was ended by the operator", code=why, status=403 if why == "key_revoked" else 503
        )
        error.retry = why != "key_revoked"
        await recorder.close_quietly("error", error.status, why)
        try:
            async with asyncio.timeout(LAST_WORD_S):
                await self._refuse(call, error)
        except TimeoutError:  # a client that does not read is not waited for
            call.abort()

    async def _refuse(self, call: Call, error: HttpError) -> None:
        """An error before the answer began is an envelope; after that, the relay has already ended the stream."""
        if call.status == 0:
            await call.refuse(error)
        elif not call.ended:
            await call.end_stream(error)


def _identity(flow: Flow, path: str) -> Identity:
    """Who calls what, as policy files bind it."""
    who = flow.principal
    return Identity(who.tenant, who.agent, who.roles, who.key_id, path, flow.model)


def _denied(checked: Checked) -> Denied:
    decision = checked.decision
    strict = [judged for judged in checked.judged if judged.action is decision.action]
    where = strict[0].finding.pointer if strict else None
    if decision.action.name == "APPROVE":
        message, code, status = "This request needs approval and none was given", "approval_required", 403
        return Denied(message, status=status, code=code, pointer=where, rules=tuple(sorted(decision.by)))
    return Denied(block_message(decision), pointer=where, rules=tuple(sorted(decision.by)))
