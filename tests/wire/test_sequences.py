r"""Sequences that stand for a character: what they stand for, and what may still become one."""

from __future__ import annotations

import re

import pytest

from yett.wire.sequences import OPEN, SEQUENCE, has_sequences, may_have_sequences, read

READ = {
    "percent": ("%40", "@"),
    "percent twice": ("%2540", "@"),
    "percent four times": ("%25252540", "@"),
    "percent of UTF-8": ("%e2%82%ac", "\u20ac"),
    "percent of UTF-8 twice": ("%25F0%259F%2598%2580", "\U0001f600"),
    "percent, overlong": ("%c1%80", "\ufffd\ufffd"),
    "json": ("\\u0040", "@"),
    "json in json": ("\\\\u0040", "@"),
    "json pair": ("\\ud83d\\ude00", "\U0001f600"),
    "json half a pair": ("\\ud83d", "?"),
    "json short": ("\\n", "\n"),
    "javascript": ("\\u{1F600}", "\U0001f600"),
    "javascript, beyond Unicode": ("\\u{FFFFFF}", "?"),
    "python": ("\\U0001F600", "\U0001f600"),
    "c": ("\\x41", "A"),
    "markdown": ("\\_", "_"),
    "html decimal": ("&#64;", "@"),
    "html without semicolon": ("&#64", "@"),
    "html hexadecimal": ("&#x40;", "@"),
    "html twice": ("&amp;#64;", "@"),
    "html name": ("&commat;", "@"),
    "html name of nothing": ("&nothing;", "&nothing;"),
    "html, a surrogate": ("&#xd800;", "?"),
    "html, beyond Unicode": ("&#99999999;", "?"),
    "html, the ampersand itself": ("&amp;", "&"),
    "terminal colour": ("\x1b[1;31m", ""),
    "terminal link": ("\x1b]8;;https://x.example\x1b\\", ""),
}


@pytest.mark.parametrize(("text", "expected"), READ.values(), ids=READ)
def test_read(text: str, expected: str) -> None:
    assert has_sequences(text)
    found = re.fullmatch(SEQUENCE, text)
    assert found is not None
    assert read(text) == expected


@pytest.mark.parametrize(
    "text", ["", "a", "100%", "%zz", "%e2%zz", "AT&T", "a & b", "\\", "\\q", "\x1b", "\x1bA", "\x1b[4111"]
)
def test_what_is_none(text: str) -> None:
    assert not has_sequences(text)


@pytest.mark.parametrize(("text", "_"), READ.values(), ids=READ)
def test_every_beginning_of_a_sequence_waits(text: str, _: str) -> None:
    for end in range(1, len(text)):
        assert re.search(OPEN, text[:end]) is not None, text[:end]
        assert may_have_sequences(text[:end])


def test_waiting_is_bounded() -> None:
    for text in ("%41" * 100, "&amp;" * 100, "\\" * 100, "\\u{" + "0" * 100, "\x1b]" + "x" * 2000, "\x1b[" + "1" * 200):
        found = re.search(OPEN, text)
        assert found is None or len(text) - found.start() <= 1100
