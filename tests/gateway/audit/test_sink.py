"""The log as the gateway uses it: durability, failures and recovery, rotation, checkpoints, the lock."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from helpers.audit import BROKEN, NO_SPACE, Faults, a_completed, a_decided, lines_of, open_log
from yett.audit.checkpoint import parse_vkey, split_notes
from yett.audit.log import leaf_hash, root_of
from yett.audit.sink import STALL_S, WINDOW_S, AuditLog
from yett.audit.verify import verify
from yett.errors import ConfigError, Unavailable


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def opened(tmp_path: Path, faults: Faults) -> Iterator[Callable[..., AuditLog]]:
    logs: list[AuditLog] = []

    def make(**changes: object) -> AuditLog:
        logs.append(open_log(tmp_path, file_factory=faults.factory, **changes))
        return logs[-1]

    yield make
    if faults.hang is not None:
        faults.hang.set()
    for log in logs:
        log.close()


def rows(home: Path) -> list[dict]:
    return [orjson.loads(line) for line in lines_of(home / "audit")]


def until(done: Callable[[], object]) -> None:
    """Wait for another thread, at most five seconds."""
    tick = threading.Event()
    for _ in range(500):
        if done():
            return
        tick.wait(0.01)
    raise AssertionError("it did not happen")


@pytest.mark.parametrize("durability", ["os", "group", "fsync"])
async def test_a_record_is_in_the_file_when_append_and_commit_return(opened, tmp_path: Path, durability: str) -> None:
    log = opened(durability=durability)
    index = log.append(a_decided(1))
    await log.commit(index)
    assert (index, log.size, rows(tmp_path)[1]["flow"]) == (1, 2, f"{1:032x}")
    assert log.root == root_of(map(leaf_hash, lines_of(tmp_path / "audit")))
    assert (log.healthy, log.degraded) == (True, "")


async def test_fsync_waits_for_the_sync_that_covers_the_record(opened, faults: Faults) -> None:
    log = opened(durability="fsync")
    before = len(faults.syncs)
    await asyncio.gather(*(log.commit(log.append(a_decided(n))) for n in range(50)))
    assert 1 <= len(faults.syncs) - before < 50
    await log.commit(0)


def test_group_syncs_by_itself_soon_after_a_write(opened, faults: Faults) -> None:
    log = opened(durability="group")
    before = len(faults.syncs)
    log.append(a_decided(1))
    until(lambda: len(faults.syncs) > before)
    assert log.size == 2


def test_a_busy_log_is_synced_again_and_again_but_not_for_each_record(opened, faults: Faults) -> None:
    log = opened(durability="group", checkpoint_records=1 << 20)
    wakes: list[bool] = []
    really = log._wake.ring
    log._wake.ring = lambda: (wakes.append(True), really())[1]
    before, started = len(faults.syncs), time.monotonic()
    records = 0
    while len(faults.syncs) - before < 8:
        log.append(a_decided(records))
        records += 1
    syncs, took_s = len(faults.syncs) - before, time.monotonic() - started
    assert syncs <= took_s / WINDOW_S["group"] + 2
    assert (records > syncs, len(wakes) < syncs) == (True, True)


def test_a_log_that_has_fallen_asleep_wakes_for_the_next_record(opened, faults: Faults) -> None:
    log = opened(durability="group")
    for flow in range(3):
        until(lambda: log._asleep)
        before = len(faults.syncs)
        log.append(a_decided(flow))
        until(lambda before=before: len(faults.syncs) > before)
    assert log.size == 4


async def test_group_and_os_do_not_wait_for_the_disk(opened, faults: Faults) -> None:
    log = opened(durability="group")
    faults.hang = threading.Event()
    await asyncio.wait_for(log.commit(log.append(a_decided(1))), 0.2)
    assert log.size == 2


def test_an_idle_log_does_not_touch_the_disk(opened, faults: Faults) -> None:
    log = opened(durability="group")
    before = len(faults.syncs)
    assert log.flush()
    assert log.flush(sign=True)
    assert len(faults.syncs) == before


@pytest.mark.parametrize("fault", [{"write_errno": NO_SPACE}, {"short_by": 9}], ids=["full disk", "short write"])
def test_a_full_disk_is_a_503_and_the_log_recovers_by_itself(
    opened, faults: Faults, tmp_path: Path, fault: dict[str, int]
) -> None:
    log = opened()
    log.append(a_decided(1))
    for name, value in fault.items():
        setattr(faults, name, value)
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            log.append(a_completed(1))
        assert (caught.value.status, caught.value.code) == (503, "audit_unavailable")
    assert (log.healthy, "No space" in log.degraded or "short" in log.degraded) == (False, True)
    for name in fault:
        setattr(faults, name, 0)
    assert log.append(a_completed(1)) == 3
    assert log.healthy
    log.close()
    resumed = rows(tmp_path)[2]
    assert (resumed["name"], resumed["refused"], len(list((tmp_path / "audit" / "0").glob("*.jsonl")))) == (
        "audit_resumed", 3, 1,
    )  # fmt: skip
    assert verify(tmp_path / "audit").ok


def test_a_log_that_nobody_writes_to_recovers_too(opened, faults: Faults) -> None:
    log = opened()
    faults.write_errno = NO_SPACE
    with pytest.raises(Unavailable):
        log.append(a_decided(1))
    faults.write_errno = 0
    until(lambda: log.healthy)
    assert log.size == 2


@pytest.mark.parametrize("fault", ["write_errno", "sync_errno"])
def test_a_broken_disk_gives_up_the_segment_and_goes_on_in_a_new_one(
    opened, faults: Faults, tmp_path: Path, fault: str
) -> None:
    log = opened()
    log.append(a_decided(1))
    setattr(faults, fault, BROKEN)
    if fault == "sync_errno":
        assert not log.flush()
    with pytest.raises(Unavailable):
        log.append(a_decided(2))
    assert not log.healthy
    setattr(faults, fault, 0)
    until(lambda: log.healthy)
    before = len(faults.syncs)
    log.append(a_completed(1))
    log.close()
    assert "000001.jsonl" not in {path.name for path in faults.syncs[before:]}
    assert [row["kind"] for row in rows(tmp_path)] == ["open", "decided", "event", "completed"]
    report = verify(tmp_path / "audit")
    assert (report.ok, report.unsigned_tail) == (True, 0)


async def test_a_failed_sync_tells_those_who_wait_and_keeps_their_records(
    opened, faults: Faults, tmp_path: Path
) -> None:
    log = opened(durability="fsync")
    faults.sync_errno = BROKEN
    with pytest.raises(Unavailable) as caught:
        await log.commit(log.append(a_decided(1)))
    assert caught.value.code == "audit_unavailable"
    with pytest.raises(Unavailable):
        await log.commit(log.size - 1)
    faults.sync_errno = 0
    await asyncio.to_thread(until, lambda: log.healthy)
    await log.commit(log.append(a_completed(1)))
    await asyncio.to_thread(log.close)
    assert [row["kind"] for row in rows(tmp_path)] == ["open", "decided", "event", "completed"]


async def test_a_hanging_sync_is_a_503_within_a_bound_and_then_at_once(opened, faults: Faults) -> None:
    log = opened(durability="fsync")
    faults.hang = threading.Event()
    started = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await log.commit(log.append(a_decided(1)))
    assert asyncio.get_running_loop().time() - started < 1.0
    await asyncio.to_thread(until, lambda: not log.healthy)
    assert log.degraded == "a sync of the audit log hangs"
    with pytest.raises(Unavailable):
        log.append(a_decided(2))
    assert not log.flush(timeout_s=0.01)
    faults.hang.set()
    await asyncio.to_thread(until, lambda: log.healthy)
    assert log.append(a_decided(3)) == 2


@pytest.mark.parametrize("durability", ["os", "group"])
def test_a_sync_that_hangs_long_closes_the_gate_in_every_mode(
    opened, faults: Faults, monkeypatch: pytest.MonkeyPatch, durability: str
) -> None:
    monkeypatch.setitem(STALL_S, durability, 0.02)  # type: ignore[misc]
    log = opened(durability=durability)
    faults.hang = threading.Event()
    log.append(a_decided(1))
    threading.Thread(target=log.flush).start()
    until(lambda: not log.healthy)
    with pytest.raises(Unavailable):
        log.append(a_decided(2))
    faults.hang.set()
    until(lambda: log.healthy)
    assert log.size == 2


def test_a_log_opens_on_a_disk_that_takes_no_new_file_and_mends_itself(opened, faults: Faults, tmp_path: Path) -> None:
    faults.create_errno = NO_SPACE
    log = opened()
    with pytest.raises(Unavailable):
        log.append(a_decided(1))
    assert (log.healthy, "No space" in log.degraded) == (False, True)
    faults.create_errno = 0
    until(lambda: log.healthy)
    log.append(a_decided(1))
    log.close()
    assert [row["kind"] for row in rows(tmp_path)] == ["event", "open", "decided", "completed"]
    assert verify(tmp_path / "audit").ok


@pytest.mark.parametrize("record", [{"x": object()}, {"x": "y" * (2 << 20)}, {"i": 7}], ids=["object", "huge", "stamp"])
def test_a_record_that_is_no_line_is_a_503_and_hurts_nobody_else(opened, record: dict) -> None:
    log = opened()
    with pytest.raises(Unavailable, match="encoded"):
        log.append(record)
    assert (log.healthy, log.append(a_decided(1))) == (True, 1)


def test_segments_rotate_and_the_log_verifies(opened, tmp_path: Path) -> None:
    log = opened(segment_bytes=2000)
    for flow in range(40):
        log.append(a_decided(flow))
        log.append(a_completed(flow))
        assert log.flush()
    log.close()
    assert len(list((tmp_path / "audit" / "0").glob("*.jsonl"))) > 8
    assert verify(tmp_path / "audit").records == 81
    assert verify(tmp_path / "audit").ok


def test_a_segment_that_cannot_be_opened_leaves_the_old_one_in_use(opened, faults: Faults) -> None:
    log = opened(segment_bytes=500)
    faults.create_errno = NO_SPACE
    for flow in range(5):
        log.append(a_decided(flow))
        log.flush()
    assert (log.healthy, "new segment" in log.degraded) == (True, True)
    faults.create_errno = 0
    log.append(a_decided(6))
    log.flush()
    assert (log.degraded, log.size) == ("", 7)


def test_checkpoints_come_by_count(opened, tmp_path: Path) -> None:
    log = opened(checkpoint_records=10)
    for flow in range(25):
        log.append(a_decided(flow))
    path = tmp_path / "audit" / "0" / "checkpoints"
    until(lambda: int(split_notes(path.read_bytes())[0][-1].split(b"\n")[1]) >= 11)
    assert log.size == 26


def test_checkpoints_come_by_time(opened, tmp_path: Path) -> None:
    log = opened(checkpoint_s=0.05)
    log.append(a_decided(1))
    until(lambda: verify(tmp_path / "audit").unsigned_tail == 0)
    assert log.size == 2


def test_a_checkpoint_that_cannot_be_written_is_loud_but_closes_nothing(tmp_path: Path) -> None:
    faults = Faults(only="checkpoints")
    log = open_log(tmp_path, file_factory=faults.factory)
    faults.sync_errno = NO_SPACE
    log.append(a_decided(1))
    assert not log.flush(sign=True)
    assert (log.healthy, "checkpoints" in log.degraded) == (True, True)
    faults.sync_errno = 0
    assert log.flush(sign=True)
    assert log.degraded == ""
    log.close()
    assert verify(tmp_path / "audit").ok


def test_closing_completes_open_flows_and_signs_to_the_end(opened, tmp_path: Path) -> None:
    log = opened()
    log.append(a_decided(1))
    log.append(a_decided(2))
    log.append(a_completed(1))
    log.close()
    log.close()
    report = verify(tmp_path / "audit")
    assert (report.ok, report.open_flows, report.unsigned_tail, report.records) == (True, (), 0, 5)
    assert rows(tmp_path)[-1]["outcome"] == "unknown"
    with pytest.raises(Unavailable):
        log.append(a_decided(3))
    assert not log.flush()


def test_a_log_goes_on_where_it_ended(opened, tmp_path: Path) -> None:
    first = opened()
    origin, vkey = first.origin, first.vkey
    first.append(a_decided(1))
    first.close()
    second = opened()
    assert (second.origin, second.vkey, second.append(a_decided(2))) == (origin, vkey, 4)
    assert parse_vkey(vkey)[0] == origin
    assert (tmp_path / "audit" / "audit.pub").read_text() == vkey + "\n"


def test_two_logs_never_write_one_folder(opened) -> None:
    opened()
    with pytest.raises(ConfigError, match=f"process {os.getpid()} already writes"):
        opened()
    assert opened(worker=1).healthy


def test_a_forked_child_may_not_write_its_parents_log(opened, tmp_path: Path) -> None:
    log = opened()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            log.append(a_decided(1))
        except Unavailable:
            log.close()
            status = 0 if not log.flush() else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert log.append(a_decided(1)) == 1
    assert len(rows(tmp_path)) == 2


def test_many_threads_write_one_chain(opened, tmp_path: Path) -> None:
    log = opened(durability="group")

    def work(start: int) -> None:
        for flow in range(start, start + 50):
            log.append(a_decided(flow))
            log.append(a_completed(flow))

    threads = [threading.Thread(target=work, args=(n * 50,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert verify(tmp_path / "audit").records == 401
    assert verify(tmp_path / "audit").ok


def test_a_flusher_that_dies_closes_the_gate(opened, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened()
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(log._journal, "sync_records", lambda: 1 / 0)
    log.append(a_decided(1))
    log.flush(timeout_s=0.2)
    until(lambda: not log.healthy)
    assert log.degraded == "the flusher has died"
    with pytest.raises(Unavailable):
        log.append(a_decided(2))


@pytest.mark.parametrize(
    "change", [{"durability": "none"}, {"signing_key": Path("/proc/nothing/audit.pem")}], ids=["durability", "key"]
)
def test_wrong_settings_stop_the_start(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        open_log(tmp_path, **change)


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be used"):
        open_log(tmp_path)


def test_a_pipe_in_the_place_of_a_segment_never_hangs_the_start(tmp_path: Path) -> None:
    (tmp_path / "audit" / "0").mkdir(parents=True)
    os.mkfifo(tmp_path / "audit" / "0" / "000001.jsonl")
    log = open_log(tmp_path)
    until(lambda: log.healthy)
    log.append(a_decided(1))
    log.close()
    assert verify(tmp_path / "audit").ok
