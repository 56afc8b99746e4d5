"""The record vocabulary: complete, bounded, and without content."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.audit import a_decided
from yett.audit import record
from yett.audit.record import (
    MAX_POINTER,
    Ledger,
    Pointers,
    Wording,
    clip,
    completed,
    event,
    finding,
    principal,
    safe_pointer,
)


def test_a_decided_record_says_who_what_and_why() -> None:
    out = record.decided(
        flow_id="f",
        trace_id="t",
        principal=principal("alice", "acme", "bot", ("developer",), "k1"),
        dialect="openai_chat",
        model="gpt-4o-mini",
        target="openai/gpt-4o-mini",
        stream=True,
        phase="request",
        action="redact",
        revision="r1",
        rules=frozenset({"b", "a"}),
        reasons=["personal data"],
        findings=[finding("pii.email", "/messages/0/content", 0.98765, "pii", "redact", "a")],
        ledger=Ledger([("/messages/0/content", "ab" * 8, "all")], 3, "cd"),
        attempt=1,
        degraded=["guard x is off"],
    )
    assert json.loads(json.dumps(out)) == {
        "kind": "decided", "flow": "f", "trace": "t", "attempt": 1,
        "principal": {"id": "alice", "tenant": "acme", "agent": "bot", "roles": ["developer"], "key_id": "k1"},
        "dialect": "openai_chat", "model": "gpt-4o-mini", "target": "openai/gpt-4o-mini", "stream": True,
        "phase": "request", "action": "redact", "rules": ["a", "b"], "reasons": ["personal data"], "revision": "r1",
        "findings": [{"code": "pii.email", "pointer": "/messages/0/content", "score": 0.9877, "detector": "pii",
                      "action": "redact", "rule": "a"}],
        "ledger": {"new": [["/messages/0/content", "ab" * 8, "all"]], "known": 3, "known_digest": "cd"},
        "degraded": ["guard x is off"],
    }  # fmt: skip


@pytest.mark.parametrize("outcome", sorted(record.OUTCOMES))
def test_every_outcome_can_complete_a_flow(outcome: str) -> None:
    out = completed(flow_id="f", trace_id="t", outcome=outcome, usage={"total_tokens": 3, "details": {"cached": 1}})
    assert (out["outcome"], out["usage"]) == (outcome, {"total_tokens": 3, "details": {"cached": 1}})


def test_an_unknown_outcome_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="outcome"):
        completed(flow_id="f", trace_id="t", outcome="fine")


POINTERS = [
    ("", ""),
    ("/messages/0/content", "/messages/0/content"),
    ("/messages/2/tool_calls/0/function/arguments#/to", "/messages/2/tool_calls/0/function/arguments#/to"),
    ("/tools/0/function/parameters/properties/customerEmail2/$ref", None),
    ("/metadata/alice@example.com", "/metadata/*"),
    ("/metadata/alice@example.com/0", "/metadata/*/0"),
    ("/metadata/AKIAIOSFODNN7EXAMPLE", "/metadata/*"),
    ("/metadata/078-05-1120/x", "/metadata/*/x"),
    ("/metadata/4111111111111111", "/metadata/*"),
    ("/a#/alice@example.com/b#/078-05-1120", "/a#/*/b#/*"),
    ("/metadata/\x1b[31m", "/metadata/*"),
    ("/metadata/x~1y/z", "/metadata/*/z"),
    ("/metadata//z", "/metadata/*/z"),
    ("alice@example.com", "*"),
    ("/messages/\u0660", "/messages/*"),  # a digit, but none that an index is written with
]


@pytest.mark.parametrize(("pointer", "written"), POINTERS)
def test_a_pointer_keeps_field_names_and_hides_names_that_callers_chose(pointer: str, written: str | None) -> None:
    assert safe_pointer(pointer) == (pointer if written is None else written)


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60))
def test_no_unusual_character_survives_in_a_pointer(text: str) -> None:
    assert set(safe_pointer("/" + text)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$-/#*")


def test_texts_are_clipped() -> None:
    assert clip("x" * 2000) == "x" * 1021 + "..."
    assert clip("x" * 1024) == "x" * 1024


def test_one_record_is_bounded_whatever_goes_in() -> None:
    huge = "x" * 1_000_000
    out = a_decided(
        1,
        model=huge,
        target=huge,
        rules=[huge] * 1000,
        reasons=[huge] * 1000,
        principal=principal(huge, huge, huge, [huge] * 1000, huge),
        findings=[finding(huge, "/" + huge, 1.0, huge, huge, huge)] * 300,
        ledger=Ledger([("/" + huge, "ab" * 8, huge)] * 2000),
    )
    assert len(json.dumps(out)) < 2 << 20
    assert out["findings_more"] == {"x" * 1021 + "...": 44}
    ledger = out["ledger"]
    assert isinstance(ledger, dict)
    assert (len(ledger["new"]), ledger["more"]) == (record.MAX_LEAVES, 2000 - record.MAX_LEAVES)


def test_leaves_past_the_cap_are_still_bound_by_a_digest() -> None:
    rows = [("/a", f"{n:016x}", "all") for n in range(record.MAX_LEAVES + 3)]
    changed = [*rows[:-1], ("/a", "f" * 16, "all")]
    assert Ledger(rows).to_record()["more_digest"] != Ledger(changed).to_record()["more_digest"]


def test_an_event_carries_plain_facts_only() -> None:
    out = event("reload", ok=True, files=["a.yaml"], nested={"a": {"b": {"c": {"d": {}}}}}, thing=object, none=None)
    assert (out["kind"], out["name"], out["ok"]) == ("event", "reload", True)
    assert (out["files"], out["none"]) == (["a.yaml"], None)
    assert json.loads(json.dumps(out))["nested"] == {"a": {"b": {}}}


@pytest.mark.parametrize("pointer", [pointer for pointer, _ in POINTERS] + ["/" + "x/" * MAX_POINTER])
def test_a_remembered_pointer_is_the_safe_one(pointer: str) -> None:
    pointers = Pointers()
    assert [pointers[pointer], pointers[pointer]] == [safe_pointer(pointer)] * 2


def test_what_the_wording_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_WORDED", 3)
    wording = Wording()
    for n in range(10):
        pointer = f"/messages/{n}/content"
        assert wording.pointers[pointer] == pointer
        row = wording.finding("pii.email", pointer, 0.98765, "pii", "REDACT", "a")
        assert row == finding("pii.email", pointer, 0.98765, "pii", "REDACT", "a")
        assert wording.finding("pii.email", pointer, 0.98765, "pii", "REDACT", "a") is row
        assert (len(wording.pointers) <= 3, len(wording._findings) <= 3) == (True, True)
    long = "/" + "x" * MAX_POINTER
    assert (wording.pointers[long], long in wording.pointers) == (safe_pointer(long), False)
    assert wording.finding("c", long, 1, "d", "DENY", "r") is not wording.finding("c", long, 1, "d", "DENY", "r")


def test_findings_that_differ_in_anything_are_worded_apart() -> None:
    wording, facts = Wording(), ("pii.email", "/a", 0.5, "pii", "REDACT", "r")
    other = ("pii.phone", "/b", 0.6, "own", "DENY", "s")
    variants = [(*facts[:at], other[at], *facts[at + 1 :]) for at in range(len(facts))]
    for one in [facts, *variants]:
        assert wording.finding(*one) == finding(*one)  # type: ignore[arg-type]  # a row of words and a number


def test_a_worded_ledger_is_written_as_it_is_and_capped_too() -> None:
    rows = [("/a", f"{n:032x}", "all") for n in range(record.MAX_LEAVES + 3)]
    assert Ledger(rows, 2, "ab", worded=True).to_record() == Ledger(rows, 2, "ab").to_record()
