"""Writing checkpoints: the file of signed notes, the published verifier key, and the note where to resume."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from yett.audit.checkpoint import Checkpoint, format_vkey, public_bytes, sign
from yett.audit.repair import CHECKPOINTS, PUBLIC_KEYS, End, save_resume
from yett.audit.segment import FileFactory, Segment


class Signer:
    """Signs the end of one log, as often as it is asked to. Used by one thread."""

    def __init__(self, folder: Path, origin: str, key: Ed25519PrivateKey, file_factory: FileFactory) -> None:
        self._folder, self._origin, self._key, self._factory = folder, origin, key, file_factory
        self._file: Segment | None = None
        self._published = False
        self.vkey = format_vkey(origin, public_bytes(key))

    def sign(self, end: End) -> None:
        """Append a checkpoint for `end`, which must be on the disk already. Raises OSError; it may be tried again."""
        if not self._published:
            self._publish()
        checkpoint = Checkpoint(self._origin, end.tree.size, end.tree.root())
        path = self._folder / CHECKPOINTS
        if self._file is None:
            self._file = Segment(path, self._factory(path), path.stat().st_size)
        before = self._file.size_bytes
        try:
            self._file.append(sign(checkpoint, self._key) + b"\n")
            self._file.sync()
        except OSError:
            self._file.cut(before)
            self.close()
            raise
        with suppress(OSError):  # only the speed of the next start depends on it
            save_resume(self._folder, end, checkpoint)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _publish(self) -> None:
        """Add this log's vkey to the audit folder's list, once."""
        path = self._folder.parent / PUBLIC_KEYS
        known = path.read_text().splitlines() if path.exists() else []
        if self.vkey not in known:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                line = f"{self.vkey}\n".encode()
                before = os.fstat(fd).st_size
                if os.write(fd, line) != len(line):
                    os.ftruncate(fd, before)
                    raise OSError(28, "short write")
                os.fsync(fd)
            finally:
                os.close(fd)
        self._published = True
