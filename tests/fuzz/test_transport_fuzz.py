"""Broken answers by the hundred: each ends as an answer that is true, or as an UpstreamError in time. Nothing leaks."""

from __future__ import annotations

import asyncio
import gzip
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.loops import LOOPS, run_on
from helpers.upstream import Call, FakeUpstream, Reply, Step
from yett.errors import UpstreamError
from yett.upstream.http1 import ResponseReader
from yett.upstream.transport import Deadlines, HttpTransport, UpstreamRequest

ROUNDS = 250
DEADLINES = Deadlines(connect_s=2.0, first_byte_s=0.03, idle_s=0.03, total_s=0.3)
CODES = {"upstream_timeout", "upstream_reset", "upstream_protocol", "upstream_too_large"}
CAP = 100_000


@dataclass
class Script:
    """A broken answer. `truth`: if it is taken for an answer, this must be its body; None: anything may be."""

    steps: list[Step]
    end: str
    truth: bytes | None


def framed(random_: random.Random, body: bytes) -> bytes:
    """A well-formed answer that carries `body`."""
    headers = [b"HTTP/1.1 200 OK", b"x-a: b"]
    if random_.random() < 0.2:
        body, headers = gzip.compress(body, mtime=0), [*headers, b"content-encoding: gzip"]
    if random_.random() < 0.5:
        headers.append(b"content-length: %d" % len(body))
    else:
        headers.append(b"transfer-encoding: chunked")
        size = random_.choice((1, 7, 1000)) if len(body) < 2000 else 5000
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    return b"\r\n".join((*headers, b"", body))


def flip(random_: random.Random, data: bytes) -> bytes:
    """Some bytes changed, most of them in the head."""
    changed = bytearray(data)
    for _ in range(random_.choice((1, 1, 3, 20))):
        at = random_.randrange(min(len(changed), random_.choice((20, 80, len(changed)))))
        changed[at] = random_.choice(b"\r\n\0 :;0129fHTP/\xff")
    return bytes(changed)


def make(seed: int) -> Script:
    """The broken answer of this seed."""
    random_ = random.Random(seed)
    body = random_.randbytes(random_.choice((0, 1, 5, 300, 70_000, CAP + 1)))
    data = framed(random_, body)
    truth: bytes | None = body if len(body) <= CAP else b""
    match random_.randrange(6):
        case 0:
            data = data[: random_.randrange(len(data))]  # cut short
        case 1:
            data, truth = flip(random_, data), None
        case 2:
            data, truth = random_.randbytes(random_.randrange(1, 2000)), None  # garbage
        case 3:
            at = random_.randrange(len(data))
            data, truth = data[:at] + random_.randbytes(9) + data[at:], None  # garbage in the middle
        case 4:
            data += random_.choice((b"x", b"\r\n", data))  # bytes after the end
        case _:
            pass  # nothing wrong but the way it arrives
    return Script(pieces(random_, data), random_.choice(("keep", "close", "reset", "half_close", "hang")), truth)


def pieces(random_: random.Random, data: bytes) -> list[Step]:
    """`data` cut at random, at most 20 times."""
    cuts = sorted(random_.randrange(len(data) + 1) for _ in range(random_.choice((0, 1, 20))))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


async def storm(first_seed: int) -> dict[str, int]:
    """ROUNDS broken answers, eight at a time; how often each outcome was seen."""
    seen: dict[str, int] = {}
    scripts: dict[str, Script] = {}

    def reply(call: Call) -> Reply:
        script = scripts[call.path]
        return Reply(raw=script.steps, end=script.end)

    async with FakeUpstream(reply) as upstream:
        transport = HttpTransport(
            upstream.url, deadlines=DEADLINES, max_body_bytes=CAP, max_stream_bytes=CAP, max_connections=16
        )

        async def one(seed: int) -> None:
            script = make(seed)
            path = f"/{seed}"
            scripts[path] = script
            async with asyncio.timeout(DEADLINES.total_s + 3.0):
                outcome = await attempt(transport, path, stream=seed % 2 == 0)
            name = outcome if isinstance(outcome, str) else "answer"
            seen[name] = seen.get(name, 0) + 1
            if isinstance(outcome, str):
                assert outcome in CODES, seed
            elif script.truth is not None:
                assert outcome == script.truth, seed

        seeds = range(first_seed, first_seed + ROUNDS)
        for start in range(0, ROUNDS, 8):
            await asyncio.gather(*(one(seed) for seed in seeds[start : start + 8]))
        assert len(upstream.calls) == ROUNDS  # nothing was sent twice, nothing was swallowed
        await transport.aclose()
        assert (transport._pool._slots, len(transport._pool._open)) == (0, 0)
        await upstream.until(lambda: upstream.open == 0)
    return seen


