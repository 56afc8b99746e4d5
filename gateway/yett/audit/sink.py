"""The writing side of the audit: one log per worker, appended to on the hot path, synced and signed behind it.

    log = AuditLog.open(Path("var/audit"), durability="group", signing_key=Path("var/keys/audit.pem"))
    index = log.append(record)       # in the page cache when it returns; raises Unavailable (503) if it is not
    await log.commit(index)          # waits only under durability "fsync"

Layout: `<folder>/audit.pub`, and per worker `<folder>/<worker>/000001.jsonl ... checkpoints resume.json lock`.

What each durability promises about a record whose `append` (and `commit`) returned:
    os      survives the death of the process; power loss may cost what came after the last checkpoint (1 s)
    group   the same, and a sync starts within 5 ms of the write; nobody waits for it
    fsync   survives power loss: `commit` waits for the sync that covers it

What happens when the disk fails:
    full disk, short write     cut back to the last whole record, 503; each later append tries again
    failed sync, other errors  the segment is closed and never written again; what no sync had covered is written to
                               a new one (same bytes, same tree); 503 until that is synced
    a sync that hangs          under `fsync` waiters get 503 after 250 ms; in every mode, once a sync has hung for
                               `STALL_S`, appends answer 503 without touching the file. A write goes to the page
                               cache on the caller's thread: only a file system whose page cache itself blocks can
                               hold it up (a hung network mount; keep the audit on a local disk)
An outage leaves an `audit_resumed` event that says why and how many records were refused.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from yett.audit.bell import Bell
from yett.audit.checkpoint import load_or_create_signing_key, public_bytes
from yett.audit.journal import Journal
from yett.audit.record import Record, completed, event, opened
from yett.audit.repair import End, find_end, segment_path, take_lock
from yett.audit.segment import FileFactory, NoFile, OsFile, Segment
from yett.audit.signing import Signer
from yett.errors import ConfigError, Unavailable

Durability = Literal["os", "group", "fsync"]
WINDOW_S: Mapping[str, float] = {"os": 1.0, "group": 0.0045, "fsync": 0.0}  # from a write to the sync that covers it
STALL_S: Mapping[str, float] = {"os": 10.0, "group": 2.0, "fsync": 0.25}  # a sync that takes longer closes the gate
COMMIT_S = 0.25
RETRY_S = 0.1
PROBE_BYTES = 8192
SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})  # the file is fine, there is only no room


class AuditLog:
    """One worker's log. Any thread may append; a forked child may not use its parent's log."""

    def __init__(
        self, journal: Journal, signer: Signer, *, lock_fd: int, durability: Durability, checkpoint_records: int,
        checkpoint_s: float,
    ) -> None:  # fmt: skip
        """Use `AuditLog.open`."""
        self._journal, self._signer, self._lock_fd = journal, signer, lock_fd
        self._window_s, self._stall_s = min(WINDOW_S[durability], checkpoint_s), STALL_S[durability]
        self.waits = durability == "fsync"  # whether `commit` has anything to wait for
        self._checkpoint_records, self._checkpoint_s = checkpoint_records, checkpoint_s
        self._pid = os.getpid()
        self._owed: deque[Record] = deque()  # what the log itself has to say before anybody else
        self._synced_size = 0
        self._signed_size, self._signed_at = -1, time.monotonic()
        self._waiters: list[tuple[int, Callable[[bool], object]]] = []
        self._flushes: list[tuple[threading.Event, bool]] = []
        self._trouble = ""  # why appends are refused
        self._broken = False  # the segment must be replaced before the next append
        self._refused = 0
        self._sign_lag = self._rotate_lag = ""  # why these two lag; appends go on
        self._sync_since = 0.0
        self._dirty = self._closed = self._asleep = False
        self._wake, self._hurry = Bell(), Bell()
        self._flusher = threading.Thread(target=self._run, name="audit-flusher", daemon=True)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        durability: Durability,
        signing_key: Path,
        worker: int = 0,
        segment_bytes: int = 64 << 20,
        checkpoint_records: int = 1000,
        checkpoint_s: float = 1.0,
        file_factory: FileFactory = OsFile,
    ) -> AuditLog:
        """Repair and open the log of `worker`. Raises ConfigError: locked, damaged where signed, not writable.

        A full disk is no error here: the log opens, refuses appends, and mends itself when there is room.
        """
        if durability not in WINDOW_S:
            raise ConfigError("audit.durability is one of os, group, fsync")
        key = load_or_create_signing_key(signing_key)
        own = folder / str(worker)
        lock_fd = -1
        try:
            own.mkdir(parents=True, exist_ok=True)
            lock_fd = take_lock(own / "lock")
            journal, signer, owed, trouble = _prepare(own, worker, key, durability, segment_bytes, file_factory)
        except (OSError, ConfigError) as error:
            if lock_fd >= 0:
                os.close(lock_fd)
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"the audit folder cannot be used ({error.strerror})", str(own)) from error
        log = cls(
            journal,
            signer,
            lock_fd=lock_fd,
            durability=durability,
            checkpoint_records=checkpoint_records,
            checkpoint_s=checkpoint_s,
        )
        log._owed.extend(owed)
        log._trouble, log._broken = trouble, bool(trouble)
        log._flusher.start()
        log.flush(sign=True)
        return log

    @property
    def healthy(self) -> bool:
        """Whether an append would be accepted now."""
        return not (self._trouble or self._closed or self._stalled())

    @property
    def degraded(self) -> str:
        """What is wrong, in words for an operator (appends refused, or signing lags); empty when all is well."""
        if self._trouble:
            return self._trouble
        return "a sync of the audit log hangs" if self._stalled() else self._sign_lag or self._rotate_lag

    @property
    def size(self) -> int:
        """How many records the log holds."""
        return self._journal.end.tree.size

    @property
    def root(self) -> bytes:
        """The Merkle root over all of them."""
        with self._journal.lock:
            return self._journal.end.tree.root()

    @property
    def origin(self) -> str:
        """The log's own name, as checkpoints carry it."""
        return self._journal.end.origin

    @property
    def vkey(self) -> str:
        """The verifier key that auditors should keep somewhere else."""
        return self._signer.vkey

    def append(self, record: Record) -> int:
        """Write one record; its index. Raises Unavailable `audit_unavailable` if it is not whole in the file."""
        if os.getpid() != self._pid:
            raise _unavailable("the audit log belongs to another process")
        with self._journal.lock:
            try:
                if self._trouble or self._owed or (self._sync_since and self._stalled()):
                    self._admit()
                return self._write(record)
            except OSError as error:
                self._refused += 1
                raise _unavailable("the audit log cannot store a record") from error
            except ValueError as error:
                raise _unavailable("the audit record cannot be encoded") from error

    async def commit(self, index: int) -> None:
        """Return when record `index` is as durable as configured; only `fsync` waits. Raises Unavailable."""
        if not self.waits or index < self._synced_size:
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def tell(stored: bool) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, done, stored)

        with self._journal.lock:
            if index < self._synced_size:
                return
            if self._broken:
                raise _unavailable("the audit log cannot store a record")
            self._waiters.append((index, tell))
        try:
            async with asyncio.timeout(COMMIT_S):
                await done
        except TimeoutError as error:
            raise _unavailable("the audit log's disk does not answer") from error

    def flush(self, *, sign: bool = False, timeout_s: float = 5.0) -> bool:
        """Have everything appended so far synced (and signed); whether that worked. Blocks: not for the event loop."""
        if os.getpid() != self._pid or not self._flusher.is_alive():
            return False
        size, done = self.size, threading.Event()
        with self._journal.lock:
            self._flushes.append((done, sign))
        self._wake.ring()
        self._hurry.ring()
        done.wait(timeout_s)
        return self.healthy and (self._signed_size if sign else self._synced_size) >= size

    def close(self) -> None:
        """Close flows that are still open as `unknown`, write the final checkpoint, let go of the files. Blocks."""
        if self._closed or os.getpid() != self._pid:
            return
        with self._journal.lock, suppress(OSError):
            self._owed.extend(_unknown(self._journal.end))
            if self._owed or self._trouble:
                self._mend()
        self.flush(sign=True)
        with self._journal.lock:
            self._closed = True
        self._wake.ring()
        self._hurry.ring()
        self._flusher.join(5.0)
        if not self._flusher.is_alive():  # else a sync hangs in it: the files are still its own
            self._journal.close()
            self._signer.close()
            os.close(self._lock_fd)

    # Under the journal's lock.

    def _write(self, record: Record) -> int:
        if self._closed:
            raise OSError(errno.EBADF, "closed")
        try:
            index = self._journal.write(record)
        except OSError as error:
            self._fail(error)
            raise
        self._dirty = True
        if self._asleep:
            self._asleep = False
            self._wake.ring()
        if index + 1 - self._signed_size == self._checkpoint_records:
            self._hurry.ring()
        return index

    def _admit(self) -> None:
        if self._stalled():
            raise OSError(errno.ETIMEDOUT, "a sync hangs")
        if self._trouble or self._owed:
            self._mend()

    def _mend(self) -> None:
        """Say what is owed, after an outage that there was one. Raises OSError while there is no way to write."""
        if self._broken:
            raise OSError(errno.EIO, "the segment is being replaced")
        if self._trouble:
            self._probe()
            self._write(event("audit_resumed", reason=self._trouble, refused=self._refused))
            self._trouble, self._refused = "", 0
        while self._owed:
            self._write(self._owed[0])
            self._owed.popleft()

    def _probe(self) -> None:
        """Room for the small event alone is no recovery: the next record would fail again."""
        try:
            self._journal.segment.probe(PROBE_BYTES)
        except OSError as error:
            self._fail(error)
            raise

    def _fail(self, error: OSError, *, sync: bool = False) -> None:
        if not self._trouble:
            self._hurry.ring()
        self._trouble = f"{'sync' if sync else 'write'} failed: {error.strerror or type(error).__name__}"
        if sync or error.errno not in SPACE or self._journal.segment.torn:
            self._broken = True
        self._wake.ring()

    # The flusher's thread.

    def _run(self) -> None:
        """Turn after turn, at most one per window; asleep only after a turn that found nothing to do.

        On a busy log nobody has to wake this thread, it takes the interpreter's lock twice a turn and the journal's
        not at all: each time it wants one of them, the event loop pays for a switch of threads.
        """
        try:
            busy, turned_at = False, time.monotonic()
            while not self._closed:
                if not (busy or self._trouble) and self._falls_asleep():
                    self._wake.wait(self._idle_s())
                    self._asleep = False
                    turned_at = time.monotonic()
                pause_s = RETRY_S if self._trouble else turned_at + self._window_s - time.monotonic()
                if pause_s > 0 and (self._dirty or busy or self._trouble):
                    self._hurry.wait(pause_s)
                turned_at, busy = time.monotonic(), self._dirty
                self._turn()
        finally:
            if not self._closed:  # a bug must not turn into records that nobody syncs
                with self._journal.lock:
                    self._trouble, self._broken = "the flusher has died", True

    def _falls_asleep(self) -> bool:
        with self._journal.lock:
            self._asleep = not (self._dirty or self._flushes or self._closed)
        return self._asleep

    def _idle_s(self) -> float | None:
        if self._trouble or self._owed or self._sign_lag or self._rotate_lag:
            return RETRY_S
        if self.size > self._signed_size:
            return max(0.001, self._signed_at + self._checkpoint_s - time.monotonic())
        return None

    def _turn(self) -> None:
        flushes: list[tuple[threading.Event, bool]] = []
        if self._flushes:
            with self._journal.lock:
                flushes, self._flushes = self._flushes, flushes
        if self._replace_broken() and self._sync(sign=any(sign for _, sign in flushes)):
            self._rotate()
        for done, _ in flushes:
            done.set()

    def _replace_broken(self) -> bool:
        """A new segment if the old one failed, then what is owed; whether appends are possible."""
        if self._broken:
            try:
                self._journal.replace()
            except OSError as error:
                self._trouble = f"replacing the segment failed: {error.strerror}"
                return False
            with self._journal.lock:
                self._broken = False
                self._covered(self.size)
        if self._trouble or self._owed:
            with self._journal.lock, suppress(OSError):
                self._mend()
        return not self._broken

    def _sync(self, *, sign: bool) -> bool:
        """Sync, tell those who wait, and sign if it is asked for or time."""
        due = self._sign_due(asked=sign)
        if not (due or self._journal.dirty):
            return True
        self._dirty = False  # before the journal's end is looked at: what is written from here on sets it again
        self._sync_since = time.monotonic()
        end: End | None = None
        try:
            if due:
                end = self._journal.sync()
                size = end.tree.size
            else:
                size = self._journal.sync_records()
        except OSError as error:
            with self._journal.lock:
                self._fail(error, sync=True)
                self._release(self.size, stored=False)
            return False
        finally:
            self._sync_since = 0.0
        if self.waits:
            with self._journal.lock:
                self._covered(size)
        else:
            self._synced_size = size
        if end is not None:
            self._sign(end)
        return True

    def _sign_due(self, *, asked: bool) -> bool:
        unsigned = self.size - self._signed_size
        late = time.monotonic() - self._signed_at >= self._checkpoint_s
        return unsigned > 0 and (asked or late or unsigned >= self._checkpoint_records)

    def _sign(self, end: End) -> None:
        try:
            self._signer.sign(end)
        except OSError as error:
            self._sign_lag = f"checkpoints cannot be written: {error.strerror}"
            return
        self._sign_lag = ""
        self._signed_size, self._signed_at = end.tree.size, time.monotonic()

    def _rotate(self) -> None:
        try:
            self._journal.rotate()
        except OSError as error:
            self._rotate_lag = f"a new segment cannot be opened: {error.strerror}"
            return
        self._rotate_lag = ""

    def _covered(self, size: int) -> None:
        self._synced_size = size
        self._release(size, stored=True)

    def _release(self, size: int, *, stored: bool) -> None:
        ready = [tell for index, tell in self._waiters if index < size]
        self._waiters = [waiter for waiter in self._waiters if waiter[0] >= size]
        for tell in ready:
            tell(stored)

    def _stalled(self) -> bool:
        since = self._sync_since
        return bool(since) and time.monotonic() - since > self._stall_s


