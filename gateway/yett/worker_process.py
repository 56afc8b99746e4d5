"""One worker process as the gateway sees it: started, asked one thing at a time, killed.

The two talk over a socket pair; the worker's standard streams lead nowhere, because what a library prints may be a
prompt. It runs in a session of its own, so Ctrl-C does not reach it, and in a clean environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import cast

import orjson

from yett.errors import ConfigError
from yett.worker import HEADER_BYTES, frame

START_DEADLINE_S = 120.0
REPLY_MAX_BYTES = 32 << 20
# A worker needs to find Python's packages, not the gateway's provider keys.
ENVIRONMENT = frozenset(
    {"HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "TMPDIR", "TZ", "VIRTUAL_ENV"}
)
# One worker, one core: numeric libraries would start a thread for each.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class WorkerEnded(Exception):
    """The worker is gone (it died, broke the protocol or was killed) and what it was asked has no answer."""


class WorkerProcess(asyncio.Protocol):
    """A running worker. `ended` says why it is no longer one; its process is gone after `aclose`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self.ended = ""
        self.idle: asyncio.Future[None] | None = None  # completed when the worker ends while nobody asks
        self._process = process
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._reply: asyncio.Future[bytes] | None = None

    @classmethod
    async def started(cls, setup: bytes) -> WorkerProcess:
        """A new worker that made its scanners. `setup` is the first frame of `yett.worker`. Raises ConfigError."""
        try:
            process, channel = _spawn()
        except OSError as error:
            raise ConfigError(f"a worker process cannot be started: {type(error).__name__}") from error
        worker = cls(process)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: worker, sock=channel)
            _check_made(await worker.ask(setup, START_DEADLINE_S))
        except WorkerEnded as error:
            await worker.aclose()
            raise ConfigError(f"a worker process could not make its scanners: {error}") from None
        except BaseException:
            await worker.aclose()
            raise
        return worker

    async def ask(self, payload: bytes, limit_s: float) -> bytes:
        """The worker's answer. Raises WorkerEnded; a worker that takes longer than `limit_s` is killed."""
        loop = asyncio.get_running_loop()
        if self._transport is None or self.ended:
            raise WorkerEnded(self.ended or "closed")
        self._reply = loop.create_future()
        timer = loop.call_later(limit_s, self.end, "deadline")
        try:
            self._transport.write(frame(payload))
            return await self._reply
        finally:
            timer.cancel()
            self._reply = None

    def end(self, why: str) -> None:
        """Kill the worker and whatever it started. What it was asked raises WorkerEnded."""
        if self.ended:
            return
        self.ended = why
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._transport is not None:
            self._transport.abort()
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(WorkerEnded(why))
        if self.idle is not None and not self.idle.done():
            self.idle.set_result(None)

    async def aclose(self) -> None:
        """Kill it if it still runs, and wait until it is gone."""
        self.end("closed")
        # Shielded: a process that nobody waits for to its end stays in the process table.
        await asyncio.shield(asyncio.to_thread(self._process.wait))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        """Called by the event loop: one whole frame is an answer, anything else that comes is none."""
        incoming = self._incoming
        incoming += data
        if len(incoming) < HEADER_BYTES:
            return
        end = HEADER_BYTES + int.from_bytes(incoming[:HEADER_BYTES])
        if end > REPLY_MAX_BYTES or len(incoming) > end or self._reply is None:
            self.end("junk")
        elif len(incoming) == end and not self._reply.done():
            self._reply.set_result(bytes(incoming[HEADER_BYTES:]))
            incoming.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop: the worker died, or was killed by us."""
        self.end("died")


def _spawn() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a process; our end of its connection comes with it.

    On the thread of the event loop: the kernel ends a child with the thread that started it.
    """
    environment = {name: value for name, value in os.environ.items() if name in ENVIRONMENT} | ONE_THREAD
    here, there = socket.socketpair()
    with there:
        try:
            process = subprocess.Popen(  # noqa: S603  # our own interpreter and module, no shell, no outside input
                [sys.executable, "-P", "-m", "yett.worker", str(there.fileno()), str(os.getpid())],
                pass_fds=(there.fileno(),),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            here.close()
            raise
    return process, here


def _check_made(payload: bytes) -> None:
    """Raise ConfigError unless `payload` says that a worker made all its scanners."""
    try:
        answer = orjson.loads(payload)
        failed = f"detector {answer['failed']} cannot be made: {answer['why']}" if answer else ""
    except (ValueError, TypeError, KeyError):
        failed = "a worker process could not make its scanners: junk"
    if failed:
        raise ConfigError(failed)
