"""An auditor's view: every change of a closed log is found, and the first bad record is named."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from helpers.audit import a_completed, a_decided, closed_log, lines_of, open_log
from yett.audit.checkpoint import (
    BadCheckpoint,
    Checkpoint,
    format_vkey,
    load_or_create_signing_key,
    public_bytes,
    sign,
    split_notes,
)
from yett.audit.log import leaf_hash, link, root_of
from yett.audit.verify import Report, verify


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log of 201 records in one segment, signed at 1, 101 and 201."""
    home = tmp_path_factory.mktemp("closed")
    return closed_log(home, 100, signed_every=50)


@pytest.fixture
def home(closed: Path, tmp_path: Path) -> Path:
    shutil.copytree(closed.parent, tmp_path / "home")
    return tmp_path / "home"


def segment(home: Path) -> Path:
    return home / "audit" / "0" / "000001.jsonl"


def checked(home: Path, **more: object) -> Report:
    return verify(home / "audit", **more)  # type: ignore[arg-type]


def rewrite(home: Path, lines: list[bytes]) -> None:
    segment(home).write_bytes(b"".join(line + b"\n" for line in lines))


def relink(lines: list[bytes]) -> list[bytes]:
    """What a forger without the key can do: fit every index and link again."""
    out, prev = [], "0" * 32
    for index, line in enumerate(lines):
        record = orjson.loads(line) | {"i": index, "p": prev}
        out.append(orjson.dumps(record))
        prev = link(leaf_hash(out[-1]))
    return out


def test_a_closed_log_verifies(home: Path) -> None:
    report = checked(home)
    assert (report.ok, report.records, report.flows, report.open_flows) == (True, 201, 100, ())
    assert (report.signed_up_to, report.unsigned_tail, report.pinned) == (201, 0, False)
    assert report.mb_per_s > 0


