"""Ban lists: words and files, whole words or anywhere, redacted in streams, thousands of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from helpers.asgi import chat_chunks, harness, sse
from helpers.detectors import codes, engine
from helpers.plugin_settings import declarative, settings_for
from yett.errors import ConfigError
from yett.holdback import HoldBack
from yett.scan import ScanEngine
from yett.verdict import Action
from yett_plugins.banlist import Banlist

LISTS = {"rivals": {"words": ["Acme Corp", "Zénith", "禁止"]}, "parts": {"words": ["kludge"], "match": "anywhere"}}


def test_nothing_is_banned_by_default() -> None:
    assert declarative(Banlist) == []


def test_each_list_has_its_code_and_its_default() -> None:
    detectors = declarative(Banlist, lists={**LISTS, "soft": {"words": ["x1"], "do": "flag"}})
    assert [(d.code, d.default) for d in detectors] == [
        ("ban.rivals", Action.DENY),
        ("ban.parts", Action.DENY),
        ("ban.soft", Action.ALLOW),
    ]
    assert ScanEngine(detectors).names == ("ban.rivals", "ban.parts", "ban.soft")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("I like ACME  corp.", {"ban.rivals": ["ACME  corp"]}),
        ("Acme\nCorp", {"ban.rivals": ["Acme\nCorp"]}),
        ("ZÉNITH and ze\u0301nith", {"ban.rivals": ["ZÉNITH", "ze\u0301nith"]}),
        ("这是禁止的", {"ban.rivals": ["禁止"]}),
        ("A\u200bcme Corp", {"ban.rivals": ["A\u200bcme Corp"]}),
        ("Acme Corporation, Acme, Zéniths", {}),
        ("a Kludgey thing", {"ban.parts": ["Kludge"]}),
        ("", {}),
    ],
    ids=ascii,
)
def test_what_is_found(text: str, found: dict[str, list[str]]) -> None:
    assert codes(engine(declarative(Banlist, lists=LISTS)), text) == found


def test_files_are_lists_too(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# ours\nfoo bar\nbaz\n", encoding="utf-8")
    scanner = engine(declarative(Banlist, lists={"x": {"files": [str(path)], "words": ["qux"]}}))
    assert codes(scanner, "foo bar baz qux ours") == {"ban.x": ["foo bar", "baz", "qux"]}


@pytest.mark.parametrize(
    "lists",
    [
        {"x": {}},
        {"X": {"words": ["a"]}},
        {"x": {"words": ["a"], "match": "regex"}},
        {"x": {"word": ["a"]}},
        {"x": ["a"]},
    ],
    ids=str,
)
def test_wrong_settings_are_errors(lists: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Banlist.Config.model_validate({"lists": lists})


@pytest.mark.parametrize("entry", [{"words": [""]}, {"words": ["a\x00"]}, {"files": ["no/such/file"]}], ids=str)
def test_bad_words_and_files_stop_the_start(entry: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        declarative(Banlist, lists={"x": entry})


def test_two_thousand_words_are_found_alike_whole_and_streamed() -> None:
    words = [f"term{number * 7919:x}" for number in range(2_000)]
    scanner = engine(declarative(Banlist, lists={"x": {"words": words}}))
    text = f"See {words[0]}, {words[1999].upper()} and {words[5]}z. " + "Nothing of the kind here. " * 20
    assert codes(scanner, text) == {"ban.x": [words[0], words[1999].upper()]}
    hold = HoldBack(scanner.rules)
    hits = [hit for character in text for hit in hold.feed(character)] + hold.feed("", final=True)
    assert [text[hit.start : hit.end] for hit in hits] == [words[0], words[1999].upper()]


async def test_a_stream_is_redacted_word_by_word(tmp_path) -> None:
    config = {"lists": {"rivals": {"words": ["Acme Corp"], "do": "redact"}}}
    deltas = ["Buy from Ac", "me", " Co", "rp today, not Acme Cor", "n."]
    async with harness(tmp_path, lambda _: sse(*chat_chunks(*deltas)), settings=settings_for(Banlist, config)) as gate:
        got = await gate.chat("hi", stream=True)
        assert got.text() == "Buy from <BANNED> today, not Acme Corn."


async def test_a_banned_word_in_a_request_is_refused(tmp_path) -> None:
    async with harness(tmp_path, settings=settings_for(Banlist, {"lists": LISTS})) as gate:
        got = await gate.chat("what of acme corp?")
        assert (got.status, got.code) == (400, "guardrail_blocked")
        assert b"acme" not in got.body.lower()
        assert gate.upstream.requests == []
