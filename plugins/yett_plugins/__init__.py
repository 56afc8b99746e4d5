"""The plugins that ship with Yett. `BUILTINS` is their order: what finds personal data comes before what finds keys."""

from __future__ import annotations

from yett_plugins.pii import Pii
from yett_plugins.secrets import Secrets

BUILTINS: tuple[type, ...] = (Pii, Secrets)

__all__ = ["BUILTINS", "Pii", "Secrets"]
