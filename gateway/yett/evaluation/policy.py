"""The policy that an evaluation asks: a folder as the gateway reads it, or the rules of one file alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

from yett import strictyaml
from yett.errors import ConfigError
from yett.paths import POLICIES, shipped
from yett.policy.conditions import Identity
from yett.policy.effective import EffectivePolicy
from yett.policy.loader import load_policies
from yett.policy.model import PolicyFile
from yett.policy.snapshot import PolicySnapshot
from yett.shape import check


def read_policy(path: Path) -> EffectivePolicy:
    """The policy at `path`, as it concerns a caller whom no file binds. Raises ConfigError.

    A file counts even if it says `active: false`, and for everybody even if it binds: it was named.
    """
    if path.is_dir():
        return load_policies(path).bound_to(Identity())
    document = strictyaml.load(path)
    rules = check(PolicyFile, document).rules
    ids = [rule.id for rule in rules]
    for index, rule in enumerate(rules):
        if rule.id in ids[:index]:
            raise ConfigError(f"the rule id {rule.id!r} is taken", document.where(("rules", index, "id")))
    revision = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    return PolicySnapshot(revision, rules, load_policies(shipped(POLICIES)).rbac).bound_to(Identity())
