"""What a regex cannot say about a secret."""

from __future__ import annotations

import base64

import pytest

from yett_plugins.secret_checks import checks


def login(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CASES = [
    ("not_filled", "sk-" + "x" * 40, False),
    ("not_filled", "ghp_" + "*" * 36, False),
    ("not_filled", "AKIA" + "IOSFODNN7EXAMPLE", None),
    ("not_filled", "AKIA" + "Z" * 16, None),
    ("with_digit", "fw_update_configuration", False),
    ("with_digit", "fw_0a1b2c", None),
    ("opaque", "get_token_from_environment", False),
    ("opaque", "0a1b2c3d4e5f6g7h", None),
    ("opaque", "your_token_1234567", False),
    ("jwt", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.", True),
    ("jwt", "eyJhIjoxfQ.eyJhIjoxfQ", False),
    ("jwt", "eyJé.eyJ", False),
    ("mixed", "0123456789" * 4, False),
    ("mixed", "aB3" * 13 + "a", True),
    ("gitlab_length", "glptt-" + "a1" * 20, True),
    ("gitlab_length", "glptt-" + "a1" * 21, False),
    ("gitlab_length", "GR1348941" + "a1" * 10, True),
    ("not_a_word", "Tr0ub4dor&3", True),
    ("not_a_word", "changeme123A", False),
    ("not_a_word", "aaaaaaaaaaA1", False),
    ("password", "s3cr3t-pw", None),
    ("password", "${DB_PASS}", False),
    ("password", "<password>", False),
    ("password", "{password}", False),
    ("password", "***", False),
    ("password", "xxxx", False),
    ("password", "password", False),
    ("password", "YOUR_PASSWORD", False),
    ("password", "db_password", False),
    ("password", "passw0rd", None),
    ("encoded_login", login("user:s3cr3t-pw"), True),
    ("encoded_login", login("user:${PASS}"), False),
    ("encoded_login", login("no colon here"), False),
    ("encoded_login", login("user:"), False),
    ("encoded_login", login("u:a\x00b"), False),
    ("encoded_login", base64.b64encode(b"\xff:\xfe").decode(), False),
    ("encoded_login", "authentication", False),
    ("anything", "", None),
]


@pytest.mark.parametrize(("check", "text", "expected"), CASES, ids=[f"{c} {t[:20]!r}" for c, t, _ in CASES])
def test_verdict(check: str, text: str, expected: bool | None) -> None:
    assert checks()[check](text) is expected


def test_every_check_has_a_case() -> None:
    assert set(checks()) == {check for check, _, _ in CASES}
