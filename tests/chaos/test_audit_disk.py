"""The audit log on a disk that fills up, and in a process that is killed: nothing acknowledged is lost or torn."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from helpers.audit import a_completed, a_decided, lines_of, open_log
from yett.audit.sink import AuditLog
from yett.audit.verify import verify
from yett.errors import Unavailable

KILLS = 15


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 64 KiB."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a full disk needs root, to mount a small tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(log: AuditLog) -> list[int]:
    """Append until the disk is full; the indices that were acknowledged."""
    stored = []
    for flow in range(2000):
        try:
            stored.append(log.append(a_decided(flow)))
            stored.append(log.append(a_completed(flow)))
        except Unavailable as error:
            assert (error.status, error.code) == (503, "audit_unavailable")
            return stored
    raise AssertionError("the disk never filled up")


def open_on(disk: Path, tmp_path: Path, **changes: object) -> AuditLog:
    return open_log(disk, signing_key=tmp_path / "audit.pem", **changes)


def indices(disk: Path) -> list[int]:
    return [orjson.loads(line)["i"] for line in lines_of(disk / "audit")]


def whole(disk: Path) -> bool:
    return all(path.read_bytes().endswith(b"\n") for path in (disk / "audit" / "0").glob("*.jsonl"))


@pytest.mark.parametrize("durability", ["os", "group", "fsync"])
def test_a_full_disk_refuses_tears_nothing_and_recovers_when_there_is_room(
    small_disk: Path, tmp_path: Path, durability: str
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 20_000)
    log = open_on(small_disk, tmp_path, durability=durability)
    stored = fill(log)
    assert len(stored) > 20
    for _ in range(50):
        with pytest.raises(Unavailable):
            log.append(a_decided(9999))
    assert (whole(small_disk), indices(small_disk)) == (True, [0, *stored])
    assert not log.healthy
    ballast.unlink()
    assert log.append(a_decided(9999)) == stored[-1] + 2
    assert log.healthy
    log.close()
    report = verify(small_disk / "audit")
    assert (report.ok, report.unsigned_tail) == (True, 0)
    assert indices(small_disk) == list(range(report.records))


def test_an_idle_log_recovers_too(small_disk: Path, tmp_path: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 20_000)
    log = open_on(small_disk, tmp_path)
    fill(log)
    ballast.unlink()
    waited = threading.Event()
    for _ in range(500):
        if log.healthy:
            break
        waited.wait(0.01)
    assert log.healthy
    log.close()


def test_a_log_closed_on_a_full_disk_is_repaired_when_it_is_opened_with_room(small_disk: Path, tmp_path: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 20_000)
    log = open_on(small_disk, tmp_path)
    stored = fill(log)
    log.close()
    ballast.unlink()
    open_on(small_disk, tmp_path).close()
    report = verify(small_disk / "audit")
    assert (report.ok, report.open_flows) == (True, ())
    assert set(stored) <= set(indices(small_disk))


def test_a_log_opened_on_a_full_disk_refuses_and_recovers(small_disk: Path, tmp_path: Path) -> None:
    open_on(small_disk, tmp_path).close()
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    with (small_disk / "audit" / "0" / "000001.jsonl").open("ab") as file:
        room = -file.tell() % 4096
    log = open_on(small_disk, tmp_path)
    with pytest.raises(Unavailable):
        for flow in range(room // 100 + 10):
            log.append(a_decided(flow))
    ballast.unlink()
    log.append(a_decided(9999))
    log.close()
    assert verify(small_disk / "audit").ok


APPENDER = """
import sys
from pathlib import Path
from helpers.audit import a_completed, a_decided, open_log
home, durability, start = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
log = open_log(home, durability=durability, checkpoint_records=50, segment_bytes=40_000)
out = open(1, "wb", buffering=0)
for flow in range(start, start + 1_000_000):
    out.write(b"%d\\n" % log.append(a_decided(flow)))
    if flow % 3:
        out.write(b"%d\\n" % log.append(a_completed(flow)))
"""


def run_and_kill(home: Path, durability: str, round_: int, acknowledged: int) -> list[int]:
    """Start an appender, kill -9 it after so many acknowledgements; every index it acknowledged."""
    command = [sys.executable, "-c", APPENDER, str(home), durability, str(round_ * 1_000_000)]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(acknowledged)]
        process.send_signal(signal.SIGKILL)
        read += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return [int(line) for line in read if line.endswith(b"\n")]


def test_kill_9_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    rng, acknowledged = random.Random(7), set[int]()
    for round_ in range(KILLS):
        durability = ("os", "group")[round_ % 2]
        new = run_and_kill(tmp_path, durability, round_, rng.randrange(1, 400))
        assert not acknowledged & set(new)
        acknowledged |= set(new)
        assert acknowledged <= set(indices(tmp_path))
    open_log(tmp_path).close()
    assert acknowledged <= set(indices(tmp_path))
    report = verify(tmp_path / "audit")
    assert (report.ok, report.bad, report.open_flows, report.unsigned_tail) == (True, None, (), 0)
    assert len(list((tmp_path / "audit" / "0").glob("*.jsonl"))) > 1
