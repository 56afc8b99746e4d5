"""How servers behave, well and badly: one table for our transport and for its reference."""

from __future__ import annotations

import asyncio
import gzip

from helpers.transport import head
from helpers.upstream import Reply

OK = b"HTTP/1.1 200 OK"
CL2 = b"content-length: 2"
CHUNKED = b"transfer-encoding: chunked"

BODY = b"x" * 300_000
GOOD = {
    "content-length": (Reply(body=b"ok"), 200, b"ok"),
    "empty": (Reply(body=b""), 200, b""),
    "204": (Reply(raw=[head(b"HTTP/1.1 204 No Content")]), 204, b""),
    "304 with a length": (Reply(raw=[head(b"HTTP/1.1 304 Not Modified", b"content-length: 5")]), 304, b""),
    "redirect is not followed": (Reply(body=b"x", status=302, headers={"location": "http://127.0.0.1:1/"}), 302, b"x"),
    "error status": (Reply(json={}, status=500), 500, b"{}"),
    "chunked": (Reply(chunks=[b"a", b"bc", b"d" * 70_000]), 200, b"abc" + b"d" * 70_000),
    "large": (Reply(body=BODY), 200, BODY),
    "gzip": (Reply(body=BODY, gzip=True), 200, BODY),
    "gzip, two members": (
        Reply(chunks=[gzip.compress(b"one"), gzip.compress(b"two")], headers={"content-encoding": "gzip"}),
        200,
        b"onetwo",
    ),
    "until close": (Reply(raw=[head(OK), b"all ", b"of it"], end="close"), 200, b"all of it"),
    "until half-close": (Reply(raw=[head(b"HTTP/1.0 200 OK"), b"all"], end="half_close"), 200, b"all"),
    "interim answers": (
        Reply(raw=[head(b"HTTP/1.1 100 Continue"), head(b"HTTP/1.1 103 Early", b"link: x"), head(OK, CL2) + b"ok"]),
        200,
        b"ok",
    ),
    "byte by byte": (Reply(raw=[bytes([b]) for b in head(OK, CL2) + b"ok"]), 200, b"ok"),
    "trailer": (
        Reply(raw=[head(OK, CHUNKED) + b"2;x=y\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"]),
        200,
        b"ok",
    ),
}

