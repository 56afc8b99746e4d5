"""Indices and logprobs that follow a changed text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.responses_events import logprobs
from helpers.stream_guards import MARK, WORD, WordChannel, redacted
from yett.verdict import Edit, apply_edits
from yett.wire.openai_responses_text import Change, StreamedText, changes_of, follow, keep_logprobs, moved

EDITS = [Edit("/t", (2, 5), "<NAME_9>"), Edit("/t", (7, 9), "")]


@pytest.mark.parametrize(
    ("index", "is_end", "expected"),
    [
        (0, False, 0),
        (2, False, 2),
        (2, True, 2),
        (3, False, 2),
        (3, True, 10),
        (5, False, 10),
        (5, True, 10),
        (7, False, 12),
        (8, True, 12),
        (9, False, 12),
        (12, False, 15),
        (99, True, 102),
    ],
)
def test_moved(index: int, is_end: bool, expected: int) -> None:
    changes = changes_of(EDITS)
    assert changes is not None
    assert moved(index, changes, is_end=is_end) == expected


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.text("ab", max_size=20), st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), max_size=4))
def test_unchanged_characters_are_found_again_and_spelled_by_their_logprobs(
    text: str, wishes: list[tuple[int, int]]
) -> None:
    edits, free = [], 0
    for start, size in sorted(wishes):
        if free <= start and start + size <= len(text):
            edits.append(Edit("/t", (start, start + size), "<X>"))
            free = start + size + 1
    changed = apply_edits(text, edits)
    changes = changes_of(edits)
    assert changes is not None
    untouched = [i for i in range(len(text)) if not any(c.start <= i < c.end for c in changes)]
    for index in untouched:
        assert changed[moved(index, changes, is_end=False)] == text[index]
    kept = keep_logprobs(logprobs(text), changes, changed)
    assert "".join(entry["token"] for entry in kept) == "".join(text[i] for i in untouched)


@pytest.mark.parametrize(
    "entries",
    [None, "x", [1], [{"token": 3}], [{}], logprobs("ab"), logprobs("abcd"), logprobs("axc")],
    ids=["none", "text", "number", "odd-token", "no-token", "short", "long", "other"],
)
def test_logprobs_that_do_not_spell_the_text_are_dropped(entries: object) -> None:
    assert keep_logprobs(entries, (), "abc") == []


@pytest.mark.parametrize("annotations", [None, "x", [1, None], [{"start_index": "0"}]])
def test_odd_annotations_are_left_alone(annotations: Any) -> None:
    part = {"text": "abc", "annotations": annotations}
    follow(part, [Change(0, 1, 5)])
    assert part["annotations"] == annotations


def test_a_whole_replacement_drops_every_position() -> None:
    part = {"text": "gone", "annotations": [{"start_index": 1}, {"index": 2}], "logprobs": logprobs("abc")}
    follow(part, changes_of([Edit("/t", None, "gone")]))
    assert part == {"text": "gone", "annotations": [{"index": 2}], "logprobs": []}


def test_a_streamed_text_gives_logprobs_when_their_text_has_left() -> None:
    stream = StreamedText(WordChannel(), {})
    out: list[str] = []
    for chunk in ("a<x", "12>", "b<x", "c"):
        stream.add(chunk, logprobs(chunk))
        text, entries = stream.take(stream.channel.feed(chunk))
        out += [entry["token"] for entry in entries]
        assert stream.text.endswith(text)
    text, entries = stream.take(stream.channel.finish())
    out += [entry["token"] for entry in entries]
    assert (stream.raw, stream.text) == ("a<x12>b<xc", f"a{MARK}b<xc")
    assert out == ["a", "b", "<", "x", "c"]


def test_from_the_first_wrong_entry_a_text_has_no_logprobs() -> None:
    stream = StreamedText(WordChannel(), {})
    seen = []
    for chunk, entries in (("a", logprobs("a")), ("b", logprobs("z")), ("c", logprobs("c"))):
        stream.add(chunk, entries)
        seen.append(len(stream.take(stream.channel.feed(chunk))[1]))
    assert seen == [1, 0, 0]


def test_annotations_wait_for_their_text() -> None:
    stream = StreamedText(WordChannel(), {})
    stream.annotations.append({"annotation": {"start_index": 6, "end_index": 8}})
    stream.add("<x12", None)
    stream.take(stream.channel.feed("<x12"))
    assert stream.due_annotations() == []
    stream.add("> ab", None)
    stream.take(stream.channel.feed("> ab"))
    shift = len(MARK) - 5
    assert stream.due_annotations() == [{"annotation": {"start_index": 6 + shift, "end_index": 8 + shift}}]
    assert stream.due_annotations() == []
    assert WORD.sub(MARK, "<x12> ab") == redacted("<x12> ab") == stream.text
