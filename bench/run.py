"""`make bench`: Yett, nginx and the peers in front of the same provider, one core each, in a few minutes.

The gateway runs on core 0; wrk and the provider share core 1. Each server must first give one correct answer to each
load; then it is measured at one and at sixteen connections. nginx is measured first and last: its drift is the noise.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bodies
import report
from measure import GATEWAY_CORE, LOAD_CORE, Sample, load, median, pinned, post, rss_mib, wait_for
from report import Row
from servers import Absent, Make, Server, environment, ferrogw, free_port, litellm, nginx, portkey, yett

SERVERS: dict[str, Make] = {
    "nginx": nginx,
    "yett-off": yett("yett, guards off", guards=False),
    "yett-on": yett("yett, guards on", guards=True),
    "ferrogw": ferrogw,
    "portkey": portkey,
    "litellm": litellm,
}
BUSY = 0.7
BODIES = {
    "plain": bodies.chat(),
    "pii": bodies.chat(personal=True),
    "stream": bodies.chat(stream=True),
}


@dataclass(frozen=True)
class Plan:
    """How long and how often. `seconds` is one run at sixteen connections; at one it is half."""

    scratch: Path
    upstream: str
    seconds: int
    rounds: int
    warm_s: int = 1


@contextlib.contextmanager
def running(command: list[str], env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, ended with its children."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for kind, patience_s in ((signal.SIGTERM, 8), (signal.SIGKILL, 8)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
            return


def measure_server(name: str, make: Make, plan: Plan) -> Row:
    """Start one server, see that it answers rightly, measure its loads. One that cannot be had is a skipped row."""
    scratch = plan.scratch / f"{name}-{time.monotonic_ns()}"
    scratch.mkdir()
    try:
        server = make(scratch, plan.upstream)
    except (Absent, OSError, subprocess.SubprocessError) as error:
        return Row(name, skipped=str(error))
    row = Row(server.name)
    headers = {"content-type": "application/json", **server.headers}
    log = scratch / "log.txt"
    try:
        with running(pinned(GATEWAY_CORE, server.command), environment(server), log) as process:
            row.start_s = wait_for(server.url, BODIES["plain"], headers, process, server.start_limit_s)
            for kind in server.bodies:
                wrong = verify(server, kind, headers, plan)
                if wrong:
                    row.wrong[kind] = wrong
                else:
                    row.loads[kind] = measure_load(server, kind, headers, plan, process.pid)
            row.rss_mib = rss_mib(process.pid)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        tail = "\n    ".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else ""
        row.skipped = f"{error}\n    {tail}"
    return row


def streamed_text(body: bytes) -> str:
    """The content of a chat stream, put together."""
    chunks = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")]
    return "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk.get("choices", ()))


def verify(server: Server, kind: str, headers: dict[str, str], plan: Plan) -> str:
    """What is wrong with one answer got by hand, or nothing; with guards on no personal value may have left."""
    status, body = post(server.url, BODIES[kind], headers)
    if status != 200:
        return f"status {status}: {body[:200]!r}"
    if kind == "stream":
        said = streamed_text(body)  # a gateway may join pieces that it received together: the words count
        return "" if b"[DONE]" in body and len(said.split()) >= 40 else f"{said[:80]!r}, end {body[-80:]!r}"
    if bodies.ANSWER_STARTS not in json.loads(body)["choices"][0]["message"]["content"]:
        return f"not the provider's answer: {body[:200]!r}"
    if kind == "pii":
        _, sent = post(plan.upstream.removesuffix("/v1") + "/last", b"", {})
        left = [number for number, value in enumerate(bodies.PERSONAL) if value.encode() in sent]
        return f"values {left} reached the provider" if left else ""
    return ""


def measure_load(server: Server, kind: str, headers: dict[str, str], plan: Plan, pid: int) -> dict[str, Sample]:
    """A short warm-up, then `rounds` runs at one connection (not for streams) and at sixteen; medians."""
    body, lines = plan.scratch / f"{kind}.json", plan.scratch / "headers.txt"
    body.write_bytes(BODIES[kind])
    lines.write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
    load(server.url, body, lines, connections=8, seconds=plan.warm_s, pid=pid)
    wanted = {"c16": 16} if kind == "stream" else {"c1": 1, "c16": 16}
    samples: dict[str, Sample] = {}
    for label, connections in wanted.items():
        seconds = max(1, plan.seconds // 2) if connections == 1 else plan.seconds
        runs = [
            load(server.url, body, lines, connections=connections, seconds=seconds, pid=pid) for _ in range(plan.rounds)
        ]
        samples[label] = median(runs)
    return samples


def measure_direct(plan: Plan) -> Row:
    """The provider without any gateway: what `added` is counted from."""
    server = Server("direct", (), f"{plan.upstream}/chat/completions")
    headers = {"content-type": "application/json"}
    return Row("direct", loads={kind: measure_load(server, kind, headers, plan, 0) for kind in ("plain", "stream")})


def run(plan: Plan, wanted: list[str]) -> list[Row]:
    """Measure what is wanted in order, nginx once more at the end, printing as it goes."""
    rows = [measure_direct(plan)]
    for name in wanted:
        print(f"bench: {name} ...", flush=True)
        row = measure_server(name, SERVERS[name], plan)
        print(f"bench: {name} " + (f"SKIPPED: {row.skipped}" if row.skipped else "done"), flush=True)
        rows.append(row)
    if "nginx" in wanted:
        again = measure_server("nginx", nginx, plan)
        again.name = "nginx (again)"
        rows.append(again)
    return rows


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of one second each: a look, not a measurement")
    parser.add_argument("--seconds", type=int, default=3, help="one run at sixteen connections (default 3)")
    parser.add_argument("--rounds", type=int, default=2, help="runs per figure; the median counts (default 2)")
    parser.add_argument("--only", nargs="*", choices=list(SERVERS), default=list(SERVERS), help="what to measure")
    return parser.parse_args()


def main() -> int:
    options = parse()
    for tool in ("wrk", "taskset", "nginx"):
        if shutil.which(tool) is None:
            print(f"bench: {tool} is missing; install it with apt-get (wrk, util-linux, nginx)")
            return 2
    if (os.cpu_count() or 1) < 2:
        print("bench: two cores are needed, one for the gateway and one for the load")
        return 2
    if os.getloadavg()[0] > BUSY:
        print(f"bench: this machine is busy (load {os.getloadavg()[0]:.1f}): these figures will be noise", flush=True)
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    seconds, rounds = (1, 1) if options.quick else (options.seconds, options.rounds)
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("upstream.py")), str(port)]
    with tempfile.TemporaryDirectory(prefix="yett-bench-") as folder:
        plan = Plan(Path(folder), f"http://127.0.0.1:{port}/v1", seconds, rounds)
        with running(pinned(LOAD_CORE, command), dict(os.environ), plan.scratch / "upstream.txt") as provider:
            wait_for(f"{plan.upstream}/chat/completions", BODIES["plain"], {}, provider, 10)
            rows = run(plan, options.only)
    found = report.verdicts(rows)
    print(f"\n{report.table(rows)}\n\n{report.verdict_text(found)}\n")
    print(f"written to {report.write(rows, {'seconds': seconds, 'rounds': rounds, 'only': options.only})}")
    return 1 if any(one["met"] is False for one in found) and not options.quick else 0


if __name__ == "__main__":
    sys.exit(main())
