"""JSON that every parser reads alike: what is ambiguous is refused, never repaired.

`loads` accepts what the standard `json`, orjson and JavaScript's `JSON.parse` all accept with one meaning. Two members
of one name, NaN, a lone surrogate, an integer beyond 64 bits, a byte order mark or deep nesting raise `RequestError`
with a stable code. What is forwarded is `dumps` of the value that was checked, never the bytes that came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Never

import orjson

from yett.errors import RequestError
from yett.wire.reference import escape, public

MAX_DEPTH = 64
_MOST_DEPTH = 250  # orjson writes 254 levels
_LOCATE_MAX_BYTES = 64 * 1024  # beyond it an error names no member: the search is plain Python
_BOM = b"\xef\xbb\xbf"
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_LONG_RUN = b"0" * 19  # shorter integers fit 64 bits
_LONG_INTEGER = re.compile(rb"(?<![0-9.eE+-])-?[0-9]{19,}(?![0-9.eE])")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)

_MESSAGES = {
    "duplicate_key": "an object has two members of the same name",
    "number_out_of_range": "a number does not fit 64 bits",
    "too_deep": "arrays and objects are nested too deeply",
    "not_utf8": "the text is not valid UTF-8",
    "lone_surrogate": "a string contains half of a surrogate pair",
    "not_finite": "NaN and Infinity are not JSON",
    "invalid_json": "the text is not valid JSON",
}


def loads(data: bytes, *, max_depth: int = MAX_DEPTH, where: str = "") -> Any:  # JSON is any shape
    """The value of `data`, or `RequestError` with a stable code and, where known, a pointer that starts with `where`.

    `max_depth` counts open arrays and objects, at most 250. Codes: invalid_json, duplicate_key, number_out_of_range,
    too_deep, not_utf8, lone_surrogate, not_finite.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        _refuse(_why_not_json(data), where, line=error.lineno, column=error.colno)
    max_depth = min(max_depth, _MOST_DEPTH)
    if data.count(b"{") + data.count(b"[") > max_depth and _depth(value) > max_depth:
        _refuse("too_deep", where, data, max_depth)
    again = orjson.dumps(value)
    if again != data:  # equal: nothing was dropped or rounded, as most clients' compact JSON shows at once
        _check_ambiguity(data, again, where)
    return value


def dumps(value: Any) -> bytes:  # JSON is any shape
    """The JSON text of `value`, compact. Raises TypeError on what `loads` could not have given."""
    return orjson.dumps(value)


def _check_ambiguity(data: bytes, again: bytes, where: str) -> None:
    if _count_quotes(data) != _count_quotes(again):  # orjson keeps the last of two members of one name
        _refuse("duplicate_key", where, data)
    if _LONG_RUN in data.translate(_DIGITS_TO_ZERO) and any(map(_too_big, _LONG_INTEGER.findall(_skeleton(data)))):
        _refuse("number_out_of_range", where, data)


def _without_escapes(data: bytes) -> bytes:
    """Valid JSON in which every quote that is left begins or ends a string."""
    if b"\\" in data:
        return data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return data


def _count_quotes(data: bytes) -> int:
    """How many quotes of valid JSON begin or end a string."""
    if b"\\" not in data:  # one byte is looked for many times faster than two
        return data.count(b'"')
    if b"\\\\" in data:
        return _without_escapes(data).count(b'"')
    return data.count(b'"') - data.count(b'\\"')


def _skeleton(data: bytes) -> bytes:
    """Valid JSON without its strings."""
    return b"".join(_without_escapes(data).split(b'"')[::2])


def _depth(value: Any) -> int:  # JSON is any shape
    """How deep a parsed value is nested, level by level: no recursion."""
    depth = 0
    level = [value] if isinstance(value, (dict, list)) else []
    while level:
        depth += 1
        below: list[Any] = []
        for node in level:
            below += [v for v in (node.values() if node.__class__ is dict else node) if isinstance(v, (dict, list))]
        level = below
    return depth


def _too_big(digits: bytes) -> bool:
    return len(digits) > 20 or not -(1 << 63) <= int(digits) < 1 << 64


def _refuse(
    code: str, where: str, data: bytes = b"", max_depth: int = MAX_DEPTH, line: int = 0, column: int = 0
) -> Never:
    at = f" (line {line}, column {column})" if line else ""
    inner = next((p for found, p in _problems(data, max_depth) if found == code), "")
    pointer = where + public(inner)
    raise RequestError(_MESSAGES[code] + at, code=code, pointer=pointer or None) from None


class _NotFiniteError(Exception):
    """The standard parser met NaN or Infinity."""


def _not_finite(_constant: str) -> Never:
    raise _NotFiniteError


def _why_not_json(data: bytes) -> str:
    """The code for a text that orjson refuses: the standard parser is laxer, so what it says tells them apart."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    if data.startswith(_BOM):
        return "invalid_json"
    numbers: list[str] = []
    try:
        json.loads(text, parse_constant=_not_finite, parse_int=numbers.append, parse_float=numbers.append)  # noqa: TID251  # diagnosis only
    except _NotFiniteError:
        return "not_finite"
    except RecursionError:
        return "too_deep"
    except ValueError:
        return "invalid_json"
    return "number_out_of_range" if any(map(_infinite, numbers)) else "lone_surrogate"


def _infinite(number: str) -> bool:
    return float(number) in {float("inf"), float("-inf")}


@dataclass(slots=True)
class _Frame:
    """One open array or object while looking for the member at fault."""

    is_object: bool
    at_key: bool
    index: int = 0
    key: str = ""
    keys: set[str] = field(default_factory=set)

    def token(self) -> str:
        return escape(self.key) if self.is_object else str(self.index)


def _problems(data: bytes, max_depth: int) -> Iterator[tuple[str, str]]:
    """The problems of a text that orjson accepts, as (code, pointer), in order. Nothing for a large text."""
    if len(data) > _LOCATE_MAX_BYTES:
        return
    stack: list[_Frame] = []
    for token in _TOKEN.findall(data):
        if token in {b"{", b"["}:
            if len(stack) >= max_depth:
                yield "too_deep", _path(stack)
                return
            stack.append(_Frame(token == b"{", token == b"{"))
        elif token in {b"}", b"]"}:
            stack.pop()
        elif stack:
            yield from _in_frame(stack, token)


def _in_frame(stack: list[_Frame], token: bytes) -> Iterator[tuple[str, str]]:
    frame = stack[-1]
    if token == b",":
        frame.at_key, frame.index = frame.is_object, frame.index + 1
    elif token == b":":
        frame.at_key = False
    elif frame.at_key:
        frame.key = orjson.loads(token)
        if frame.key in frame.keys:
            yield "duplicate_key", _path(stack)
        frame.keys.add(frame.key)
    elif _LONG_INTEGER.fullmatch(token) and _too_big(token):
        yield "number_out_of_range", _path(stack)


def _path(stack: list[_Frame]) -> str:
    return "".join("/" + frame.token() for frame in stack)
