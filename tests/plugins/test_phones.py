"""Phone numbers: every shape people write, and the numbers that only look like one."""

from __future__ import annotations

import random

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.detectors import codes, engine
from yett.scan import ScanEngine
from yett_plugins import phones
from yett_plugins.phones import DEFAULT_REGIONS, PhoneCheck, phone_detector
from yett_plugins.pii_checks import digits_of


@pytest.fixture(scope="module")
def scanner() -> ScanEngine:
    return engine([phone_detector(DEFAULT_REGIONS)])


ALONE = (
    *("+1 212 555 0175", "+1 (212) 555-0175", "1-212-555-0175", "(212) 555-0175", "212.555.0175", "+12125550175"),
    *("212-555-0175 x12", "212-555-0175 ext. 9", "001-212-555-0175", "+44 20 7946 0958", "+44 (0)20 7946 0958"),
    *("020 7946 0958", "07700 900123", "+49 30 901820", "030/901820", "0049 30 901820", "+33 1 23 45 67 89"),
    *("01 23 45 67 89", "01.23.45.67.89", "+91 98765 43210", "98765 43210", "+55 11 91234-5678", "+972-3-123-4567"),
    *("+46 (0)8 928 571 38", "tel:+4930901820", "(0351) 4910 1234", "+81 3-1234-5678"),
    *("+41 (0)98 454 74 85", "(+30) 6973 681930", "(0049) 30 901820", "(+1) 212-555-0175", "0465212472"),
    *("22 275 58 28", "612 34 56 78", "11 91234-5678", "8 (912) 345-67-89", "(351) 935736819", "44 20 7946 0958"),
    *("+44 20 7946 0958 extn 12", "030 901820 Durchwahl 7", "1 (995) 662-5465"),
)


@pytest.mark.parametrize("text", ALONE)
def test_found_without_context(scanner: ScanEngine, text: str) -> None:
    assert codes(scanner, f"it is {text}.") == {"pii.phone": [text.removeprefix("tel:")]}


WITH_CONTEXT = {
    "call 5552368110": "5552368110",
    "Phone: 451 5986": "451 5986",
    "my mobile is 72 128 827": "72 128 827",
    "WhatsApp 919876543210 please": "919876543210",
    "Rufnummer 9012 3456": "9012 3456",
    "My number is 416 60 039": "416 60 039",
    "Phone: 4515986": "4515986",
    '"phone_number": "9780993261"': "9780993261",
    "mobileNo=9780993261": "9780993261",
    "Handynummer 457 36 81": "457 36 81",
    "zadzwoń 222755828": "222755828",
    "позвоните мне 9123456789": "9123456789",
    "手机 13757368193": "13757368193",
    "전화번호는 821012345678": "821012345678",
    "φ: τηλ 2740 452 907": "2740 452 907",
}


@pytest.mark.parametrize("text", WITH_CONTEXT)
def test_context_finds_what_a_shape_alone_does_not(scanner: ScanEngine, text: str) -> None:
    assert codes(scanner, text) == {"pii.phone": [WITH_CONTEXT[text]]}
    assert codes(scanner, f"it is {WITH_CONTEXT[text]} then") == {}


@pytest.mark.parametrize(
    "text",
    [
        "61 51 81 numarasından",
        "61 51 81 office",
        "9761 9808-Fax",
        "2813882583 mobile",
        "9320 7126 (home)",
        "(44) 123-456-Office",
    ],
)
def test_a_label_behind_the_number_is_context_too(scanner: ScanEngine, text: str) -> None:
    assert list(codes(scanner, text)) == ["pii.phone"]


