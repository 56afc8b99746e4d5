"""Policy decides: files in Git become a snapshot, a snapshot turns findings and callers into verdicts."""

from yett.policy.loader import PolicySource, load_policies
from yett.policy.rbac import Rbac
from yett.policy.snapshot import PolicySnapshot

__all__ = ["PolicySnapshot", "PolicySource", "Rbac", "load_policies"]