PROTOCOL, RESET, TIMEOUT = "upstream_protocol", "upstream_reset", "upstream_timeout"
BAD = {
    "closes before a byte": (Reply(raw=[], end="close"), RESET),
    "resets before a byte": (Reply(raw=[], end="reset"), RESET),
    "half-closes before a byte": (Reply(raw=[], end="half_close"), RESET),
    "closes in the head": (Reply(raw=[b"HTTP/1.1 200 OK\r\ncontent-"], end="close"), RESET),
    "closes in the interim": (Reply(raw=[head(b"HTTP/1.1 100 Continue")], end="close"), RESET),
    "short body": (Reply(body=b"hello", truncate=2, end="close"), RESET),
    "short body, reset": (Reply(body=b"hello", truncate=2, end="reset"), RESET),
    "no last chunk": (Reply(chunks=[b"abc"], end="close"), RESET),
    "cut in a chunk": (Reply(raw=[head(OK, CHUNKED) + b"9\r\nabc"], end="close"), RESET),
    "cut before the last CRLF": (Reply(raw=[head(OK, CHUNKED) + b"1\r\na\r\n0\r\n"], end="close"), RESET),
    "stops in a close-delimited body": (Reply(raw=[head(OK), b"x", asyncio.Event()]), TIMEOUT),
    "gzip cut short": (Reply(body=gzip.compress(BODY)[:-6], headers={"content-encoding": "gzip"}), RESET),
    "gzip of garbage": (Reply(body=b"no gzip", headers={"content-encoding": "gzip"}), PROTOCOL),
    "brotli": (Reply(body=b"x", headers={"content-encoding": "br"}), PROTOCOL),
    "deflate": (Reply(body=b"x", headers={"content-encoding": "deflate"}), PROTOCOL),
    "gzip twice": (Reply(body=b"x", headers={"content-encoding": "gzip, gzip"}), PROTOCOL),
    "not HTTP": (Reply(raw=[b"SSH-2.0-OpenSSH\r\n\r\n"]), PROTOCOL),
    "RTSP": (Reply(raw=[head(b"RTSP/1.0 200 OK", CL2) + b"ok"]), PROTOCOL),
    "HTTP/2 preface": (Reply(raw=[head(b"HTTP/2.0 200 OK", CL2) + b"ok"]), PROTOCOL),
    "status 099": (Reply(raw=[head(b"HTTP/1.1 099 OK", CL2) + b"ok"]), PROTOCOL),
    "status 999": (Reply(raw=[head(b"HTTP/1.1 999 OK", CL2) + b"ok"]), PROTOCOL),
    "switches protocols": (Reply(raw=[head(b"HTTP/1.1 101 S", b"upgrade: h2c", b"connection: upgrade")]), PROTOCOL),
    "length and chunked": (Reply(raw=[head(OK, CL2, CHUNKED) + b"0\r\n\r\n"]), PROTOCOL),
    "chunked and length": (Reply(raw=[head(OK, CHUNKED, CL2) + b"0\r\n\r\n"]), PROTOCOL),
    "two lengths": (Reply(raw=[head(OK, CL2, b"content-length: 3") + b"ok"]), PROTOCOL),
    "negative length": (Reply(raw=[head(OK, b"content-length: -1")]), PROTOCOL),
    "gzip transfer coding": (Reply(raw=[head(OK, b"transfer-encoding: gzip, chunked") + b"0\r\n\r\n"]), PROTOCOL),
    "unknown transfer coding": (Reply(raw=[head(OK, b"transfer-encoding: xchunked") + b"0\r\n\r\n"]), PROTOCOL),
    "HTTP/1.0 chunked": (Reply(raw=[head(b"HTTP/1.0 200 OK", CHUNKED) + b"0\r\n\r\n"]), PROTOCOL),
    "bare LF": (Reply(raw=[b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok"]), PROTOCOL),
    "folded header": (Reply(raw=[head(OK, b"a: b", b" c", CL2) + b"ok"]), PROTOCOL),
    "bad chunk size": (Reply(raw=[head(OK, CHUNKED) + b"-1\r\n"]), PROTOCOL),
    "too many headers": (Reply(raw=[head(OK, *[b"a: b"] * 101, CL2) + b"ok"]), PROTOCOL),
    "head over the cap": (Reply(raw=[head(OK, *[b"a: " + b"b" * 1000] * 70, CL2) + b"ok"]), PROTOCOL),
    "endless header": (Reply(raw=[b"HTTP/1.1 200 OK\r\na: ", *[b"b" * 5000] * 200]), PROTOCOL),
    "endless interim answers": (Reply(raw=[head(b"HTTP/1.1 102 Processing", b"a: " + b"b" * 900)] * 100), PROTOCOL),
    "endless chunk extension": (Reply(raw=[head(OK, CHUNKED) + b"1;", *[b"b" * 5000] * 200]), PROTOCOL),
    "endless trailer": (Reply(raw=[head(OK, CHUNKED) + b"0\r\na: ", *[b"b" * 5000] * 200]), PROTOCOL),
    "never answers": (Reply(raw=[], end="hang"), TIMEOUT),
    "drips the head": (Reply(raw=[b"HTTP/1.1 200 OK\r\n"], end="hang"), TIMEOUT),
    "stops in the body": (Reply(body=b"hello", truncate=2, end="hang"), TIMEOUT),
    "stops between chunks": (Reply(chunks=[b"abc"], end="hang"), TIMEOUT),
}
