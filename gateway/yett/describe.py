"""What a gateway would do, told without serving: its pipeline (`yett check`), one request (`yett explain`)."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import asdict
from typing import Any

from yett.app import absent_codes, build_registry, present_value_key
from yett.at_hand import DetectorsAtHand
from yett.callables import CallableScans, make_scanner
from yett.config import Settings
from yett.detector import CallableDetector
from yett.errors import HttpError, RequestError
from yett.flow import Flow, Leaf, Phase, Principal, TraceContext, new_id
from yett.hookcalls import HookCalls
from yett.pipeline import Pipeline
from yett.policy.conditions import Identity
from yett.policy.lint import lint
from yett.policy.loader import Surroundings, load_policies
from yett.policy.model import Rule
from yett.policy.snapshot import PolicySnapshot
from yett.registry import Registry
from yett.scan import ScanEngine
from yett.server.facts import refuse_by_settings
from yett.server.routes import ROUTES
from yett.vault import Vaults
from yett.wire import strictjson
from yett.wire.exchange import Exchange
from yett.workers import WorkerPool


def describe(settings: Settings) -> dict[str, Any]:
    """The effective pipeline per route: dialect, detectors with their streaming mode, checks, policy, models."""
    registry = build_registry(settings)
    detectors = registry.detectors()
    engine = ScanEngine(detectors)  # compiles every rule and runs its examples
    contributed = [one.detector for one in registry.callables()]
    asyncio.run(_try_out(contributed))
    at_hand = DetectorsAtHand(engine, detectors, _inline(registry))
    policy = load_policies(
        settings.path(settings.policies), Surroundings(at_hand, value_key=present_value_key(settings))
    )
    codes = at_hand.known | {found.code for one in contributed for found in one.finds}
    guards = [
        {"name": one.name, "code": one.code, "streaming": f"exact, holds at most {one.max_len} characters"}
        for one in detectors
    ]
    guards += [_called(one) for one in contributed]
    checks = _checks(registry)
    return {
        "routes": [
            {"path": route.path, "dialect": route.dialect.name, "detectors": guards, "checks": checks}
            for route in ROUTES.values()
        ],
        "passthrough": settings.passthrough,
        "policy": {
            "revision": policy.revision,
            "rules": [_rule(policy, rule) for rule in policy.rules],
            "problems": [asdict(one) for one in lint(policy, codes, absent_codes(settings))],
        },
        "models": {name: [f"{t.provider}/{t.model}" for t in model.targets] for name, model in settings.models.items()},
        "plugins": [{"name": p.name, "source": p.source, "hooks": list(p.hooks)} for p in registry.describe()],
        "warnings": list(settings.warnings()),
    }


def explain(settings: Settings, body: bytes, path: str = "/v1/chat/completions") -> dict[str, Any]:
    """What the gate would do with `body`: leaves, findings, verdicts, who decided. Nothing is sent or recorded."""
    return asyncio.run(_explain(settings, body, path))


async def _explain(settings: Settings, body: bytes, path: str) -> dict[str, Any]:
    route = ROUTES.get(path)
    if route is None:
        raise RequestError(f"no dialect for {path}; there are {', '.join(ROUTES)}", status=404, code="not_found")
    registry = build_registry(settings)
    around = Surroundings(value_key=present_value_key(settings))
    policy = load_policies(settings.path(settings.policies), around)
    calls, contributed = HookCalls(lambda plugin, hook: None), registry.callables()
    value = strictjson.loads(body, max_depth=settings.limits.json_depth)
    if not isinstance(value, dict):
        raise RequestError("the body must be a JSON object", pointer="")
    exchange = route.dialect.read_request(value)
    principal = Principal("explain", "default", "explain", ())
    flow = Flow(new_id(), TraceContext(secrets.token_hex(16), secrets.token_hex(8)), principal, route.dialect.name)
    flow.model, flow.tools = exchange.model, exchange.tools
    flow.tool_calls, flow.tool_results = exchange.tool_calls, exchange.tool_results
    bound = policy.bound_to(Identity(principal.tenant, principal.agent, route=path, model=flow.model))
    engine, vaults = ScanEngine(registry.detectors()), Vaults(secrets.token_bytes(32))
    async with WorkerPool([one.detector for one in contributed], processes=1) as pool:
        pipeline = Pipeline(engine, registry, vaults, b"explain", calls, CallableScans(contributed, pool))
        checked = await pipeline.check(
            flow,
            bound,
            Phase.REQUEST,
            exchange.leaves,
            one_way=route.one_way,
            constrained=exchange.constrained,
        )
    return {
        "dialect": route.dialect.name,
        "model": exchange.model,
        "leaves": [_leaf(leaf) for leaf in exchange.leaves],
        "facts": [{"kind": f.kind, "pointer": f.pointer, "name": f.name} for f in exchange.facts],
        "settings": _settings_verdict(settings, exchange),
        "findings": [
            {
                "code": one.finding.code,
                "pointer": one.finding.pointer,
                "span": one.finding.span,
                "score": round(one.finding.score, 3),
                "detector": one.finding.detector,
                "action": one.action.name,
                "rule": one.rule,
            }
            for one in checked.judged
        ],
        "decision": {"action": checked.decision.action.name, "by": sorted(checked.decision.by)},
        "ledger": {"leaves": len(exchange.leaves), "unscanned": checked.ledger.missing()},
        "policy_revision": policy.revision,
    }


def _rule(policy: PolicySnapshot, rule: Rule) -> dict[str, Any]:
    bind = policy.place(rule).bind
    shown = rule.describe()
    return {
        "id": shown.pop("id"),
        "bind": bind.model_dump(mode="json", exclude_unset=True) if bind else "everybody",
        "when": shown.pop("when"),
        "do": shown.pop("do"),
        "mode": rule.mode,
        "severity": rule.severity,
        "tags": list(rule.tags),
    } | shown


def _inline(registry: Registry) -> CallableScans:
    """The callable detectors that need no worker."""
    return CallableScans([one for one in registry.callables() if one.detector.isolation == "inline"])


async def _try_out(contributed: list[CallableDetector]) -> None:
    """Make every scanner once, where it would run. Raises ConfigError for one that cannot be made."""
    for detector in contributed:
        if detector.isolation == "inline":
            make_scanner(detector)
    async with WorkerPool(contributed, processes=1):
        pass


def _called(detector: CallableDetector) -> dict[str, str]:
    where = "on the event loop" if detector.isolation == "inline" else f"in a worker, {detector.deadline_s:g} s"
    reads = " and ".join(sorted(phase.value for phase in detector.phases))
    streams = f", streams: {detector.streaming.value}" if Phase.RESPONSE in detector.phases else ""
    codes = ", ".join(one.code for one in detector.finds)
    return {"name": detector.name, "code": codes, "streaming": f"{where}; reads {reads}{streams}"}


def _leaf(leaf: Leaf) -> dict[str, Any]:
    return {"pointer": leaf.pointer, "role": leaf.role.value, "part": leaf.part, "characters": len(leaf.text)}


def _settings_verdict(settings: Settings, exchange: Exchange) -> str:
    try:
        refuse_by_settings(exchange, settings.media.model_dump(), settings.references, lambda _: False, lambda _: False)
    except HttpError as error:
        return f"{error.code}: {error.message}"
    return "allowed"


def _checks(registry: Registry) -> list[str]:
    return [
        f"{hook.plugin}.{name}"
        for name, hooks in sorted(registry.hooks.items())
        for hook in hooks
        if name.startswith("check_")
    ]
