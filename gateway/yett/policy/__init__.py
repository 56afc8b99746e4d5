"""Policy decides: files in Git become a snapshot, a snapshot turns findings and callers into verdicts."""

from yett.policy.conditions import Identity
from yett.policy.effective import EffectivePolicy
from yett.policy.loader import PolicySource, Surroundings, load_policies
from yett.policy.rbac import Rbac
from yett.policy.snapshot import PolicySnapshot

__all__ = ["EffectivePolicy", "Identity", "PolicySnapshot", "PolicySource", "Rbac", "Surroundings", "load_policies"]
