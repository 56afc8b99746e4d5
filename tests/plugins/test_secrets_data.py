"""Recall and precision on public test fixtures of a secret scanner, for the kinds of key that `secrets` covers."""

from __future__ import annotations

from collections import Counter

import pytest

from helpers.detectors import engine, rows, secrets
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


def test_no_secrets_in_tables_and_prompts(scanner: ScanEngine) -> None:
    assert [row["text"] for row in rows("pii/benign_numbers.jsonl") if scanner.scan(row["text"])] == []
