"""Callable detectors: which texts each one reads, what its results must be, and how it fails."""

import asyncio
import json
import re
from collections.abc import Sequence

import pytest

from helpers.asgi import chat_answer, chat_chunks, harness, sse
from yett.callables import CallableScans, Contributed, make_scanner
from yett.detector import CallableDetector, Detector, Found, Span, Streaming
from yett.errors import ConfigError, Unavailable
from yett.flow import Phase, Role
from yett.hookspecs import hookimpl
from yett.verdict import Action
from yett.workers import WorkerPool

HERE = __name__
SHOUT = Detector("shout", "my.shout", "SHOUT", (), default=Action.REDACT)
LOUD = Detector("loud", "my.loud", "LOUD", (), min_score=0.6, default=Action.ALLOW)


class Scripted:
    """A scanner that gives what it was made with and keeps what it was asked."""

    def __init__(self, answer: object = None, error: str = "") -> None:
        self.asked: list[list[str]] = []
        self._answer, self._error = answer, error

    def scan(self, texts: Sequence[str]) -> object:
        self.asked.append(list(texts))
        if self._error:
            raise RuntimeError(self._error)
        if self._answer is not None:
            return self._answer
        return [
            [Found(at.start(), at.end(), "my.shout", 0.9) for at in re.finditer(r"\b[A-Z]{4,}\b", text)]
            for text in texts
        ]


def scripted(**options: object) -> Scripted:
    return Scripted(**options)


def broken() -> Scripted:
    raise OSError("no model here")


def detector(factory: str = "scripted", name: str = "shouting", finds=(SHOUT, LOUD), **more) -> CallableDetector:
    more.setdefault("isolation", "inline")
    return CallableDetector(name, f"{HERE}:{factory}", finds, **more)


def scans(*detectors: CallableDetector, fail_open: bool = False, pool=None) -> CallableScans:
    return CallableScans([Contributed(one, "plugin", fail_open) for one in detectors], pool)


class Asked:
    """A policy with rules for some codes."""

    def __init__(self, *codes: str) -> None:
        self.codes = codes

    def asks_for(self, code: str) -> bool:
        return code in self.codes


NOBODY = Asked()


async def find(callables, *texts, role=Role.USER, phase=Phase.REQUEST, policy=NOBODY):
    degraded: list[str] = []
    found = await callables.find(phase, [(role, text) for text in texts], policy, degraded)
    return found, degraded


def inner(callables) -> Scripted:
    """The scanner of the only detector."""
    return callables._runs[0]._scanner


async def test_spans_come_in_the_order_of_the_texts_with_their_detectors():
    found, degraded = await find(scans(detector()), "LOUD and VERY", "", "quiet", "so LOUD")
    assert found == [[Span(0, 4, SHOUT, 0.9), Span(9, 13, SHOUT, 0.9)], [], [], [Span(3, 7, SHOUT, 0.9)]]
    assert degraded == []


async def test_spans_are_sorted_and_weak_ones_dropped():
    answer = [[Found(5, 6, "my.loud", 0.6), Found(0, 3, "my.loud", 0.59), Found(1, 2, "my.shout", 1)]]
    found, _ = await find(scans(detector(options={"answer": answer})), "abcdef")
    assert found == [[Span(1, 2, SHOUT, 1), Span(5, 6, LOUD, 0.6)]]


@pytest.mark.parametrize(
    "answer",
    [
        [],
        [[], []],
        5,
        [5],
        [[5]],
        [[Found(0, 1, "my.unknown", 0.5)]],
        [[Found(-1, 1, "my.shout", 0.5)]],
        [[Found(2, 2, "my.shout", 0.5)]],
        [[Found(3, 2, "my.shout", 0.5)]],
        [[Found(0, 5, "my.shout", 0.5)]],
        [[Found(0, 1, "my.shout", 1.01)]],
        [[Found(0, 1, "my.shout", -0.01)]],
        [[Found(0, 1, "my.shout", float("nan"))]],
        [[Found("0", 1, "my.shout", 0.5)]],
        [[Found(0, 1, ["my.shout"], 0.5)]],
        [[(0, 1, "my.shout")]],
        [None],
    ],
    ids=repr,
)
async def test_what_is_no_result_closes(answer):
    with pytest.raises(Unavailable) as caught:
        await find(scans(detector(options={"answer": answer})), "text")
    assert caught.value.code == "guard_failed"


async def test_an_error_closes_without_its_words():
    with pytest.raises(Unavailable) as caught:
        await find(scans(detector(options={"error": "the text was secret"})), "text")
    assert "secret" not in str(caught.value)
    assert "shouting" in str(caught.value)


