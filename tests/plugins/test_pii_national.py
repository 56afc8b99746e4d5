"""National numbers in the `yett` pack: found with their groupings and words, left alone without."""

from __future__ import annotations

import pytest

from helpers.detectors import CACHE, codes, engine, pii
from helpers.regex_samples import samples
from yett.scan import ScanEngine
from yett_plugins import presidio
from yett_plugins.pii_countries import countries, entries
from yett_plugins.pii_presidio import checked

ALL = tuple(sorted(countries()))


@pytest.fixture(scope="module")
def scanner() -> ScanEngine:
    return engine(pii(countries=ALL))


ALONE = {
    "DE_TAX_ID": ("36574261809", "36 574 261 809"),
    "DE_VAT_ID": ("DE136695976",),
    "DE_SOCIAL_SECURITY": ("65170839J003", "65 170839 J 003"),
    "ES_NIF": ("54362315K", "54.362.315-K"),
    "ES_NIE": ("X2482300W", "X-2482300-W"),
    "FI_PERSONAL_IDENTITY_CODE": ("131052-308T",),
    "IT_FISCAL_CODE": ("RCCMNL83S18D969H", "rccmnl83s18d969h"),
    "PL_PESEL": ("44051401359",),
    "SE_PERSONNUMMER": ("880320-0016", "19880320-0016"),
    "TR_NATIONAL_ID": ("17291716060",),
    "UK_NHS": ("943 476 5870", "943-476-5870"),
    "UK_NINO": ("AB 12 34 56 C", "ab123456c", "AB-12-34-56-C"),
    "IN_AADHAAR": ("2341 2341 2346",),
    "IN_PAN": ("ABCPE1234F",),
    "KR_RRN": ("960121-1234561", "960121-1234567"),
    "CA_SIN": ("123-456-782", "123 456 782"),
    "DE_TAX_NUMBER": ("151/815/08156",),
    "SG_NRIC_FIN": ("S1234567D",),
    "SG_UEN": ("T01FC6132D",),
    "TH_TNIN": ("1-2345-45678-78-1",),
    "AU_ABN": ("51 824 753 556", "51824753556"),
    "AU_MEDICARE": ("2123 45670 1",),
    "ZA_ID_NUMBER": ("7503305044089", "750330 5044 089"),
}
NEAR_WORDS = {
    "UK_NHS": "NHS number 9434765870",
    "AU_TFN": "TFN: 123 456 782",
    "AU_ACN": "ACN 004 085 616",
    "IN_AADHAAR": "aadhaar 234123412346",
    "IN_VOTER": "voter id ABC1234567",
    "DE_KFZ": "Kennzeichen B-AB 1234",
    "DE_PASSPORT": "Reisepass C01X00T41",
    "UK_PASSPORT": "passport AB1234567",
    "TH_TNIN": "TNIN 1234545678781",
    "US_ITIN": "ITIN 911701234",
    "CA_SIN": "SIN 123456782",
    "DE_TAX_NUMBER": "Steuernummer 1121081508150",
    "KR_RRN": "RRN 9601211234567",
    "US_DRIVER_LICENSE": "driver's license number F255-9215-0094",
    "US_PASSPORT": "my passport is A12345678",
    "US_BANK_NUMBER": "acct 123456789012",
}
CASES = [(entity, text) for entity, texts in ALONE.items() for text in texts]


@pytest.mark.parametrize(("entity", "text"), CASES, ids=[f"{entity} {text}" for entity, text in CASES])
def test_found_with_nothing_around(scanner: ScanEngine, entity: str, text: str) -> None:
    code = next(entry.code for entry in entries() if entry.entity == entity)
    assert codes(scanner, f"it is {text}, yes").get(code) == [text]


@pytest.mark.parametrize("entity", NEAR_WORDS)
def test_found_near_its_word_only(scanner: ScanEngine, entity: str) -> None:
    code = next(entry.code for entry in entries() if entry.entity == entity)
    text = NEAR_WORDS[entity]
    (number,) = codes(scanner, text)[code]
    assert text.endswith(number)
    assert code not in codes(scanner, f"we got {number} of them")


CLEAN = (
    *("order 9434765871", "1700000000123", "sum 1609459200000 ms", "page 123 456 789", "12345678", "call ABC123DE"),
    *(
        "550e8400-e29b-41d4-a716-446655440000",
        "x = 44051401359.5",
        "2024/123456/07/1",
        "The AB 12 rule",
        "level 234567",
    ),
    *("v1.44051401359", "sha 36574261809abc", "0x36574261809", "DE123", "commit a1b2c3d4", "HRA", "ISO 9001 2015"),
)


@pytest.mark.parametrize("text", CLEAN)
def test_other_numbers_are_left_alone(scanner: ScanEngine, text: str) -> None:
    assert codes(scanner, text) == {}


def test_the_domain_of_an_address_is_no_url_of_its_own() -> None:
    scanner = engine(pii(entities=("URL",)))
    assert codes(scanner, "ada@mail.example.com") == {"pii.email": ["ada@mail.example.com"]}
    assert codes(scanner, "see www.example.com/a?b=1") == {"pii.url": ["www.example.com/a?b=1"]}


@pytest.mark.proof
def test_every_example_holds_whole_and_streamed() -> None:
    detectors = pii(countries=ALL, entities=tuple(entry.entity for entry in entries()))
    assert len(ScanEngine(detectors).names) == len(entries()) + 3


HOSTILE = {
    "digits": "1" * 20_000,
    "groups": "123 456 " * 2_500,
    "letters": "AB" * 10_000,
    "short words": "AB C " * 4_000,
    "labels": "claim number " * 1_500,
    "slashes": "12/345/" * 3_000,
    "dots": "a." * 10_000,
}


def test_hostile_text_costs_time_in_proportion() -> None:
    """A search that runs out of its time raises `guard_failed`; none may."""
    scanner = engine(pii(countries=ALL, entities=tuple(entry.entity for entry in entries())))
    assert [isinstance(scanner.scan(text), tuple) for text in HOSTILE.values()] == [True] * len(HOSTILE)


@pytest.mark.proof
def test_numbers_of_every_kind_stream_as_they_scan() -> None:
    data = presidio.load(CACHE)
    scanner = engine(pii(countries=ALL, entities=tuple(entry.entity for entry in entries())))
    found = 0
    for entry in entries():
        drawn = [s for pattern in checked(data, entry).patterns for s in samples(pattern.regex, 3, entry.entity)]
        text = f"{next(iter(data.recognizers[entry.recognizer].words), '')}: {' or '.join(drawn)} ."
        assert scanner._stream(text) == scanner.scan(text), entry.entity
        found += len(scanner.scan(text))
    assert found > 200
