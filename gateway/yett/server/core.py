"""What the data plane is made of: one plain bundle, assembled by `yett.app`, read by the endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from yett.audit import record
from yett.audit.content import ContentStore
from yett.audit.sink import AuditLog
from yett.auth import KeySource
from yett.config import Settings
from yett.flow import Principal, Target
from yett.hookcalls import HookCalls
from yett.ledger import KnownLeaves
from yett.pipeline import Pipeline
from yett.policy.loader import PolicySource
from yett.registry import Registry
from yett.server.client import Network
from yett.server.live import LiveFlows
from yett.server.refusals import Refusals
from yett.state import Store
from yett.telemetry import Metrics
from yett.upstream.transport import Transport
from yett.vault import Vaults
from yett.workers import WorkerPool


@dataclass(frozen=True, slots=True)
class Provider:
    """A configured provider: how to reach it and the headers that carry our credentials.

    `path_prefix` stands before the part of a path that follows /v1; empty where the transport's base URL has it.
    """

    name: str
    transport: Transport
    headers: tuple[tuple[bytes, bytes], ...] = ()
    path_prefix: str = ""


@dataclass(slots=True)
class Core:
    """The parts of one gateway. What `keys` and `policies` hold is swapped on reload, the rest stays."""

    settings: Settings
    registry: Registry
    pipeline: Pipeline
    policies: PolicySource
    keys: KeySource
    vaults: Vaults
    leaf_key: bytes
    audit: AuditLog
    content: ContentStore | None
    state: Store
    providers: Mapping[str, Provider]
    models: Mapping[str, tuple[Target, ...]]
    metrics: Metrics
    calls: HookCalls
    workers: WorkerPool
    refusals: Refusals
    live: LiveFlows = field(default_factory=LiveFlows)
    known: KnownLeaves = field(default_factory=KnownLeaves)
    trusted: tuple[Network, ...] = ()
    stopping: bool = False
    promises: Callable[[], dict[str, object]] = field(default=dict)
    opened: tuple[str, ...] = ()  # the plugins that the operator lets fail open: fixed when all are registered
    _principals: dict[Principal, record.Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.opened = self.registry.opened()

    def principal_record(self, principal: Principal) -> record.Record:
        """`principal` as the audit names it; made once per principal."""
        found = self._principals.get(principal)
        if found is None:
            if len(self._principals) > 10_000:
                self._principals.clear()
            found = self._principals[principal] = record.principal(
                principal.id, principal.tenant, principal.agent, principal.roles, principal.key_id
            )
        return found
