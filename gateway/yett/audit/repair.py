"""What is done before the first append: find the end of the log, cut off what a crash left, rebuild the tree.

Signed records are never touched: damage at or before the last checkpoint is a ConfigError, for a person to look at.
After it, everything up to the first line that does not fit is kept and the rest (torn by a crash) is cut off.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from yett.audit.checkpoint import BadCheckpoint, Checkpoint, open_note, parse_vkey, split_notes
from yett.audit.log import GENESIS, Tree, leaf_hash, link
from yett.errors import ConfigError

CHECKPOINTS = "checkpoints"
RESUME = "resume.json"
PUBLIC_KEYS = "audit.pub"
SUFFIX = ".jsonl"


@dataclass(slots=True)
class End:
    """Where a log ends and what is needed to go on: kept up to date by the sink, found again by `find_end`."""

    tree: Tree = field(default_factory=Tree)
    prev: str = GENESIS
    origin: str = ""
    segment: int = 1
    offset: int = 0
    open_flows: dict[str, str] = field(default_factory=dict)  # flow id -> trace id

    def see(self, record: dict[str, object]) -> None:
        """Keep account of the flows that are open."""
        kind = record.get("kind")
        if kind == "decided":
            self.open_flows[str(record.get("flow"))] = str(record.get("trace", ""))
        elif kind == "completed":
            self.open_flows.pop(str(record.get("flow")), None)
        elif kind == "open" and not self.origin:
            self.origin = str(record.get("origin", ""))


@dataclass(frozen=True, slots=True)
class Found:
    """The end of the log, the last checkpoint, and what repair had to cut off behind the last good record."""

    end: End
    checkpoint: Checkpoint | None
    cut_bytes: int = 0


def segments(folder: Path) -> list[tuple[int, Path]]:
    """The segment files of one log, by number; a pipe in such a place would hang its reader and is passed over."""
    paths = [path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit() and path.is_file()]
    return sorted((int(path.stem), path) for path in paths)


def segment_path(folder: Path, number: int) -> Path:
    """The name of segment `number`."""
    return folder / f"{number:06d}{SUFFIX}"


def take_lock(path: Path) -> int:
    """Hold the folder for this process; the kernel lets go when it dies. Raises ConfigError naming the holder."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise ConfigError(f"process {holder or 'unknown'} already writes this audit log", str(path.parent)) from error
    with suppress(OSError):  # the number is only for the message above
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def find_end(folder: Path, publics: Sequence[bytes]) -> Found:
    """Read one log's folder, repair its tail, and say where it ends. Raises ConfigError for damage that is signed."""
    signed = _last_checkpoint(folder, [*publics, *known_keys(folder.parent)])
    end = _resume(folder, signed) or End()
    cut = 0
    numbers = [number for number, _ in segments(folder) if number >= end.segment]
    for position, number in enumerate(numbers):
        path = segment_path(folder, number)
        if number != end.segment:
            end.segment, end.offset = number, 0
        whole = _replay(path, end, signed)
        if not whole or path.stat().st_size > end.offset:
            _refuse_signed(end, signed, path)
            cut = _cut(folder, numbers[position:], end.offset)
            break
    _refuse_signed(end, signed, folder)
    if signed and signed.origin != end.origin:
        raise ConfigError("the checkpoints in this folder belong to another log", str(folder / CHECKPOINTS))
    return Found(end, signed, cut)


def known_keys(folder: Path) -> list[bytes]:
    """The public keys that the audit folder itself lists (one vkey a line): this log's own and its rotated ones."""
    path = folder / PUBLIC_KEYS
    try:
        return [parse_vkey(line)[1] for line in path.read_text().splitlines() if line]
    except FileNotFoundError:
        return []
    except (BadCheckpoint, UnicodeDecodeError) as error:
        raise ConfigError("the list of audit keys is damaged", str(path)) from error


def save_resume(folder: Path, end: End, checkpoint: Checkpoint) -> None:
    """Note where the signed part ends, so that the next start need not read it again. Raises OSError."""
    state = {
        "size": checkpoint.size,
        "frontier": [node.hex() for node in end.tree.frontier()],
        "prev": end.prev,
        "segment": end.segment,
        "offset": end.offset,
        "open": end.open_flows,
    }
    draft = folder / f".{RESUME}"
    draft.write_bytes(orjson.dumps(state))
    draft.replace(folder / RESUME)


def _resume(folder: Path, signed: Checkpoint | None) -> End | None:
    """The end as noted at the last checkpoint. Believed only if its tree has the signed root and its last line fits."""
    if signed is None or signed.size == 0:
        return None
    try:
        state = orjson.loads((folder / RESUME).read_bytes())
        tree = Tree(int(state["size"]), [bytes.fromhex(node) for node in state["frontier"]])
        end = End(
            tree, str(state["prev"]), signed.origin, int(state["segment"]), int(state["offset"]), dict(state["open"])
        )
        if tree.size != signed.size or tree.root() != signed.root:
            return None
        line = _line_before(segment_path(folder, end.segment), end.offset)
        fits = link(leaf_hash(line)) == end.prev and orjson.loads(line)["i"] == tree.size - 1
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return end if fits else None


def _line_before(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        back = min(offset, 1 << 21)
        file.seek(offset - back)
        tail = file.read(back)
    if len(tail) != back or not tail.endswith(b"\n"):
        raise ValueError("no line ends here")
    return tail[:-1].rpartition(b"\n")[2]


def _last_checkpoint(folder: Path, publics: Sequence[bytes]) -> Checkpoint | None:
    """The newest checkpoint; half a note at the end is cut off. Raises ConfigError if it is not ours."""
    path = folder / CHECKPOINTS
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    notes, whole = split_notes(data)
    if whole < len(data):
        os.truncate(path, whole)
    if not notes:
        return None
    try:
        return open_note(notes[-1], publics)
    except BadCheckpoint as error:
        raise ConfigError(f"the last audit checkpoint is damaged or foreign: {error}", str(path)) from error


def _lines(path: Path, offset: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        yield from file


def _replay(path: Path, end: End, signed: Checkpoint | None) -> bool:
    """Move `end` over the lines of one segment; False at the first one that does not fit."""
    tree, until = end.tree, signed.size if signed else -1
    for line in _lines(path, end.offset):
        if not line.endswith(b"\n"):
            return False
        body = line[:-1]
        try:
            record = orjson.loads(body)
        except ValueError:
            return False
        if type(record) is not dict or record.get("i") != tree.size or record.get("p") != end.prev:
            return False
        leaf = leaf_hash(body)
        tree.append(leaf)
        end.prev = link(leaf)
        end.offset += len(line)
        end.see(record)
        if tree.size == until and signed and tree.root() != signed.root:
            raise ConfigError("a signed audit record was changed: run `yett audit verify`", str(path))
    return True


def _refuse_signed(end: End, signed: Checkpoint | None, where: Path) -> None:
    if signed and end.tree.size < signed.size:
        raise ConfigError(
            f"the audit log is damaged at record {end.tree.size}, but {signed.size} records are signed: "
            "run `yett audit verify`, then move the folder away to start a new log",
            str(where),
        )


def _cut(folder: Path, numbers: Sequence[int], offset: int) -> int:
    """Cut the first of these segments at `offset`; set the later ones aside under another name."""
    first, *later = (segment_path(folder, number) for number in numbers)
    cut = first.stat().st_size - offset
    os.truncate(first, offset)
    for path in later:
        cut += path.stat().st_size
        path.replace(path.with_suffix(".cut"))
    return cut
