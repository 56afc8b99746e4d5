"""Every way a provider can fail, through a real gateway: an answer in time, never a clean end, one record each."""

import asyncio
import gzip
import socket
from functools import cache

import pytest

from helpers.gateway import running_gateway
from helpers.gateway_calls import CHAT, RESPONSES, Client, records, request, until
from helpers.openai_replies import chat, chat_events, response_text_events
from helpers.transport import head
from helpers.upstream import Reply, ThreadedUpstream, sse

LIMIT_S = {"connect_s": 1.0, "first_byte_s": 1.0, "idle_s": 1.0, "total_s": 2.5}
SLACK_S = 1.0
RESPONSE_BYTES = 1_000_000
OK = b"HTTP/1.1 200 OK"
EVENT_STREAM = b"content-type: text/event-stream"
BOMB = gzip.compress(b" " * 64_000_000)
DIALECTS = pytest.mark.parametrize("path", [pytest.param(CHAT, id="chat"), pytest.param(RESPONSES, id="responses")])


@pytest.fixture(scope="module")
def upstream():
    with ThreadedUpstream() as running:
        yield running


@pytest.fixture(scope="module")
def gate(upstream, tmp_path_factory):
    with socket.socket() as nobody:  # bound and not listening: connections to it are refused
        nobody.bind(("127.0.0.1", 0))
        providers = {
            "up": {"kind": "openai", "base_url": upstream.base_url, "api_key": "unused"},
            "nobody": {"kind": "openai", "base_url": f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"},
        }
        models = {
            "gpt-4o-mini": {"targets": [{"provider": "up", "model": "gpt-4o-mini"}]},
            "refused": {"targets": [{"provider": "nobody", "model": "gpt-4o-mini"}]},
        }
        extra = {"timeouts": LIMIT_S, "limits": {"response_bytes": RESPONSE_BYTES}}
        with running_gateway(tmp_path_factory.mktemp("faults"), providers, models, extra=extra) as running:
            yield running


@pytest.fixture
def client(gate):
    one = Client(gate)
    yield one
    one.close()


def completed_of(gate, flow):
    """The one `completed` record of a flow."""
    found = until(lambda: [row for row in records(gate.audit_dir, "completed") if row["flow"] == flow])
    assert len(found) == 1
    return found[0]


def story(path, words):
    """The events of a streamed answer in `path`'s dialect."""
    events = response_text_events(words) if path == RESPONSES else chat_events(words, "gpt-4o-mini")
    return [event for event in events if event != "[DONE]"]


def begin(path):
    """The events up to and including the first words."""
    whole = story(path, ["Once ", "upon ", "a time"])
    return whole[: [b"Once " in sse(event) for event in whole].index(True) + 1]


BEFORE = {
    "resets": (Reply(raw=[], end="reset"), 502, "upstream_reset"),
    "closes": (Reply(raw=[], end="close"), 502, "upstream_reset"),
    "half-closes": (Reply(raw=[], end="half_close"), 502, "upstream_reset"),
    "closes in the head": (Reply(raw=[b"HTTP/1.1 200 OK\r\ncontent-"], end="close"), 502, "upstream_reset"),
    "hangs": (Reply(raw=[], end="hang"), 504, "upstream_timeout"),
    "drips the head": (Reply(raw=[b"HTTP/1.1 200 OK\r\n"], end="hang"), 504, "upstream_timeout"),
    "speaks another protocol": (Reply(raw=[b"SSH-2.0-OpenSSH\r\n\r\n"], end="close"), 502, "upstream_protocol"),
    "sends two lengths": (
        Reply(raw=[head(OK, b"content-length: 2", b"content-length: 3") + b"ok"]), 502, "upstream_protocol",
    ),
    "redirects": (Reply(body=b"{}", status=307, headers={"location": "/v1/elsewhere"}), 502, "upstream_error"),
    "redirects (302)": (Reply(body=b"{}", status=302, headers={"location": "/v1/elsewhere"}), 502, "upstream_error"),
    "says 500": (Reply(json={"error": {"message": "oops"}}, status=500), 502, "upstream_error"),
    "says nothing about 503": (Reply(body=b"", status=503), 502, "upstream_error"),
}  # fmt: skip

WHOLE = {
    "is cut short": (Reply(body=b'{"id":"x","choices":[]}', truncate=5, end="close"), 502, "upstream_reset"),
    "stops short": (Reply(body=b'{"id":"x","choices":[]}', truncate=5, end="hang"), 504, "upstream_timeout"),
    "is reset": (Reply(body=b'{"id":"x","choices":[]}', truncate=5, end="reset"), 502, "upstream_reset"),
    "has no last chunk": (Reply(chunks=[b'{"id":"x",', b'"choices":[]}'], end="close"), 502, "upstream_reset"),
    "has no last chunk, half-closed": (
        Reply(raw=[head(OK, b"transfer-encoding: chunked") + b'2\r\n{"\r\n'], end="half_close"), 502, "upstream_reset",
    ),
    "is garbage": (Reply(body=b"\x00\xffgarbage"), 502, "upstream_protocol"),
    "is a list": (Reply(json=[1]), 502, "upstream_protocol"),
    "is ambiguous": (Reply(body=b'{"id":"a","id":"b"}'), 502, "upstream_protocol"),
    "is empty": (Reply(body=b""), 502, "upstream_protocol"),
    "is too large": (Reply(body=b" " * (RESPONSE_BYTES + 1)), 502, "upstream_too_large"),
    "is a gzip bomb": (Reply(body=BOMB, headers={"content-encoding": "gzip"}), 502, "upstream_too_large"),
    "is no gzip": (Reply(body=b"garbage", headers={"content-encoding": "gzip"}), 502, "upstream_protocol"),
    "is brotli": (Reply(body=b"garbage", headers={"content-encoding": "br"}), 502, "upstream_protocol"),
}  # fmt: skip

ALSO = {"drips the head", "closes in the head", "redirects (302)", "never ends"}  # slow or much like another: proofs


def check_refused(gate, upstream, answer, status, code):
    assert (answer.status, answer.code) == (status, code)
    assert answer.took_s < LIMIT_S["total_s"] + SLACK_S
    row = completed_of(gate, answer.flow)
    assert (row["outcome"], row["status"], row["code"]) == ("error", status, code)
    assert len([c for c in upstream.calls if c.headers[b"x-request-id"].decode() == answer.flow]) == 1


@DIALECTS
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("fault", [pytest.param(n, marks=pytest.mark.proof) if n in ALSO else n for n in BEFORE])
def test_a_provider_that_gives_no_answer(gate, upstream, client, path, stream, fault):
    reply, status, code = BEFORE[fault]
    upstream.reply = lambda call: reply
    check_refused(gate, upstream, client.ask("hello", path=path, stream=stream), status, code)


@DIALECTS
@pytest.mark.parametrize("fault", WHOLE)
def test_an_answer_that(gate, upstream, client, path, fault):
    reply, status, code = WHOLE[fault]
    upstream.reply = lambda call: reply
    check_refused(gate, upstream, client.ask("hello", path=path), status, code)


@DIALECTS
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_a_provider_that_nobody_listens_at(gate, client, path, stream):
    answer = client.call(path, request("hello", path, stream=stream) | {"model": "refused"})
    assert (answer.status, answer.code) == (502, "upstream_connect")
    assert completed_of(gate, answer.flow)["outcome"] == "error"


def bombed(path):
    """A stream whose gzip body inflates to a thousand times its size inside one event."""
    return Reply(chunks=[bomb(path)], headers={"content-type": "text/event-stream", "content-encoding": "gzip"})


@cache
def bomb(path):
    """The bytes of that: making them takes a while, which must not look like a slow provider."""
    return gzip.compress(b"".join(sse(event) for event in begin(path)) + b"data: " + b" " * 64_000_000)


def misframed(path):
    """A chunk whose size is no number, a little after the first words."""
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, later.set)
    return Reply(raw=[*Reply(events=begin(path), end="hang").steps(), later, b"size\r\n"], end="hang")


