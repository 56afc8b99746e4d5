"""A segment holds whole lines only, whatever the disk does."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from helpers.audit import BROKEN, NO_SPACE, Faults
from yett.audit.segment import NoFile, OsFile, Segment, sync_folder


def test_lines_are_in_the_file_when_append_returns(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "000001.jsonl", OsFile(tmp_path / "000001.jsonl"))
    segment.append(b"one\n")
    segment.append(b"two\n")
    assert (segment.path.read_bytes(), segment.size_bytes) == (b"one\ntwo\n", 8)
    segment.sync()
    segment.close()


def test_an_existing_segment_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "000001.jsonl"
    path.write_bytes(b"one\n")
    segment = Segment(path, OsFile(path), 4)
    segment.append(b"two\n")
    segment.close()
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize("fault", [{"short_by": 3}, {"write_errno": NO_SPACE}, {"write_errno": BROKEN}], ids=str)
def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, fault: dict[str, int]) -> None:
    faults, path = Faults(), tmp_path / "000001.jsonl"
    segment = Segment(path, faults.factory(path))
    segment.append(b"one\n")
    for name, value in fault.items():
        setattr(faults, name, value)
    with pytest.raises(OSError, match=r"."):
        segment.append(b"two\n")
    assert (path.read_bytes(), segment.size_bytes, segment.torn) == (b"one\n", 4, False)
    segment.close()


def test_a_segment_that_cannot_be_cut_back_knows_it_is_torn(tmp_path: Path) -> None:
    faults, path = Faults(short_by=3, truncate_errno=BROKEN), tmp_path / "000001.jsonl"
    segment = Segment(path, faults.factory(path))
    with pytest.raises(OSError, match="short write"):
        segment.append(b"one\n")
    assert segment.torn
    faults.truncate_errno = 0
    assert segment.cut(0)
    assert (segment.torn, path.read_bytes()) == (False, b"")
    segment.close()


def test_a_probe_leaves_nothing_and_needs_its_room(tmp_path: Path) -> None:
    faults, path = Faults(), tmp_path / "000001.jsonl"
    segment = Segment(path, faults.factory(path))
    segment.append(b"one\n")
    segment.probe(8192)
    assert (path.read_bytes(), segment.size_bytes) == (b"one\n", 4)
    faults.short_by = 1
    with pytest.raises(OSError, match="short write"):
        segment.probe(8192)
    assert path.read_bytes() == b"one\n"
    faults.short_by, faults.truncate_errno = 0, BROKEN
    with pytest.raises(OSError, match="cannot be cut"):
        segment.probe(10)
    assert segment.torn
    segment.close()


def test_cutting_takes_back_what_was_synced_too(tmp_path: Path) -> None:
    path = tmp_path / "000001.jsonl"
    segment = Segment(path, OsFile(path))
    segment.append(b"one\ntwo\n")
    segment.synced_bytes = 8
    assert segment.cut(4)
    assert (segment.size_bytes, segment.synced_bytes, path.read_bytes()) == (4, 4, b"one\n")
    segment.close()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    (path.parent / "elsewhere").write_bytes(b"")
    path.symlink_to(path.parent / "elsewhere")


def _reading_pipe(path: Path) -> int:
    os.mkfifo(path)
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK)


@pytest.mark.parametrize("make", [_pipe, _reading_pipe, _link, Path.mkdir], ids=["pipe", "read pipe", "link", "folder"])
def test_only_a_regular_file_is_written_to_and_nothing_hangs(tmp_path: Path, make) -> None:
    path = tmp_path / "000001.jsonl"
    reader = make(path)
    with pytest.raises(OSError, match=r"."):
        OsFile(path)
    if reader is not None:
        os.close(reader)


def test_no_file_takes_nothing(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "x", NoFile(OSError(NO_SPACE, "No space left on device")))
    with pytest.raises(OSError, match="No space") as caught:
        segment.append(b"one\n")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match="No space"):
        segment.sync()
    assert segment.cut(0)
    segment.discard()


def test_a_discarded_segment_leaves_no_name(tmp_path: Path) -> None:
    path = tmp_path / "000001.jsonl"
    Segment(path, OsFile(path)).discard()
    sync_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
