"""Worker processes for callable detectors: killed at the deadline, replaced, and harmless to one another."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.scanners import CODE, detector
from yett import workers
from yett.detector import Found
from yett.errors import ConfigError, Unavailable
from yett.worker_process import WorkerProcess
from yett.workers import WorkerPool, default_processes

NEEDLE = [Found(2, 8, CODE, 0.5)]
LONG_S = 20.0


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def running(pid: int) -> bool:
    """Whether it still runs; an orphan that ended stays in the table until the system's first process looks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def until(condition) -> None:
    async with asyncio.timeout(LONG_S):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def pool():
    async with WorkerPool([detector()], processes=1) as one:
        yield one


async def refused(call) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await call
    assert caught.value.code == "guard_failed"
    assert caught.value.status == 503
    return caught.value


async def test_finds_what_the_scanner_finds(pool):
    assert await pool.scan("words", ["a needle", "", "hay", "ö needle ö"], LONG_S) == [NEEDLE, [], [], NEEDLE]
    assert await pool.scan("words", [], LONG_S) == []


async def test_scanners_are_told_apart_and_get_their_options():
    two = [detector(), detector(name="other", word="hay")]
    async with WorkerPool(two, processes=1) as pool:
        text = "needle hay"
        words, other = await asyncio.gather(pool.scan("words", [text], LONG_S), pool.scan("other", [text], LONG_S))
        assert (words, other) == ([[Found(0, 6, CODE, 0.5)]], [[Found(7, 10, CODE, 0.5)]])


async def test_a_large_text_comes_through_whole(pool):
    text = "x" * 3_000_000 + "needle"
    assert await pool.scan("words", [text], LONG_S) == [[Found(3_000_000, 3_000_006, CODE, 0.5)]]


async def test_a_hanging_regex_is_killed_at_its_deadline_and_the_next_call_works(pool):
    (pid,) = pool.pids
    started = time.monotonic()
    error = await refused(pool.scan("words", ["!hang"], 0.3))
    assert 0.25 < time.monotonic() - started < 2
    assert "words" in error.message
    assert await pool.scan("words", ["a needle"], LONG_S) == [NEEDLE]
    assert not alive(pid)
    assert pool.replaced == 1


async def test_a_worker_killed_from_outside_fails_its_call_only(tmp_path):
    marks = tmp_path / "marks"
    os.mkfifo(marks.with_suffix(".go"))
    async with WorkerPool([detector("marks", path=str(marks))], processes=1) as pool:
        (pid,) = pool.pids
        call = asyncio.ensure_future(pool.scan("words", ["!wait"], LONG_S))
        await until(marks.exists)
        os.kill(pid, signal.SIGKILL)
        await refused(call)
        assert await pool.scan("words", ["next"], LONG_S) == [[]]


async def test_an_idle_worker_that_dies_is_replaced_and_nobody_notices(pool):
    (pid,) = pool.pids
    os.kill(pid, signal.SIGKILL)
    await until(lambda: pool.pids and pool.pids != (pid,))
    assert await pool.scan("words", ["a needle"], LONG_S) == [NEEDLE]


@pytest.mark.parametrize("text", ["!die", "!exit", "!junk", "!huge", "!early"])
async def test_a_worker_that_dies_or_talks_junk_is_replaced(pool, text):
    (pid,) = pool.pids
    await refused(pool.scan("words", [text], LONG_S))
    assert await pool.scan("words", ["a needle"], LONG_S) == [NEEDLE]
    assert pool.pids != (pid,)


