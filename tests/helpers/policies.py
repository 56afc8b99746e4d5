"""Rules and snapshots for tests, in the words of a policy file."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from yett.policy.conditions import Bind
from yett.policy.counts import Counts
from yett.policy.evaluate import Judging, utc_now
from yett.policy.model import Rule
from yett.policy.rbac import Rbac
from yett.policy.snapshot import Place, PolicySnapshot

MODEL = """
[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, dom, obj, act, eft
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub, r.dom) && keyMatch(r.dom, p.dom) && keyMatch(r.obj, p.obj) && r.act == p.act
"""


def rule(name: str = "r", do: str = "deny", *, when: Mapping[str, Any] | None = None, **more: Any) -> Rule:
    """A rule about every finding, unless `when` says otherwise."""
    return Rule.model_validate({"id": name, "do": do, "when": when or {"finding": "*"}} | more)


def snapshot(
    *rules: Rule,
    binds: Mapping[str, Mapping[str, Any]] | None = None,
    counts: Counts | None = None,
    value_key: bytes = b"",
    now: Callable[[], datetime] = utc_now,
) -> PolicySnapshot:
    """A revision of `rules`; `binds` says, by rule id, whom the file of a rule binds."""
    places = {
        one.id: Place(f"{one.id}.yaml:1", Bind.model_validate(binds[one.id]) if one.id in (binds or {}) else None)
        for one in rules
    }
    judging = Judging(counts or Counts(), value_key)
    return PolicySnapshot("sha256:0", rules, Rbac(MODEL, ""), places, judging, now)