def endless(path):
    """An event every 20 ms, for longer than anybody waits."""
    steps = [asyncio.Event() for _ in range(400)]
    loop = asyncio.get_running_loop()
    for number, step in enumerate(steps):
        loop.call_later(number * 0.02, step.set)
    events = begin(path)
    more = [part for step in steps for part in (step, events[-1])]
    return Reply(events=[*events, *more], end="hang")


# Each is made in the upstream's loop; it says some words first.
MIDDLE = {
    "resets": (lambda path: Reply(events=begin(path), end="reset"), "upstream_reset"),
    "closes": (lambda path: Reply(events=begin(path), end="close"), "upstream_reset"),
    "half-closes": (
        lambda path: Reply(raw=[head(OK, EVENT_STREAM) + b"".join(map(sse, begin(path)))], end="half_close"),
        "upstream_truncated",
    ),
    "ends without an end mark": (lambda path: Reply(events=begin(path)), "upstream_truncated"),
    "ends inside an event": (lambda path: Reply(events=[*begin(path), b'data: {"id":']), "upstream_protocol"),
    "falls silent": (lambda path: Reply(events=begin(path), end="hang"), "upstream_timeout"),
    "never ends": (endless, "upstream_timeout"),
    "sends garbage": (lambda path: Reply(events=[*begin(path), b"data: {not json\n\n"]), "upstream_protocol"),
    "sends bytes outside UTF-8": (lambda path: Reply(events=[*begin(path), b"data: \xff\n\n"]), "upstream_protocol"),
    "breaks its framing": (misframed, "upstream_protocol"),
    "inflates": (bombed, "upstream_too_large"),
}


