"""Lines, segments and the tree together, without threads: every fault at a chosen moment."""

from __future__ import annotations

import errno
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.audit import BROKEN, Faults
from yett.audit.journal import MAX_LINE_BYTES, Clock, Journal, encode_line
from yett.audit.log import leaf_hash, link, root_of
from yett.audit.record import event
from yett.audit.repair import End, segment_path, segments
from yett.audit.segment import Segment


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def journal(tmp_path: Path, faults: Faults) -> Iterator[Journal]:
    path = segment_path(tmp_path, 1)
    made = Journal(
        tmp_path, End(), Segment(path, faults.factory(path)), segment_bytes=1000, file_factory=faults.factory
    )
    yield made
    made.close()


def lines(folder: Path) -> list[bytes]:
    return [line for _, path in segments(folder) for line in path.read_bytes().split(b"\n")[:-1]]


def indices(folder: Path) -> list[int]:
    return [orjson.loads(line)["i"] for line in lines(folder)]


def test_records_are_stamped_linked_and_hashed(journal: Journal, tmp_path: Path) -> None:
    for n in range(5):
        assert journal.write(event("e", n=n)) == n
    written = lines(tmp_path)
    leaves = [leaf_hash(line) for line in written]
    rows = [orjson.loads(line) for line in written]
    assert [row["i"] for row in rows] == list(range(5))
    assert [row["p"] for row in rows] == ["0" * 32, *(link(leaf) for leaf in leaves[:-1])]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["t"]) for row in rows)
    assert journal.end.tree.root() == root_of(leaves)


@pytest.mark.parametrize("name", ["v", "i", "t", "p"])
def test_a_record_cannot_stamp_itself(journal: Journal, name: str) -> None:
    with pytest.raises(ValueError, match="stamped"):
        journal.write({"kind": "event", name: 1})


def test_a_record_without_fields_is_refused(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty"):
        journal.write({})
    assert lines(tmp_path) == []


UNWRITABLE = {
    "bytes": {"x": b"1"},
    "object": {"x": object()},
    "too large": {"x": "y" * (MAX_LINE_BYTES + 1)},
    "too deep": {"x": functools.reduce(lambda inner, _: [inner], range(100_000), ["text"])},
}


@pytest.mark.parametrize("facts", UNWRITABLE.values(), ids=UNWRITABLE.keys())
def test_what_is_no_line_is_refused_and_leaves_nothing(journal: Journal, tmp_path: Path, facts: dict) -> None:
    with pytest.raises(ValueError, match="record"):
        journal.write({"kind": "event", **facts})
    assert (journal.end.tree.size, lines(tmp_path)) == (0, [])


NASTY = {
    "newline": "a\nb", "return": "a\rb", "escape": "\x1b[31m", "c1 control": "\x9b31m", "delete": "\x7f", "nul": "\x00",
    "line separator": "a\u2028b\u2029c\u0085d", "bidi": "\u202eabc",
    "fake record": '"}\n{"v":1,"i":0,"kind":"decided"}',
    "astral": "😀", "lone surrogate": "\ud800x\udfff", "ordinary letters": "Zoë Grünwald",
}  # fmt: skip


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
def test_any_text_stays_one_printable_line_and_reads_back(text: str) -> None:
    line = encode_line({"x": text, text: 1})
    assert re.fullmatch(rb"[\x20-\x7e]+", line)
    expected = text.encode("utf-8", "replace").decode()
    assert json.loads(line) == {"x": expected, expected: 1}


@settings(deadline=None, max_examples=200)
@given(st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF)))
def test_every_text_stays_one_printable_line(text: str) -> None:
    line = encode_line({"x": text})
    assert re.fullmatch(rb"[\x20-\x7e]*", line)
    assert json.loads(line)["x"] == text.encode("utf-8", "replace").decode()


def test_large_numbers_and_other_keys_are_written_and_nan_is_null() -> None:
    assert json.loads(encode_line({"x": 1 << 70, "y": {1: 2}})) == {"x": 1 << 70, "y": {"1": 2}}  # type: ignore[dict-item]
    assert json.loads(encode_line({"x": float("nan")})) == {"x": None}


def test_a_full_disk_costs_the_record_and_nothing_else(journal: Journal, faults: Faults, tmp_path: Path) -> None:
    journal.write(event("a"))
    faults.short_by = 7
    with pytest.raises(OSError, match="short write") as caught:
        journal.write(event("b"))
    assert caught.value.errno == errno.ENOSPC
    faults.short_by = 0
    assert journal.write(event("c")) == 1
    assert [orjson.loads(line)["name"] for line in lines(tmp_path)] == ["a", "c"]