async def test_a_plugin_that_was_opened_fails_open_and_is_named_and_asked_again():
    callables = scans(detector(options={"error": "broken"}), fail_open=True)
    for _ in range(2):  # what failed is not remembered as clean
        assert await find(callables, "LOUD", "x") == ([[], []], ["plugin"])
    assert inner(callables).asked == [["LOUD", "x"]] * 2


async def test_one_that_fails_open_does_not_open_the_others():
    opened = Contributed(detector(name="opened", options={"error": "broken"}), "opened", True)
    closed = Contributed(detector(name="closed", options={"error": "broken"}), "closed")
    with pytest.raises(Unavailable, match="closed"):
        await find(CallableScans([opened, closed]), "text")
    found, degraded = await find(CallableScans([opened, Contributed(detector(), "good")]), "LOUD")
    assert (found, degraded) == ([[Span(0, 4, SHOUT, 0.9)]], ["opened"])


async def test_a_text_is_scanned_once_whoever_wrote_it():
    callables = scans(detector())
    first, _ = await find(callables, "LOUD", "quiet")
    second, _ = await find(callables, "new", "quiet", "LOUD", role=Role.ASSISTANT, phase=Phase.RESPONSE)
    assert inner(callables).asked == [["LOUD", "quiet"], ["new"]]
    assert second == [[], [], first[0]]
    await find(callables, "quiet", "LOUD")
    assert len(inner(callables).asked) == 2


async def test_long_texts_are_remembered_and_told_apart():
    callables = scans(detector())
    long = "x " * 5000
    for text in (long + "LOUD", long + "VERY", long + "LOUD"):
        found, _ = await find(callables, text)
        assert found == [[Span(10_000, 10_004, SHOUT, 0.9)]]
    assert len(inner(callables).asked) == 2


async def test_only_its_roles_are_read():
    callables = scans(detector(roles=frozenset({Role.TOOL_RESULT, Role.SYSTEM})))
    texts = [(role, f"LOUD {role}") for role in Role]
    found = await callables.find(Phase.REQUEST, texts, NOBODY, [])
    assert [role for (role, _), spans in zip(texts, found, strict=True) if spans] == [Role.SYSTEM, Role.TOOL_RESULT]
    assert inner(callables).asked == [["LOUD system", "LOUD tool_result"]]


@pytest.mark.parametrize("phase", Phase)
async def test_only_its_phases_are_read(phase):
    callables = scans(detector(phases=frozenset({phase})))
    for asked in Phase:
        found, _ = await find(callables, f"LOUD {asked}", phase=asked)
        assert bool(found[0]) is (asked is phase)
        assert callables.reads(asked) is (asked is phase)


async def test_one_that_is_to_be_asked_for_waits_for_a_rule():
    callables = scans(detector(asked_for=True))
    for policy, expected in ((NOBODY, 0), (Asked("my.other"), 0), (Asked("my.loud"), 1), (Asked("my.shout"), 1)):
        found, _ = await find(callables, "LOUD", policy=policy)
        assert len(found[0]) == expected


@pytest.mark.parametrize(
    ("more", "holds"),
    [
        ({}, True),
        ({"streaming": Streaming.DETECT_ONLY}, False),
        ({"phases": frozenset({Phase.REQUEST})}, False),
        ({"phases": frozenset({Phase.RESPONSE})}, True),
    ],
    ids=["hold_all", "detect_only", "requests", "answers"],
)
def test_whether_streams_are_held(more, holds):
    assert scans(detector(**more)).holds_streams(NOBODY) is holds
    assert scans(detector(**more), detector(name="two")).holds_streams(NOBODY)


def test_a_detector_that_nobody_asks_for_holds_no_stream():
    callables = scans(detector(asked_for=True))
    assert not callables.holds_streams(NOBODY)
    assert not callables.notes_streams(NOBODY)
    assert callables.holds_streams(Asked("my.shout"))


async def test_a_place_that_is_no_whole_number_is_a_guard_failure():
    with pytest.raises(Unavailable) as caught:
        await find(scans(detector(options={"answer": [[Found(0.0, 4.0, "my.shout", 0.9)]]})), "LOUD")
    assert caught.value.code == "guard_failed"


