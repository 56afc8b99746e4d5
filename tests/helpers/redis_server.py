"""A real redis-server on a unix socket, for one test; the test is skipped, saying why, where there is none."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis


@dataclass
class RedisServer:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]

    def freeze(self) -> None:
        """It keeps its connections and answers nothing."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """It is gone."""
        self.process.kill()
        self.process.wait()


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """Start a server that keeps nothing on disk, wait until it answers, stop it at the end."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed: the shared store is NOT tested (apt-get install redis-server)")
    with tempfile.TemporaryDirectory(prefix="redis") as short:  # socket paths are limited to 107 bytes
        path = Path(short) / "s"
        args = [
            binary,
            "--port",
            "0",
            "--unixsocket",
            str(path),
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(folder),
        ]
        process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = RedisServer(f"unix://{path}", process)
        try:
            _wait(path)
            yield server
        finally:
            if process.poll() is None:
                server.thaw()
                server.kill()


def _wait(path: Path) -> None:
    until = time.monotonic() + 10
    while True:
        client = redis.Redis(unix_socket_path=str(path))
        try:
            client.ping()
            return
        except redis.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        finally:
            client.close()
