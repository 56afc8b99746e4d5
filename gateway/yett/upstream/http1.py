"""HTTP/1.1 on the client's side, sans-IO: request heads out, strict reading of answers in.

llhttp (through httptools) reads the framing; what it lets pass and we do not is checked here. A truncated answer is
an error, never a shorter answer.
"""

from __future__ import annotations

import re
import zlib

import httptools

from yett.upstream.messages import Headers, protocol_error, reset_error, too_large_error

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 100
PIECE_BYTES = 64 << 10  # decoded bytes given out at a time

# The transport owns framing and connection handling; a caller that sets these would smuggle.
RESERVED_HEADERS = frozenset(
    b"host content-length transfer-encoding connection accept-encoding expect upgrade te trailer keep-alive "
    b"proxy-connection".split()
)
_METHOD = re.compile(r"[A-Z]{1,16}")
_TARGET = re.compile(r"/[\x21-\x22\x24-\x7e]*")  # printable ASCII, no space, no fragment
_NAMES = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+\n)*")
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"content-encoding"))


def encode_head(method: str, prefix: str, path: str, headers: Headers, fixed: bytes, length: int) -> bytes:
    """The head of a request for `prefix` + `path`; `fixed` are whole header lines the transport adds (Host ...).

    Raises UpstreamError (upstream_protocol) for anything that could end a line or start another request.
    """
    if _METHOD.fullmatch(method) is None or _TARGET.fullmatch(path) is None:
        raise protocol_error("the method or target of the request is not valid in HTTP; nothing was sent")
    names = [name for name, _ in headers]
    lines = b"".join([b"%b: %b\r\n" % pair for pair in headers])
    # Each line ends with the one CR and the one LF written above: one more of either came from a caller.
    count = len(names)
    if lines.count(b"\n") != count or lines.count(b"\r") != count or b"\0" in lines:
        raise protocol_error("a header of the request contains CR, LF or NUL; nothing was sent")
    joined = b"\n".join([*names, b""])
    lower = names if joined.islower() else joined.lower().split(b"\n")
    if _NAMES.fullmatch(joined) is None or not RESERVED_HEADERS.isdisjoint(lower):
        raise protocol_error("a header of the request has a name that is not allowed; nothing was sent")
    size = b"content-length: %d\r\n" % length if length or method not in {"GET", "HEAD", "DELETE", "OPTIONS"} else b""
    return b"%b %b HTTP/1.1\r\n%b%b%b\r\n" % (method.encode(), (prefix + path).encode(), fixed, lines, size)


