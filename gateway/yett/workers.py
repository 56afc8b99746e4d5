"""Worker processes for callable detectors: a deadline that really kills, and a gate that goes on without the victim.

A thread does not stop a regex, because it holds the interpreter's lock; a process can be killed. Calls wait in one
queue per scanner and are taken by whichever worker is free, several at a time when they have piled up. What a worker
takes with it when it dies is tried once more, each call alone, so that one poisonous text does not harm the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson
import structlog

from yett.detector import CallableDetector, Found
from yett.errors import ConfigError, Unavailable
from yett.tasks import Tasks
from yett.worker_process import WorkerEnded, WorkerProcess

BATCH_MAX_CALLS = 32
BATCH_MAX_BYTES = 64 << 10
QUEUE_MAX_CALLS = 10_000
SHARES = 10
BACKOFF_S = 0.05
BACKOFF_MAX_S = 5.0

log = structlog.get_logger("yett.workers")


def default_processes() -> int:
    """How many workers a gateway has where the operator does not say: two, or one on a single core."""
    return min(2, os.cpu_count() or 1)


@dataclass(slots=True, eq=False)
class _Call:
    """One `scan`. `payload` is its texts as JSON, `ends` the loop's time; `alone`: it was in a batch that failed."""

    number: int
    name: str
    payload: bytes
    texts: int
    deadline_s: float
    ends: float
    result: asyncio.Future[list[list[Found]]]
    alone: bool = False

    def fail(self, why: str) -> None:
        if not self.result.done():
            message = f"the detector {self.name!r} {why}"
            self.result.set_exception(Unavailable(message, code="guard_failed"))


