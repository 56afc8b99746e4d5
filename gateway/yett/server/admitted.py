"""What the request side hands to the answer side."""

from __future__ import annotations

from dataclasses import dataclass

from yett.flow import Flow, Target
from yett.policy.effective import EffectivePolicy
from yett.server.recorder import Recorder
from yett.server.routes import Route
from yett.wire.exchange import Exchange, JsonObject


@dataclass(slots=True)
class Admitted:
    """A request that passed the gate: what was read, what was decided, and the policy pinned to it."""

    flow: Flow
    route: Route
    policy: EffectivePolicy
    recorder: Recorder
    body: JsonObject
    exchange: Exchange
    target: Target
    raw: bytes | None = None  # the body as it came, where it passes as it is