def test_every_flipped_byte_is_found_and_its_record_named(home: Path) -> None:
    """A random bit of every 211th byte (test_every_byte_of_a_record_is_covered takes each byte of one record)."""
    path, rng = segment(home), random.Random(1)
    whole = path.read_bytes()
    starts = [0]
    for line in whole.split(b"\n")[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    tried = found = named = 0
    for place in range(rng.randrange(97), len(whole), 211):
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        report, tried = checked(home), tried + 1
        record = next(index for index in range(201) if place < starts[index + 1])
        found += not report.ok
        named += report.bad is not None and report.bad.index == record
    assert found == tried > 300
    assert named >= 0.97 * tried


def test_every_byte_of_a_record_is_covered(home: Path) -> None:
    path, rng = segment(home), random.Random(2)
    whole = path.read_bytes()
    lines = whole.split(b"\n")
    start = sum(len(line) + 1 for line in lines[:3])
    for place in range(start, start + len(lines[3]) + 1):
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        report = checked(home)
        assert report.bad is not None, place
        assert report.bad.index == 3, place


def test_every_byte_of_the_checkpoints_is_covered(home: Path) -> None:
    path, rng = home / "audit" / "0" / "checkpoints", random.Random(3)
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        assert not checked(home).ok, place


@pytest.mark.parametrize("forge", [lambda lines: lines, relink], ids=["plain", "linked again"])
@pytest.mark.parametrize("kind", ["delete", "swap", "insert", "duplicate"])
def test_deleting_swapping_and_inserting_is_found(home: Path, kind: str, forge: Callable) -> None:
    lines, rng = lines_of(home / "audit"), random.Random(4)
    for _ in range(12):
        first, second = sorted(rng.sample(range(201), 2))
        changed = list(lines)
        if kind == "delete":
            del changed[first]
        elif kind == "swap":
            changed[first], changed[second] = changed[second], changed[first]
        elif kind == "insert":
            changed.insert(first, orjson.dumps({"v": 1, "i": first, "p": "0" * 32, "kind": "event", "name": "x"}))
        else:
            changed.insert(second, lines[first])
        rewrite(home, forge(changed))
        report = checked(home)
        assert report.bad is not None
        if forge is not relink:
            assert report.bad.index in {first, second}


def test_all_neighbours_swapped_are_found(home: Path) -> None:
    lines = lines_of(home / "audit")
    for first in range(0, 200, 5):
        changed = list(lines)
        changed[first], changed[first + 1] = changed[first + 1], changed[first]
        rewrite(home, changed)
        report = checked(home)
        assert report.bad is not None
        assert report.bad.index == first


@pytest.mark.parametrize("keep", [0, 1, 100, 101, 200])
def test_a_tail_that_was_signed_cannot_be_cut_off(home: Path, keep: int) -> None:
    rewrite(home, lines_of(home / "audit")[:keep])
    bad = checked(home).bad
    assert bad is not None
    assert bad.index == keep


def test_cutting_log_and_checkpoints_together_is_seen_only_with_a_checkpoint_kept_elsewhere(home: Path) -> None:
    path = home / "audit" / "0" / "checkpoints"
    notes, _ = split_notes(path.read_bytes())
    rewrite(home, lines_of(home / "audit")[:101])
    path.write_bytes(b"".join(note + b"\n" for note in notes[:-1]))
    assert checked(home).ok
    report = checked(home, checkpoint=notes[-1])
    assert report.bad is not None
    assert (report.bad.index, "201 records were signed" in report.bad.why) == (101, True)


def test_a_checkpoint_kept_elsewhere_is_found_in_the_log(home: Path) -> None:
    notes, _ = split_notes((home / "audit" / "0" / "checkpoints").read_bytes())
    vkey = (home / "audit" / "audit.pub").read_text()
    assert all(checked(home, checkpoint=note, public_key=vkey).ok for note in notes)
    assert checked(home, public_key=vkey).pinned


def test_a_kept_checkpoint_of_a_rewritten_log_is_found_even_if_the_thief_had_the_key(home: Path) -> None:
    key = load_or_create_signing_key(home / "keys" / "audit.pem")
    path = home / "audit" / "0" / "checkpoints"
    notes, _ = split_notes(path.read_bytes())
    lines = relink([line.replace(b"gpt-4o-mini", b"gpt-4o-maxi") for line in lines_of(home / "audit")])
    rewrite(home, lines)
    origin = notes[0].split(b"\n")[0].decode()
    path.write_bytes(sign(Checkpoint(origin, 201, root_of(map(leaf_hash, lines))), key) + b"\n")
    assert checked(home).ok  # stated: a stolen key is not detected
    assert not checked(home, checkpoint=notes[1]).ok


def test_a_forger_with_a_key_of_his_own_is_found_by_a_pinned_key(home: Path) -> None:
    vkey = (home / "audit" / "audit.pub").read_text()
    key = Ed25519PrivateKey.generate()
    origin = vkey.partition("+")[0]
    lines = relink(lines_of(home / "audit")[:50])
    rewrite(home, lines)
    note = sign(Checkpoint(origin, 50, root_of(map(leaf_hash, lines))), key)
    (home / "audit" / "0" / "checkpoints").write_bytes(note + b"\n")
    (home / "audit" / "audit.pub").write_text(format_vkey(origin, public_bytes(key)) + "\n")
    assert checked(home).ok
    assert not checked(home, public_key=vkey).ok


def test_spliced_and_missing_segments_are_found(tmp_path: Path) -> None:
    audit = closed_log(tmp_path / "a", 60, segment_bytes=4000, signed_every=4)
    other = closed_log(tmp_path / "b", 60, segment_bytes=4000, signed_every=4)
    paths = sorted((audit / "0").glob("*.jsonl"))
    assert len(paths) > 5
    assert verify(audit).ok
    whole = paths[2].read_bytes()
    shutil.copy(other / "0" / paths[2].name, paths[2])
    assert not verify(audit).ok
    paths[2].unlink()
    bad = verify(audit).bad
    assert bad is not None
    assert (bad.segment, bad.line) == (paths[3].name, 1)
    paths[2].write_bytes(paths[3].read_bytes())
    paths[3].write_bytes(whole)
    assert not verify(audit).ok


def test_a_log_put_in_the_place_of_another_is_found(tmp_path: Path, home: Path) -> None:
    other = closed_log(tmp_path / "other", 3, signing_key=home / "keys" / "audit.pem")
    shutil.rmtree(home / "audit" / "0")
    shutil.copytree(other / "0", home / "audit" / "0")
    bad = checked(home).bad
    assert bad is not None
    assert "missing" in bad.why


def test_two_workers_are_two_logs_and_a_missing_one_is_found(tmp_path: Path) -> None:
    audit = closed_log(tmp_path, 3)
    closed_log(tmp_path, 4, worker=1)
    report = verify(audit)
    assert (report.ok, report.records, [log.folder for log in report.logs]) == (True, 16, ["0", "1"])
    shutil.rmtree(audit / "1")
    bad = verify(audit).bad
    assert bad is not None
    assert bad.why.endswith("/1 is missing")


def test_the_unsigned_tail_of_a_running_log_is_reported_as_such(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    for flow in range(5):
        log.append(a_decided(flow))
    report = verify(tmp_path / "audit")
    assert (report.ok, report.signed_up_to, report.unsigned_tail, len(report.open_flows)) == (True, 1, 5, 5)
    with segment(tmp_path).open("ab") as file:
        file.write(b'{"v":1')
    assert verify(tmp_path / "audit").logs[0].torn_bytes == 6
    os.truncate(segment(tmp_path), segment(tmp_path).stat().st_size - 6)
    log.close()


@pytest.mark.parametrize(
    "records",
    [[a_completed(1)], [a_decided(1), a_completed(1), a_completed(1)], [a_decided(1), a_completed(2)]],
    ids=["not decided", "completed twice", "another flow"],
)
def test_a_completion_without_a_decision_is_found(tmp_path: Path, records: list[dict[str, object]]) -> None:
    log = open_log(tmp_path)
    for record in records:
        log.append(record)
    log.close()
    bad = verify(tmp_path / "audit").bad
    assert bad is not None
    assert (bad.index, "was not decided" in bad.why) == (len(records), True)


def _no_checkpoints(home: Path) -> None:
    (home / "audit" / "0" / "checkpoints").unlink()


def _empty_checkpoints(home: Path) -> None:
    (home / "audit" / "0" / "checkpoints").write_bytes(b"")


def _no_keys(home: Path) -> None:
    (home / "audit" / "audit.pub").unlink()


def _bad_keys(home: Path) -> None:
    (home / "audit" / "audit.pub").write_bytes(b"\xff\n")


def _no_log(home: Path) -> None:
    shutil.rmtree(home / "audit")
    (home / "audit").mkdir()


def _old_checkpoint_again(home: Path) -> None:
    path = home / "audit" / "0" / "checkpoints"
    notes, _ = split_notes(path.read_bytes())
    path.write_bytes(path.read_bytes() + notes[0] + b"\n")


def _deep_json(home: Path) -> None:
    path = segment(home)
    path.write_bytes(b"[" * 100_000 + b"\n" + path.read_bytes())


@pytest.mark.parametrize(
    "damage", [_no_checkpoints, _empty_checkpoints, _no_keys, _bad_keys, _no_log, _old_checkpoint_again, _deep_json]
)
def test_what_is_missing_or_malformed_is_a_fault_and_never_a_crash(home: Path, damage: Callable) -> None:
    damage(home)
    assert not checked(home).ok


def test_a_folder_that_is_not_there_is_not_ok(tmp_path: Path) -> None:
    assert not verify(tmp_path / "nowhere").ok


@pytest.mark.parametrize("arguments", [{"public_key": "nonsense"}, {"checkpoint": b"nonsense"}], ids=["key", "note"])
def test_what_the_auditor_brings_must_be_well_formed(home: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(BadCheckpoint):
        checked(home, **arguments)