async def attempt(transport: HttpTransport, path: str, *, stream: bool) -> bytes | str:
    """The body, or the code of the error; the server knows its script by the path."""
    try:
        response = await transport.send(UpstreamRequest("POST", path, (), b"{}"))
        if stream:
            return b"".join([piece async for piece in response.chunks()])
        return await response.read()
    except UpstreamError as error:
        return error.code


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("first_seed", [0, 1_000_000])
def test_broken_answers_end_in_time_and_nothing_leaks(loop: str, first_seed: int) -> None:
    seen = run_on(loop, lambda: storm(first_seed), limit_s=60)
    assert set(seen) >= {"answer", "upstream_timeout", "upstream_reset", "upstream_protocol"}  # the storm is a storm
    assert sum(seen.values()) == ROUNDS


# Inputs that once mattered or that other clients got wrong; each must be refused, however it is cut.
REGRESSIONS = {
    "status line only": b"HTTP/1.1 200 OK\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "length with sign": b"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
    "length with underscore": b"HTTP/1.1 200 OK\r\ncontent-length: 0_5\r\n\r\nhello",
    "length in hex": b"HTTP/1.1 200 OK\r\ncontent-length: 0x5\r\n\r\nhello",
    "length list": b"HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
    "length overflow": b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\nhello",
    "empty length": b"HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\nhello",
    "same length twice": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "chunked twice": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, identity": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "vertical tab in coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "space before colon": b"HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello",
    "NUL in a header": b"HTTP/1.1 200 OK\r\na: b\0\r\ncontent-length: 5\r\n\r\nhello",
    "CR in a header": b"HTTP/1.1 200 OK\r\na: b\rc\r\ncontent-length: 5\r\n\r\nhello",
    "chunk size overflow": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx",
    "chunk size in brackets": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n(5)\r\nhello\r\n0\r\n\r\n",
    "chunk too long for its size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
    "chunk ended by LF": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
    "empty line first": b"\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "lower-case http": b"http/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "interim with upgrade": b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    "two codings": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("case", REGRESSIONS)
def test_regressions_are_refused_however_they_are_cut(case: str) -> None:
    data = REGRESSIONS[case]
    for cut in range(1, len(data) + 1):
        assert outcome_of([data[:cut], data[cut:]])[0] == "refused", cut


def outcome_of(feeds: list[bytes]) -> tuple[object, ...]:
    """What the reader makes of these bytes followed by the end of the connection."""
    reader = ResponseReader()
    reader.start("POST")
    try:
        for data in feeds:
            if data:
                reader.feed(data)
        reader.feed_eof()
    except UpstreamError as error:
        assert error.code in CODES
        return ("refused",)
    return ("answer", reader.status, reader.headers, b"".join(reader.pieces))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=st.integers(0, 1 << 32), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_cutting_never_changes_what_is_read(seed: int, cuts: list[int]) -> None:
    data = b"".join(step for step in make(seed).steps if isinstance(step, bytes))[:5000]
    at = sorted({min(cut, len(data)) for cut in cuts})
    parts = [data[a:b] for a, b in zip([0, *at], [*at, len(data)], strict=True)]
    assert outcome_of(parts) == outcome_of([data])


PREFIXES = [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300), prefix=st.sampled_from(PREFIXES))
def test_any_bytes_are_an_answer_or_an_error(data: bytes, prefix: bytes) -> None:
    assert outcome_of([prefix + data])[0] in {"answer", "refused"}