def _prepare(
    own: Path, worker: int, key: Ed25519PrivateKey, durability: Durability, segment_bytes: int, factory: FileFactory
) -> tuple[Journal, Signer, list[Record], str]:
    """Repair, and put the parts together: journal, signer, what the log owes to say first, and why it cannot yet."""
    found = find_end(own, [public_bytes(key)])
    end = found.end
    end.origin = end.origin or f"yett.audit/{secrets.token_hex(8)}/{worker}"
    path, trouble = segment_path(own, end.segment), ""
    try:
        segment = Segment(path, factory(path), end.offset)
    except OSError as error:
        segment, trouble = Segment(path, NoFile(error)), f"no segment can be opened: {error.strerror}"
    signer = Signer(own, end.origin, key, factory)
    unknown = _unknown(end)
    first = opened(end.origin, signer.vkey, durability, found.cut_bytes, len(unknown))
    return (
        Journal(own, end, segment, segment_bytes=segment_bytes, file_factory=factory),
        signer,
        [first, *unknown],
        trouble,
    )


def _unknown(end: End) -> list[Record]:
    return [
        completed(flow_id=flow, trace_id=trace, outcome="unknown", code="closed_by_repair")
        for flow, trace in end.open_flows.items()
    ]


def _settle(done: asyncio.Future[None], stored: bool) -> None:
    if done.done():
        return
    if stored:
        done.set_result(None)
    else:
        done.set_exception(_unavailable("the audit log cannot store a record"))


def _unavailable(message: str) -> Unavailable:
    return Unavailable(message, code="audit_unavailable", status=503)
