"""The `presidio` pack: Presidio's own data under our codes."""

from __future__ import annotations

import pytest

from helpers.detectors import CACHE, codes, engine, pii
from yett.scan import ScanEngine
from yett_plugins import presidio
from yett_plugins.pii_countries import countries, entries
from yett_plugins.pii_presidio import expanded, leading_groups, local_forms


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
        pytest.param(r"\ba([:-])b\1c", (r"\ba(:)b:c", r"\ba(\-)b\-c"), id="a reference back to one of two signs"),
        pytest.param(r"\b(?i)(a)", (r"\b(a)",), id="a flag inside"),
        pytest.param(r"(?<=a\s*b\s+)c\s*", (r"(?<=a\s{0,4}b\s{1,4})c\s*",), id="endless behind, not elsewhere"),
        pytest.param(r"(?=.*?\d)(?=[A-Z\*]*x)\w+", (r"(?s)(?=.{0,20}?\d)(?=[A-Z\*]{0,20}x)\w+",), id="endless ahead"),
        pytest.param(r"(?:\s*:\s*|a+)b", (r"(?:\s*:\s*|a+)b",), id="a plain group"),
    ],
)
def test_local_forms(regex: str, forms: tuple[str, ...]) -> None:
    assert local_forms(regex) == forms


def test_users_patterns_are_not_given_another_meaning() -> None:
    assert expanded(r"(?=a*b)c", ignore_case=False) == (r"(?=a*b)c",)
    assert expanded(r"(?i)c", ignore_case=False) == (r"(?i)c",)


@pytest.mark.proof
def test_every_recogniser_compiles_and_finds_with_presidios_scores() -> None:
    everything = pii("presidio", countries=tuple(countries()), entities=tuple(e.entity for e in entries()))
    assert len(ScanEngine(everything).names) == len(entries()) + 3


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
