"""Text that was encoded: base64 and hexadecimal runs, and what is written in them.

Most long words, hashes, identifiers and images are no encoded text. Telling so must be cheap: what a run decodes to
counts only if people could read it.
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterator
from functools import cache

import re2

from yett.wire.sequences import has_sequences
from yett.wire.unicode import ScanView

RUN_MAX_CHARS = 4096
RUN_MIN_CHARS = 14  # nine bytes and more; base64 of a social security number has fifteen
NESTED = 2  # encodings inside encodings that are read

BASE64_RUN = rf"[A-Za-z0-9+/_\-]{{{RUN_MIN_CHARS},{RUN_MAX_CHARS - 2}}}+={{0,2}}+"
_PAIR = "(?:0[xX])?[0-9A-Fa-f]{2}"
HEX_PAIRS = rf"\b{_PAIR}(?:[ :,;]{{1,2}}{_PAIR}){{7,249}}\b"

# For RE2, which counts to 1,000 only, and slowly: the longest runs are cut by `_runs`.
_RUN = HEX_PAIRS.replace("{7,249}", "{7,}") + "|" + rf"[A-Za-z0-9+/_\-]{{{RUN_MIN_CHARS},}}={{0,2}}"

_DIGITS_AND_PAIRS = re.compile("(?:0x)?([0-9a-f]{2})", re.IGNORECASE)
_PAIRED = re.compile("[ :,;]")
_HEX = re.compile("(?:0[xX])?([0-9A-Fa-f]+)")
# No base64 of any text looks like that: words, numbers, hashes and UUIDs.
_WORDS = re.compile(r"[A-Z]?[a-z\-_/]+|[A-Z\-_/]+|[0-9a-f\-_]+|[0-9A-F\-_]+|[0-9\-_/+]+")
_BORDERS = re.compile(r"[+/_\-]+")
_READABLE_PART = re.compile(rb"[\t\n\r -~]{16,}")
_STANDARD = str.maketrans("-_", "+/")
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\t\n\r"
_CONTROLS = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))
_SHIFTED_MAX_CHARS = 512  # longer runs are not tried from their second character on, nor in pieces
_LEAST_BYTES = 6
_ROT13 = (
    r"(?i)\b(?:gur|naq|lbh|lbhe|nyy|abg|sbe|jvgu|guvf|gung|flfgrz|cebzcg|vtaber|qvfertneq|sbetrg|erirny|cerivbhf|cnffjbeq"
    r"|vafgehpgvbaf?)\b"
)


def decoded_run(run: str) -> Iterator[str]:
    """The readable texts that a base64 or hexadecimal `run` may stand for; none for nearly all that is found."""
    letters = run.rstrip("=")
    if _PAIRED.search(letters) is not None:
        yield from _readable(bytes.fromhex("".join(_DIGITS_AND_PAIRS.findall(run))))
        return
    if (found := _HEX.fullmatch(letters)) is not None:
        digits = found[1]
        yield from _readable(bytes.fromhex(digits[: len(digits) & ~1]))
    elif _WORDS.fullmatch(letters) is None:
        yield from _base64(letters)


def decoded_texts(text: str) -> Iterator[tuple[int, int, str]]:
    r"""What stands encoded in `text`, for keyword rules: (start, end, decoded).

    Runs of base64 and hexadecimal, twice nested; the whole text with its escapes (`%41`, `\u0041`, `&#65;`) read; the
    whole text turned by 13 letters, where that makes words of it.
    """
    readings = [text]
    if has_sequences(text):
        readings.append(ScanView(reads=True).add(text, final=True))
        yield 0, len(text), readings[1]
    if _searcher(_ROT13).search(text.encode("ascii", "replace")) is not None:
        yield 0, len(text), codecs.encode(text, "rot13")
    for start, end, decoded in _runs(text):
        for one in _nested(decoded, NESTED - 1):
            yield start, end, one
    for reading in readings[1:]:
        for _, _, decoded in _runs(reading):
            for one in _nested(decoded, NESTED - 1):
                yield 0, len(text), one


def _nested(text: str, depth: int) -> Iterator[str]:
    yield text
    if has_sequences(text):
        yield (text := ScanView(reads=True).add(text, final=True))
    if depth:
        for _, _, decoded in _runs(text):
            yield from _nested(decoded, depth - 1)


def _runs(text: str) -> Iterator[tuple[int, int, str]]:
    data = text.encode("ascii", "replace")
    for found in _searcher(_RUN).finditer(data):
        first, last = found.span()
        for start in range(first, last, RUN_MAX_CHARS):
            end = min(last, start + RUN_MAX_CHARS)
            for decoded in decoded_run(text[start:end]):
                yield start, end, decoded


@cache
def _searcher(pattern: str) -> re2._Regexp[bytes]:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    return re2.compile(pattern.encode(), options)


def _base64(letters: str) -> Iterator[str]:
    tried = range(4 if len(letters) <= _SHIFTED_MAX_CHARS else 1)
    texts = next((texts for start in tried if (texts := list(_of_base64(letters[start:])))), None)
    if texts is not None:
        yield from texts
    elif len(tried) > 1 and not letters.isalnum():
        for piece in _BORDERS.split(letters):
            if RUN_MIN_CHARS <= len(piece) < len(letters):
                yield from _of_base64(piece)


def _of_base64(letters: str) -> Iterator[str]:
    letters = letters.translate(_STANDARD)
    spare = len(letters) % 4
    letters = letters[:-1] if spare == 1 else letters + "=" * (-spare % 4)
    return _readable(binascii.a2b_base64(letters))


def _readable(data: bytes) -> Iterator[str]:
    """`data` as text, or the parts of it that are."""
    size = len(data)
    if size < _LEAST_BYTES:
        return
    if len(data.translate(None, _PRINTABLE)) * 10 <= size:
        yield data.decode("utf-8", "ignore")
    elif data.count(0) * 2 in range(size - 2, size + 3):
        yield from _readable(data.replace(b"\0", b""))
    elif len(data) - len(data.translate(None, _CONTROLS)) == 0 and (text := _utf8(data)):
        yield text
    else:
        parts = _READABLE_PART.findall(data)
        if parts:
            yield b"\n".join(parts).decode("ascii")


def _utf8(data: bytes) -> str:
    """`data` if it is UTF-8, but for a character that was cut off at its end; else nothing."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        return decoder.decode(data)
    except UnicodeDecodeError:
        return ""
