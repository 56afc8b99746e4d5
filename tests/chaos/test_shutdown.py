"""SIGTERM: /readyz says no, what is in flight may finish, every flow has its record, and the process ends well."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from helpers.gateway import get, running_gateway
from helpers.gateway_calls import CHAT, RESPONSES, Client, records, request, until
from helpers.openai_replies import answer as openai_answer
from helpers.redis_server import redis_server
from helpers.upstream import Reply, ThreadedUpstream
from yett.audit.verify import verify

END_S = 25.0
HURRIED_S = 8.0  # the transport still gives running answers five seconds
PATHS = (CHAT, RESPONSES)


class Caller(threading.Thread):
    """One call on a connection of its own; `answer` is there when it has ended, `error` if it was cut."""

    def __init__(self, gate, path, *, stream):
        super().__init__(daemon=True)
        self.client, self.path, self.stream = Client(gate, timeout_s=60), path, stream
        self.answer = self.error = None
        self.start()

    def run(self):
        try:
            self.answer = self.client.ask("hello", path=self.path, stream=self.stream)
        except Exception as error:
            self.error = error
        finally:
            self.client.close()


class Held:
    """A provider whose answers wait: whole ones for their first byte, streams after their first words."""

    def __init__(self):
        self.go_on = asyncio.Event()

    def reply(self, call):
        whole = openai_answer(call.method, call.path, call.body)
        if whole.events is None:
            return Reply(json=whole.json, wait=self.go_on)
        return Reply(events=[*whole.events[:4], self.go_on, *whole.events[4:]])


@contextlib.contextmanager
def in_flight(tmp_path, **extra):
    """A gateway with two whole answers and two streams in flight, in each of two dialects."""
    held = Held()
    with ThreadedUpstream(held.reply) as upstream:
        provider = {"kind": "openai", "base_url": upstream.base_url, "api_key": "unused"}
        with running_gateway(tmp_path, {"up": provider}, extra=extra) as gate:
            callers = [Caller(gate, path, stream=stream) for path in PATHS for stream in (False, True)]
            upstream.wait_until(lambda: len(upstream.calls) == len(callers))
            yield gate, upstream, held, callers


def wait_for_end(gate, limit_s):
    started = time.monotonic()
    code = gate.process.wait(limit_s)
    return code, time.monotonic() - started


def check_log(gate, flows):
    """Every flow has exactly one record of each kind, and the log verifies; outcomes by flow."""
    ends = [(row["flow"], row["outcome"]) for row in records(gate.audit_dir, "completed")]
    assert len(ends) == flows
    assert {flow for flow, _ in ends} == {row["flow"] for row in records(gate.audit_dir, "decided")}
    report = verify(gate.audit_dir)
    assert (report.ok, report.open_flows, report.unsigned_tail) == (True, (), 0)
    return dict(ends)


def test_what_is_in_flight_finishes_after_sigterm(tmp_path):
    with in_flight(tmp_path) as (gate, upstream, held, callers), contextlib.closing(Client(gate)) as idle:
        data = gate.base_url.removesuffix("/v1")
        before = [get(f"{data}/readyz")[0], get(f"{gate.admin_url}/readyz")[0]]
        assert idle.ask("one more", path=CHAT, model="nowhere").status == 404  # and the connection stays open
        gate.process.send_signal(signal.SIGTERM)
        until(lambda: get(f"{data}/readyz")[0] == 503)
        assert (before, get(f"{gate.admin_url}/readyz")[0], get(f"{data}/livez")[0]) == ([200, 200], 503, 200)
        late = idle.ask("too late")
        assert (late.status, late.code) == (503, "overloaded")
        until(lambda: refuses_connections(data))
        assert gate.process.poll() is None
        upstream.release(held.go_on)
        code, took_s = wait_for_end(gate, END_S)
        for caller in callers:
            caller.join(5)
    assert code == 0
    assert took_s < 5
    assert [(c.answer.status, c.answer.clean or not c.stream) for c in callers] == [(200, True)] * len(callers)
    assert set(check_log(gate, len(callers) + 1).values()) == {"ok", "denied"}


def refuses_connections(url):
    try:
        get(f"{url}/livez")
    except ConnectionRefusedError:
        return True
    except ConnectionError:  # taken from the backlog in the moment the listener closed
        return False
    return False


@pytest.mark.proof
def test_a_second_sigterm_hurries_and_every_flow_is_still_recorded(tmp_path):
    with in_flight(tmp_path) as (gate, _, _, callers):
        data = gate.base_url.removesuffix("/v1")
        gate.process.send_signal(signal.SIGTERM)
        until(lambda: get(f"{data}/readyz")[0] == 503)
        gate.process.send_signal(signal.SIGTERM)
        code, took_s = wait_for_end(gate, END_S)
        for caller in callers:
            caller.join(5)
    check_cut(gate, callers)
    assert code == 0
    assert took_s < HURRIED_S


@pytest.mark.proof
def test_what_never_finishes_is_cut_after_the_grace_time(tmp_path):
    with in_flight(tmp_path) as (gate, _, _, callers):
        gate.process.send_signal(signal.SIGTERM)
        code, took_s = wait_for_end(gate, END_S)
        for caller in callers:
            caller.join(5)
    check_cut(gate, callers)
    assert code == 0
    assert 15 < took_s < END_S


@pytest.mark.proof
def test_several_workers_end_together_and_each_keeps_its_own_whole_log(tmp_path):
    with redis_server(tmp_path) as redis:
        extra = {"server": {"host": "127.0.0.1", "port": 0, "workers": 2}, "state": redis.url}
        with in_flight(tmp_path, **extra) as (gate, upstream, held, callers):
            gate.process.send_signal(signal.SIGTERM)
            upstream.release(held.go_on)
            code, took_s = wait_for_end(gate, END_S)
            for caller in callers:
                caller.join(5)
    assert code == 0
    assert took_s < HURRIED_S
    assert [(c.answer.status, c.answer.clean or not c.stream) for c in callers] == [(200, True)] * len(callers)
    assert sorted(log.name for log in gate.audit_dir.iterdir() if log.is_dir()) == ["0", "1"]
    assert set(check_log(gate, len(callers)).values()) == {"ok"}


@pytest.mark.proof
def test_a_worker_that_dies_is_replaced_and_the_others_serve_on(tmp_path):
    with redis_server(tmp_path) as redis:
        extra = {"server": {"host": "127.0.0.1", "port": 0, "workers": 2}, "state": redis.url}
        with running_gateway(tmp_path, extra=extra) as gate:
            first = children(gate.process.pid)
            os.kill(min(first), signal.SIGKILL)
            until(lambda: len(children(gate.process.pid) - {min(first)}) == 2, timeout_s=20)
            for _ in range(8):
                client = Client(gate)
                assert client.ask("hello", path=CHAT).status == 200
                client.close()
            assert "worker_died" in gate.log


def children(pid):
    """The processes that `pid` has forked and that live."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def check_cut(gate, callers):
    """Nobody was told that a cut answer is whole; the log says how each flow ended, not `unknown`."""
    whole = [c.answer for c in callers if c.answer is not None and not c.stream]
    streams = [c.answer for c in callers if c.answer is not None and c.stream]
    assert {(a.status, a.code) for a in whole} <= {(503, "shutting_down"), (502, "upstream_reset")}
    assert [a.clean for a in streams] == [False] * len(streams)
    assert [b"[DONE]" in a.body for a in streams] == [False] * len(streams)
    outcomes = check_log(gate, len(callers))
    assert set(outcomes.values()) == {"error"}
    assert "Task was destroyed" not in gate.log
    assert gate.key not in gate.log


@pytest.mark.proof
def test_sigint_ends_an_idle_gateway_at_once(tmp_path):
    with running_gateway(tmp_path) as gate:
        client = Client(gate)
        assert client.call(CHAT, request("hello")).status == 200
        gate.process.send_signal(signal.SIGINT)
        code, took_s = wait_for_end(gate, END_S)
        client.close()
    assert (code, took_s < 3) == (0, True)
    assert verify(gate.audit_dir).ok
