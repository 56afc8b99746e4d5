"""The second reading of a stream begins where it may differ and ends where it no longer does."""

from __future__ import annotations

import random

import pytest

from helpers.disguises import DISGUISES
from helpers.sample_detectors import ALL, EMAIL, Recorder, chunks_of, detector, streamed, whole
from yett.lanes import Lanes
from yett.obfuscation import Signs
from yett.scan import ScanEngine

ENGINE = ScanEngine(ALL)


def lanes() -> Lanes:
    return Lanes(ENGINE.rules, Signs(ENGINE.rules))


def test_plain_text_is_read_once() -> None:
    one = lanes()
    for word in ("some ", "words, ", "all ", "plain. "):
        one.feed(word)
        one.forget(one.limit)
        assert one._read is None


def test_what_only_might_become_a_sequence_waits_for_one_character_more() -> None:
    one = lanes()
    one.feed("save it %")
    assert one.limit == len("save it ")
    assert one._read is not None
    one.feed(" of it ")
    one.forget(one.limit)
    assert one._read is None
    assert one.limit == len("save it % of it ")


def test_the_second_reading_ends_some_text_after_the_last_sequence() -> None:
    one = lanes()
    one.feed("a%20b ")
    one.forget(one.limit)
    assert one._read is not None
    for _ in range(60):
        one.feed("plain words, ")
        one.forget(one.limit)
    assert one._read is None


def test_a_value_that_ends_in_a_sequence_is_not_let_go() -> None:
    one = lanes()
    one.feed("mail john&")
    assert one.limit == len("mail ")
    hits = one.feed("#64;corp.example ")
    assert [(hit.rule.detector.name, hit.start, hit.end) for hit in hits] == [
        ("email", 5, len("mail john&#64;corp.example"))
    ]


@pytest.mark.parametrize("name", DISGUISES)
def test_streams_see_what_whole_texts_show(name: str) -> None:
    rng = random.Random(name)
    engine = ScanEngine((EMAIL, detector("number", r"\b\d{4}(?: \d{4}){3}\b")))
    text = (
        f"Write to {DISGUISES[name]('john.doe@example.com')} or pay {DISGUISES[name]('4111 1111 1111 1111')}, please. "
    )
    expected = whole(engine, text * 3, Recorder(), {})
    assert len(expected[1]) >= 3
    for _ in range(6):
        assert streamed(engine, chunks_of(rng, text * 3), Recorder(), {}) == expected