NOT_PHONES = (
    *("expires 08/2025", "valid 04/25/01 to 05/25/01", "nj 08003-1128", "mobile al 36695-9444", "lots 9208-9214"),
    *("100 200 300", "12 345 678 items", "data 23 45 12 67", "ISBN 0306406152", "id 0987654321", "row 57 309 547"),
    *(
        "DE89 3704 0044 0532 0130 00",
        "nl84 xfqw 0690 3200 59",
        "NL10-EVBI-0222-1738-03",
        "text 24/7",
        "call 1234567 times",
        "номер заказа 12345678",
    ),
    *("account number is 22-333-444", "order number: 123-456-78"),
    *("call on 2024-03-01", "call 2024-03-01 10:30", "call 20240301", "text 12.03.2024", "phone 192.168.100.200"),
    *("call 550e8400-e29b-41d4-a716-446655440000", "phone SSN 219-09-9999", "contact 4111 1111 1111 1111"),
    *("call 1700000000", "text 1700000000123", "contact 1111111111", "call 3.14159265358979", "call f(1234567)"),
    *(
        "call abc1234567890",
        "reach v10.12.20.30",
        "message 00:11:22:33:44:55",
        "text (2019) 2020-2021",
        "call -1234567890.5",
    ),
)


@pytest.mark.parametrize("text", NOT_PHONES)
def test_context_does_not_make_other_numbers_phones(scanner: ScanEngine, text: str) -> None:
    assert codes(scanner, text) == {}


@pytest.mark.parametrize(
    "region", ["US", "GB", "DE", "FR", "IN", "BR", "IL", "JP", "ZA", "PL", "ES", "IT", "AU", "MX", "NG"]
)
def test_international_numbers_of_every_country(scanner: ScanEngine, region: str) -> None:
    example = phonenumbers.example_number(region)
    for form in (phonenumbers.PhoneNumberFormat.INTERNATIONAL, phonenumbers.PhoneNumberFormat.E164):
        text = phonenumbers.format_number(example, form)
        assert codes(scanner, f"it is {text} there") == {"pii.phone": [text]}


def test_only_numbers_that_can_be_dialled_are_certain(scanner: ScanEngine) -> None:
    assert [span.score for span in scanner.scan("+1 212 555 0175")] == [1.0]
    assert [span.score for span in scanner.scan("+44 1 2345 678")] == [0.5]  # no British number is so short
    assert [span.score for span in scanner.scan("166-684-7899")] == [0.5]


def test_what_is_plainly_assigned_is_valid_to_phonenumbers() -> None:
    """Examples of every country, as they stand and with digits changed, added and dropped."""
    rng, accepted = random.Random(1), 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        example = phonenumbers.format_number(
            phonenumbers.example_number(region), phonenumbers.PhoneNumberFormat.INTERNATIONAL
        )
        for number in (example, *(_changed(rng, example) for _ in range(6))):
            if phones._plainly_assigned(digits_of(number).decode(), phones.INTERNATIONAL):
                accepted += 1
                assert phonenumbers.is_valid_number(phonenumbers.parse(number)), number
    for _ in range(1000):
        number = f"({rng.randrange(1000):03}) {rng.randrange(1000):03}-{rng.randrange(10000):04}"
        if phones._plainly_assigned(digits_of(number).decode(), "US"):
            accepted += 1
            assert phonenumbers.is_valid_number(phonenumbers.parse(number, "US")), number
    assert accepted > 700


def _changed(rng: random.Random, number: str) -> str:
    at = rng.randrange(4, len(number))
    return number[:at] + rng.choice(("", "7", "00")) + rng.choice("0123456789") + number[at + 1 :]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text("0123456789+-. ()/x#ext", min_size=2, max_size=40))
def test_no_candidate_makes_the_check_raise(text: str) -> None:
    assert PHONES(text) in {True, False, None}


@pytest.mark.parametrize("count", [1, 2])
def test_national_numbers_need_their_country(count: int) -> None:
    text = ("it is 22 275 58 28", "it is 612 34 56 78")[:count]
    regions = ("PL", "ES")[:count]
    for number, region in zip(text, regions, strict=True):
        assert list(codes(engine([phone_detector((region,))]), number)) == ["pii.phone"]
        assert codes(engine([phone_detector(("US",))]), number) == {}


PHONES = PhoneCheck(DEFAULT_REGIONS)
