"""The `presidio` pack: Presidio's own data under our codes."""

from __future__ import annotations

import pytest

from helpers.detectors import CACHE, codes, engine, pii
from yett.scan import ScanEngine
from yett_plugins import presidio
from yett_plugins.pii_presidio import leading_groups


@pytest.fixture(scope="module")
def scanner() -> ScanEngine:
    return engine(pii("presidio"))


def test_patterns_scores_and_words_are_presidios() -> None:
    data = presidio.load(CACHE)
    card = next(d for d in pii("presidio") if d.code == "pii.credit_card")
    theirs = data.recognizers["CreditCardRecognizer"]
    assert [(p.name, p.regex, p.score) for p in card.patterns] == [(p.name, p.regex, p.score) for p in theirs.patterns]
    assert "cc" in card.context
    assert "credit" in card.context


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada@example.com", {"pii.email": ["ada@example.com"]}),
        ("ada@example.invalidtld", {}),
        ("4111111111111111", {"pii.credit_card": ["4111111111111111"]}),
        ("IBAN DE89370400440532013000 2 days", {"pii.iban": ["DE89370400440532013000"]}),
        ("10.1.2.3", {"pii.ip": ["10.1.2.3"]}),
        ("219-09-9999", {"pii.us_ssn": ["219-09-9999"]}),
        ("078-05-1120", {}),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", {"pii.crypto": ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_it_finds(scanner: ScanEngine, text: str, expected: dict[str, list[str]]) -> None:
    assert codes(scanner, text) == expected


@pytest.mark.parametrize(
    ("regex", "forms"),
    [
        ("a(b)(c)d", ("a(b)(c)d", "a((b))(c)d")),
        (r"(?<!x)(a(b))(\)c)(d)", (r"(?<!x)(a(b))(\)c)(d)", r"(?<!x)((a(b))(\)c))(d)", r"(?<!x)((a(b)))(\)c)(d)")),
        ("abc", ("abc",)),
    ],
)
def test_leading_groups(regex: str, forms: tuple[str, ...]) -> None:
    assert leading_groups(regex) == forms