async def test_an_error_in_a_scanner_costs_its_call_but_not_the_worker_and_tells_no_text(pool):
    before = pool.pids
    error = await refused(pool.scan("words", ["!raise"], LONG_S))
    assert "RuntimeError" in error.message
    assert "secret" not in error.message
    assert (await pool.scan("words", ["a needle"], LONG_S), pool.pids) == ([NEEDLE], before)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        [[], []],
        [None],
        [["word"]],
        [[[0, 1, CODE]]],
        [[[0, 1, CODE, 0.5, 1]]],
        [[["0", 1, CODE, 0.5]]],
        [[[0, 1.5, CODE, 0.5]]],
        [[[-1, 1, CODE, 0.5]]],
        [[[1, 1, CODE, 0.5]]],
        [[[0, 99, CODE, 0.5]]],
        [[[0, 1, 7, 0.5]]],
        [[[0, 1, CODE, 1.5]]],
        [[[0, 1, CODE, -0.5]]],
        [[[0, 1, CODE, "high"]]],
        [[[0, 1, CODE, None]]],
    ],
    ids=repr,
)
async def test_what_is_no_result_is_a_failure(answer):
    async with WorkerPool([detector("answers", answer=answer)], processes=1) as pool:
        before = pool.pids
        await refused(pool.scan("words", ["text"], LONG_S))
        assert pool.pids == before


@pytest.mark.parametrize("factory", ["noisy", "words"])
async def test_what_is_printed_goes_nowhere(factory, capfd):
    async with WorkerPool([detector(factory)], processes=1) as pool:
        assert await pool.scan("words", ["!print", "a needle"], LONG_S) == [[], NEEDLE]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("factory", "why"),
    [
        ("broken", "RuntimeError: no such model"),
        ("exits", "SystemExit: 3"),
        ("dies", "died"),
        ("missing", "AttributeError"),
    ],
)
async def test_a_scanner_that_cannot_be_made_stops_the_start_and_leaves_nothing(factory, why, monkeypatch):
    started = []
    monkeypatch.setattr(workers.WorkerProcess, "started", _noting(started))
    pool = WorkerPool([detector(), detector(factory, "faulty")], processes=2)
    pool._running.add(good := await WorkerProcess.started(WorkerPool([detector()])._setup))
    with pytest.raises(ConfigError, match=why) as caught:
        await pool.start()
    assert factory == "dies" or "detector faulty" in str(caught.value)
    assert started == [good.pid]
    assert not alive(good.pid)
    assert pool.pids == ()
    await refused(pool.scan("words", ["text"], LONG_S))


def _noting(started: list[int]):
    real = WorkerProcess.started

    async def note(setup: bytes) -> WorkerProcess:
        worker = await real(setup)
        started.append(worker.pid)
        return worker

    return note


async def test_an_unknown_module_is_named():
    one = detector()
    faulty = type(one)("faulty", "no.such.module:make", one.finds)
    with pytest.raises(ConfigError, match=r"detector faulty cannot be made: ModuleNotFoundError"):
        await WorkerPool([faulty], processes=1).start()


def test_options_that_are_not_json_are_refused_before_anything_starts():
    with pytest.raises(ConfigError, match="detector words cannot be made: its options are not JSON"):
        WorkerPool([detector(word=object())])


async def test_without_a_detector_that_needs_one_no_process_is_started():
    inline = detector()
    inline = type(inline)("words", inline.make, inline.finds, isolation="inline")
    async with WorkerPool([inline], processes=2) as pool:
        assert pool.pids == ()
        await refused(pool.scan("words", ["text"], LONG_S))


async def test_calls_before_the_start_and_after_the_end_are_refused():
    pool = WorkerPool([detector()], processes=1)
    await refused(pool.scan("words", ["text"], LONG_S))
    await pool.start()
    (pid,) = pool.pids
    await pool.aclose()
    await refused(pool.scan("words", ["text"], LONG_S))
    assert not alive(pid)
    await pool.aclose()


async def test_an_unknown_scanner_and_half_a_character_are_refused(pool):
    await refused(pool.scan("nobody", ["text"], LONG_S))
    await refused(pool.scan("words", ["half \ud83d of one"], LONG_S))
    assert await pool.scan("words", ["a needle"], LONG_S) == [NEEDLE]


async def test_two_hundred_calls_at_once_get_their_own_answers():
    async with WorkerPool([detector()], processes=2) as pool:
        texts = [["hay " * at + "needle"] * (at % 3 + 1) for at in range(200)]
        found = await asyncio.gather(*(pool.scan("words", text, LONG_S) for text in texts))
        for at, one in enumerate(found):
            assert one == [[Found(4 * at, 4 * at + 6, CODE, 0.5)]] * (at % 3 + 1)


