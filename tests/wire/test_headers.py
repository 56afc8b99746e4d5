"""Only named headers cross, and no value that could carry text or a second header."""

import pytest

from yett.errors import RequestError
from yett.flow import TraceContext
from yett.wire import headers

SECRET = b"sk-secret-123"


def test_the_clients_credentials_and_words_never_reach_the_provider():
    names = [
        b"Authorization",
        b"cookie",
        b"x-yett-key",
        b"api-key",
        b"OpenAI-Organization",
        b"openai-project",
        b"referer",
        b"x-forwarded-for",
        b"user-agent",
        b"x-stainless-lang",
        b"traceparent",
        b"tracestate",
        b"x-request-id",
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"content-encoding",
        b"accept-language",
        b"baggage",
    ]
    out = headers.to_provider([(name, SECRET) for name in names])
    assert SECRET not in b" ".join(v for _, v in out)
    assert dict(out) == {
        b"content-type": b"application/json",
        b"accept": b"application/json",
        b"user-agent": headers.USER_AGENT,
    }


def test_accept_is_one_of_two_values():
    out = dict(headers.to_provider([(b"Accept", b"text/event-stream, x-jane@example.com")]))
    assert out[b"accept"] == b"text/event-stream"


@pytest.mark.parametrize("value", [b"assistants=v2", b"a=1,b=2", b"realtime=v1, responses_multi-agent=v1"])
def test_feature_words_pass(value):
    assert (b"openai-beta", value) in headers.to_provider([(b"OpenAI-Beta", value)])


@pytest.mark.parametrize(
    "value", [b"", b"a\r\nx: y", b"a\x00", b"jane@example.com", b"a=1\n", b"A b c", b"a" * 80, b"a,\xff"]
)
def test_anything_else_is_refused_unechoed(value):
    with pytest.raises(RequestError) as error:
        headers.to_provider([(b"openai-beta", value)])
    assert error.value.code == "invalid_header"
    assert "jane" not in str(error.value)


def test_trace_and_request_id_are_ours():
    out = dict(headers.to_provider([], trace=TraceContext("a" * 32, "b" * 16), request_id="r1"))
    assert out[b"traceparent"].startswith(b"00-" + b"a" * 32 + b"-")
    assert b"b" * 16 not in out[b"traceparent"]
    assert out[b"x-request-id"] == b"r1"
    with pytest.raises(ValueError, match="request id"):
        headers.to_provider([], request_id="a\r\nb: c")


def test_the_providers_headers_that_a_client_may_see():
    seen = headers.to_client(
        [
            (b"Content-Type", b"application/json"),
            (b"openai-processing-ms", b"12"),
            (b"Retry-After", b"3"),
            (b"retry-after-ms", b"300"),
            (b"X-RateLimit-Remaining-Tokens", b"9"),
            (b"retry-after", b"99"),
            (b"openai-version", b"2020-10-01"),
            (b"set-cookie", SECRET),
            (b"openai-organization", SECRET),
            (b"x-request-id", SECRET),
            (b"content-length", b"1"),
            (b"content-encoding", b"gzip"),
            (b"transfer-encoding", b"chunked"),
            (b"server", b"x"),
            (b"connection", b"close"),
            (b"location", SECRET),
        ]
    )
    assert seen == (
        (b"content-type", b"application/json"),
        (b"openai-processing-ms", b"12"),
        (b"retry-after", b"3"),
        (b"retry-after-ms", b"300"),
        (b"x-ratelimit-remaining-tokens", b"9"),
        (b"openai-version", b"2020-10-01"),
    )


@pytest.mark.parametrize("value", [b"", b"1\r\nset-cookie: a=b", b"1\n", b"\x001", b"1\xff", b" 1", b"9" * 300])
def test_a_malformed_value_of_the_provider_is_left_out(value):
    assert headers.to_client([(b"retry-after", value)]) == ()


@pytest.mark.parametrize("name", [b"x-ratelimit-\r\nset-cookie", b"x-ratelimit-a:b", b"x-ratelimit- "])
def test_a_malformed_name_of_the_provider_is_left_out(name):
    assert headers.to_client([(name, b"1")]) == ()


GOOD = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BAD = {
    "absent": None,
    "empty": b"",
    "upper case": GOOD.upper(),
    "short": GOOD[:-1],
    "long in version 00": GOOD + b"-x",
    "version ff": b"ff" + GOOD[2:],
    "zero trace": b"00-" + b"0" * 32 + GOOD[35:],
    "zero parent": GOOD[:36] + b"0" * 16 + b"-01",
    "not hex": GOOD.replace(b"4b", b"4g"),
    "newline": GOOD + b"\n",
    "space": b" " + GOOD,
    "not ascii": GOOD[:-1] + "\u0661".encode(),
}


def test_traceparent_is_read():
    trace = headers.parse_traceparent(GOOD)
    assert trace == TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", True)
    assert headers.parse_traceparent(GOOD[:-1] + b"0").sampled is False
    assert headers.parse_traceparent(b"cc" + GOOD[2:] + b"-what-the-future").trace_id == trace.trace_id


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_a_malformed_traceparent_is_replaced_whole(value):
    trace, other = headers.parse_traceparent(value), headers.parse_traceparent(value)
    assert len(trace.trace_id) == 32
    assert len(trace.parent_id) == 16
    assert trace.trace_id != other.trace_id
    assert "4bf92f" not in trace.trace_id
