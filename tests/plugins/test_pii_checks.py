"""Validators of personal data, one table each."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
