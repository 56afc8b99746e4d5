"""Validators of personal data, one table each."""

from __future__ import annotations

import ipaddress
import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iban as stdnum_iban
from stdnum import luhn as stdnum_luhn

from yett_plugins import pii_checks as checks

TABLE = [
    (checks.email, "a@b.example", True),
    (checks.email, "git@github.com", False),
    (checks.email, "icon@2x.PNG", False),
    (checks.email, "a..b@c.example", None),
    (checks.card, "4111111111111111", True),
    (checks.card, "4111111111111112", False),
    (checks.card, "0000000000000000", False),
    (checks.card, "3782 822463 10005", True),
    (checks.card, "41 1111 1111 1111 11", None),
    (checks.card, "060426070011", None),
    (checks.card, "6011111111111117", True),
    (checks.card, "30569309025904", True),
    (checks.card, "1234567812345670", None),
    (checks.luhn_only, "1234-5678-1234-5670", True),
    (checks.luhn_only, "1234567812345678", False),
    (checks.iban_number, "GB29 NWBK 6016 1331 9268 19", True),
    (checks.iban_number, "gb29-nwbk-6016-1331-9268-19", True),
    (checks.iban_number, "GB29NWBK60161331926818", False),
    (checks.iban_number, "XX29NWBK60161331926819", False),
    (checks.iban_of_presidio, "gb29nwbk60161331926819", None),
    (checks.iban_of_presidio, "GB29NWBK60161331926819", True),
    (checks.iban_of_presidio, "GB29NWBK60161331926818", False),
    (checks.public_ip, "8.8.8.8", True),
    (checks.public_ip, "10.0.0.1", False),
    (checks.public_ip, "172.31.255.255", False),
    (checks.public_ip, "172.32.0.1", True),
    (checks.public_ip, "100.64.0.1", False),
    (checks.public_ip, "192.0.2.1", False),
    (checks.public_ip, "224.0.0.1", False),
    (checks.public_ip, "255.255.255.255", False),
    (checks.public_ip, "1.2.3.04", False),
    (checks.public_ip, "::ffff:8.8.8.8", True),
    (checks.public_ip, "::ffff:10.0.0.1", False),
    (checks.public_ip, "2001:db8::1", False),
    (checks.public_ip, "fd00::1", False),
    (checks.public_ip, "1::2", False),
    (checks.public_ip, "2606:4700::1111", True),
    (checks.device_address, "00:1A:2B:3C:4D:5E", None),
    (checks.device_address, "FF-FF-FF-FF-FF-FF", False),
    (checks.device_address, "0000.0000.0000", False),
    (checks.device_address_of_letters, "10:20:30:40:50:60", False),
    (checks.device_address_of_letters, "10:20:30:40:50:6a", None),
    (checks.uuid, "550e8400-e29b-41d4-a716-446655440000", None),
    (checks.uuid, "550e8400-e29b-91d4-a716-446655440000", False),
    (checks.uuid, "00000000-0000-0000-0000-000000000000", False),
    (checks.driver_number, "D123-4567-8901", None),
    (checks.driver_number, "90292-9024", False),
    (checks.driver_number, "2024-01-31", False),
    (checks.url(frozenset({"com", "py"})), "example.com/a", None),
    (checks.url(frozenset({"com", "py"})), "https://a.b.py", None),
    (checks.url(frozenset({"com", "py"})), "www.a.py", None),
    (checks.url(frozenset({"com", "py"})), "main.py", False),
    (checks.url(frozenset({"com", "py"})), "a.invalid", False),
    (checks.any_ip, "10.0.0.0/8", None),
    (checks.any_ip, "10.0.0.999", False),
    (checks.ssn, "123-45-6789", None),
    (checks.ssn, "000-45-6789", False),
    (checks.ssn, "111-11-1111", False),
    (checks.ssn_of_presidio, "123-45-6789", False),
    (checks.ssn_of_presidio, "219-09.9999", False),
    (checks.ssn_of_presidio, "219-09-9999", None),
    (checks.wallet, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", True),
    (checks.wallet, "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", True),
    (checks.wallet, "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLz", False),
    (checks.wallet, "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", True),
    (checks.wallet, "bc1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", False),
    (checks.wallet, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", False),
    (checks.wallet, "0x52908400098527886E0F7030069857D2E4169EE7", None),
    (checks.wallet, "0x" + "0" * 40, False),
    (checks.calendar_date, "31/12/1999", None),
    (checks.calendar_date, "12/31/1999", None),
    (checks.calendar_date, "13/13/1999", False),
    (checks.calendar_date, "0/1/1999", False),
    (checks.calendar_date, "1999-12-31", None),
    (checks.calendar_date, "5 March 71", None),
    (checks.calendar_date, "March 45, 1971", False),
    (checks.url_credentials, "root:secret@db", True),
    (checks.url_credentials, "${USER}:${PASS}@db", False),
    (checks.url_credentials, "user:xxxx@db", False),
    (checks.url_credentials, "user:****@db", False),
]


@pytest.mark.parametrize(("check", "text", "expected"), TABLE, ids=[f"{c.__name__} {t}" for c, t, _ in TABLE])
def test_verdict(check: object, text: str, expected: bool | None) -> None:
    assert callable(check)
    assert check(text) is expected


def test_presidios_mail_rule_asks_for_a_known_top_level_domain() -> None:
    check = checks.email_of_presidio(frozenset({"com"}))
    assert check("a@b.COM") is True
    assert check("a@b.local") is False


CHECKS = sorted({c for c, _, _ in TABLE}, key=lambda c: c.__name__)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.text("0123456789abcdefxXBC:.-/@ GDE", min_size=9, max_size=40))
def test_no_text_makes_a_validator_raise(text: str) -> None:
    for check in CHECKS:
        assert check(text) in {True, False, None}


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.text(string.digits, max_size=24))
def test_luhn_is_stdnums(digits: str) -> None:
    for last in string.digits:
        assert checks.luhn(f"{digits}{last}".encode()) is stdnum_luhn.is_valid(digits + last)
    assert checks.luhn(b"") is stdnum_luhn.is_valid("")


