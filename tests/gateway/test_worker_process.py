"""One worker process: asked, killed, found out when it talks out of turn."""

import asyncio
import time
from pathlib import Path

import orjson
import pytest

from helpers.scanners import CODE, detector
from yett import worker_process
from yett.errors import ConfigError
from yett.worker_process import WorkerEnded, WorkerProcess
from yett.workers import WorkerPool

SETUP = WorkerPool([detector()])._setup


def ask(*texts: str) -> bytes:
    return orjson.dumps(["words", [texts]])


@pytest.fixture
async def worker():
    one = await WorkerProcess.started(SETUP)
    yield one
    await one.aclose()
    assert not Path(f"/proc/{one.pid}").exists()


async def test_it_answers_one_thing_after_another(worker):
    for _ in range(3):
        assert orjson.loads(await worker.ask(ask("needle"), 20)) == {"found": [[[0, 6, CODE, 0.5]]]}
    assert worker.ended == ""


async def test_it_is_killed_when_it_takes_too_long(worker):
    started = time.monotonic()
    with pytest.raises(WorkerEnded, match="deadline"):
        await worker.ask(ask("!hang"), 0.1)
    assert time.monotonic() - started < 5
    assert worker.ended == "deadline"
    with pytest.raises(WorkerEnded, match="deadline"):
        await worker.ask(ask("needle"), 20)


@pytest.mark.parametrize(("text", "why"), [("!die", "died"), ("!exit", "died"), ("!huge", "junk"), ("!early", "junk")])
async def test_it_says_why_it_ended(worker, text, why):
    with pytest.raises(WorkerEnded, match=why):
        await worker.ask(ask(text), 20)


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x02{}", b"\xff\xff\xff\xff"])
async def test_what_it_says_unasked_ends_it(worker, data):
    idle = worker.idle = asyncio.get_running_loop().create_future()
    worker.data_received(data)
    assert worker.ended == "junk"
    assert idle.done()


async def test_the_first_reason_stands(worker):
    worker.end("deadline")
    worker.end("died")
    assert worker.ended == "deadline"


@pytest.mark.parametrize("data", [b"nothing", b"[1]", b'{"failed": "x"}', b"1", b'"text"'])
def test_a_first_answer_that_is_none_is_a_configuration_error(data):
    with pytest.raises(ConfigError, match="could not make its scanners"):
        worker_process._check_made(data)


async def test_no_process_no_worker(monkeypatch):
    monkeypatch.setattr(worker_process.sys, "executable", "/no/such/python")
    with pytest.raises(ConfigError, match="cannot be started: FileNotFoundError"):
        await WorkerProcess.started(SETUP)


async def test_a_start_that_is_given_up_leaves_no_process(monkeypatch):
    spawned = []
    real = worker_process._spawn
    monkeypatch.setattr(worker_process, "_spawn", lambda: spawned.append(real()) or spawned[-1])
    starting = asyncio.ensure_future(WorkerProcess.started(SETUP))
    while not spawned:
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    process, channel = spawned[0]
    assert process.returncode is not None
    assert channel.fileno() == -1


async def test_a_start_that_takes_too_long_is_a_configuration_error(monkeypatch):
    monkeypatch.setattr(worker_process, "START_DEADLINE_S", 0.0)
    with pytest.raises(ConfigError, match="deadline"):
        await WorkerProcess.started(SETUP)
