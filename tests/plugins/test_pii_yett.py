"""The `yett` pack: each detector keeps the promises of its examples, whole and as a stream, and these tables."""

from __future__ import annotations

import pytest

from helpers.detectors import codes, engine, pii
from yett.detector import Detector
from yett.scan import ScanEngine

CODES = (
    *("pii.email", "pii.credit_card", "pii.iban", "pii.ip", "pii.crypto", "pii.mac_address"),
    *("pii.us_ssn", "pii.us_itin", "pii.us_driver_license", "pii.us_passport", "pii.us_bank_number"),
    *("pii.phone", "pii.url_credentials", "pii.date_of_birth"),
)


@pytest.fixture(scope="module")
def scanner() -> ScanEngine:
    return engine(pii())


def test_the_pack_is_complete() -> None:
    assert tuple(d.code for d in pii()) == CODES
    assert tuple(d.code for d in pii("presidio")) == CODES
    assert all(d.reversible for d in pii())


@pytest.mark.parametrize("detector", pii(), ids=lambda d: d.name)
def test_examples_hold_whole_and_streamed(detector: Detector) -> None:
    assert detector.hit
    assert detector.miss
    assert ScanEngine([detector]).names == (detector.name,)


FOUND = {
    "e-mail in brackets": ("<ada@example.com>", "pii.email", "ada@example.com"),
    "e-mail before punctuation": ("Write to ada@example.com, please", "pii.email", "ada@example.com"),
    "e-mail at the end of a sentence": ("It is ada.lovelace@example.org.", "pii.email", "ada.lovelace@example.org"),
    "e-mail on an internal host": ("ada@mail.corp.local", "pii.email", "ada@mail.corp.local"),
    "e-mail beside Chinese": ("请联系ada@example.com谢谢", "pii.email", "ada@example.com"),
    "e-mail that begins beyond ASCII": ("an örjan@example.com", "pii.email", "örjan@example.com"),
    "e-mail in capitals beyond ASCII": ("Ünal.Şahin@örnek.com.tr", "pii.email", "Ünal.Şahin@örnek.com.tr"),
    "e-mail in Cyrillic": ("на почта@пример.рф", "pii.email", "почта@пример.рф"),
    "card with dashes": ("4111-1111-1111-1111", "pii.credit_card", "4111-1111-1111-1111"),
    "card with dots": ("4111.1111.1111.1111", "pii.credit_card", "4111.1111.1111.1111"),
    "card with mixed gaps": ("4111 - 1111 1111-1111", "pii.credit_card", "4111 - 1111 1111-1111"),
    "card before its security code": ("5555 5555 5555 4444 123", "pii.credit_card", "5555 5555 5555 4444"),
    "card of the 2 series": ("2223003122003222", "pii.credit_card", "2223003122003222"),
    "American Express in groups": ("3782 822463 10005", "pii.credit_card", "3782 822463 10005"),
    "IBAN before a word": ("GB29NWBK60161331926819 NOW", "pii.iban", "GB29NWBK60161331926819"),
    "IBAN in groups": ("DE89 3704 0044 0532 0130 00", "pii.iban", "DE89 3704 0044 0532 0130 00"),
    "IBAN with dots": ("NL91.ABNA.0417.1643.00", "pii.iban", "NL91.ABNA.0417.1643.00"),
    "IBAN in small letters": ("gb29nwbk60161331926819", "pii.iban", "gb29nwbk60161331926819"),
    "IPv4 with port": ("8.8.8.8:53", "pii.ip", "8.8.8.8"),
    "IPv6 in full": ("2a00:1450:4001:81b:0:0:0:200e", "pii.ip", "2a00:1450:4001:81b:0:0:0:200e"),
    "IPv6 in a URL": ("http://[2a00:1450:4001::200e]/", "pii.ip", "2a00:1450:4001::200e"),
    "SSN with dots": ("219.09.9999", "pii.us_ssn", "219.09.9999"),
    "bare SSN with its name": ("SSN: 219099999", "pii.us_ssn", "219099999"),
    "taproot address": (
        "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        "pii.crypto",
        "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    ),
    "database URL": ("mysql+asyncmy://root:pa:ss@db/x", "pii.url_credentials", "root:pa:ss@db"),
    "born, European": ("geboren am 24.12.1980", "pii.date_of_birth", "24.12.1980"),
    "born, ISO": ("dob=1980-12-24", "pii.date_of_birth", "1980-12-24"),
    "born, in German": ("geboren am 12. März 1980 in Ulm", "pii.date_of_birth", "12. März 1980"),
    "born, in French": ("née le 3 mai 1975 à Lyon", "pii.date_of_birth", "3 mai 1975"),
    "born, in Spanish": ("nacido el 12 de mayo de 1980", "pii.date_of_birth", "12 de mayo de 1980"),
    "born, in words": ("was born on March 5th, 1971 in", "pii.date_of_birth", "March 5th, 1971"),
}


@pytest.mark.parametrize("name", FOUND)
def test_found_exactly(scanner: ScanEngine, name: str) -> None:
    text, code, value = FOUND[name]
    assert codes(scanner, text).get(code) == [value]


CLEAN = (
    *(
        "550e8400-e29b-41d4-a716-446655440000",
        "2024-03-01T10:30:00.123456Z",
        "1700000000123",
        "v1.2.3",
        "3.14159265358979",
    ),
    *(
        "0x1f4b",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "1,234,567.89",
        "10:30-11:45",
    ),
    *(
        "ISBN 978-0-306-40615-7",
        "order 100200300400",
        "2001-2010",
        "lat 52.520008, lon 13.404954",
        "1e-10",
        "$1,299.00",
    ),
    *("a[1::2]", "std::map<int, int>", "git@github.com:org/repo.git", "@decorator", "user@localhost", "192.168.0.1/24"),
    *("(1) 2020-2021", "1.2.3.4.5.6", "10:20:30:40:50:60", "#4111", "Python 3.11.7", "a@b", "port 8080:8080"),
    *("https://example.com/a/b?c=1234567890", "item 12-345-6789-0", "2020/2021", "100 000 000", "build 20240301.1"),
    *("mongodb://<user>:<password>@host/", "https://$USER:$TOKEN@example.com", "room 12, floor 3", "5 000 000 000"),
)


@pytest.mark.parametrize("text", CLEAN)
def test_other_numbers_are_left_alone(scanner: ScanEngine, text: str) -> None:
    assert codes(scanner, text) == {}


HOSTILE = {
    "digits": "1" * 20_000,
    "digit groups": "12 34 " * 4_000,
    "at signs": "a@" * 10_000,
    "labels": "a@" + "b." * 10_000,
    "hyphens": "a@" + "b-" * 10_000,
    "dots": "1." * 10_000,
    "colons": "a:" * 10_000,
    "brackets": "(12) " * 4_000,
    "schemes": "a://" * 5_000,
    "letters": "a" * 20_000,
    "IBAN starts": "DE89 " * 4_000,
    "plus signs": "+1 " * 6_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_time_in_proportion(scanner: ScanEngine, name: str) -> None:
    """A search that runs out of its time raises `guard_failed`; none may."""
    assert isinstance(scanner.scan(HOSTILE[name]), tuple)
