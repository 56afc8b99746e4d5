r"""A text with sequences is searched as it stands and as it is read."""

from __future__ import annotations

import pytest

from helpers.sample_detectors import ALL
from yett.reading import is_json, readings
from yett.scan import ScanEngine

ENGINE = ScanEngine(ALL)


def test_plain_text_has_one_reading() -> None:
    assert readings("a \uff42 c") == ["a b c"]


def test_a_text_with_sequences_has_two() -> None:
    assert readings("a%40b") == ["a%40b", "a@b"]


@pytest.mark.parametrize(
    ("text", "expected"), [('{"a": 1}', True), ("  [1]", True), ('"x"', True), ("x {", False), ("", False)]
)
def test_json(text: str, expected: bool) -> None:
    assert is_json(text) is expected


def found(text: str) -> list[tuple[str, str]]:
    return [(span.detector.name, text[span.start : span.end]) for span in ENGINE.scan(text)]


FOUND = {
    "read": ("to john%40corp.example now", [("email", "john%40corp.example")]),
    "as it stands": ("ftp://u:pa%2Fss@host now", [("url", "ftp://u:pa%2Fss@host")]),
    "one digit escaped": ("\\u0034111 1111 1111 1111", [("card", "\\u0034111 1111 1111 1111")]),
    "a line break before it": ('{"a": "x\\n4111 1111 1111 1111"}', [("card", "4111 1111 1111 1111")]),
    "json: an escape stays whole": ('{"a": "x\\nbob@corp.example"}', [("email", "bob@corp.example")]),
    "a path: nothing is left of it": ("C:\\new@corp.example", [("email", "new@corp.example")]),
    "coloured": ("4111 \x1b[31m1111\x1b[0m 1111 1111", [("card", "4111 \x1b[31m1111\x1b[0m 1111 1111")]),
    "in a terminal link": ("\x1b]8;;mailto:bob@corp.example\x07mail\x1b]8;;\x07", [("email", "bob@corp.example")]),
}


@pytest.mark.parametrize(("text", "expected"), FOUND.values(), ids=FOUND)
def test_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert [one for one in found(text) if one[0] in {name for name, _ in expected}] == expected
