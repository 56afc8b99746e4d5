"""Key formats keep the promises of their examples, whole and as a stream; look-alikes of code and prose do not hit."""

from __future__ import annotations

import pytest

from helpers.detectors import codes, engine, secrets
from yett.detector import Detector
from yett.scan import ScanEngine
from yett_plugins import secret_rules
from yett_plugins.secret_rules import PEM_MAX_LEN


@pytest.fixture(scope="module")
def scanner() -> ScanEngine:
    return engine(secrets())


@pytest.mark.parametrize("detector", secrets(generic=True), ids=lambda d: d.name)
def test_examples_hold_whole_and_streamed(detector: Detector) -> None:
    assert detector.hit
    assert detector.miss
    assert ScanEngine([detector]).names == (detector.name,)


@pytest.mark.parametrize(
    "surrounding",
    [
        "{}",
        "key={}",
        '"{}"',
        "'{}',",
        "<{}>",
        "Bearer {}",
        "a: {}\n",
        "({})",
        "{}.",
        "{};",
        "`{}`",
        "https://x/?k={}&a=1",
    ],
)
@pytest.mark.parametrize("detector", secrets(), ids=lambda d: d.name)
def test_quotes_and_punctuation_do_not_hide_a_key(scanner: ScanEngine, detector: Detector, surrounding: str) -> None:
    assert detector.code in codes(scanner, surrounding.format(detector.hit[0]))


def test_a_key_is_reported_without_what_leads_to_it(scanner: ScanEngine) -> None:
    secret = "0a1B2c3D4e5F6g7H8i9J" * 2
    assert codes(scanner, f"aws_secret_access_key = '{secret}'") == {"secret.aws_key": [secret]}
    assert codes(scanner, f"AWS_SECRET_ACCESS_KEY={secret}") == {"secret.aws_key": [secret]}
    assert codes(scanner, f'"SecretAccessKey": "{secret}"') == {"secret.aws_key": [secret]}


def pem(lines: int, label: str = "RSA ", newline: str = "\n") -> str:
    body = newline.join(["0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J+/ab"] * lines)
    return f"-----BEGIN {label}PRIVATE KEY-----{newline}{body}{newline}-----END {label}PRIVATE KEY-----"


@pytest.mark.parametrize("label", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "])
@pytest.mark.parametrize(
    "newline", ["\n", "\r\n", "\\n", "\\r\\n", "\n    "], ids=["LF", "CRLF", "escaped", "escaped CRLF", "indented"]
)
def test_a_private_key_is_found_from_its_first_to_its_last_line(scanner: ScanEngine, label: str, newline: str) -> None:
    key = pem(25, label, newline)
    assert codes(scanner, f"x\n{key}\ny") == {"secret.private_key": [key]}


def test_a_private_key_without_its_end_is_found(scanner: ScanEngine) -> None:
    key = pem(25).rpartition("\n-----END")[0]
    assert codes(scanner, f"{key}\n\nThank you, see you later") == {"secret.private_key": [f"{key}\n\nThank"]}


def test_a_private_key_of_8192_bits_fits(scanner: ScanEngine) -> None:
    key = pem(99)
    assert 6000 < len(key) <= PEM_MAX_LEN
    assert codes(scanner, key) == {"secret.private_key": [key]}


def test_a_longer_private_key_is_found_in_pieces(scanner: ScanEngine) -> None:
    found = codes(scanner, pem(200))["secret.private_key"]
    assert len(found[0]) >= PEM_MAX_LEN - 80


def test_encrypted_keys_with_headers(scanner: ScanEngine) -> None:
    key = pem(3).replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n", 1)
    assert codes(scanner, key) == {"secret.private_key": [key]}


CLEAN = (
    *("sk-learn", "use scikit-learn and sk-something-short", "task-12345678901234567890123456789012345678"),
    *("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "550e8400-e29b-41d4-a716-446655440000"),
    *("git commit 8f14e45fceea167a5a36dedd4bea2543e0f1a2b3", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA"),
    *(
        "eyJhbGciOiJub25lIn0",
        "OPENAI_API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ),
    *(
        "api_key = os.environ['OPENAI_API_KEY']",
        "AKIA is a prefix",
        "password = 'hunter2hunter2A'",
        "xoxo",
        "SG.1",
        "key-value",
    ),
    *(
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
        "hf_transfer",
        "npm_config_cache",
    ),
    *(
        "https://hooks.slack.com/services/",
        "SKU1234567890",
        "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq",
    ),
)


@pytest.mark.parametrize("text", CLEAN)
def test_look_alikes_are_left_alone(scanner: ScanEngine, text: str) -> None:
    assert codes(scanner, text) == {}


CHECKS = [
    (secret_rules.not_filled, "sk-" + "x" * 40, False),
    (secret_rules.not_filled, "ghp_" + "*" * 36, False),
    (secret_rules.not_filled, "AKIA" + "IOSFODNN7EXAMPLE", None),
    (secret_rules.not_filled, "AKIA" + "Z" * 16, None),
    (secret_rules.jwt, "eyJhbGciOiJub25lIn0.eyJhIjoxfQ.", True),
    (secret_rules.jwt, "eyJhIjoxfQ.eyJhIjoxfQ", False),
    (secret_rules.jwt, "eyJé.eyJ", False),
    (secret_rules.mixed, "0123456789" * 4, False),
    (secret_rules.mixed, "aB3" * 13 + "a", True),
    (secret_rules.gitlab_length, "glptt-" + "a1" * 20, True),
    (secret_rules.gitlab_length, "glptt-" + "a1" * 21, False),
    (secret_rules.gitlab_length, "GR1348941" + "a1" * 10, True),
    (secret_rules.not_a_word, "Tr0ub4dor&3", True),
    (secret_rules.not_a_word, "changeme123A", False),
    (secret_rules.not_a_word, "aaaaaaaaaaA1", False),
]


@pytest.mark.parametrize(("check", "text", "expected"), CHECKS, ids=[f"{c.__name__} {t[:20]}" for c, t, _ in CHECKS])
def test_verdict(check: object, text: str, expected: bool | None) -> None:
    assert callable(check)
    assert check(text) is expected


HOSTILE = {
    "PEM headers": "-----BEGIN PRIVATE KEY-----" * 800,
    "PEM without end": "-----BEGIN PRIVATE KEY-----\n" + "QUJD\n" * 5_000,
    "PEM newlines": "-----BEGIN PRIVATE KEY-----" + "\n" * 20_000,
    "JWT parts": "eyJabcdefgh." * 2_000,
    "one long JWT": "eyJhbGciOiJub25lIn0.eyJ" + "a" * 20_000,
    "base64": "QUJDREVGRw" * 2_000,
    "prefixes": "sk-ghp_xoxb-AKIA" * 1_500,
    "hex": "0123456789abcdef" * 1_500,
    "backslashes": "\\n" * 10_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_time_in_proportion(scanner: ScanEngine, name: str) -> None:
    """A search that runs out of its time raises `guard_failed`; none may."""
    assert isinstance(scanner.scan(HOSTILE[name]), tuple)