async def test_calls_that_wait_are_scanned_together_within_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "BATCH_MAX_CALLS", 4)
    marks = tmp_path / "marks"
    os.mkfifo(marks.with_suffix(".go"))
    async with WorkerPool([detector("marks", path=str(marks))], processes=1) as pool:
        calls = [asyncio.ensure_future(pool.scan("words", ["!wait"], LONG_S))]
        await until(marks.exists)
        calls += [asyncio.ensure_future(pool.scan("words", [f"text {at}"], LONG_S)) for at in range(6)]
        await asyncio.sleep(0)
        marks.with_suffix(".go").write_bytes(b"go")
        await asyncio.gather(*calls)
    assert marks.read_text().split() == ["1", "4", "2"]


@pytest.mark.parametrize("poison", ["!die", "!raise", "!junk", "!hang"])
async def test_a_poisonous_call_harms_none_of_those_scanned_with_it(pool, poison):
    texts = ["a needle", poison, "b needle", "c needle"]
    calls = [pool.scan("words", [text], 3.0) for text in ["busy", *texts]]
    _, first, failed, *others = await asyncio.gather(*calls, return_exceptions=True)
    assert [first, *others] == [[NEEDLE]] * 3
    assert isinstance(failed, Unavailable)


async def test_waiting_for_a_worker_counts_against_the_deadline(pool):
    hanging = asyncio.ensure_future(pool.scan("words", ["!hang"], 1.0))
    await asyncio.sleep(0)
    started = time.monotonic()
    await refused(pool.scan("words", ["a needle"], 0.1))
    assert time.monotonic() - started < 0.8
    await refused(hanging)


async def test_a_caller_who_goes_away_is_not_waited_for(pool):
    hanging = asyncio.ensure_future(pool.scan("words", ["!hang"], 0.4))
    waiting = asyncio.ensure_future(pool.scan("words", ["a needle"], LONG_S))
    await asyncio.sleep(0)
    hanging.cancel()
    waiting.cancel()
    await asyncio.gather(hanging, waiting, return_exceptions=True)
    assert await pool.scan("words", ["a needle"], LONG_S) == [NEEDLE]


async def test_a_full_queue_refuses_at_once(pool, monkeypatch):
    monkeypatch.setattr(workers, "QUEUE_MAX_CALLS", 2)
    calls = [asyncio.ensure_future(pool.scan("words", ["a needle"], LONG_S)) for _ in range(4)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(one, Unavailable) for one in results] == [False, False, True, True]


async def test_closing_ends_what_is_under_way_and_leaves_no_process():
    async with WorkerPool([detector()], processes=2) as pool:
        pids = pool.pids
        calls = [asyncio.ensure_future(pool.scan("words", ["!hang"], LONG_S)) for _ in range(5)]
        for _ in range(10):
            await asyncio.sleep(0)
    for call in calls:
        await refused(call)
    assert not [pid for pid in pids if alive(pid)]


async def test_a_replacement_that_cannot_be_made_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "BACKOFF_S", 0.001)
    flag = tmp_path / "flag"
    async with WorkerPool([detector("once", path=str(flag))], processes=1) as pool:
        flag.touch()
        await refused(pool.scan("words", ["!die"], LONG_S))
        await refused(pool.scan("words", ["a needle"], 0.3))
        flag.unlink()
        assert await pool.scan("words", ["a needle"], LONG_S) == [NEEDLE]


async def test_two_pools_share_no_process():
    async with WorkerPool([detector()], processes=1) as one, WorkerPool([detector()], processes=1) as other:
        assert not set(one.pids) & set(other.pids)
        await one.aclose()
        assert await other.scan("words", ["a needle"], LONG_S) == [NEEDLE]


async def test_memory_is_bounded_where_asked():
    async with WorkerPool([detector()], processes=1, memory_bytes=1 << 30) as pool:
        error = await refused(pool.scan("words", ["!memory"], LONG_S))
        assert "MemoryError" in error.message


