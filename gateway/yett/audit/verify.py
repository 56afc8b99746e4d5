"""Checking an audit folder without trusting who wrote it. With `log`, `record` and `checkpoint` this is all of it.

What is checked, for each worker's log: every line is a JSON object, carries its own position `i` and the link `p` to
the line before it; the Merkle roots at the signed sizes are those that were signed, by a key that is known; flows are
decided before they are completed, and completed once. Given a checkpoint that was kept elsewhere, the log must
contain it.

What is not: records behind the last checkpoint hold together by their links only ("not yet signed"); a tail cut off
behind the last checkpoint that you kept elsewhere, and whatever a thief of the signing key rewrote, cannot be seen.
The keys listed in the folder itself prove nothing to somebody who did not keep a copy: pass `public_key`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from yett.audit.checkpoint import BadCheckpoint, Checkpoint, open_note, parse_vkey, split_notes
from yett.audit.log import GENESIS, Tree, leaf_hash, link
from yett.audit.record import VERSION, Record

UNLINKED = "this record is not the one that the next was written after"


@dataclass(frozen=True, slots=True)
class Bad:
    """The first thing that is wrong: the record's index, the file and line where it shows, and why."""

    segment: str
    line: int
    index: int
    why: str


@dataclass(frozen=True, slots=True)
class LogReport:
    """One worker's log. `signed_up_to` records are signed; the `unsigned_tail` after them is linked only."""

    folder: str
    origin: str = ""
    records: int = 0
    flows: int = 0
    open_flows: tuple[str, ...] = ()
    checkpoints: int = 0
    signed_up_to: int = 0
    torn_bytes: int = 0
    bad: Bad | None = None

    @property
    def unsigned_tail(self) -> int:
        """How many records no checkpoint covers."""
        return max(0, self.records - self.signed_up_to)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole audit folder. `bad` is the first log's first fault; `pinned`: the key came from you, not the folder."""

    logs: tuple[LogReport, ...]
    bad: Bad | None
    pinned: bool
    bytes: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.bad is None

    @property
    def records(self) -> int:
        """Records that were read."""
        return sum(log.records for log in self.logs)

    @property
    def flows(self) -> int:
        """Flows that were decided."""
        return sum(log.flows for log in self.logs)

    @property
    def open_flows(self) -> tuple[str, ...]:
        """Flows that were decided and have not ended: still running, or cut short by a crash not yet repaired."""
        return tuple(flow for log in self.logs for flow in log.open_flows)

    @property
    def signed_up_to(self) -> int:
        """Records that are signed, over all logs."""
        return sum(log.signed_up_to for log in self.logs)

    @property
    def unsigned_tail(self) -> int:
        """Records that are not signed yet, over all logs."""
        return sum(log.unsigned_tail for log in self.logs)

    @property
    def mb_per_s(self) -> float:
        """How fast this was."""
        return self.bytes / 1e6 / self.seconds if self.seconds else 0.0


def verify(folder: Path, *, public_key: str | None = None, checkpoint: bytes | None = None) -> Report:
    """Check everything in `folder`; never raises for what the folder holds.

    `public_key` is one or more vkeys (one a line) that you kept; `checkpoint` a signed note that you kept. Raises
    BadCheckpoint if one of these two is itself malformed.
    """
    started = time.monotonic()
    listed, unlisted = _listed_keys(folder)
    given = [parse_vkey(line) for line in (public_key or "").splitlines() if line.strip()]
    publics = [public for _, public in given or listed]
    kept = open_note(checkpoint, publics) if checkpoint is not None else None
    logs = [_verify_log(path, publics, kept) for path in _log_folders(folder)]
    bad = next((log.bad for log in logs if log.bad), None) or unlisted or _missing(logs, listed, kept)
    size = sum(path.stat().st_size for own in _log_folders(folder) for path in _segments(own))
    return Report(tuple(logs), bad, bool(given), size, time.monotonic() - started)


@dataclass(slots=True)
class _Reader:
    """The state of reading one log: the tree so far, the flows that are open, and the last checkpoint that held."""

    folder: Path
    signed: dict[int, bytes]  # tree size -> the root that was signed
    tree: Tree = field(default_factory=Tree)
    prev: str = GENESIS
    origin: str = ""
    closed: int = 0
    held: int = 0
    torn_bytes: int = 0
    open_flows: dict[str, None] = field(default_factory=dict)

    def read(self) -> Bad | None:
        """Read all segments; the first fault."""
        for path in _segments(self.folder):
            if self.torn_bytes:
                return Bad(path.name, 1, self.tree.size, "a segment follows one that ends inside a line")
            with path.open("rb") as lines:
                for number, line in enumerate(lines, 1):
                    why, index = self._take(line)
                    if why == UNLINKED and not _follows(next(lines, b""), line):
                        index += 1  # nor does the next line fit this one: it is this one that changed
                    if why:
                        return Bad(path.name, number, index, why)
        return None

    def _take(self, line: bytes) -> tuple[str, int]:
        """Take one line into the tree; what is wrong, and with which record."""
        index = self.tree.size
        if not line.endswith(b"\n"):
            self.torn_bytes = len(line)
            return "", index
        body = line[:-1]
        record = _parse(body)
        if record is None:
            return "not a record", index
        if record.get("v") != VERSION or record.get("i") != index:
            return f"out of place: expected record {index}", index
        if record.get("p") != self.prev:
            return (UNLINKED, index - 1) if index else ("not the beginning of a log", 0)
        leaf = leaf_hash(body)
        self.tree.append(leaf)
        self.prev = link(leaf)
        root = self.signed.get(index + 1)
        if root is not None:
            if self.tree.root() != root:
                return f"records {self.held} to {index} are not those that were signed", self.held
            self.held = index + 1
        return self._account(record), index

    def _account(self, record: Record) -> str:
        """Flows: decided, then completed, once."""
        kind, flow = record.get("kind"), str(record.get("flow"))
        if kind == "decided":
            self.open_flows[flow] = None
        elif kind == "completed":
            if flow not in self.open_flows:
                return "a flow is completed that was not decided, or twice"
            del self.open_flows[flow]
            self.closed += 1
        elif kind == "open":
            self.origin = self.origin or str(record.get("origin"))
            if record.get("origin") != self.origin:
                return "this record belongs to another log"
        return ""


