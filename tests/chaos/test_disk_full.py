"""A gateway whose audit disk fills up: it refuses, forwards nothing unrecorded, and serves again when there is room."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from helpers.gateway import running_gateway
from helpers.gateway_calls import Client, ask, records, until
from helpers.upstream import ThreadedUpstream

CLIENTS = 4
REFUSALS = 25  # how many refusals each client sees before it stops


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 8 MiB."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a full audit disk needs root, to mount a small tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def fill(disk, free_kib):
    """A file that leaves so much room."""
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * (shutil.disk_usage(disk).free - free_kib * 1024))
    return ballast


class Load(threading.Thread):
    """Calls, plain and streamed in turn, until it was refused REFUSALS times."""

    def __init__(self, gate, name):
        super().__init__(daemon=True, name=name)
        self.gate = gate
        self.answers = []

    def run(self):
        client = Client(self.gate)
        refused = 0
        while refused < REFUSALS and len(self.answers) < 4000:
            turn = len(self.answers)
            answer = client.ask(f"{self.name} {turn}: mail ada@corp-example.org", stream=turn % 2 == 1)
            self.answers.append(answer)
            refused += answer.status != 200
        client.close()


def load_until_full(gate):
    """Answers of all clients; afterwards the disk has no room for a record."""
    clients = [Load(gate, f"client-{number}") for number in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
        assert not client.is_alive()
    return [answer for client in clients for answer in client.answers]


def opened(tmp_path, disk, upstream, **audit):
    provider = {"kind": "openai", "base_url": upstream.base_url, "api_key": "unused"}
    extra = {"audit": {"dir": str(disk / "audit"), **audit}}
    return running_gateway(tmp_path / "gate", {"up": provider}, extra=extra)


def unrecorded(upstream, audit):
    """Flows that reached the provider without a `decided` record."""
    forwarded = {call.headers[b"x-request-id"].decode() for call in upstream.calls}
    return forwarded - {row["flow"] for row in records(audit, "decided")}


def yett_verify(audit):
    yett = str(Path(sys.executable).with_name("yett"))
    return subprocess.run([yett, "audit", "verify", "--dir", str(audit)], capture_output=True, text=True, check=False)


# The content store takes room of its own on the same disk.
@pytest.mark.parametrize(
    ("content", "free_kib"), [pytest.param("none", 160, marks=pytest.mark.proof), ("redacted", 500)]
)
def test_a_full_audit_disk_refuses_forwards_nothing_and_recovers(small_disk, tmp_path, content, free_kib):
    audit = small_disk / "audit"
    with ThreadedUpstream() as upstream, opened(tmp_path, small_disk, upstream, content=content) as gate:
        ballast = fill(small_disk, free_kib)
        answers = load_until_full(gate)
        refused = [answer for answer in answers if answer.status != 200]
        assert {(a.status, a.code) for a in refused} == {(503, "audit_unavailable")}
        assert unrecorded(upstream, audit) == set()
        served = [a.flow for a in answers if a.status == 200 and (a.clean or not a.events)]
        assert len(served) > 20
        broken = [a for a in answers if a.status == 200 and a.events and not a.clean]
        assert {a.code for a in broken} <= {"audit_unavailable"}  # a stream whose end could not be recorded

        calls = len(upstream.calls)
        more = [ask(gate, f"while full {number}") for number in range(50)]
        assert {(a.status, a.code) for a in more} == {(503, "audit_unavailable")}
        assert len(upstream.calls) == calls

        ballast.unlink()
        until(lambda: ask(gate, "is there room again?").status == 200)
        again = [ask(gate, f"again {number}", stream=number % 2 == 1) for number in range(10)]
        assert [(a.status, a.clean or not a.events) for a in again] == [(200, True)] * 10
        served += [a.flow for a in again]
    assert unrecorded(upstream, audit) == set()
    ends = [row["flow"] for row in records(audit, "completed")]
    assert len(ends) == len(set(ends))
    assert set(ends) == {row["flow"] for row in records(audit, "decided")}
    ok = {row["flow"] for row in records(audit, "completed") if row["outcome"] == "ok"}
    assert set(served) <= ok
    checked = yett_verify(audit)
    assert checked.returncode == 0, checked.stdout
