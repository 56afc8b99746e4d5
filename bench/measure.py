"""Measuring one running server: load by wrk, CPU time and memory of its whole process tree from /proc."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

GATEWAY_CORE = "0"
LOAD_CORE = "1"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
LUA = Path(__file__).with_name("post.lua")


@dataclass(frozen=True)
class Sample:
    """One wrk run. `cpu_us` is the server's process tree per request; 0 where no process was given."""

    connections: int
    requests: int
    req_per_s: float
    p50_us: float
    p99_us: float
    cpu_us: float
    bad: int


def pinned(core: str, command: Sequence[str]) -> list[str]:
    """`command`, bound to one core."""
    return ["taskset", "-c", core, *command]


def load(url: str, body: Path, headers: Path, *, connections: int, seconds: int, pid: int = 0) -> Sample:
    """Drive `url` with wrk for `seconds` and take the CPU time of `pid`'s tree over exactly that time."""
    command = pinned(LOAD_CORE, ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s"])
    env = {**os.environ, "BODY": str(body), "HEADERS": str(headers)}
    before = cpu_ticks(pid)
    done = subprocess.run([*command, "-s", str(LUA), url], env=env, capture_output=True, text=True, check=True)
    spent_us = (cpu_ticks(pid) - before) / TICKS * 1e6
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    result = json.loads(line.removeprefix("RESULT "))
    requests = max(1, result["requests"])
    return Sample(
        connections=connections,
        requests=result["requests"],
        req_per_s=result["requests"] / (result["duration_us"] / 1e6),
        p50_us=result["p50_us"],
        p99_us=result["p99_us"],
        cpu_us=spent_us / requests,
        bad=result["bad"],
    )


def median(samples: Sequence[Sample]) -> Sample:
    """The middle of each figure over several runs; failed requests are added up."""
    return Sample(
        connections=samples[0].connections,
        requests=sum(sample.requests for sample in samples),
        req_per_s=statistics.median(sample.req_per_s for sample in samples),
        p50_us=statistics.median(sample.p50_us for sample in samples),
        p99_us=statistics.median(sample.p99_us for sample in samples),
        cpu_us=statistics.median(sample.cpu_us for sample in samples),
        bad=sum(sample.bad for sample in samples),
    )


def tree(pid: int) -> list[int]:
    """`pid` and everything below it."""
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        found.append(current)
        for task in Path(f"/proc/{current}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in task.read_text().split()]
            except OSError:
                continue  # the thread ended while we looked
    return found


def cpu_ticks(pid: int) -> int:
    """User and system time of the tree, in clock ticks, children that ended included."""
    total = 0
    for member in tree(pid) if pid else []:
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total


def rss_mib(pid: int) -> float:
    """Resident memory of the tree. Pages shared by several processes count in each."""
    pages = 0
    for member in tree(pid):
        try:
            pages += int(Path(f"/proc/{member}/statm").read_text().split()[1])
        except OSError:
            continue
    return pages * PAGE / 2**20


def post(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float = 20) -> tuple[int, bytes]:
    """One request by hand: (status, body). Raises OSError while nobody listens."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request("POST" if body else "GET", parts.path, body or None, dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def wait_for(
    url: str, body: bytes, headers: Mapping[str, str], process: subprocess.Popen[bytes], limit_s: float
) -> float:
    """Seconds until the first 200, counted from now. Raises RuntimeError if it does not come or the process ends."""
    began = time.monotonic()
    status = 0
    while time.monotonic() - began < limit_s:
        if process.poll() is not None:
            raise RuntimeError(f"ended with {process.returncode} before it answered")
        try:
            status, _ = post(url, body, headers)
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
            continue
        if status == 200:
            return time.monotonic() - began
        time.sleep(0.05)
    raise RuntimeError(f"no 200 within {limit_s:g} s (last status {status})")
