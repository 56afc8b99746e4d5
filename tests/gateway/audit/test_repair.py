"""What a crash leaves is cut off; what was signed is never touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from helpers.audit import a_completed, a_decided, closed_log, lines_of, open_log
from yett.audit.checkpoint import load_or_create_signing_key, public_bytes
from yett.audit.repair import CHECKPOINTS, RESUME, Found, find_end, take_lock
from yett.audit.verify import verify
from yett.errors import ConfigError


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """A log as kill -9 leaves it: 21 signed records, 19 unsigned ones, one flow open."""
    log = open_log(tmp_path)
    for flow in range(10):
        log.append(a_decided(flow))
        log.append(a_completed(flow))
    assert log.flush(sign=True)
    for flow in range(10, 20):
        log.append(a_decided(flow))
        if flow != 18:
            log.append(a_completed(flow))
    shutil.copytree(tmp_path / "audit", tmp_path / "copy" / "audit")
    log.close()
    shutil.copytree(tmp_path / "keys", tmp_path / "copy" / "keys")
    return tmp_path / "copy"


def end_of(home: Path) -> Found:
    return find_end(home / "audit" / "0", [public_bytes(load_or_create_signing_key(home / "keys" / "audit.pem"))])


def segment(home: Path, number: int = 1) -> Path:
    return home / "audit" / "0" / f"{number:06d}.jsonl"


def test_the_end_is_found_and_nothing_is_cut_after_a_clean_kill(crashed: Path) -> None:
    found = end_of(crashed)
    assert (found.end.tree.size, found.cut_bytes, found.end.offset) == (40, 0, segment(crashed).stat().st_size)
    assert list(found.end.open_flows) == [f"{18:032x}"]
    assert found.checkpoint is not None
    assert found.checkpoint.size == 21


def test_the_end_is_the_same_without_the_note_where_to_resume(crashed: Path) -> None:
    fast = end_of(crashed).end
    (crashed / "audit" / "0" / RESUME).unlink()
    slow = end_of(crashed).end
    assert (fast.tree.root(), fast.prev, fast.origin, fast.offset, fast.open_flows) == (
        slow.tree.root(), slow.prev, slow.origin, slow.offset, slow.open_flows,
    )  # fmt: skip


WRONG_NOTES: dict[str, Callable[[dict], object]] = {
    "not json": lambda state: b"{",
    "another size": lambda state: state | {"size": 20},
    "another node": lambda state: state | {"frontier": ["00" * 32] * len(state["frontier"])},
    "another offset": lambda state: state | {"offset": state["offset"] - 1},
    "past the end": lambda state: state | {"offset": 1 << 40},
    "another segment": lambda state: state | {"segment": 7},
    "a link that does not fit": lambda state: state | {"prev": "f" * 32},
    "no offset": lambda state: {name: state[name] for name in state if name != "offset"},
    "a list": lambda state: [],
}


@pytest.mark.parametrize("change", WRONG_NOTES.values(), ids=WRONG_NOTES.keys())
def test_a_wrong_note_where_to_resume_is_not_believed(crashed: Path, change: Callable[[dict], object]) -> None:
    expected = end_of(crashed).end.tree.root()
    path = crashed / "audit" / "0" / RESUME
    changed = change(orjson.loads(path.read_bytes()))
    path.write_bytes(changed if isinstance(changed, bytes) else orjson.dumps(changed))
    assert end_of(crashed).end.tree.root() == expected


@pytest.mark.parametrize("torn", [1, 2, 30, 400])
def test_a_torn_tail_is_cut_to_the_last_whole_record(crashed: Path, torn: int) -> None:
    path = segment(crashed)
    whole = path.read_bytes()
    os.truncate(path, len(whole) - torn)
    found = end_of(crashed)
    assert path.read_bytes() == whole[: found.end.offset]
    assert path.read_bytes().endswith(b"\n")
    assert found.end.tree.size == len(lines_of(crashed / "audit"))


@pytest.mark.parametrize(
    "garbage", [b"{", b"\x00" * 4096, b"{}\n", b"null\n", b'{"v":1,"i":40,"p":"x"}\n', b"\n", b"\xff\n{}\n"], ids=repr
)
def test_garbage_behind_the_last_record_is_cut_off(crashed: Path, garbage: bytes) -> None:
    path = segment(crashed)
    whole = path.read_bytes()
    path.write_bytes(whole + garbage)
    found = end_of(crashed)
    assert (path.read_bytes(), found.cut_bytes) == (whole, len(garbage))


def test_a_hole_in_the_unsigned_part_ends_the_log_there_and_later_segments_are_set_aside(crashed: Path) -> None:
    lines = lines_of(crashed / "audit")
    segment(crashed).write_bytes(b"".join(line + b"\n" for line in lines[:30]) + b"\x00" * 50)
    segment(crashed, 2).write_bytes(b"".join(line + b"\n" for line in lines[35:]))
    found = end_of(crashed)
    assert (found.end.tree.size, found.end.segment) == (30, 1)
    assert not segment(crashed, 2).exists()
    assert segment(crashed, 2).with_suffix(".cut").exists()


def test_a_repaired_log_verifies_and_its_open_flows_are_closed_as_unknown(crashed: Path) -> None:
    path = segment(crashed)
    os.truncate(path, path.stat().st_size - 5)
    open_log(crashed).close()
    report = verify(crashed / "audit")
    assert (report.ok, report.open_flows, report.unsigned_tail) == (True, (), 0)
    rows = [orjson.loads(line) for line in lines_of(crashed / "audit")]
    opened = [row for row in rows if row["kind"] == "open"]
    assert [row["unknown_flows"] for row in opened] == [0, 2]
    assert opened[1]["cut_bytes"] > 0
    assert rows[-1]["outcome"] == "unknown"


def _cut_signed(home: Path) -> None:
    os.truncate(segment(home), 3000)


def _change_signed(home: Path) -> None:
    path = segment(home)
    path.write_bytes(path.read_bytes().replace(b"gpt-4o-mini", b"gpt-4o-maxi", 1))
    (home / "audit" / "0" / RESUME).unlink()


def _delete_segment(home: Path) -> None:
    segment(home).unlink()


def _delete_first_line(home: Path) -> None:
    path = segment(home)
    path.write_bytes(path.read_bytes().partition(b"\n")[2])


def _damage_checkpoint(home: Path) -> None:
    path = home / "audit" / "0" / CHECKPOINTS
    path.write_bytes(path.read_bytes().replace(b"\n21\n", b"\n20\n"))


def _damage_keys(home: Path) -> None:
    (home / "audit" / "audit.pub").write_text("nonsense\n")


def _foreign_checkpoints(home: Path) -> None:
    other = closed_log(home / "other", 2, signing_key=home / "keys" / "audit.pem")
    shutil.copy(other / "0" / CHECKPOINTS, home / "audit" / "0" / CHECKPOINTS)
    (home / "audit" / "0" / RESUME).unlink()


DAMAGE = [
    _cut_signed, _change_signed, _delete_segment, _delete_first_line, _damage_checkpoint, _damage_keys,
    _foreign_checkpoints,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_in_the_signed_part_stops_the_start_and_changes_nothing(crashed: Path, damage) -> None:
    damage(crashed)
    before = {path: path.read_bytes() for path in (crashed / "audit").rglob("*.jsonl")}
    with pytest.raises(ConfigError):
        end_of(crashed)
    assert {path: path.read_bytes() for path in (crashed / "audit").rglob("*.jsonl")} == before


def test_half_a_checkpoint_is_cut_off_and_the_one_before_counts(crashed: Path) -> None:
    path = crashed / "audit" / "0" / CHECKPOINTS
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:100])
    assert end_of(crashed).checkpoint is not None
    assert path.read_bytes() == whole


def test_a_log_goes_on_under_a_new_signing_key(crashed: Path) -> None:
    open_log(crashed, signing_key=crashed / "keys" / "new.pem").close()
    report = verify(crashed / "audit")
    assert report.ok
    assert len((crashed / "audit" / "audit.pub").read_text().splitlines()) == 2


def test_an_empty_folder_is_an_empty_log(tmp_path: Path) -> None:
    found = find_end(tmp_path, [])
    assert (found.end.tree.size, found.checkpoint, found.cut_bytes) == (0, None, 0)


def test_a_lock_is_held_by_one_and_names_its_holder(tmp_path: Path) -> None:
    first = take_lock(tmp_path / "lock")
    with pytest.raises(ConfigError, match=f"process {os.getpid()} already"):
        take_lock(tmp_path / "lock")
    os.close(first)
    os.close(take_lock(tmp_path / "lock"))