@pytest.mark.proof
async def test_uvloop_serves_as_well():
    code = (
        "import asyncio, sys, uvloop\n"
        f"sys.path[:0] = {[str(Path(__file__).parents[1])]!r}\n"
        "from helpers.scanners import detector\n"
        "from yett.workers import WorkerPool\n"
        "async def main():\n"
        "    async with WorkerPool([detector()], processes=2) as pool:\n"
        "        try: await pool.scan('words', ['!hang'], 0.2)\n"
        "        except Exception as error: print(type(error).__name__)\n"
        "        print(await pool.scan('words', ['needle'], 20))\n"
        "uvloop.run(main())\n"
    )
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == b"Unavailable"
    assert b"Found(start=0, end=6" in done.stdout


PARENT = """
import asyncio, os, signal, sys
sys.path[:0] = [{tests!r}]
from helpers.scanners import detector
from yett.workers import WorkerPool
async def main():
    async with WorkerPool([detector()], processes=2) as pool:
        print(*pool.pids, flush=True)
        {then}
asyncio.run(main())
"""


def parent(then: str) -> subprocess.Popen[bytes]:
    code = PARENT.format(tests=str(Path(__file__).parents[1]), then=then)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize(
    "then",
    ["await asyncio.sleep(60)", "await pool.scan('words', ['!hang'], 60)"],
    ids=["idle", "hanging"],
)
async def test_workers_end_with_a_parent_that_is_killed(then):
    with parent(then) as process:
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(running, pids))
        process.kill()
        await until(lambda: not any(map(running, pids)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_for_the_parent_print_no_traceback_of_a_worker(number):
    with parent("await asyncio.sleep(60)") as process:
        pids = [int(word) for word in process.stdout.readline().split()]
        for pid in pids:  # as Ctrl-C to a group, or a service manager to all processes of a service, would
            os.kill(pid, number)
        process.send_signal(number)
        _, printed = await asyncio.to_thread(process.communicate, timeout=LONG_S)
        assert b"yett/worker.py" not in printed
        assert number == signal.SIGINT or printed == b""
        await until(lambda: not any(map(running, pids)))


async def test_a_worker_does_not_end_by_the_signals_that_end_its_parent(pool):
    (pid,) = pool.pids
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert await pool.scan("words", ["a needle"], LONG_S) == [NEEDLE]
    assert pool.pids == (pid,)


async def test_a_worker_knows_no_keys_and_leaves_no_core(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("YETT_MASTER", "secret")
    async with WorkerPool([detector("told")], processes=1) as pool:
        asked = ["environment", "session", "core", "modules", "pid"]
        found = await pool.scan("words", asked, LONG_S)
        told = dict(zip(asked, (one[0].code for one in found), strict=True))
        assert {"OPENAI_API_KEY", "YETT_MASTER"}.isdisjoint(told["environment"].split())
        assert "PATH" in told["environment"].split()
        assert (told["session"], told["core"], told["pid"]) == ("True", "0", str(pool.pids[0]))
        # Each worker pays for what it imports: the gateway's own modules are none of its business.
        assert {"pydantic", "structlog", "asyncio", "yett.app", "yett.config"}.isdisjoint(told["modules"].split())


def test_the_default_is_two_processes_or_one(monkeypatch):
    for cpus, processes in ((None, 1), (1, 1), (2, 2), (64, 2)):
        monkeypatch.setattr(os, "cpu_count", lambda cpus=cpus: cpus)
        assert default_processes() == processes


@pytest.mark.proof
async def test_a_round_trip_of_two_kilobytes_is_fast():
    """Measured limit: 1 ms at the 99th percentile; the bound here leaves room for a busy machine."""
    async with WorkerPool([detector()], processes=1) as pool:
        text, taken = "lorem ipsum " * 170, []
        for _ in range(2_000):
            started = time.perf_counter()
            await pool.scan("words", [text], LONG_S)
            taken.append(time.perf_counter() - started)
        taken.sort()
        assert taken[len(taken) // 2] < 0.001
        assert taken[int(len(taken) * 0.99)] < 0.010