async def test_without_detectors_nothing_is_found():
    callables = CallableScans(())
    assert (callables.names, callables.holds_streams(NOBODY), callables.reads(Phase.REQUEST)) == ((), False, False)
    assert await find(callables, "LOUD", "") == ([[], []], [])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (f"{HERE}:broken", "OSError: no model here"),
        (f"{HERE}:missing", "AttributeError"),
        ("no.such.module:make", "ModuleNotFoundError"),
        ("", "ValueError"),
    ],
)
def test_a_scanner_that_cannot_be_made_is_a_configuration_error(make, why):
    one = CallableDetector("shouting", make, (SHOUT,), isolation="inline")
    for made in (lambda: scans(one), lambda: make_scanner(one)):
        with pytest.raises(ConfigError, match=f"detector shouting cannot be made: {why}"):
            made()


def test_options_that_the_factory_does_not_take_are_a_configuration_error():
    with pytest.raises(ConfigError, match="TypeError"):
        scans(detector(options={"colour": "red"}))


def test_a_worker_needs_a_pool():
    with pytest.raises(ConfigError, match="shouting needs worker processes"):
        scans(detector(isolation="worker"))


class Pool:
    """A pool that answers or fails as told, and keeps what it was asked."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, list[str], float]] = []

    async def scan(self, name, texts, deadline_s):
        self.asked.append((name, list(texts), deadline_s))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_a_worker_is_asked_with_its_deadline_and_its_answer_remembered():
    pool = Pool([[Found(0, 4, "my.shout", 0.9)]])
    callables = scans(detector(isolation="worker", deadline_s=1.5), pool=pool)
    for _ in range(2):
        assert await find(callables, "LOUD") == ([[Span(0, 4, SHOUT, 0.9)]], [])
    assert pool.asked == [("shouting", ["LOUD"], 1.5)]


@pytest.mark.parametrize(
    "answer",
    [Unavailable("late", code="guard_failed"), OSError("gone"), [], [[Found(0, 99, "my.shout", 1)]]],
    ids=["late", "gone", "short", "outside"],
)
async def test_a_worker_that_fails_closes_or_opens_as_its_plugin(answer):
    one = detector(isolation="worker")
    with pytest.raises(Unavailable) as caught:
        await find(scans(one, pool=Pool(answer)), "LOUD")
    assert caught.value.code == "guard_failed"
    assert await find(scans(one, pool=Pool(answer), fail_open=True), "LOUD") == ([[]], ["plugin"])


async def test_several_run_side_by_side():
    first, second = asyncio.Event(), asyncio.Event()

    class Meeting:
        async def scan(self, name, texts, deadline_s):
            (first if name == "one" else second).set()
            await (second if name == "one" else first).wait()  # each waits for the other to be at work
            return [[Found(0, 1, "my.shout", 1.0)]]

    callables = scans(
        detector(name="one", isolation="worker"), detector(name="two", isolation="worker"), pool=Meeting()
    )
    async with asyncio.timeout(10):
        found, _ = await find(callables, "text")
    assert found == [[Span(0, 1, SHOUT, 1.0)] * 2]


async def test_real_workers_and_inline_scanners_find_together():
    worker = detector(name="worker", isolation="worker")
    async with WorkerPool([worker, detector()], processes=1) as pool:
        found, _ = await find(scans(detector(), worker, pool=pool), "so LOUD")
    assert found == [[Span(3, 7, SHOUT, 0.9)] * 2]


# In a gateway


@pytest.fixture
def plugin(monkeypatch):
    """Settings with one plugin that contributes the given detectors."""
    import yett.app

    def make(*detectors: CallableDetector, **entry: object) -> dict[str, object]:
        def register_detectors(self):
            return detectors

        made = type("Made", (), {"name": "made", "register_detectors": hookimpl(register_detectors)})
        monkeypatch.setattr(yett.app, "find_plugin", lambda name: (made, name))
        return {"plugins": [{"name": "made:Made", **entry}]}

    return make


def one_way(**more) -> CallableDetector:
    default = more.pop("default", Action.REDACT)
    return detector(finds=(Detector("shout", "my.shout", "SHOUT", (), default=default, reversible=False),), **more)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("isolation", ["inline", "worker"])
async def test_a_pseudonym_is_put_and_restored(tmp_path, plugin, stream, isolation):
    def reply(request):
        said = json.loads(request.body)["messages"][0]["content"]
        assert "LOUD" not in said
        return sse(*chat_chunks(*said)) if stream else chat_answer(said)

    async with harness(tmp_path, reply, settings=plugin(detector(isolation=isolation))) as gate:
        got = await gate.chat("say it LOUD", stream=stream)
        text = got.text() if stream else got.json()["choices"][0]["message"]["content"]
        assert text == "say it LOUD"


@pytest.mark.parametrize("size", [0, 1, 7])
async def test_a_held_stream_is_redacted_wherever_it_was_cut(tmp_path, plugin, size):
    def reply(request):
        return sse(*chat_chunks("a LO", "UD word, a V", "ERY loud one"), size=size)

    async with harness(tmp_path, reply, settings=plugin(one_way())) as gate:
        got = await gate.chat("hi", stream=True)
        assert got.text() == "a <SHOUT> word, a <SHOUT> loud one"
        assert b"LOUD" not in got.body
        assert got.events[-1] == "[DONE]"
        assert gate.records("completed")[0]["action"] == "REDACT"


@pytest.mark.parametrize("size", [0, 1])
async def test_a_held_stream_is_blocked_before_a_word_leaves(tmp_path, plugin, size):
    settings = plugin(one_way(default=Action.DENY))
    async with harness(tmp_path, lambda r: sse(*chat_chunks("quiet, ", "LOUD"), size=size), settings=settings) as gate:
        got = await gate.chat("hi", stream=True)
        assert b"quiet" not in got.body
        assert any(c["finish_reason"] == "content_filter" for e in got.events[:-1] for c in e["choices"])
        assert gate.records("completed")[0]["outcome"] == "blocked"


async def test_patterns_and_code_find_in_the_same_held_stream(tmp_path, plugin):
    def reply(request):
        return sse(*chat_chunks("LOUD key sk-ant-api03-", "A" * 93, "AA end"))

    async with harness(tmp_path, reply, settings=plugin(one_way())) as gate:
        got = await gate.chat("hi", stream=True)
        assert got.text().startswith("<SHOUT> key <")
        assert "A" * 20 not in got.text()
        assert got.text().endswith(" end")


@pytest.mark.parametrize("direction", ["request", "response"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "options", [{"error": "secret words"}, {"answer": []}, {"answer": [[Found(0, 9999, "my.shout", 1)]]}],
    ids=["raises", "short", "outside"],
)  # fmt: skip
async def test_a_detector_that_fails_closes_the_gate(tmp_path, plugin, stream, direction, options):
    settings = plugin(one_way(options=options, phases=frozenset({Phase(direction)})))
    async with harness(
        tmp_path, lambda r: sse(*chat_chunks("hello")) if stream else chat_answer("hello"), settings=settings
    ) as gate:
        got = await gate.chat("hi", stream=stream)
        assert b"hello" not in got.body
        assert b"secret words" not in got.body
        assert b"guard_failed" in got.body
        assert "[DONE]" not in got.events if stream and direction == "response" else got.status == 503
        assert bool(gate.upstream.requests) is (direction == "response")
        assert [record["outcome"] for record in gate.records("completed")] == ["error"]


async def test_a_plugin_opened_by_the_operator_lets_its_failure_pass_and_the_record_says_so(tmp_path, plugin):
    settings = plugin(one_way(options={"error": "broken"}), on_error="allow")
    async with harness(tmp_path, lambda r: chat_answer("LOUD"), settings=settings) as gate:
        got = await gate.chat("LOUD")
        assert got.status == 200
        assert b"LOUD" in gate.upstream.raw
        assert "made" in str(gate.records("decided")[0])


async def test_a_worker_that_hangs_costs_its_request_and_not_the_next(tmp_path, plugin):
    finds = (Detector("x.word", "x.word", "WORD", (), reversible=False),)
    hanging = CallableDetector("words", "helpers.scanners:words", finds, deadline_s=0.4)
    async with harness(tmp_path, settings=plugin(hanging) | {"limits": {"detector_workers": 1}}) as gate:
        bad = await gate.chat("!hang")
        assert (bad.status, bad.code) == (503, "guard_failed")
        assert gate.upstream.requests == []
        good = await gate.chat("a needle")
        assert good.status == 503 or gate.upstream.bodies[0]["messages"][0]["content"] == "a <WORD>"
        replaced = await gate.chat("one needle")
        assert replaced.status == 200
        assert gate.upstream.bodies[-1]["messages"][0]["content"] == "one <WORD>"


async def test_a_gateway_with_a_scanner_that_cannot_be_made_does_not_start(tmp_path, plugin):
    faulty = CallableDetector("faulty", "helpers.scanners:broken", (SHOUT,))
    with pytest.raises(ConfigError, match="detector faulty cannot be made: RuntimeError"):
        async with harness(tmp_path, settings=plugin(faulty)):
            pytest.fail("it started")
