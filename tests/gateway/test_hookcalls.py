"""Whatever a guard does wrong, the gate closes and says so; whatever an observer does wrong, nothing happens."""

import asyncio
import sys

import pytest

from yett.errors import RequestError, Unavailable
from yett.hookcalls import HookCalls
from yett.registry import Hook
from yett.verdict import Finding

FOUND = Finding("x.y", "/0")


def hook(function, *, fail_open=False, deadline_s=0.05):
    return Hook("p", "check_request", function, asyncio.iscoroutinefunction(function), ("flow",), fail_open, deadline_s)


def raises(flow):
    raise ValueError("my secret")


def raises_base(flow):
    raise GeneratorExit


def exits(flow):
    sys.exit(3)


def junk(flow):
    return 7


def junk_inside(flow):
    return ["not a finding"]


def breaks_midway(flow):
    yield FOUND
    raise ValueError


async def hangs(flow):
    await asyncio.Event().wait()


async def raises_async(flow):
    raise ValueError


FAULTS = [raises, raises_base, exits, junk, junk_inside, breaks_midway, hangs, raises_async]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
async def test_a_faulty_check_closes_the_gate(fault):
    failures = []
    calls = HookCalls(lambda plugin, name: failures.append((plugin, name)))
    with pytest.raises(Unavailable) as caught:
        await calls.findings((hook(fault),), {"flow": None}, [])
    assert caught.value.code == "guard_failed"
    assert "my secret" not in caught.value.message
    assert failures == [("p", "check_request")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
async def test_a_check_the_operator_opened_is_marked_as_degraded(fault):
    degraded = []
    found = await HookCalls(lambda *_: None).findings((hook(fault, fail_open=True),), {"flow": None}, degraded)
    assert (found, degraded) == ([], ["p"])


@pytest.mark.parametrize("fault", [f for f in FAULTS if f not in (junk, junk_inside)], ids=lambda f: f.__name__)
async def test_a_faulty_observer_is_counted_and_not_felt(fault):
    failures = []
    await HookCalls(lambda *names: failures.append(names)).observe((hook(fault, fail_open=True),), {"flow": None})
    if fault is not breaks_midway:  # a generator that nobody iterates never runs
        assert failures == [("p", "check_request")]


async def test_findings_come_in_order_from_sync_async_and_none():
    async def later(flow):
        return (Finding("b", "/1"),)

    hooks = (hook(lambda flow: [FOUND]), hook(later), hook(lambda flow: None))
    found = await HookCalls(lambda *_: None).findings(hooks, {"flow": None}, [])
    assert [f.code for f in found] == ["x.y", "b"]


async def test_a_slow_synchronous_check_is_a_failure_too():
    import time

    def slow(flow):
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass
        return ()

    with pytest.raises(Unavailable):
        await HookCalls(lambda *_: None).findings((hook(slow, deadline_s=0.01),), {"flow": None}, [])


async def test_cancellation_from_outside_passes_through():
    calls = HookCalls(lambda *_: None)
    task = asyncio.ensure_future(calls.findings((hook(hangs, deadline_s=60),), {"flow": None}, []))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_first_answer_wins_and_has_its_type():
    calls = HookCalls(lambda *_: None)
    assert await calls.first((hook(lambda flow: None), hook(lambda flow: "b")), {"flow": 0}, str) == "b"
    assert await calls.first((hook(lambda flow: None),), {"flow": 0}, str) is None
    with pytest.raises(Unavailable):
        await calls.first((hook(lambda flow: 7),), {"flow": 0}, str)


async def test_a_refusal_of_an_authenticator_is_the_clients_to_see():
    def refuses(flow):
        raise RequestError("no", status=401, code="expired")

    with pytest.raises(RequestError) as caught:
        await HookCalls(lambda *_: None).first((hook(refuses),), {"flow": 0}, str)
    assert caught.value.code == "expired"
