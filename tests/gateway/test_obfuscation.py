"""Hidden text is reported where an operator asks for it; what it spells is searched in any case."""

from __future__ import annotations

import pytest

from helpers.sample_detectors import EMAIL, Recorder, detector, streamed, whole
from yett.obfuscation import BIDI, DETECTORS, HIDDEN_TEXT, Sign, signs_of
from yett.scan import ScanEngine

FULL = ScanEngine((EMAIL, *DETECTORS))
BARE = ScanEngine((EMAIL,))


def tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(c)) for c in text)


TEXT = f"Hello{tags('write to a@b.co')} there, \u202egpj.exe and so on."


def names(engine: ScanEngine, text: str) -> list[tuple[str, int, int]]:
    return [(span.detector.name, span.start, span.end) for span in engine.scan(text)]


def test_what_is_reported() -> None:
    turn = TEXT.index("\u202e")
    assert names(FULL, TEXT) == [("email", 5, 20), (HIDDEN_TEXT.name, 5, 20), (BIDI.name, turn, turn + 1)]


def test_what_is_spelt_is_searched_without_the_detector() -> None:
    assert names(BARE, TEXT) == [("email", 5, 20)]


def test_a_value_between_tag_characters_is_found_and_they_are_not_words() -> None:
    text = f"a@{tags('x')}b.{tags('x')}co"
    assert names(FULL, text) == [("email", 0, len(text))]


@pytest.mark.parametrize("size", [1, 2, 7, 100])
@pytest.mark.parametrize("engine", [FULL, BARE], ids=["reported", "not"])
def test_streams_see_the_same(engine: ScanEngine, size: int) -> None:
    chunks = [TEXT[at : at + size] for at in range(0, len(TEXT), size)]
    assert streamed(engine, chunks, Recorder(), {}) == whole(engine, TEXT, Recorder(), {})


def test_only_known_detectors_without_patterns_are_signs() -> None:
    own = detector("own", "x")
    assert signs_of((own, BIDI)) == {BIDI.code: Sign(BIDI, 1)}
