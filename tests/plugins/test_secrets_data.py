"""Recall and precision on public test fixtures of a secret scanner, for the kinds of key that `secrets` covers."""

from __future__ import annotations

import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from helpers.detectors import DATA, codes, engine, rows, secrets
from yett.scan import ScanEngine

# kind in the data: the codes that answer for it. Kinds not listed (Artifactory, IBM, SoftLayer, Cloudant, basic
# authentication, IP addresses) are not key formats of ours; `pii.url_credentials` and `pii.ip` have the last two.
KINDS = {
    "aws_key": {"secret.aws_key"},
    "azure_storage_key": {"secret.azure_key"},
    "discord": {"secret.discord_token"},
    "github_token": {"secret.github_token"},
    "gitlab_token": {"secret.gitlab_token"},
    "jwt": {"secret.jwt"},
    "mailchimp_key": {"secret.mail_service_key"},
    "npm": {"secret.npm_token"},
    "openai": {"secret.openai_key"},
    "pypi_token": {"secret.pypi_token"},
    "sendgrid": {"secret.sendgrid_key"},
    "stripe_key": {"secret.stripe_key"},
    "telegram_token": {"secret.telegram_token"},
}
# Where we differ on purpose or knowingly, by the beginning of the text:
MISSED = {
    "ATMyOTQ4MTN5OTU5MTDwMEcxNg",  # a Discord token glued behind another letter
    "//registry.example.org/:_authToken=npm_xxxxxxxxxxx",  # a placeholder, masked
}
EXTRA = {
    "sk-proj-Xi8tdMjHV6pmbBbwilTeT4BlbkFJ",  # the scanner asks for OpenAI's old marker; newer keys have none
    "bot110201543:AAHdqTcvCH1vGWJxfSe1ofSAs0K5PALDsaw",  # as in the address of every Telegram API call
}


@pytest.fixture(scope="module")
def scanner() -> ScanEngine:
    return engine(secrets())


def test_recall_and_precision(scanner: ScanEngine) -> None:
    expected, missed, extra = Counter[str](), [], []
    for row in rows("secrets/detect_secrets_lines.jsonl"):
        kind, text = row["kind"], row["text"]
        if kind not in KINDS:
            continue
        found = any(span.detector.code in KINDS[kind] for span in scanner.scan(text))
        expected[kind] += row["label"] == "secret"
        if found != (row["label"] == "secret"):
            (extra if found else missed).append(text)
    print(f"\n{sum(expected.values())} secrets of {len(expected)} kinds; missed {len(missed)}, extra {len(extra)}")
    assert [t for t in missed if not t.startswith(tuple(MISSED))] == []
    assert [t for t in extra if not t.startswith(tuple(EXTRA))] == []
    assert sum(expected.values()) >= 40


def test_no_kind_of_secret_in_clean_lines_of_other_kinds(scanner: ScanEngine) -> None:
    clean = [r for r in rows("secrets/detect_secrets_lines.jsonl") if r["label"] == "clean" and r["kind"] not in KINDS]
    assert len(clean) > 30
    assert [r["text"] for r in clean if scanner.scan(r["text"])] == []


BENIGN = {
    "injection": "*benign*.jsonl xstest_safe.jsonl spikee_topic_fp.jsonl agentdojo_*.jsonl bipia_train.jsonl",
    "pii": "presidio_*.jsonl usaddress_labeled.jsonl benign_numbers.jsonl",
}


@pytest.mark.proof
@pytest.mark.parametrize("folder", BENIGN)
def test_no_secrets_in_benign_texts(scanner: ScanEngine, folder: str) -> None:
    files = [path for pattern in BENIGN[folder].split() for path in sorted((DATA / folder).glob(pattern))]
    if not files:
        pytest.skip(f"external data is not there: {DATA / folder}")
    texts = [row["text"] for path in files for row in rows(f"{folder}/{path.name}") if row.get("label") != "attack"]
    assert len(texts) > 2_000
    assert [text for text in texts if scanner.scan(text)] == []


@pytest.mark.proof
def test_no_secrets_in_the_standard_library(scanner: ScanEngine) -> None:
    """Source code as benign text, without its tests: those of netrc hold lines with passwords."""
    library = Path(sysconfig.get_path("stdlib"))
    files = [p for p in sorted(library.rglob("*.py")) if not {"site-packages", "test", "tests"} & set(p.parts)]
    found = {p.name: codes(scanner, p.read_text(encoding="utf-8", errors="replace")) for p in files}
    assert len(found) > 200
    assert {name: what for name, what in found.items() if what} == {}


def test_no_secrets_in_tables_and_prompts(scanner: ScanEngine) -> None:
    assert [row["text"] for row in rows("pii/benign_numbers.jsonl") if scanner.scan(row["text"])] == []
