"""One revision of all policy, immutable: what a flow is pinned to, and the rules that concern each caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from yett.flow import Flow, Leaf, Phase
from yett.policy.conditions import Bind, Identity, any_glob
from yett.policy.effective import MAX_CACHED, NOT_EDITABLE, EffectivePolicy, Placed
from yett.policy.evaluate import Judging, utc_now
from yett.policy.model import Rule
from yett.policy.rbac import Rbac
from yett.verdict import Finding, Verdict

__all__ = ["MAX_BOUND", "MAX_CACHED", "NOT_EDITABLE", "Place", "PolicySnapshot"]

MAX_BOUND = 4096
_ANYBODY = Identity()


class Place(NamedTuple):
    """Where a rule stands (`file:line`) and whom its file binds."""

    where: str = ""
    bind: Bind | None = None

    @property
    def level(self) -> int:
        """0 is the floor, the levels of `Bind` above it."""
        return 0 if self.bind is None else self.bind.level


class PolicySnapshot:
    """The rules and the role policy of one revision.

    `revision` is `sha256:` and 16 hex digits over every policy file; equal bytes give equal revisions. `places` says
    where each rule stands, by its id; a rule without a place is on the floor.
    """

    __slots__ = ("_bound", "_judging", "_now", "_shared", "_varies", "places", "rbac", "revision", "rules")

    def __init__(
        self,
        revision: str,
        rules: Sequence[Rule],
        rbac: Rbac,
        places: Mapping[str, Place] | None = None,
        judging: Judging | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.revision = revision
        self.rules = tuple(rules)
        self.rbac = rbac
        self.places = dict(places or {})
        self._judging = judging or Judging()
        self._now = now
        self._varies = any(self.place(rule).bind or rule.when.model for rule in self.rules)
        self._bound: dict[Identity, EffectivePolicy] = {}
        self._shared: dict[tuple[str, ...], EffectivePolicy] = {}

    def place(self, rule: Rule) -> Place:
        """Where `rule` stands."""
        return self.places.get(rule.id, Place())

    def bound_to(self, identity: Identity) -> EffectivePolicy:
        """The rules that concern `identity`, merged. Callers whom the same rules concern share one policy."""
        if not self._varies:
            identity = _ANYBODY
        found = self._bound.get(identity)
        if found is None:
            if len(self._bound) >= MAX_BOUND:  # models are named by callers
                self._bound.clear()
                self._shared.clear()
            found = self._bound[identity] = self._bind(identity)
        return found

    def judge(self, finding: Finding, leaf: Leaf, phase: Phase, flow: Flow | None = None, matched: str = "") -> Verdict:
        """The verdict of the rules that concern everybody; see `EffectivePolicy.judge`."""
        return self.bound_to(_ANYBODY).judge(finding, leaf, phase, flow, matched)

    def asks_for(self, code: str) -> bool:
        """Whether some rule names findings with `code`."""
        return any(any_glob(rule.when.finding or (), code) for rule in self.rules)

    def today(self) -> date:
        """The day it is, UTC: what `until` is compared with."""
        return self._now().astimezone(UTC).date()

    def warnings(self) -> list[str]:
        """What the operator should hear of now: exceptions whose last day is over."""
        today = self.today()
        return [
            f"{self.place(rule).where or rule.id}: rule {rule.id}: the exception of {one.owner} ended on {one.until}"
            for rule in self.rules
            for one in rule.exceptions
            if one.until < today
        ]

    def _bind(self, identity: Identity) -> EffectivePolicy:
        placed = [
            Placed(rule, place.where, place.level)
            for rule in self.rules
            for place in (self.place(rule),)
            if (place.bind is None or place.bind.fits(identity))
            and (rule.when.model is None or any_glob(rule.when.model, identity.model))
        ]
        key = tuple(one.rule.id for one in placed)
        shared = self._shared.get(key)
        if shared is None:
            shared = EffectivePolicy(self.revision, placed, self.rbac, self._judging, self._now)
            self._shared[key] = shared
        return shared