def test_ibans_are_stdnums() -> None:
    """Right and wrong check digits, right and wrong structures, of every country and of none."""
    rng, right = random.Random(1), 0
    countries = [a + b for a in string.ascii_uppercase for b in string.ascii_uppercase]
    for country in [*countries, "1A", "A1", "11"]:
        facts = stdnum_iban._ibandb.info(country)[0][1]
        for _ in range(30 if facts else 2):
            bank = _structured(rng, facts.get("bban", "18!n"))
            number = f"{country}{stdnum_iban.calc_check_digits(f'{country}00{bank}')}{bank}"
            for text in (number, number.lower(), number[:-1], f"{number}0", number[:4] + number[5:] + number[4], ""):
                expected = stdnum_iban.is_valid(text, check_country=False)
                right += expected
                assert checks.iban_number(text) is expected, text
    assert right > 4000


def _structured(rng: random.Random, structure: str) -> str:
    """A bank part as `structure` (`4!a6!n`) says, now and then with one character of another kind."""
    alphabets = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + string.ascii_uppercase}
    out = ""
    for part in structure.replace("!", "").replace("n", "n ").replace("a", "a ").replace("c", "c ").split():
        out += "".join(rng.choices(alphabets[part[-1]], k=int(part[:-1])))
    if rng.random() < 0.2:
        at = rng.randrange(len(out))
        out = out[:at] + rng.choice(alphabets["c"]) + out[at + 1 :]
    return out


def test_public_addresses_are_the_standard_librarys() -> None:
    rng = random.Random(1)
    edges = [0, 1, 2, 15, 16, 31, 32, 51, 63, 64, 88, 99, 100, 113, 127, 128, 168, 169, 170, 254, 255]
    for first in range(256):
        for _ in range(60):
            text = ".".join(map(str, (first, *rng.choices(edges, k=3))))
            address = ipaddress.ip_address(text)
            assert checks.public_ip(text) is (address.is_global and not address.is_multicast), text
    for text in ("8.8.8", "8.8.8.8.8", "8.8.8.256", "08.8.8.8", "8.8.8.\u0668", "8.8.8.", " 8.8.8.8", "8.8.8.8\n"):
        assert checks.public_ip(text) is False
