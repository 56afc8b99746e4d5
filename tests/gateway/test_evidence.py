"""What a match is worth: validator first, then context words, each answer asked for once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.sample_detectors import detector
from yett.errors import Unavailable
from yett.evidence import Evidence

PIN = Evidence(detector("d", r"\d{3}", context=("pin", "PIN code", "clé", "d.o.b"), context_chars=16))

ANNOUNCED = {
    "before it": ("pin 123", True),
    "in capitals": ("PIN: 123", True),
    "right before it": ("pin123", True),
    "two words": ("Pin Code is 123", True),
    "with dots": ("D.O.B 123", True),
    "a dot is a dot": ("dxoxb 123", False),
    "inside a word": ("spin 123", False),
    "beginning of a word": ("pins 123", False),
    "beside an underscore": ("my_pin 123", False),
    "too far": ("pin ............ 123", False),
    "just near enough": ("pin ........... 123", True),
    "cut by the edge": ("spin ........... 123", False),
    "behind it": ("123 pin", False),
    "nothing before it": ("123", False),
    "beyond ASCII": ("la clé: 123", True),
    "beyond ASCII, in capitals": ("CLÉ 123", True),
    "beside a letter beyond ASCII": ("épin 123", False),
    "a question mark is no letter": ("cl? 123", False),
}


@pytest.mark.parametrize(("text", "announced"), ANNOUNCED.values(), ids=ANNOUNCED)
def test_context_words(text: str, announced: bool) -> None:
    at = text.index("123")
    assert PIN.score(0.6, text, at, at + 3, at) == pytest.approx(0.95 if announced else 0.6)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.text("pinPIN code.dob_-\n\u00e9\u0131\u017f?", max_size=24))
def test_ascii_and_other_text_are_read_alike(before: str) -> None:
    """RE2 answers for ASCII, `re` for the rest: on ASCII both say the same."""
    assert PIN._words is not None
    found = PIN._words.search(before, max(0, len(before) - 16), len(before))
    assert PIN._announced(before + "123", len(before)) is (found is not None)


SCORES = {
    "certain": (True, 0.1, 1.0),
    "refused": (False, 0.9, None),
    "perhaps": (None, 0.5, 0.5),
    "perhaps, and too weak": (None, 0.3, None),
}


@pytest.mark.parametrize(("answer", "score", "expected"), SCORES.values(), ids=SCORES)
def test_validator(answer: bool | None, score: float, expected: float | None) -> None:
    assert Evidence(detector("d", "x", validator=lambda _: answer)).score(score, "a", 0, 1, 0) == expected


def test_each_text_is_validated_once_and_memory_is_bounded() -> None:
    asked: list[str] = []

    def check(text: str) -> bool:
        asked.append(text)
        return True

    evidence = Evidence(detector("d", "x", validator=check))
    for _ in range(3):
        assert evidence.score(0.1, "a-b", 0, 1, 0) == 1.0
    assert asked == ["a"]
    for number in range(3000):
        text = str(number)
        evidence.score(0.1, text, 0, len(text), 0)
    assert len(asked) == 3001
    assert len(evidence._known) <= 1024
    for _ in range(2):
        evidence.score(0.1, "y" * 4000, 0, 4000, 0)
    assert asked[-2:] == ["y" * 4000] * 2


def test_a_failure_is_not_remembered() -> None:
    answers = iter((ValueError("secret"), True))

    def check(_: str) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    evidence = Evidence(detector("d", "x", validator=check))
    with pytest.raises(Unavailable, match="validator of d failed") as caught:
        evidence.score(0.5, "a", 0, 1, 0)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert evidence.score(0.5, "a", 0, 1, 0) == 1.0


def test_context_that_cannot_lift_a_score_over_the_least_is_not_looked_for() -> None:
    strict = Evidence(detector("d", "x", context=("pin",), min_score=0.9))
    assert strict.score(0.5, "pin x", 4, 5, 4) is None
    assert strict.score(0.6, "pin x", 4, 5, 4) == pytest.approx(0.95)