def test_a_full_segment_is_rotated_and_the_old_one_is_still_synced(
    journal: Journal, faults: Faults, tmp_path: Path
) -> None:
    while journal.segment.size_bytes < 1000:
        journal.write(event("a"))
    journal.rotate()
    journal.write(event("b"))
    assert [number for number, _ in segments(tmp_path)] == [1, 2]
    end = journal.sync()
    assert {path.name for path in faults.syncs} == {"000001.jsonl", "000002.jsonl"}
    assert (end.segment, end.offset, journal.dirty) == (2, segment_path(tmp_path, 2).stat().st_size, False)


def test_a_sync_without_the_lock_covers_what_was_written_before_it(journal: Journal, faults: Faults) -> None:
    journal.write(event("a"))
    with journal.lock:  # as a writer would hold it during its system call
        assert journal.sync_records() == 1
    assert not journal.dirty
    journal.write(event("b"))
    faults.sync_errno = BROKEN
    with pytest.raises(OSError, match="Input/output"):
        journal.sync_records()
    assert journal.dirty


def test_records_written_while_a_sync_runs_belong_to_the_next(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.write(event("a"))
    really = Segment.sync
    monkeypatch.setattr(Segment, "sync", lambda part: (journal.write(event("late")), really(part)))
    assert journal.sync_records() == 1
    monkeypatch.undo()
    covered = journal.segment.synced_bytes
    assert (covered < journal.segment.size_bytes, journal.dirty) == (True, True)
    journal.replace()  # gives up what was not covered and carries it over
    assert segment_path(tmp_path, 1).stat().st_size == covered
    assert indices(tmp_path) == [0, 1]


def test_a_segment_that_is_not_full_stays(journal: Journal, tmp_path: Path) -> None:
    journal.write(event("a"))
    journal.rotate()
    assert [number for number, _ in segments(tmp_path)] == [1]


def test_after_a_failed_sync_the_unsynced_records_move_to_a_new_segment(
    journal: Journal, faults: Faults, tmp_path: Path
) -> None:
    for n in range(3):
        journal.write(event("a", n=n))
    journal.sync()
    for n in range(3, 6):
        journal.write(event("a", n=n))
    before, faults.sync_errno = lines(tmp_path), BROKEN
    with pytest.raises(OSError, match="Input/output"):
        journal.sync()
    faults.sync_errno = 0
    journal.replace()
    assert lines(tmp_path) == before
    assert [len(path.read_bytes().splitlines()) for _, path in segments(tmp_path)] == [3, 3]
    assert journal.write(event("a")) == 6
    assert not [path for path in faults.syncs[-1:] if path.name == "000001.jsonl"]


def test_a_sync_that_fails_between_two_segments_keeps_every_record_once(
    journal: Journal, faults: Faults, tmp_path: Path
) -> None:
    while journal.segment.size_bytes < 1000:
        journal.write(event("a"))
    journal.rotate()
    journal.write(event("b"))
    before, faults.sync_errno = lines(tmp_path), BROKEN
    with pytest.raises(OSError, match="Input/output"):
        journal.sync()
    faults.sync_errno = 0
    journal.replace()
    assert lines(tmp_path) == before
    assert indices(tmp_path) == list(range(len(before)))


@pytest.mark.parametrize("again", ["create_errno", "write_errno", "truncate_errno", "short_by"])
def test_replacing_may_fail_and_is_tried_again(journal: Journal, faults: Faults, tmp_path: Path, again: str) -> None:
    journal.write(event("a"))
    setattr(faults, again, 5)
    for _ in range(3):
        with pytest.raises(OSError, match=r"."):
            journal.replace()
    setattr(faults, again, 0)
    journal.replace()
    journal.write(event("b"))
    assert indices(tmp_path) == [0, 1]


def test_a_new_segment_that_cannot_be_emptied_again_is_emptied_later(
    journal: Journal, faults: Faults, tmp_path: Path
) -> None:
    journal.write(event("a"))
    real_cut, broken = Segment.cut, [True]

    def cut(segment: Segment, size: int) -> bool:
        return False if broken[0] and segment.path.name != "000001.jsonl" else real_cut(segment, size)

    faults.sync_errno = BROKEN
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Segment, "cut", cut)
        with pytest.raises(OSError, match="Input/output"):
            journal.replace()
    faults.sync_errno = 0
    journal.replace()
    assert indices(tmp_path) == [0]


def test_open_flows_are_accounted_for(journal: Journal) -> None:
    journal.write({"kind": "decided", "flow": "f", "trace": "t"})
    journal.write({"kind": "decided", "flow": "g", "trace": "t"})
    journal.write({"kind": "completed", "flow": "f"})
    assert journal.sync().open_flows == {"g": "t"}


def test_the_clock_stamps_this_moment() -> None:
    clock = Clock()
    assert clock() <= clock()
