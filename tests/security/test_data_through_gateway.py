"""Public PII and secret texts through the real `openai` client and a running gateway: what reached the provider?

`-s` prints the tables. What counts is the raw bytes that the fake provider received.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest

from helpers.detectors import rows
from helpers.gateway import RunningGateway, running_gateway
from helpers.upstream import Call, ThreadedUpstream

SEED = 20261122
FILES = ("presidio_v2", "presidio_large", "presidio_small", "usaddress_labeled", "benign_numbers")
PATTERNS = ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "PHONE_NUMBER")
# How many gold spans may arrive at the provider, of those in all 500 texts.
LEAKS = {
    "EMAIL_ADDRESS": 0,
    "CREDIT_CARD": 0,
    "IBAN_CODE": 0,
    "US_SSN": 0,
    "IP_ADDRESS": 1,  # 10.218.6.131: a private address is nobody's
    "PHONE_NUMBER": 0,
}
# Kinds of the secret scanner's fixtures that are key formats of ours (tests/plugins/test_secrets_data.py).
SECRET_KINDS = frozenset(
    (
        "aws_key", "azure_storage_key", "discord", "github_token", "gitlab_token", "jwt", "mailchimp_key", "npm",
        "openai", "pypi_token", "sendgrid", "stripe_key", "telegram_token",
    )
)  # fmt: skip
# Known differences from that scanner, by the beginning of the text.
MISSED = (
    "ATMyOTQ4MTN5OTU5MTDwMEcxNg",  # a Discord token glued behind another letter
    "//registry.example.org/:_authToken=npm_xxxxxxxxxxx",  # a placeholder
)
EXTRA = (
    "sk-proj-Xi8tdMjHV6pmbBbwilTeT4BlbkFJ",  # that scanner asks for OpenAI's old marker; newer keys have none
    "bot110201543:AAHdqTcvCH1vGWJxfSe1ofSAs0K5PALDsaw",  # as in the address of every Telegram API call
    "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",  # no GitLab token, but one of GitHub's
)


@dataclass
class Sent:
    """One text that went through: what the provider got, what came back."""

    row: dict[str, Any]
    answer: str = ""
    status: int = 200
    code: str = ""
    calls: list[Call] = field(default_factory=list)

    @property
    def text(self) -> str:
        return str(self.row["text"])

    @property
    def arrived(self) -> str:
        """Everything the provider could read: the raw body, and the message as it parses."""
        return "\n".join(c.body.decode() + c.json["messages"][-1]["content"] for c in self.calls)


class Desk:
    """The client, the gateway and the provider."""

    def __init__(self, gate: RunningGateway, upstream: ThreadedUpstream) -> None:
        self.gate, self.upstream = gate, upstream
        self.client = openai.OpenAI(base_url=gate.base_url, api_key=gate.key, max_retries=0)

    def send(self, given: list[dict[str, Any]]) -> list[Sent]:
        """Every text as a user message, four at a time."""
        with ThreadPoolExecutor(4) as pool:
            sent = list(pool.map(self._one, given))
        by_flow: dict[str, Sent] = {flow: one for flow, one in sent if flow}
        for call in self.upstream.calls:
            flow = call.headers[b"x-request-id"].decode()
            if flow in by_flow:
                by_flow[flow].calls.append(call)
        return [one for _, one in sent]

    def _one(self, row: dict[str, Any]) -> tuple[str, Sent]:
        sent = Sent(row)
        try:
            raw = self.client.chat.completions.with_raw_response.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": sent.text}]
            )
        except openai.APIStatusError as error:
            sent.status, sent.code = error.status_code, str(error.code)
            return error.response.headers["x-request-id"], sent
        sent.answer = raw.parse().choices[0].message.content or ""
        return raw.headers["x-request-id"], sent


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with ThreadedUpstream() as upstream:
        provider = {"kind": "openai", "base_url": upstream.base_url, "api_key": "provider-key"}
        with running_gateway(tmp_path_factory.mktemp("data"), {"up": provider}) as gate:
            desk = Desk(gate, upstream)
            yield desk
            desk.client.close()


def chosen() -> list[dict[str, Any]]:
    """500 texts: those that hold an entity of PATTERNS, filled up with others."""
    rng = random.Random(SEED)
    every = [row for name in FILES for row in rows(f"pii/{name}.jsonl")]
    holding = [row for row in every if any(span["label"] in PATTERNS for span in row.get("spans", ()))]
    others = [row for row in every if row not in holding]
    return (holding + rng.sample(others, max(0, 500 - len(holding))))[:500]


def gold(sent: Sent) -> Iterator[tuple[str, str]]:
    """The labelled texts: label, text."""
    for span in sent.row.get("spans", ()):
        yield span["label"], sent.text[span["start"] : span["end"]]


def report(sent: list[Sent]) -> dict[str, list[str]]:
    """Prints the table; the spans of PATTERNS that the provider received."""
    spans, leaked = Counter[str](), {label: list[str]() for label in PATTERNS}
    passed = Counter[str]()
    for one in sent:
        arrived = one.arrived
        for label, text in gold(one):
            spans[label] += 1
            passed[label] += text in arrived
            if label in leaked and text in arrived:
                leaked[label].append(text)
    print(f"\n{len(sent)} texts through the gateway\n{'entity':18}{'spans':>7}{'reached the provider':>22}")
    for label in sorted(spans, key=lambda name: (name not in PATTERNS, name)):
        note = "" if label in PATTERNS else "   (no detector in this release)"
        print(f"{label:18}{spans[label]:7}{passed[label]:22}{note}")
    return leaked


def test_500_texts_reach_the_provider_without_their_personal_data(desk: Desk) -> None:
    sent = desk.send(chosen())
    assert len(sent) == 500
    assert [one.code for one in sent if one.status != 200] == []
    assert [len(one.calls) for one in sent] == [1] * 500
    leaked = report(sent)
    assert {label: texts for label, texts in leaked.items() if len(texts) > LEAKS[label]} == {}
    changed = [one.text for one in sent if one.answer != f"You said: {one.text}"]
    assert changed == []  # what the provider echoes comes back as it was
    assert len([one for one in sent if one.text not in one.arrived]) > 450


def test_streamed_echoes_come_back_as_they_were(desk: Desk) -> None:
    for row in chosen()[::5]:
        stream = desk.client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": row["text"]}], stream=True
        )
        parts = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
        assert "".join(parts) == f"You said: {row['text']}"


def test_secrets_are_refused_and_reach_nobody(desk: Desk) -> None:
    sent = desk.send(list(rows("secrets/detect_secrets_lines.jsonl")))
    table: dict[tuple[str, str], Counter[str]] = {}
    missed, extra = [], []
    for one in sent:
        outcome = "refused" if one.status == 400 else "redacted" if one.text not in one.arrived else "passed"
        table.setdefault((one.row["kind"], one.row["label"]), Counter())[outcome] += 1
        assert (one.status, one.code) in {(200, ""), (400, "guardrail_blocked")}
        assert (one.status == 400) == (one.calls == [])
        if one.row["kind"] in SECRET_KINDS and (outcome == "passed") == (one.row["label"] == "secret"):
            (missed if outcome == "passed" else extra).append(one.text)
    print(f"\n{'kind':20}{'label':8}{'refused':>9}{'redacted':>9}{'passed':>8}")
    for (kind, label), seen in sorted(table.items(), key=lambda item: (item[0][0] not in SECRET_KINDS, item[0])):
        note = "" if kind in SECRET_KINDS else "   (not a key format of ours)"
        print(f"{kind:20}{label:8}{seen['refused']:9}{seen['redacted']:9}{seen['passed']:8}{note}")
    assert [text for text in missed if not text.startswith(MISSED)] == []
    assert [text for text in extra if not text.startswith(EXTRA)] == []


def test_a_refused_secret_is_in_no_output_of_the_gateway(desk: Desk) -> None:
    refused = [one for one in desk.send(list(rows("secrets/detect_secrets_lines.jsonl"))) if one.status == 400]
    assert len(refused) > 30
    outputs = desk.gate.log + "".join(
        path.read_text(errors="replace") for path in desk.gate.audit_dir.rglob("*") if path.is_file()
    )
    assert [one.text for one in refused if one.text in outputs] == []
