"""Files that may change while the gateway runs: load the new, swap one reference, keep the last good one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from yett.errors import ConfigError

T = TypeVar("T")

Signature = tuple[tuple[str, int, int, int, int], ...]


class Reloading(Generic[T]):
    """`current` is what `load` last made of the files; `rejected` says why a newer version was not taken.

    The constructor loads at once and raises ConfigError; `poll`, called by a watcher, never raises.
    """

    __slots__ = ("_files", "_load", "_seen", "current", "rejected")

    def __init__(self, load: Callable[[], T], files: Callable[[], Iterable[Path]]) -> None:
        self._load = load
        self._files = files
        self._seen = self._signature()
        self.current: T = load()
        self.rejected: str | None = None

    def poll(self) -> bool:
        """Look whether a file changed (a stat each) and load if so. True: `current` is new."""
        before = self._signature()
        if before == self._seen:
            return False
        try:
            fresh = self._load()
        except ConfigError as error:
            self._seen, self.rejected = before, str(error)
            return False
        if self._signature() != before:
            return False  # written to while it was read: the next poll sees the whole
        self._seen, self.current, self.rejected = before, fresh, None
        return True

    def _signature(self) -> Signature:
        """Name, inode, size and both times of every file: what no edit leaves unchanged."""
        found = []
        try:
            for path in self._files():
                stat = path.stat()
                found.append((str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
        except OSError as error:
            found.append((str(error.filename), 0, 0, 0, 0))
        return tuple(sorted(found))
