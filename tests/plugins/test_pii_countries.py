"""The table of Presidio's recognisers: complete, true to the package, and what countries and names switch on."""

from __future__ import annotations

from collections import Counter

import pytest

from helpers.detectors import CACHE, CHECKOUT
from yett_plugins import presidio
from yett_plugins.pii_countries import Trust, countries, entries, wanted

GENERIC = {"EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "IP_ADDRESS", "CRYPTO", "MAC_ADDRESS"}


def test_every_pattern_recogniser_of_presidio_has_a_line_that_says_the_same() -> None:
    theirs = {name: (one.entity, one.country) for name, one in presidio.load(CACHE).recognizers.items()}
    assert {entry.recognizer: (entry.entity, entry.country) for entry in entries()} == theirs


def test_the_docs_have_a_line_for_each() -> None:
    text = (CHECKOUT / "docs" / "pii.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    for entry in entries():
        about = [line for line in lines if f"`{entry.entity}`" in line]
        assert about, entry.entity
        assert any("*by name*" in line for line in about) is entry.named, entry.entity


def test_entities_codes_and_words_are_unique() -> None:
    for key in ("recognizer", "entity", "code", "word"):
        assert [value for value, count in Counter(getattr(e, key) for e in entries()).items() if count > 1] == []


def test_codes_and_words_fit_findings_and_pseudonyms() -> None:
    assert {e.code for e in entries() if e.entity == "IBAN_CODE"} == {"pii.iban"}
    assert all(2 <= len(e.word) <= 31 and e.word.replace("_", "").isalnum() for e in entries())


@pytest.mark.parametrize(
    ("where", "named", "expected"),
    [
        pytest.param((), (), GENERIC, id="no country"),
        pytest.param(("pl",), (), GENERIC | {"PL_PESEL"}, id="one country"),
        pytest.param(("ca",), (), GENERIC | {"CA_SIN"}, id="noisy ones stay off"),
        pytest.param(("ca",), ("CA_POSTAL_CODE",), GENERIC | {"CA_SIN", "CA_POSTAL_CODE"}, id="until they are named"),
        pytest.param((), ("DE_TAX_ID", "URL"), GENERIC | {"DE_TAX_ID", "URL"}, id="names without their country"),
    ],
)
def test_what_is_switched_on(where: tuple[str, ...], named: tuple[str, ...], expected: set[str]) -> None:
    assert {entry.entity for entry in wanted(where, named)} == expected


def test_there_are_eighteen_countries() -> None:
    assert sorted(countries()) == (
        "au ca de es fi in it kr ng ph pl se sg th tr uk us za".split()  # noqa: SIM905
    )


def test_what_has_neither_check_nor_telling_shape_needs_context_or_its_name() -> None:
    credulous = {
        e.entity for e in entries() if e.check is None and e.trust is Trust.SHAPE and not e.named and e.country
    }
    assert credulous == {
        *("US_ITIN", "DE_HANDELSREGISTER", "DE_TAX_NUMBER", "UK_NINO", "IN_PAN", "SG_NRIC_FIN", "PH_UMID"),
        "IN_VEHICLE_REGISTRATION",
    }
