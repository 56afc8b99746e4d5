"""The embedded store: one SQLite file in WAL mode, used from one thread of its own so that the loop never waits."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from yett.errors import ConfigError, Unavailable
from yett.state import check_key, state_unavailable

PURGE_EVERY_S = 60.0
_BUSY_TIMEOUT_S = 1.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires_s REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS state_expires ON state (expires_s);
"""

T = TypeVar("T")


def wall_clock_s() -> float:
    """Seconds since the epoch: expiry must survive a restart, so a monotonic clock does not do."""
    return dt.datetime.now(dt.UTC).timestamp()


class SqliteStore:
    """See `Store`. Opens the file at once and raises ConfigError if it cannot be used."""

    def __init__(
        self, path: Path, clock: Callable[[], float] = wall_clock_s, purge_every_s: float = PURGE_EVERY_S
    ) -> None:
        self._clock = clock
        self._purge_every_s = purge_every_s
        self._purged_s = clock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="yett-state")
        try:
            self._db = self._thread.submit(_connect, path).result()
        except (sqlite3.Error, OSError) as error:
            self._thread.shutdown()
            raise ConfigError("the state file cannot be opened", str(path)) from error

    async def get(self, key: str) -> bytes | None:
        """See `Store.get`."""
        check_key(key)
        return await self._run(lambda: self._get(key))

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """See `Store.put`."""
        await self.put_many({key: value}, ttl_s)

    async def put_many(self, values: Mapping[str, bytes], ttl_s: float) -> None:
        """See `Store.put_many`."""
        for key in values:
            check_key(key, ttl_s)
        rows = [(key, bytes(value), self._clock() + ttl_s) for key, value in values.items()]
        await self._run(lambda: self._put(rows))

    async def delete(self, key: str) -> None:
        """See `Store.delete`."""
        check_key(key)
        await self._run(lambda: self._delete(key))

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        try:
            await self._run(self._db.close)
        finally:
            self._thread.shutdown(wait=False)

    # --- in the store's own thread ---

    def _get(self, key: str) -> bytes | None:
        now_s = self._clock()
        row = self._db.execute("SELECT value FROM state WHERE key = ? AND expires_s > ?", (key, now_s)).fetchone()
        self._purge(now_s)
        return None if row is None else bytes(row[0])

    def _put(self, rows: list[tuple[str, bytes, float]]) -> None:
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", rows)
        self._purge(self._clock())

    def _delete(self, key: str) -> None:
        with self._db:
            self._db.execute("DELETE FROM state WHERE key = ?", (key,))

    def _purge(self, now_s: float) -> None:
        if abs(now_s - self._purged_s) < self._purge_every_s:
            return
        self._purged_s = now_s
        with self._db:
            self._db.execute("DELETE FROM state WHERE expires_s <= ?", (now_s,))

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise _unavailable(error) from error
        except RuntimeError as error:  # the executor has been shut down
            raise state_unavailable("closed") from error


def _unavailable(error: sqlite3.Error) -> Unavailable:
    return state_unavailable(getattr(error, "sqlite_errorname", type(error).__name__))


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)  # the values are a tenant's; SQLite would use the umask
    db = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db
