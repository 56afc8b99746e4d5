"""The rules of `secrets.toml` keep the promises of their examples; look-alikes of code and prose do not hit."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from helpers.detectors import codes, engine
from yett.detector import Detector
from yett.holdback import HoldBack
from yett.rules import RuleSet
from yett.scan import ScanEngine
from yett_plugins.gitleaks_file import load
from yett_plugins.secrets import OWN_RULES, own_detectors

OWN = own_detectors(load(OWN_RULES))
ON = [d for d in OWN if d.code != "secret.generic"]


@pytest.fixture(scope="module")
def scanner() -> ScanEngine:
    return engine(ON)


@pytest.mark.parametrize("detector", OWN, ids=lambda d: d.name)
def test_examples_hold_whole_and_streamed(detector: Detector) -> None:
    assert detector.hit
    assert detector.miss
    assert ScanEngine([detector]).names == (detector.name,)


def test_no_example_hits_another_kind_unasked(scanner: ScanEngine) -> None:
    """What misses one rule may be the hit of another only where that is meant: the same value in another form."""
    assert not [d.name for d in ON for text in d.miss if d.code in codes(scanner, text)]


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
@pytest.mark.parametrize("detector", ON, ids=lambda d: d.name)
def test_quotes_and_punctuation_do_not_hide_a_key(scanner: ScanEngine, detector: Detector, surrounding: str) -> None:
    assert detector.code in codes(scanner, surrounding.format(detector.hit[0]))


def test_a_key_is_reported_without_what_leads_to_it(scanner: ScanEngine) -> None:
    secret = "0a1B2c3D4e5F6g7H8i9J" * 2
    assert codes(scanner, f"aws_secret_access_key = '{secret}'") == {"secret.aws_key": [secret]}
    assert codes(scanner, f"AWS_SECRET_ACCESS_KEY={secret}") == {"secret.aws_key": [secret]}
    assert codes(scanner, f'"SecretAccessKey": "{secret}"') == {"secret.aws_key": [secret]}
    assert codes(scanner, "postgres://app:s3cr3t-pw@db/app") == {"secret.connection_string": ["s3cr3t-pw"]}


def pem(lines: int, label: str = "RSA ", newline: str = "\n") -> str:
    body = newline.join(["0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8i9J+/ab"] * lines)
    return f"-----BEGIN {label}PRIVATE KEY-----{newline}{body}{newline}-----END {label}PRIVATE KEY-----"


@pytest.mark.parametrize("label", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "])
@pytest.mark.parametrize(
    "newline",
    ["\n", "\r\n", "\\n", "\\r\\n", "\n    ", "\n            ", "\n> ", "\n\n"],
    ids=["LF", "CRLF", "escaped", "escaped CRLF", "indented", "far in", "quoted", "double spaced"],
)
def test_a_private_key_is_found_from_its_first_to_its_last_line(scanner: ScanEngine, label: str, newline: str) -> None:
    key = pem(25, label, newline)
    assert codes(scanner, f"x\n{key}\ny") == {"secret.private_key": [key]}


def test_a_private_key_without_its_end_is_found(scanner: ScanEngine) -> None:
    key = pem(25).rpartition("\n-----END")[0]
    assert codes(scanner, f"{key}\n\nThank you, see you later") == {"secret.private_key": [f"{key}\n\nThank"]}


@pytest.mark.parametrize(("lines", "newline"), [(99, "\n"), (197, "\n"), (197, "\r\n"), (197, "\\n")])
def test_private_keys_of_8192_and_16384_bits_fit(scanner: ScanEngine, lines: int, newline: str) -> None:
    key = pem(lines, newline=newline)
    assert codes(scanner, key) == {"secret.private_key": [key]}


def test_of_a_longer_private_key_the_first_150_lines_are_found(scanner: ScanEngine) -> None:
    (found,) = codes(scanner, pem(400))["secret.private_key"]
    assert len(found) > 150 * 64


@pytest.mark.parametrize("joint", ["", " "], ids=["one run", "joined by spaces"])
def test_a_private_key_on_one_line(scanner: ScanEngine, joint: str) -> None:
    key = pem(25, newline=joint)
    assert codes(scanner, f"key: {key}") == {"secret.private_key": [key]}


def test_encrypted_and_pgp_keys_with_headers_and_checksum(scanner: ScanEngine) -> None:
    key = pem(3).replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n", 1)
    assert codes(scanner, key) == {"secret.private_key": [key]}
    pgp = (
        pem(3, "PGP ").replace("KEY-----", "KEY BLOCK-----").replace("BLOCK-----\n", "BLOCK-----\nVersion: X 1\n\n", 1)
    )
    pgp = pgp.replace("\n-----END", "\n=aB3+\n-----END")
    assert codes(scanner, pgp) == {"secret.private_key": [pgp]}


def test_a_long_jwt_is_found_whole(scanner: ScanEngine) -> None:
    token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJ" + "zdWIi" * 2_000 + "." + "a1B2" * 20
    assert codes(scanner, f"Authorization: Bearer {token}, then") == {"secret.jwt": [token]}


CLEAN = (
    *("sk-learn", "use scikit-learn and sk-something-short", "task-12345678901234567890123456789012345678"),
    *("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "550e8400-e29b-41d4-a716-446655440000"),
    *("git commit 8f14e45fceea167a5a36dedd4bea2543e0f1a2b3", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA"),
    *("eyJhbGciOiJub25lIn0", "OPENAI_API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
    *("ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "api_key = os.environ['OPENAI_API_KEY']"),
    *("AKIA is a prefix", "password = 'hunter2hunter2A'", "xoxo", "SG.1", "key-value", "hf_transfer"),
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
    *("npm_config_cache", "https://hooks.slack.com/services/", "SKU1234567890"),
    "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq",
    *("postgres://localhost:5432/db", "http://user:pass@example.com", "redis://:${REDIS_PASSWORD}@cache/0"),
    *("The Twilio token is required in the header.", "okta: the token is refreshed_every_60_minutes"),
    *("Authorization: Bearer <your token>", "Authorization: Basic realm", "machine learning login flow password"),
    'stripe.api_key = "sk_test_..."',
    "heroku deploy 550e8400-e29b-41d4-a716-446655440000",
)


@pytest.mark.parametrize("text", CLEAN)
def test_look_alikes_are_left_alone(scanner: ScanEngine, text: str) -> None:
    assert codes(scanner, text) == {}


def chunked(rules: RuleSet, rng: random.Random, text: str) -> list[tuple[str, int, int]]:
    hold, found, at = HoldBack(rules), [], 0
    while at < len(text):
        size = rng.choice((1, 2, 4, 7, 30, 200))
        found += hold.feed(text[at : at + size])
        at += size
    found += hold.feed("", final=True)
    return sorted((hit.rule.pattern.name, hit.start, hit.end) for hit in found)


def test_any_chunking_finds_the_same(scanner: ScanEngine) -> None:
    """Examples of all rules in a row, cut off and glued together, in pieces of any size."""
    rng = random.Random(20261122)
    examples = [text for d in ON for text in (*d.hit, *d.miss)] + [pem(3), pem(2, newline="\\n")]
    found = 0
    for _ in range(250):
        parts = [text[: rng.choice((len(text), rng.randrange(len(text) + 1)))] for text in rng.choices(examples, k=5)]
        text = "".join(part + rng.choice(("", " ", "\n", "-", "=", '", "', "eyJ", "a1")) for part in parts)
        whole = scanner.rules.find(text, 0, len(text), {})
        expected = sorted((hit.rule.pattern.name, hit.start, hit.end) for hit in whole)
        assert chunked(scanner.rules, rng, text) == expected, repr(text)
        found += len(expected)
    assert found > 200


HOSTILE = {
    "PEM headers": "-----BEGIN PRIVATE KEY-----" * 800,
    "PEM without end": "-----BEGIN PRIVATE KEY-----\n" + "QUJD\n" * 5_000,
    "PEM newlines": "-----BEGIN PRIVATE KEY-----" + "\n" * 20_000,
    "PEM of 400 lines": pem(400),
    "JWT parts": "eyJabcdefgh." * 2_000,
    "JWTs": ("eyJhbGciOiJub25lIn0." * 3 + " ") * 400,
    "one long JWT": "eyJhbGciOiJub25lIn0.eyJ" + "a" * 20_000,
    "JWT beginnings": "eyJ" * 8_000,
    "base64": "QUJDREVGRw" * 2_000,
    "prefixes": "sk-ghp_xoxb-AKIA" * 1_500,
    "hex": "0123456789abcdef" * 1_500,
    "backslashes": "\\n" * 10_000,
    "names": "twilio_token twilio_key " * 1_000,
    "pairs": "Server=db;" + "a=b;" * 5_000,
    "machines": "machine a login b " * 1_300,
    "slack": "xoxb-" + "1-" * 12_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_time_in_proportion(scanner: ScanEngine, name: str) -> None:
    """A search that runs out of its time raises `guard_failed`; none may, whole or in pieces."""
    text = HOSTILE[name]
    assert isinstance(scanner.scan(text), tuple)
    assert len(chunked(scanner.rules, random.Random(name), text[:12_000])) < 2_000


def test_every_code_stands_in_the_docs() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "secrets.md").read_text(encoding="utf-8")
    assert {d.code for d in OWN} == set(re.findall(r"^\| `(secret\.\w+)` \|", page, re.MULTILINE))
    assert f"{len(OWN)} rules, {len({d.code for d in OWN})} codes" in page
