"""Values stay findable in every disguise, and honest text in any script raises nothing."""

from __future__ import annotations

from functools import cache

import pytest

from helpers.benign import BENIGN
from helpers.detectors import codes, engine, pii, secrets
from helpers.disguises import DISGUISES, LETTER_DISGUISES
from helpers.sample_detectors import Recorder, streamed, whole
from yett.obfuscation import DETECTORS
from yett.scan import ScanEngine

VALUES = {
    "email": "john.doe@example.com",
    "email with digits": "anna_k.42@mail.example.org",
    "card": "4111 1111 1111 1111",
    "card with dashes": "5500-0000-0000-0004",
    "card in one": "378282246310005",
    "iban": "DE89 3704 0044 0532 0130 00",
    "iban in one": "GB82WEST12345698765432",
    "ssn": "536-90-4399",
    "phone": "+1 (212) 555-0175",
    "phone abroad": "+44 20 7946 0958",
    "aws": "AKIAQ3EGVJ7M2SXKDLPT",
    "github": "ghp_a8Kd03jLmQ7zR2xVb6Nc9TfWy4Hs1PuE5Gi7",
}
LETTERS_DO_NOT_MATTER = ("email", "card", "card with dashes", "card in one", "ssn", "phone", "phone abroad")


@cache
def scanner() -> ScanEngine:
    return engine([*pii(), *secrets(), *DETECTORS])


def message(value: str) -> str:
    return f"Please note it down: {value} and thank you."


@cache
def plain(name: str) -> frozenset[str]:
    return frozenset(codes(scanner(), message(VALUES[name])))


@pytest.mark.parametrize("name", VALUES)
def test_the_plain_values_are_found(name: str) -> None:
    assert plain(name)


@pytest.mark.parametrize("disguise", DISGUISES)
def test_disguised_values_are_found(disguise: str) -> None:
    texts = {name: message(DISGUISES[disguise](value)) for name, value in VALUES.items()}
    missed = [name for name, text in texts.items() if not plain(name) <= set(codes(scanner(), text))]
    assert len(missed) <= len(VALUES) // 10, missed


@pytest.mark.parametrize("disguise", LETTER_DISGUISES)
def test_values_whose_letters_do_not_matter(disguise: str) -> None:
    write = LETTER_DISGUISES[disguise]
    missed = [n for n in LETTERS_DO_NOT_MATTER if not plain(n) <= set(codes(scanner(), message(write(VALUES[n]))))]
    assert missed == []


@pytest.mark.parametrize("disguise", DISGUISES)
def test_the_disguised_value_is_gone_after_redaction(disguise: str) -> None:
    text = message(DISGUISES[disguise](VALUES["email"]))
    shown, edits, _ = whole(scanner(), text, Recorder(), {})
    assert edits
    left = "".join(c for c in shown if c.isascii() and c.isalnum())
    assert "johndoe" not in left
    assert shown.startswith("Please note it down: ")
    assert shown.endswith(" and thank you.")


@pytest.mark.parametrize("name", BENIGN)
def test_honest_text_raises_nothing(name: str) -> None:
    assert codes(scanner(), BENIGN[name]) == {}
    assert streamed(scanner(), list(BENIGN[name]), Recorder(), {}) == (BENIGN[name], (), None)
