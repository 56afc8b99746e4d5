"""Audit logs for tests: records, closed logs, and a file that fails when told to."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from yett.audit.record import Record, completed, decided
from yett.audit.segment import File, OsFile
from yett.audit.sink import AuditLog


def a_decided(flow: int, **changes: object) -> Record:
    fields: dict[str, object] = {
        "flow_id": f"{flow:032x}",
        "trace_id": f"{flow:032x}"[::-1],
        "principal": {"id": "alice", "tenant": "acme"},
        "dialect": "openai_chat",
        "model": "gpt-4o-mini",
        "target": "openai/gpt-4o-mini",
        "stream": False,
        "phase": "request",
        "action": "allow",
        "revision": "r1",
    }
    return decided(**(fields | changes))  # type: ignore[arg-type]  # a bag of keywords


def a_completed(flow: int, outcome: str = "ok") -> Record:
    return completed(flow_id=f"{flow:032x}", trace_id=f"{flow:032x}"[::-1], outcome=outcome, status=200)


def open_log(folder: Path, **changes: object) -> AuditLog:
    """A log under `folder`/audit whose checkpoints come only when asked for."""
    settings: dict[str, object] = {
        "durability": "os",
        "signing_key": folder / "keys" / "audit.pem",
        "checkpoint_s": 60.0,
    }
    return AuditLog.open(folder / "audit", **(settings | changes))  # type: ignore[arg-type]


def closed_log(folder: Path, flows: int, *, signed_every: int = 0, **changes: object) -> Path:
    """A closed log of `flows` flows (two records each, after the `open` record); its folder."""
    log = open_log(folder, **changes)
    for flow in range(flows):
        log.append(a_decided(flow))
        log.append(a_completed(flow))
        if signed_every and (flow + 1) % signed_every == 0:
            assert log.flush(sign=True)
    log.close()
    return folder / "audit"


def lines_of(audit: Path, worker: int = 0) -> list[bytes]:
    """All lines of a log, without newlines."""
    paths = sorted((audit / str(worker)).glob("*.jsonl"))
    return [line for path in paths for line in path.read_bytes().split(b"\n")[:-1]]


@dataclass
class Faults:
    """Switches of a faulty disk; `factory` goes in as `file_factory`. Only files so named are touched."""

    only: str = ".jsonl"
    write_errno: int = 0
    short_by: int = 0
    sync_errno: int = 0
    truncate_errno: int = 0
    create_errno: int = 0
    hang: threading.Event | None = None
    hanging: threading.Event = field(default_factory=threading.Event)
    syncs: list[Path] = field(default_factory=list)

    def factory(self, path: Path) -> File:
        if not path.name.endswith(self.only):
            return OsFile(path)
        if self.create_errno:
            raise OSError(self.create_errno, os.strerror(self.create_errno))
        return _FaultyFile(self, path)


class _FaultyFile:
    def __init__(self, faults: Faults, path: Path) -> None:
        self._faults, self._path, self._file = faults, path, OsFile(path)

    def write(self, data: bytes) -> int:
        _raise(self._faults.write_errno)
        if self._faults.short_by:
            return self._file.write(data[: -self._faults.short_by])
        return self._file.write(data)

    def sync(self) -> None:
        self._faults.syncs.append(self._path)
        if self._faults.hang is not None:
            self._faults.hanging.set()
            self._faults.hang.wait(10)
        _raise(self._faults.sync_errno)
        self._file.sync()

    def truncate(self, size: int) -> None:
        _raise(self._faults.truncate_errno)
        self._file.truncate(size)

    def close(self) -> None:
        self._file.close()


def _raise(number: int) -> None:
    if number:
        raise OSError(number, os.strerror(number))


NO_SPACE = errno.ENOSPC
BROKEN = errno.EIO