def _verify_log(folder: Path, publics: Sequence[bytes], kept: Checkpoint | None) -> LogReport:
    checkpoints, bad = _checkpoints(folder, publics)  # before the records: the log may be growing
    signed = {one.size: one.root for one in checkpoints}
    size = max(signed, default=0)
    mine = kept if kept and any(one.origin == kept.origin for one in checkpoints) else None
    if mine and signed.setdefault(mine.size, mine.root) != mine.root:
        bad = bad or Bad("checkpoints", 1, mine.size, "the log's own checkpoint differs from the one you kept")
    reader = _Reader(folder, signed)
    bad = reader.read() or bad
    if bad is None and checkpoints and {one.origin for one in checkpoints} != {reader.origin}:
        bad = Bad("checkpoints", 1, 0, "the checkpoints belong to another log")
    if bad is None and reader.tree.size < (cut := max(signed, default=0)):
        bad = Bad("", 0, reader.tree.size, f"the log ends here, but {cut} records were signed")
    return LogReport(
        folder=folder.name,
        origin=reader.origin,
        records=reader.tree.size,
        flows=reader.closed + len(reader.open_flows),
        open_flows=tuple(reader.open_flows),
        checkpoints=len(checkpoints),
        signed_up_to=min(size, reader.held),
        torn_bytes=reader.torn_bytes,
        bad=bad,
    )


def _checkpoints(folder: Path, publics: Sequence[bytes]) -> tuple[list[Checkpoint], Bad | None]:
    """The log's signed tree heads; they must be whole, signed by a known key, and growing."""
    try:
        data = (folder / "checkpoints").read_bytes()
    except FileNotFoundError:
        return [], Bad("checkpoints", 0, 0, "no checkpoint: nothing in this log is signed")
    notes, whole = split_notes(data)
    found: list[Checkpoint] = []
    for number, note in enumerate(notes, 1):
        try:
            one = open_note(note, publics)
        except BadCheckpoint as error:
            return found, Bad("checkpoints", number, found[-1].size if found else 0, str(error))
        if found and one.size < found[-1].size:
            return found, Bad("checkpoints", number, one.size, "checkpoints are out of order")
        found.append(one)
    if whole < len(data) or not found:
        return found, Bad("checkpoints", len(notes) + 1, found[-1].size if found else 0, "a checkpoint is not whole")
    return found, None


def _listed_keys(folder: Path) -> tuple[list[tuple[str, bytes]], Bad | None]:
    """Names and keys in the folder's own `audit.pub`."""
    try:
        lines = (folder / "audit.pub").read_text().splitlines()
        return [parse_vkey(line) for line in lines], None
    except FileNotFoundError:
        return [], Bad("audit.pub", 0, 0, "the list of verifier keys is missing")
    except (BadCheckpoint, UnicodeDecodeError):
        return [], Bad("audit.pub", 1, 0, "the list of verifier keys is damaged")


def _missing(logs: Sequence[LogReport], listed: Sequence[tuple[str, bytes]], kept: Checkpoint | None) -> Bad | None:
    """A whole log can be missing too: one that has a listed key, or the one whose checkpoint was kept."""
    there = {log.origin for log in logs}
    wanted = [name for name, _ in listed] + ([kept.origin] if kept else [])
    for name in wanted:
        if name not in there:
            return Bad("", 0, 0, f"the log {name} is missing")
    return None if logs else Bad("", 0, 0, "there is no audit log here")


def _log_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.name.isdigit() and path.is_dir())


def _segments(folder: Path) -> Iterator[Path]:
    paths = [path for path in folder.glob("*.jsonl") if path.stem.isdigit() and path.is_file()]
    yield from sorted(paths, key=lambda path: int(path.stem))


def _follows(after: bytes, line: bytes) -> bool:
    """Whether the next line (if there is one) was written after this one."""
    record = _parse(after)
    return record is None or record.get("p") == link(leaf_hash(line[:-1]))


def _parse(line: bytes) -> Record | None:
    try:
        value = json.loads(line)  # noqa: TID251  # an auditor's reader stands alone; every byte is hashed besides
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
