"""Segments, the tree over them, and what no sync has covered yet. No thread and no policy: `sink` has those.

`write` is called with `lock` held; `sync`, `replace` and `rotate` by one thread at a time, without it. What that thread
has to know of the writes it reads in one step (`Mark`): waiting for a lock that is held during a write would cost both
threads more than the write. The lines that no sync has covered are kept, so that a segment whose sync failed can be
given up without losing a record: they are exactly the bytes behind `synced_bytes` of the segments in use.
"""

from __future__ import annotations

import errno
import json
import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import orjson

from yett.audit.log import Tree, leaf_hash, link
from yett.audit.record import VERSION, Record
from yett.audit.repair import End, segment_path
from yett.audit.segment import FileFactory, Segment, sync_folder

MAX_LINE_BYTES = 1 << 20
STAMPS = frozenset({"v", "i", "t", "p"})
_UNSAFE = re.compile("[^\x20-\x7e]")


class Mark(NamedTuple):
    """How far the log was written at one moment."""

    segment: Segment
    size_bytes: int
    records: int


class Journal:
    """The storage of one log."""

    def __init__(
        self, folder: Path, end: End, segment: Segment, *, segment_bytes: int, file_factory: FileFactory
    ) -> None:
        self.lock = threading.Lock()
        self.end = end
        self.segment = segment
        self._folder, self._segment_bytes, self._factory = folder, segment_bytes, file_factory
        self._settling: list[Segment] = []  # rotated away or given up, not yet synced to their end
        self._unsynced: list[bytes] = []
        self._mark = Mark(segment, segment.size_bytes, end.tree.size)
        self._synced_records = end.tree.size
        self._now = Clock()

    @property
    def dirty(self) -> bool:
        """Whether a sync has something to do."""
        return bool(self._unsynced or self._settling)

    def write(self, record: Record) -> int:
        """Stamp, encode and append one record; its index. Raises OSError, or ValueError if it cannot be a line."""
        end = self.end
        tree = end.tree
        index = tree.size
        line = self._stamped(index, encode_line(record), record)
        data = b"%b\n" % line
        segment = self.segment
        segment.append(data)
        leaf = leaf_hash(line)
        tree.append(leaf)
        end.prev = link(leaf)
        end.see(record)
        self._unsynced.append(data)
        self._mark = Mark(segment, segment.size_bytes, index + 1)
        return index

    def _stamped(self, index: int, line: bytes, record: Record) -> bytes:
        """The line with the four stamps put in front: cheaper than a copy of the record that has them."""
        if not (record and STAMPS.isdisjoint(record)):
            raise ValueError("v, i, t and p are stamped by the log" if record else "the record is empty")
        stamps = f'"v":{VERSION},"i":{index},"t":"{self._now()}","p":"{self.end.prev}"'
        stamped = b"{%b,%b" % (stamps.encode(), line[1:])
        if len(stamped) > MAX_LINE_BYTES:
            raise ValueError("the record is too large")
        return stamped

    def sync(self) -> End:
        """Sync all that is written now; the end of the log as it then is on the disk. Raises OSError."""
        with self.lock:
            snapshot, mark = self._snapshot(), self._mark
        self._sync_to(mark)
        return snapshot

    def sync_records(self) -> int:
        """`sync`, without the end of the log and without the lock; how many records are on the disk. Raises OSError."""
        mark = self._mark
        self._sync_to(mark)
        return mark.records

    def _sync_to(self, mark: Mark) -> None:
        current, settling = self.segment, self._settling  # nobody else replaces these
        for part in (*settling, current):
            part.sync()
        for part in settling:
            part.synced_bytes = part.size_bytes
            part.close()
        current.synced_bytes = mark.size_bytes if mark.segment is current else 0  # not yet written to
        self._settling = []
        del self._unsynced[: mark.records - self._synced_records]
        self._synced_records = mark.records

    def replace(self) -> None:
        """Give up the segments in use and carry what they had not synced over to a new, synced one. Raises OSError.

        Nobody may write meanwhile. May be tried again and again.
        """
        given_up = [*self._settling, self.segment]
        for part in given_up:
            if not part.cut(part.synced_bytes):
                raise OSError(errno.EIO, "a failed segment cannot be cut back")
            with suppress(OSError):
                part.sync()  # the cut should outlast a power loss too
        fresh = self._create()
        try:
            fresh.append(b"".join(self._unsynced))
            fresh.sync()
        except OSError:
            if fresh.cut(0):
                fresh.discard()
            else:
                self._settling.append(fresh)
            raise
        with self.lock:
            fresh.synced_bytes = fresh.size_bytes
            self.segment, self._settling, self._unsynced = fresh, [], []
            self._synced_records = self.end.tree.size
            self._mark = Mark(fresh, fresh.size_bytes, self._synced_records)
        for part in given_up:
            part.close()

    def rotate(self) -> None:
        """Go on in a new segment if this one is full. Raises OSError; the old one then stays in use."""
        if self.segment.size_bytes < self._segment_bytes:
            return
        fresh = self._create()
        with self.lock:
            self._settling.append(self.segment)
            self.segment = fresh

    def close(self) -> None:
        """Let go of the files."""
        for part in (*self._settling, self.segment):
            part.close()

    def _create(self) -> Segment:
        number = self.end.segment + 1
        path = segment_path(self._folder, number)
        fresh = Segment(path, self._factory(path))
        try:
            sync_folder(self._folder)
        except OSError:
            fresh.discard()
            raise
        self.end.segment = number
        return fresh

    def _snapshot(self) -> End:
        end = self.end
        tree = Tree(end.tree.size, end.tree.frontier())
        return End(tree, end.prev, end.origin, end.segment, self.segment.size_bytes, dict(end.open_flows))


class Clock:
    """UTC stamps with microseconds; the part up to the second is formatted once a second."""

    __slots__ = ("_prefix", "_second")

    def __init__(self) -> None:
        self._second, self._prefix = "", ""

    def __call__(self) -> str:
        """The stamp of this moment."""
        digits = str(time.time_ns())
        second = digits[:-9]
        if second != self._second:
            self._second, self._prefix = second, time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(int(second)))
        return f"{self._prefix}{digits[-9:-3]}Z"


def encode_line(record: Record) -> bytes:
    """One line of printable ASCII: no newline, ESC, C1 control, bidi mark or U+2028 can break a line or a terminal.

    Lone surrogates become `?`. Raises ValueError if the record cannot be written as JSON or is too large.
    """
    try:
        line = orjson.dumps(record)
    except TypeError:
        line = _encode_slowly(record)
    else:
        if not line.isascii() or b"\x7f" in line:
            line = _encode_slowly(record)
    if len(line) > MAX_LINE_BYTES:
        raise ValueError("the record is too large")
    return line


def _encode_slowly(record: Record) -> bytes:
    try:
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (TypeError, RecursionError) as error:
        raise ValueError("the record is not JSON") from error
    text = text.encode("utf-8", "replace").decode()
    return _UNSAFE.sub(_escape, text).encode()


def _escape(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
