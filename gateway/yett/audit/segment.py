"""One append-only file that only ever holds whole lines, written with checked `os.write`.

Python's own file objects buffer (a kill loses everything) and `logging` swallows a full disk; neither is used here.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol


class File(Protocol):
    """The four things that are asked of a file; tests put faulty ones in its place. All raise OSError."""

    def write(self, data: bytes) -> int:
        """Append `data`; return how many bytes were taken."""

    def sync(self) -> None:
        """Return when everything written is on the disk."""

    def truncate(self, size: int) -> None:
        """Cut the file to `size` bytes."""

    def close(self) -> None:
        """Let go of it."""


FileFactory = Callable[[Path], File]


class OsFile:
    """A regular file, opened for appending. Anything else in its place (a link, a pipe) is refused."""

    __slots__ = ("_fd",)

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._fd = os.open(path, flags, 0o640)
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise OSError(errno.EINVAL, "not a regular file")

    def write(self, data: bytes) -> int:
        """One system call into the page cache: it survives the death of this process."""
        return os.write(self._fd, data)

    def sync(self) -> None:
        """Make the data (and the size) survive power loss."""
        os.fdatasync(self._fd)

    def truncate(self, size: int) -> None:
        """Cut the file."""
        os.ftruncate(self._fd, size)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._fd)


class NoFile:
    """Stands where a segment could not be created; it takes nothing."""

    __slots__ = ("_reason",)

    def __init__(self, reason: OSError) -> None:
        self._reason = reason

    def write(self, data: bytes) -> int:
        """Refuse."""
        raise OSError(self._reason.errno, self._reason.strerror)

    def sync(self) -> None:
        """Refuse."""
        raise OSError(self._reason.errno, self._reason.strerror)

    def truncate(self, size: int) -> None:
        """There is nothing to cut."""

    def close(self) -> None:
        """There is nothing to close."""


class Segment:
    """A file, how many good bytes it holds, and how many of those a successful sync has covered."""

    __slots__ = ("_file", "_write", "path", "size_bytes", "synced_bytes", "torn")

    def __init__(self, path: Path, file: File, size_bytes: int = 0) -> None:
        self.path = path
        self.size_bytes = self.synced_bytes = size_bytes
        self.torn = False  # something behind `size_bytes` could not be cut off again
        self._file = file
        self._write = file.write

    def append(self, data: bytes) -> None:
        """Write all of `data` or nothing: a short write is cut off again. Raises OSError."""
        try:
            written = self._write(data)
        except OSError:
            self.cut(self.size_bytes)
            raise
        if written != len(data):
            self.cut(self.size_bytes)
            raise OSError(errno.ENOSPC, "short write")
        self.size_bytes += written

    def probe(self, room_bytes: int) -> None:
        """Try whether there is room for more: write that many blanks and cut them off again. Raises OSError."""
        end = self.size_bytes
        self.append(b" " * room_bytes)
        if not self.cut(end):
            raise OSError(errno.EIO, "the probe cannot be cut off")

    def cut(self, size_bytes: int) -> bool:
        """Cut back to `size_bytes`; False (and `torn`) if the file refuses even that."""
        try:
            self._file.truncate(size_bytes)
        except OSError:
            self.torn = True
            return False
        self.torn = False
        self.size_bytes = size_bytes
        self.synced_bytes = min(self.synced_bytes, size_bytes)
        return True

    def sync(self) -> None:
        """Sync the file. Raises OSError; it must then not be written again. The caller sets `synced_bytes`."""
        self._file.sync()

    def close(self) -> None:
        """Let go of the file; an error here changes nothing that was synced."""
        with suppress(OSError):
            self._file.close()

    def discard(self) -> None:
        """Let go of a file that holds nothing, and of its name."""
        self.close()
        with suppress(OSError):
            self.path.unlink()


def sync_folder(folder: Path) -> None:
    """Make new names in `folder` survive power loss. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