@DIALECTS
@pytest.mark.parametrize("fault", [pytest.param(n, marks=pytest.mark.proof) if n in ALSO else n for n in MIDDLE])
def test_a_stream_whose_provider(gate, upstream, client, path, fault):
    make, code = MIDDLE[fault]
    if fault == "inflates":
        bomb(path)
    upstream.reply = lambda call: make(path)
    answer = client.ask("hello", path=path, stream=True)
    assert (answer.status, answer.code) == (200, code)
    assert b"[DONE]" not in answer.body
    assert not answer.clean
    assert answer.took_s < LIMIT_S["total_s"] + SLACK_S
    row = completed_of(gate, answer.flow)
    assert (row["outcome"], row["code"]) == ("error", code)
    upstream.wait_until(lambda: upstream.open <= 1)


@DIALECTS
@pytest.mark.parametrize("moment", ["before the head", "in the stream"])
def test_a_client_that_hangs_up_cancels_the_providers_call_within_a_second(gate, upstream, path, moment):
    silent = Reply(raw=[], end="hang")
    upstream.reply = lambda call: silent if moment == "before the head" else Reply(events=begin(path), end="hang")
    calls, gone = len(upstream.calls), upstream.disconnects
    client = Client(gate)
    if moment == "before the head":
        client.send(path, request("hello", path, stream=True))
        upstream.wait_until(lambda: len(upstream.calls) > calls)
    else:
        client.begin(path, request("hello", path, stream=True)).read1()
    client.close()
    upstream.wait_until(lambda: upstream.disconnects > gone, timeout_s=1.0)
    row = completed_of(gate, upstream.calls[-1].headers[b"x-request-id"].decode())
    assert (row["outcome"], row["status"]) == ("client_gone", 499)


def test_after_all_that_the_gateway_serves_and_holds_nothing(gate, upstream, client):
    upstream.reply = lambda call: Reply(json=chat("fine", "gpt-4o-mini", 1))
    assert client.ask("hello").status == 200
    decided = [row["flow"] for row in records(gate.audit_dir, "decided")]
    until(lambda: len(records(gate.audit_dir, "completed")) == len(decided))
    assert sorted(row["flow"] for row in records(gate.audit_dir, "completed")) == sorted(decided)
    upstream.wait_until(lambda: upstream.open <= 1)
    assert "Traceback" not in gate.log
