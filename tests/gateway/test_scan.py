"""The scan engine: what it finds, what it refuses to load, what it remembers."""

from __future__ import annotations

import asyncio

import pytest

from helpers.sample_detectors import ALL, AWS, CARD, EMAIL, detector, refused
from yett.errors import ConfigError, Unavailable
from yett.scan import ScanEngine

ENGINE = ScanEngine(ALL)
PROSE = "It was a bright cold day in April, and the clocks were striking thirteen. "


def found(text: str, engine: ScanEngine = ENGINE) -> list[tuple[str, str]]:
    return [(span.detector.name, text[span.start : span.end]) for span in engine.scan(text)]


FOUND = {
    "nothing": (PROSE, []),
    "empty": ("", []),
    "e-mail": ("write to john.doe@example.com.", [("email", "john.doe@example.com")]),
    "card with Luhn": ("4111-1111-1111-1111", [("card", "4111-1111-1111-1111"), ("phone", "4111-1111-1111-1111")]),
    "card without Luhn": ("4111111111111112.5", [("phone", "4111111111111112")]),
    "by position, then name": ("SSN 536-90-4399", [("phone", "536-90-4399"), ("ssn", "536-90-4399")]),
    "fullwidth": ("\uff41@\uff42.co", [("email", "\uff41@\uff42.co")]),
    "zero width inside": ("a\u200bx@b.c\u00ado", [("email", "a\u200bx@b.c\u00ado")]),
    "zero width around": ("\u200ba@b.co\u200b ", [("email", "a@b.co")]),
    "ligature at the edge": ("\ufb01@b.co", [("email", "\ufb01@b.co")]),
    "accents are no word characters": ("\u00e9AKIAIOSFODNN7EXAMPLE\u00e9", [("aws", "AKIAIOSFODNN7EXAMPLE")]),
    "pseudonyms are no findings": ("<EMAIL_q7k2xm4p>", []),
}


@pytest.mark.parametrize(("text", "expected"), FOUND.values(), ids=FOUND)
def test_scan(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_scan_all_is_scan_of_each() -> None:
    texts = [text for text, _ in FOUND.values()] + [PROSE * 300 + "a@b.co"]
    once = ScanEngine(ALL).scan_all(texts)
    assert once == [ENGINE.scan(text) for text in texts]
    assert ScanEngine(ALL).scan_all(texts[:3]) == once[:3]
    assert ENGINE.scan_all([]) == []


def test_texts_scanned_together_do_not_join() -> None:
    assert ScanEngine(ALL).scan_all(["a@b.", "co", "AKIAIOSF", "ODNN7EXAMPLE"]) == [(), (), (), ()]


def test_long_texts_are_scanned_in_slices_alike() -> None:
    text = (PROSE * 40 + "a@b.co 536-90-4399\n") * 12 + "x" * 16_380 + " 4111 1111 1111 1111 " + PROSE * 100
    spans = ENGINE.scan(text)
    assert [text[s.start : s.end] for s in spans].count("a@b.co") == 12
    assert "4111 1111 1111 1111" in [text[s.start : s.end] for s in spans]


async def test_scan_async_lets_others_run() -> None:
    text = (PROSE + "a@b.co ") * 2000
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    engine = ScanEngine(ALL)
    spans = await engine.scan_async(text)
    other.cancel()
    assert turns >= len(text) // (16 * 1024)
    assert spans == ENGINE.scan(text)
    assert await engine.scan_async(text) is engine.scan(text)


def test_results_are_remembered_and_forgotten() -> None:
    engine = ScanEngine([EMAIL], cache_entries=4)
    first = engine.scan("a@b.co 0")
    assert engine.scan("a@b.co 0") is first
    for number in range(1, 8):
        engine.scan(f"a@b.co {number}")
    assert engine.scan("a@b.co 0") is not first
    assert len(engine._cache._new) + len(engine._cache._old) <= 4


def test_long_texts_are_remembered_by_digest() -> None:
    engine = ScanEngine([EMAIL])
    text = PROSE * 100 + "a@b.co"
    assert engine.scan(text) is engine.scan("".join(list(text)))
    assert all(len(key) <= 2048 for key in engine._cache._new)


def test_an_error_is_not_remembered() -> None:
    answers = iter((ValueError(), True))

    def check(text: str) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    engine = ScanEngine([detector("d", r"\d{3}", validator=check)])
    with pytest.raises(Unavailable):
        engine.scan("123")
    assert found("123", engine) == [("d", "123")]


def test_an_engine_without_detectors_finds_nothing() -> None:
    engine = ScanEngine([])
    assert engine.scan_all(["a@b.co", "x"]) == [(), ()]
    assert engine.names == ()


REFUSED = {
    "not local": (detector("d", r"ok", r"(a)\1"), "detector d, pattern d1: it refers back"),
    "regex syntax": (detector("d", r"a(?<!b+?)c"), "detector d, pattern d0"),
    "group": (detector("d", r"ab", group=1), "no group 1"),
    "longest match of nothing": (detector("d", r"ab", max_len=0), "max_len"),
    "longest match too long": (detector("d", r"ab", max_len=1 << 20), "max_len"),
    "hit not found": (detector("d", r"ab", hit=("ab", "x secret")), "detector d, hit example 2 is not found"),
    "miss found": (detector("d", r"ab", miss=("x ab",)), "detector d, miss example 1 is found"),
    "hit too weak": (detector("d", r"ab", score=0.1, hit=("ab",)), "hit example 1 is not found"),
    "failing validator": (detector("d", r"ab", hit=("ab",), validator=lambda t: 1 / 0 > 1), "hit example 1"),
}


@pytest.mark.parametrize(("wrong", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(wrong: object, reason: str) -> None:
    message = refused(EMAIL, wrong)
    assert reason in message
    assert "secret" not in message


def test_two_detectors_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 detectors are named email"):
        ScanEngine([EMAIL, EMAIL])


def test_the_digest_names_the_rules() -> None:
    digests = {ScanEngine(some).digest for some in ((EMAIL,), (CARD,), (EMAIL, CARD), (CARD, EMAIL), (AWS,), ())}
    assert len(digests) == 6
    assert ScanEngine([EMAIL]).digest == ScanEngine([EMAIL]).digest