class ResponseReader:
    """Reads the answers of one connection, one after the other: `start`, then `feed` until `done`.

    After each `feed`: `head_done` says that `status`, `headers`, `gzip` and `length` stand; `pieces` grows by the
    body as it arrived (`buffered` bytes not yet taken); `done` that the answer is whole; `reusable` that the
    connection may carry another. `feed` and `feed_eof` raise UpstreamError; after that the reader is spent.
    `allow_until_eof`: take answers that only the end of the connection delimits.
    """

    __slots__ = (
        "_allow_until_eof",
        "_error",
        "_framing",
        "_head_bytes",
        "_head_only",
        "_http1",
        "_keep_alive",
        "_parser",
        "_quiet_bytes",
        "_until_eof",
        "body_begun",
        "buffered",
        "done",
        "gzip",
        "head_done",
        "header_list",
        "length",
        "pieces",
        "reusable",
        "status",
    )

    def __init__(self, *, allow_until_eof: bool = True) -> None:
        self._allow_until_eof = allow_until_eof
        self._parser = httptools.HttpResponseParser(self)
        self.done = True
        self.reusable = True
        self.start("GET")
        self.done = True

    def start(self, method: str) -> None:
        """Expect the answer to a request that is about to be sent."""
        self.head_done = self.body_begun = self.done = self.gzip = False
        self._until_eof = self._keep_alive = False
        self._head_only = method == "HEAD"
        self._http1 = False
        self._error = ""
        self._head_bytes = self._quiet_bytes = self.buffered = self.status = 0
        self.length: int | None = None
        self.header_list: list[tuple[bytes, bytes]] = []
        self._framing: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []

    @property
    def headers(self) -> Headers:
        """The answer's headers, names in lower case; without the coding that is undone here."""
        if self.gzip:
            return tuple(h for h in self.header_list if h[0] not in {b"content-encoding", b"content-length"})
        return tuple(self.header_list)

    def feed(self, data: bytes) -> None:
        """Take bytes from the connection."""
        if not self._http1:
            # llhttp would also read RTSP and ICE, and skip empty lines.
            if data[:1] != b"H":
                raise protocol_error("the provider's answer is not HTTP")
            self._http1 = True
        # Bytes that bring neither head nor body (endless header, trailer, chunk extension) are bounded as well.
        self._quiet_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.done:
                raise protocol_error(self._error or "the provider's answer is not valid HTTP") from error
            self.reusable = False
        if self._error:
            raise protocol_error(self._error)
        if self._quiet_bytes > MAX_HEAD_BYTES and not self.done:
            raise protocol_error(f"the provider's answer has a head or trailer over {MAX_HEAD_BYTES} bytes")

    def feed_eof(self) -> None:
        """The provider has closed its side. Clean only for an answer that is delimited by just that."""
        self.reusable = False
        if self.done:
            return
        if not (self.head_done and self._until_eof):
            raise reset_error()
        self.done = True

    # Called by the parser; after `done` whatever follows only spoils the connection.

    def on_message_begin(self) -> None:
        """An answer begins."""
        if self.done:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header or trailer, whole."""
        if self.done:
            return
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > MAX_HEAD_BYTES:
            self._error = f"the provider's answer has a head or trailer over {MAX_HEAD_BYTES} bytes"
        if self.head_done:
            return  # a trailer: dropped
        name, value = name.lower(), value.rstrip(b" \t")
        self.header_list.append((name, value))
        if name in _FRAMING:
            self._framing.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole (also that of an interim answer)."""
        if self.done:
            return
        parser = self._parser
        status = parser.get_status_code()
        if not 100 <= status <= 599 or parser.get_http_version() not in {"1.1", "1.0"}:
            self._error = "the provider's answer has an unknown HTTP version or status"
        elif len(self.header_list) > MAX_HEADERS:
            self._error = f"the provider's answer has more than {MAX_HEADERS} headers"
        elif status == 101:
            self._error = "the provider switched protocols without being asked"
        elif status < 200:  # an interim answer; its bytes still count as head
            self.header_list, self._framing = [], []
        else:
            self.status, self.head_done = status, True
            self._keep_alive = parser.should_keep_alive()
            self._quiet_bytes = 0
            self._read_framing(status, parser.get_http_version() == "1.0")

    def on_body(self, data: bytes) -> None:
        """Some bytes of the body, framing removed."""
        if not self.done:
            self.pieces.append(data)
            self.buffered += len(data)
            self._quiet_bytes = 0
            self.body_begun = True

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self.head_done and not self.done:
            self.done = True
            self.reusable = self.reusable and self._keep_alive

    def _read_framing(self, status: int, http10: bool) -> None:
        chunked = False
        for name, value in self._framing:
            if name == b"content-length":
                self._read_length(value)
            elif name == b"content-encoding":
                self._read_coding(value.lower())
            elif chunked or http10 or value.lower() != b"chunked":
                self._error = "the provider's answer has an unknown transfer coding"
            else:
                chunked = True
        if chunked and self.length is not None:
            self._error = "the provider's answer has conflicting lengths"
        if self._head_only or status in {204, 304}:
            self.length = None
            if self._head_only:  # llhttp does not know what was asked and would wait for a body
                self.done, self.reusable = True, False
        elif not chunked and self.length is None:
            self._until_eof = True
            if not self._allow_until_eof:
                self._error = "the provider's answer has no length, so over TLS it could be cut short unseen"

    def _read_length(self, value: bytes) -> None:
        if self.length is not None or not value.isdigit() or len(value) > 15:
            self._error = "the provider's answer has conflicting lengths"
        else:
            self.length = int(value)

    def _read_coding(self, coding: bytes) -> None:
        if coding in {b"gzip", b"x-gzip"} and not self.gzip:
            self.gzip = True
        elif coding not in {b"", b"identity"}:
            self._error = "the provider's answer has a content coding that was not asked for"


class Inflater:
    """Undoes gzip in bounded steps. `feed` compressed bytes, then `step` until it returns nothing."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._pending = b""
        self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._begun = False

    def feed(self, data: bytes) -> None:
        """Add compressed bytes."""
        self._pending += data

    def step(self) -> bytes:
        """Up to PIECE_BYTES of decoded bytes; empty when more input is needed. Raises UpstreamError."""
        while self._pending:
            if self._stream.eof:  # another member follows
                self._stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
            self._begun = True
            try:
                out = self._stream.decompress(self._pending, PIECE_BYTES)
            except zlib.error as error:
                raise protocol_error("the provider's answer is not valid gzip") from error
            self._pending = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            self._size += len(out)
            if self._size > self._limit:
                raise too_large_error(self._limit)
            if out:
                return out
        return b""

    def finish(self) -> None:
        """No more input. Raises UpstreamError if the last member is cut short."""
        if self._begun and not self._stream.eof:
            raise reset_error("the provider's gzip answer is cut short")
