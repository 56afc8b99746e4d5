"""The gateway assembled: settings in, one `Gateway` out, with its data plane and its admin application.

Validate, then construct; start the new, then swap, then stop the old. Nothing here is global: two gateways can live in
one process.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import structlog

from yett.at_hand import DetectorsAtHand
from yett.audit import record
from yett.audit.content import ContentStore
from yett.audit.sink import AuditLog
from yett.auth import KeySource
from yett.callables import CallableScans
from yett.config import Provider as ProviderSettings
from yett.config import Settings
from yett.errors import ConfigError, HttpError
from yett.flow import Principal, Target
from yett.hookcalls import HookCalls
from yett.pipeline import Pipeline
from yett.policy.loader import PolicySource, Surroundings
from yett.registry import Registry, find_plugin, load_builtins
from yett.scan import ScanEngine
from yett.server.core import Core, Provider
from yett.server.endpoints import DataPlane
from yett.server.refusals import INTERVAL_S, Refusals
from yett.state import open_store
from yett.tasks import Tasks
from yett.telemetry import Metrics
from yett.upstream.demo import DemoTransport
from yett.upstream.transport import Deadlines, HttpTransport, Transport
from yett.vault import Vaults, load_master_key
from yett.workers import WorkerPool

log = structlog.get_logger("yett.app")
POLL_S = 0.5


class Gateway:
    """One gateway. `async with Gateway.opened(settings) as gateway:` opens it, `gateway.data` serves it."""

    def __init__(self, core: Core, worker: int = 0) -> None:
        self.core = core
        self.worker = worker
        self.data = DataPlane(core)
        self._tasks = Tasks()
        self._refused_at = time.monotonic()

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, settings: Settings, worker: int = 0, policies: PolicySource | None = None
    ) -> AsyncIterator[Gateway]:
        """Open everything `settings` names, or `policies` in place of its own, and close it again.

        Raises ConfigError or PluginError.
        """
        core = await _build(settings, worker, policies)
        gateway = cls(core, worker)
        try:
            await gateway._start()
            yield gateway
        finally:
            await gateway._stop()

    async def _start(self) -> None:
        core = self.core
        core.promises = self.promises
        await core.workers.start()
        core.metrics.opened.set(len(core.registry.opened()))
        core.audit.append(
            record.event(
                "gateway_started",
                worker=self.worker,
                revision=core.policies.current.revision,
                detectors=list(core.pipeline.detector_names),
                opened=list(core.registry.opened()),
            )
        )
        for warning in core.settings.warnings():
            log.warning("opened_by_configuration", what=warning)
        self._warn_of_policy()
        for hook in core.registry.hooks["gateway_started"]:
            result = hook.call(**{"gateway": self} if hook.arguments else {})
            if hook.is_async:
                await result
        self._tasks.spawn(self._watch(), "watch")

    async def _stop(self) -> None:
        core = self.core
        core.stopping = True
        await core.calls.observe(core.registry.hooks["gateway_stopping"], {"gateway": self})
        await self._tasks.close()
        await core.workers.aclose()
        core.refusals.flush()
        for provider in core.providers.values():
            await provider.transport.aclose()
        await core.state.aclose()
        if core.content is not None:
            core.content.close()
        core.audit.close()

    def promises(self) -> dict[str, object]:
        """Which promises hold now, for /readyz on the admin port."""
        core = self.core
        opened, rejected = core.registry.opened(), core.policies.rejected
        return {
            "ready": not core.stopping and core.audit.healthy,
            "audit": {"healthy": core.audit.healthy, "degraded": core.audit.degraded, "records": core.audit.size},
            "guards": {"closed": not opened, "opened": list(opened), "detectors": len(core.pipeline.detector_names)},
            "policy": {
                "revision": core.policies.current.revision,
                "rejected": rejected,
                "warnings": core.policies.current.warnings(),
            },
            "configuration": {"opened": list(core.settings.warnings())},
            "flows_in_flight": len(core.live),
            "stopping": core.stopping,
        }

    def reload(self) -> None:
        """Take up changed policy and key files now; a bad file keeps the last good one and is loud."""
        self._reload_policies()
        self._reload_keys()

    async def _watch(self) -> None:
        """Twice a second: changed files, revoked keys, clients that do not read."""
        while True:
            await asyncio.sleep(POLL_S)
            self.reload()
            self._reap()
            self.core.metrics.live.set(len(self.core.live))
            if time.monotonic() - self._refused_at >= INTERVAL_S:
                self._refused_at = time.monotonic()
                self.core.refusals.flush()

    def _reload_policies(self) -> None:
        policies, before = self.core.policies, self.core.policies.rejected
        if policies.poll():
            self._note("policy_reloaded", revision=policies.current.revision)
            self._warn_of_policy()
        elif policies.rejected and policies.rejected != before:
            self.core.metrics.reload_rejected("policy")
            log.error("policy_rejected", why=policies.rejected, revision=policies.current.revision)
            self._note("policy_rejected", revision=policies.current.revision)

    def _warn_of_policy(self) -> None:
        for warning in self.core.policies.current.warnings():
            log.warning("policy_warning", what=warning)

    def _reload_keys(self) -> None:
        keys, before = self.core.keys, self.core.keys.rejected
        if keys.poll():
            ended = self.core.live.end_where(self._revoked, "key_revoked")
            self._note("keys_reloaded", ended=ended)
        elif keys.rejected and keys.rejected != before:
            self.core.metrics.reload_rejected("keys")
            log.error("keys_rejected", why=keys.rejected)
            self._note("keys_rejected")

    def _revoked(self, principal: Principal) -> bool:
        return bool(principal.key_id) and not self.core.keys.current.valid(principal.key_id)

    def _reap(self) -> None:
        limit_s = self.core.settings.timeouts.idle_s
        self.core.live.end_stuck(time.monotonic() - limit_s)

    def _note(self, name: str, **facts: object) -> None:
        try:
            self.core.audit.append(record.event(name, **facts))
        except HttpError:
            self.core.metrics.audit_failed()


def build_registry(settings: Settings) -> Registry:
    """The plugins that `settings` asks for: built-ins first, in their own order. Raises PluginError, ConfigError.

    A built-in that is `optional` runs only where it is named.
    """
    registry = Registry()
    builtins = load_builtins()
    known = {getattr(one, "name", "") for one in builtins}
    unknown = sorted(set(settings.builtins) - known)
    if unknown:
        raise ConfigError(f"builtins: no built-in plugin {unknown[0]!r}; there are {', '.join(sorted(known))}")
    for builtin in builtins:
        chosen = settings.builtins.get(getattr(builtin, "name", ""))
        if chosen.enabled if chosen else not getattr(builtin, "optional", False):
            registry.add(builtin, chosen.config if chosen else {}, source="builtin")
    for entry in settings.plugins:
        plugin, source = find_plugin(entry.name)
        registry.add(plugin, entry.config, source=source, on_error=entry.on_error, deadline_s=entry.deadline_s)
    return registry


def absent_codes(settings: Settings) -> frozenset[str]:
    """What built-ins that `settings` leaves out would find, as far as their `codes` say."""
    running = {one.name for one in build_registry(settings).describe()}
    return frozenset(
        code for one in load_builtins() if getattr(one, "name", "") not in running for code in getattr(one, "codes", ())
    )


def value_key(master: bytes) -> bytes:
    """What opens the `hmac:` digests in `allow_values`."""
    return hmac.digest(master, b"policy values", hashlib.sha256)


def present_value_key(settings: Settings) -> bytes:
    """`value_key` of a gateway that has run before; empty where its vault key is not there, which is not made."""
    path = settings.path(settings.vault_key)
    return value_key(load_master_key(path)) if path.is_file() else b""


async def _build(settings: Settings, worker: int, policies: PolicySource | None = None) -> Core:
    metrics = Metrics()
    registry = build_registry(settings)
    detectors, contributed = registry.detectors(), registry.callables()
    engine = ScanEngine(detectors)
    pool = WorkerPool([one.detector for one in contributed], processes=settings.limits.detector_workers)
    callables = CallableScans(contributed, pool)
    master = load_master_key(settings.path(settings.vault_key))
    around = Surroundings(DetectorsAtHand(engine, detectors, callables), value_key=value_key(master))
    policies = policies or PolicySource(settings.path(settings.policies), around)
    keys = KeySource(settings.path(settings.keys_file))
    leaf_key = hmac.digest(master, b"leaf", hashlib.sha256)
    vaults = Vaults(master)
    calls = HookCalls(metrics.plugin_failed)
    providers = {name: _provider(name, one, settings) for name, one in settings.providers.items()}
    audit = AuditLog.open(
        settings.path(settings.audit.dir),
        durability=settings.audit.durability,
        signing_key=settings.path(settings.audit.signing_key),
        worker=worker,
    )
    return Core(
        settings=settings,
        registry=registry,
        pipeline=Pipeline(engine, registry, vaults, leaf_key, calls, callables),
        policies=policies,
        keys=keys,
        vaults=vaults,
        leaf_key=leaf_key,
        audit=audit,
        content=_content(settings, master, worker),
        state=open_store(settings.state, settings.root),
        providers=providers,
        models=_models(settings),
        metrics=metrics,
        calls=calls,
        workers=pool,
        refusals=Refusals(audit),
        trusted=tuple(ipaddress.ip_network(str(network)) for network in settings.trusted_proxies),
    )


def _models(settings: Settings) -> Mapping[str, tuple[Target, ...]]:
    return {
        name: tuple(Target(target.provider, target.model) for target in model.targets)
        for name, model in settings.models.items()
    }


def _provider(name: str, settings: ProviderSettings, whole: Settings) -> Provider:
    if settings.kind == "demo" or settings.base_url is None:
        return Provider(name, DemoTransport(), (), "/v1")
    headers = [(key.lower().encode(), value.encode()) for key, value in settings.headers.items()]
    if settings.api_key is not None:
        headers.append((b"authorization", b"Bearer " + settings.api_key.get_secret_value().encode()))
    transport = _transport(settings, whole)
    return Provider(name, transport, tuple(headers))


def _transport(settings: ProviderSettings, whole: Settings) -> Transport:
    times = whole.timeouts
    options: dict[str, Any] = {
        "deadlines": Deadlines(times.connect_s, times.first_byte_s, times.idle_s, times.total_s),
        "max_body_bytes": whole.limits.response_bytes,
    }
    base_url = str(settings.base_url)
    if settings.transport == "aiohttp":
        from yett.upstream.aiohttp_transport import AiohttpTransport

        return AiohttpTransport(base_url, **options)
    context = ssl.create_default_context() if base_url.startswith("https:") else None
    return HttpTransport(base_url, ssl_context=context, **options)


def _content(settings: Settings, master: bytes, worker: int) -> ContentStore | None:
    audit = settings.audit
    if audit.content == "none":
        return None
    return ContentStore(
        settings.path(audit.dir) / str(worker) / "content",
        audit.content,
        key=hmac.digest(master, b"content", "sha256"),
        public_key=_public_key(settings.path(audit.content_public_key)) if audit.content_public_key else b"",
        ttl_days=audit.content_days,
    )


def _public_key(path: Path) -> bytes:
    try:
        return base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, ValueError):
        raise ConfigError("audit.content_public_key: not a file with a key in base64", str(path)) from None