class WorkerPool:
    """The worker processes of one gateway; each holds every scanner of `detectors` that asks for isolation.

    `processes`: how many; none are started if no detector needs them. `memory_bytes`: address space of each, unlimited
    where None. Start it and close it on one event loop, or use it as an async context manager.
    """

    def __init__(
        self,
        detectors: Sequence[CallableDetector],
        *,
        processes: int | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        detectors = [detector for detector in detectors if detector.isolation == "worker"]
        self._setup = _setup(detectors, memory_bytes)
        self._queues: dict[str, deque[_Call]] = {detector.name: deque() for detector in detectors}
        self._processes = (processes or default_processes()) if detectors else 0
        self._running: set[WorkerProcess] = set()
        self._idle: list[asyncio.Future[None]] = []
        self._tasks = Tasks()
        self._started = False
        self._calls = 0
        self.replaced = 0  # workers that ended and were not asked to

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that are ready or at work now."""
        return tuple(sorted(worker.pid for worker in self._running if not worker.ended))

    async def start(self) -> None:
        """Start all workers and wait until they are ready. Raises ConfigError naming the detector that is not."""
        try:
            async with asyncio.TaskGroup() as starting:
                for _ in range(self._processes):
                    starting.create_task(self._add())
        except BaseException as error:
            await self.aclose()
            if isinstance(error, BaseExceptionGroup):
                raise error.exceptions[0] from None
            raise
        self._started = True
        for worker in self._running:
            self._tasks.spawn(self._keep(worker), "worker")

    async def _add(self) -> None:
        self._running.add(await WorkerProcess.started(self._setup))

    async def aclose(self) -> None:
        """Kill all workers and wait until they are gone; calls that still wait raise Unavailable."""
        self._started = False
        await self._tasks.close()
        await asyncio.gather(*(worker.aclose() for worker in tuple(self._running)))
        self._running.clear()
        for queue in self._queues.values():
            while queue:
                queue.popleft().fail("was stopped")

    async def scan(self, name: str, texts: Sequence[str], deadline_s: float) -> list[list[Found]]:
        """What scanner `name` finds in each of `texts`. Raises Unavailable(guard_failed), after `deadline_s` at last.

        Waiting for a free worker counts. A worker that is still at it when the time is over is killed.
        """
        queue = self._queues.get(name)
        loop = asyncio.get_running_loop()
        if not self._started or queue is None or len(queue) >= QUEUE_MAX_CALLS:
            raise Unavailable(f"the detector {name!r} has no worker process", code="guard_failed")
        try:
            payload = orjson.dumps(list(texts))
        except TypeError:  # half a character (a lone surrogate): no scanner could read it either
            raise Unavailable(f"the detector {name!r} cannot read a text", code="guard_failed") from None
        self._calls += 1
        call = _Call(self._calls, name, payload, len(texts), deadline_s, loop.time() + deadline_s, loop.create_future())
        timer = loop.call_later(deadline_s, call.fail, "took too long")
        queue.append(call)
        self._wake()
        try:
            return await call.result
        finally:
            timer.cancel()

    def _wake(self) -> None:
        """Let the worker that was idle for the shortest time look for work: its caches are the warmest."""
        while self._idle:
            waiter = self._idle.pop()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _keep(self, worker: WorkerProcess) -> None:
        """Let `worker` work; put a new one in its place whenever it ends."""
        unlucky = 0
        while True:
            try:
                served = await self._serve(worker)
            finally:
                await worker.aclose()
                self._running.discard(worker)
            self.replaced += 1
            log.warning("worker_ended", why=worker.ended, served=served)
            unlucky = 0 if served else unlucky + 1
            worker = await self._replacement(unlucky)
            self._running.add(worker)

    async def _replacement(self, unlucky: int) -> WorkerProcess:
        """A new worker: at once, but later and later for ones that end before they answered anything."""
        while True:
            if unlucky:
                await asyncio.sleep(min(BACKOFF_MAX_S, BACKOFF_S * 2**unlucky))
            try:
                return await WorkerProcess.started(self._setup)
            except ConfigError as error:
                log.error("worker_not_started", why=str(error))
                unlucky = min(unlucky + 1, 30)

    async def _serve(self, worker: WorkerProcess) -> int:
        """Give `worker` work until it ends; how many batches it answered."""
        served = 0
        while batch := await self._next(worker):
            calls = b",".join(call.payload for call in batch)
            payload = b"[%b,[%b]]" % (orjson.dumps(batch[0].name), calls)
            try:
                answer = _read(await worker.ask(payload, self._limit_s(batch)), sum(call.texts for call in batch))
            except WorkerEnded as error:
                self._again(batch, "took too long" if str(error) == "deadline" else "died")
                break
            except ValueError:
                worker.end("junk")
                self._again(batch, "gave no answer")
                break
            except asyncio.CancelledError:
                for call in batch:
                    call.fail("was stopped")
                raise
            served += 1
            if isinstance(answer, str):
                self._again(batch, f"failed: {answer}")
            else:
                _settle(batch, answer)
        return served

    def _limit_s(self, batch: Sequence[_Call]) -> float:
        """How long a worker may be at `batch` before it is killed.

        Several calls get half the time of one, so that the innocent among them have the other half, and share what is
        left of it while they are tried one by one.
        """
        first = batch[0]
        if len(batch) > 1:
            return min(call.deadline_s for call in batch) / 2
        if not first.alone:
            return first.deadline_s
        others = sum(call.alone for call in self._queues[first.name])
        share = (first.ends - asyncio.get_running_loop().time()) / (1 + others)
        return max(share, first.deadline_s / SHARES)

    async def _next(self, worker: WorkerProcess) -> list[_Call]:
        """The calls to work on next; none when `worker` has ended."""
        while not worker.ended:
            batch = self._take()
            if batch:
                return batch
            worker.idle = asyncio.get_running_loop().create_future()
            self._idle.append(worker.idle)
            await worker.idle
        # It may have been woken for a call that is still there.
        self._wake()
        return []

    def _take(self) -> list[_Call]:
        """The call that waits longest, with others of its scanner up to the bounds of a batch."""
        for queue in self._queues.values():
            while queue and queue[0].result.done():  # too late, or nobody waits any longer
                queue.popleft()
        waiting = [queue for queue in self._queues.values() if queue]
        if not waiting:
            return []
        queue = min(waiting, key=lambda one: one[0].number)
        batch = [queue.popleft()]
        size = len(batch[0].payload)
        while queue and len(batch) < BATCH_MAX_CALLS and not (batch[0].alone or queue[0].alone):
            size += len(queue[0].payload)
            if size > BATCH_MAX_BYTES:
                break
            call = queue.popleft()
            if not call.result.done():
                batch.append(call)
        return batch

    def _again(self, batch: Sequence[_Call], why: str) -> None:
        """What a batch that failed means for its calls: the only one fails, several are tried one by one."""
        if len(batch) == 1:
            batch[0].fail(why)
            return
        for call in reversed(batch):
            call.alone = True
            self._queues[call.name].appendleft(call)
            self._wake()


def _setup(detectors: Sequence[CallableDetector], memory_bytes: int | None) -> bytes:
    """The first frame for a worker. Raises ConfigError for options that are not JSON."""
    scanners = []
    for detector in detectors:
        with contextlib.suppress(TypeError):
            scanners.append([detector.name, detector.make, orjson.Fragment(orjson.dumps(dict(detector.options)))])
            continue
        raise ConfigError(f"detector {detector.name} cannot be made: its options are not JSON")
    path = [str(Path(entry).absolute()) for entry in sys.path if entry]
    return orjson.dumps({"path": path, "memory_bytes": memory_bytes, "scanners": scanners})


def _settle(batch: Sequence[_Call], found: Sequence[list[Found]]) -> None:
    at = 0
    for call in batch:
        if not call.result.done():
            call.result.set_result(list(found[at : at + call.texts]))
        at += call.texts


def _read(payload: bytes, texts: int) -> list[list[Found]] | str:
    """What was found in each text, or the kind of error that a scanner raised. Raises ValueError for anything else."""
    answer = orjson.loads(payload)
    if not isinstance(answer, dict):
        raise ValueError("no answer")  # noqa: TRY004  # of what was received, not of an argument
    if isinstance(answer.get("error"), str):
        return str(answer["error"])
    found = answer.get("found")
    if not isinstance(found, list) or len(found) != texts:
        raise ValueError("no answer")
    try:
        return [[Found(*place) for place in places] for places in found]
    except TypeError:
        raise ValueError("no answer") from None
