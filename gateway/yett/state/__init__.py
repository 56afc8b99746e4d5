"""A small key-value store with expiry: embedded (SQLite) for one process, shared (Redis) for several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from yett.errors import ConfigError, Unavailable

MAX_KEY_CHARS = 512


class Store(Protocol):
    """Bytes by key, for a time. Methods raise `Unavailable` (state_unavailable) when the store does not answer."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None if there is none or it has expired."""

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep `value` for `ttl_s` seconds, in place of what stood there."""

    async def put_many(self, values: Mapping[str, bytes], ttl_s: float) -> None:
        """Keep all of them, or (on failure) none."""

    async def delete(self, key: str) -> None:
        """Forget a value; no error if there is none."""

    async def aclose(self) -> None:
        """Close; nothing may be called after this."""


def open_store(url: str, root: Path) -> Store:
    """The store that `url` names.

    `sqlite:///var/state.db` is relative to `root`, `sqlite:////var/lib/state.db` absolute; `redis://host:port/db`,
    `rediss://` (TLS) and `unix:///path` are Redis. Raises ConfigError for anything else. Redis is not contacted yet.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        return _open_sqlite(url, root)
    if scheme in {"redis", "rediss", "unix"}:
        from yett.state.redis import RedisStore

        return RedisStore(url)
    raise ConfigError("state must be sqlite:///path, redis://host:port/db, rediss:// or unix:///path")


def state_unavailable(what: str) -> Unavailable:
    """The error of every store that does not answer; says nothing of keys and values."""
    return Unavailable(f"the state store is not available ({what})", code="state_unavailable")


def check_key(key: str, ttl_s: float = 1.0) -> None:
    """Refuse keys and lifetimes that the stores would treat differently. Raises ValueError."""
    if not key or len(key) > MAX_KEY_CHARS:
        raise ValueError("a state key must have 1 to 512 characters")
    if not 0.001 <= ttl_s <= 10 * 366 * 86400:
        raise ValueError("ttl_s must be between a millisecond and ten years")


def _open_sqlite(url: str, root: Path) -> Store:
    from yett.state.sqlite import SqliteStore

    parts = urlsplit(url)
    if parts.netloc or parts.query or parts.fragment or not url.startswith("sqlite:///") or parts.path.endswith("/"):
        raise ConfigError("state: write sqlite:///relative/path or sqlite:////absolute/path to a file")
    return SqliteStore(root / parts.path[1:])
