"""Texts, held calls and kept events below the Responses codec."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.stream_guards import MARK, OpenGuard, WordGuard, parsed
from yett.wire.guard import Blocked
from yett.wire.openai_responses_channels import EventChannels, key_of, template, unknown_leaves

Json = dict[str, Any]
DELTA: Json = {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 1}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (DELTA, ("response.output_text", 0, 1)),
        ({"type": "response.x.done", "item_id": "i", "summary_index": 2}, ("response.x", "i", 2)),
        ({"type": "response.x.delta"}, ("response.x", None, None)),
        ({"type": "response.x.delta", "output_index": "0"}, None),
        ({"type": "response.x.delta", "output_index": True}, None),
        ({"type": "response.x.delta", "item_id": []}, None),
    ],
)
def test_key_of(event: Json, expected: tuple[object, ...] | None) -> None:
    assert key_of(event) == expected


def test_a_template_has_place_and_no_text() -> None:
    event = DELTA | {"delta": "secret", "logprobs": [1], "obfuscation": "x", "more": "secret"}
    assert template(event) == DELTA | {"logprobs": []}


def test_events_are_numbered_in_the_order_they_leave() -> None:
    out = EventChannels(OpenGuard())
    out.emit({"type": "a", "sequence_number": 77})
    out.keep({"type": "b", "x": "t"})
    out.emit({"type": "c"})
    out.release_kept()
    assert [(e["type"], e["sequence_number"]) for e in parsed(out.take())] == [("a", 0), ("b", 1), ("c", 2)]
    assert out.take() == b""


def test_kept_events_do_not_leave_unless_released() -> None:
    out = EventChannels(OpenGuard())
    out.emit({"type": "a"})
    out.keep({"type": "b", "x": "t"})
    assert [e["type"] for e in parsed(out.take())] == ["a"]


def test_kept_events_are_edited_and_denied() -> None:
    out = EventChannels(WordGuard())
    out.keep({"type": "b", "x": {"y": "<x12>"}})
    out.release_kept()
    assert parsed(out.take())[0]["x"] == {"y": MARK}
    out.keep({"type": "b", "x": "!deny!"})
    with pytest.raises(Blocked):
        out.release_kept()
    assert out.take() == b""


def test_a_text_is_settled_under_what_the_provider_wrote() -> None:
    out = EventChannels(WordGuard())
    stream = out.open_text(("response.output_text", 0, 1), DELTA)
    out.grow(stream, "a <x1", None)
    out.settle(stream, "a <x12> b")
    assert stream.text == f"a {MARK} b"
    node: Json = {"text": "a <x12> b", "other": ["a <x12> b", "a <x12>"]}
    assert out.rebuild(node, "/n") == {"/n/text", "/n/other/0"}
    assert node == {"text": f"a {MARK} b", "other": [f"a {MARK} b", "a <x12>"]}


def test_settling_and_flushing_twice_is_once() -> None:
    out = EventChannels(WordGuard())
    stream = out.open_text(("response.output_text", 0, 1), DELTA)
    out.grow(stream, "a", None)
    for _ in range(2):
        out.settle(stream, "a")
        out.flush(stream)
    assert [e["delta"] for e in parsed(out.take())] == ["a"]


def test_flush_all_ends_only_the_texts_of_its_item() -> None:
    out = EventChannels(WordGuard())
    for index in (0, 1):
        event = DELTA | {"output_index": index}
        out.grow(out.open_text(("response.output_text", index, 1), event), "<x", None)
    out.flush_all(1)
    assert [(e["output_index"], e["delta"]) for e in parsed(out.take())] == [(1, "<x")]
    out.flush_all()
    assert [(e["output_index"], e["delta"]) for e in parsed(out.take())] == [(0, "<x")]


def test_a_held_call_is_checked_as_json_and_leaves_whole() -> None:
    out = EventChannels(WordGuard())
    key = ("response.function_call_arguments", 0, None)
    model = {"type": "response.function_call_arguments.delta", "output_index": 0}
    out.hold(key, '{"a":', model)
    out.hold(key, '"<x12>"}', model)
    assert out.take() == b""
    assert out.finish_held(key, model, "arguments", "") == f'{{"a":"{MARK}"}}'
    assert [e["delta"] for e in parsed(out.take())] == [f'{{"a":"{MARK}"}}']
    assert out.finish_held(key, model, "arguments", "") == ""


def test_ids_seen_clean_are_asked_once_and_other_texts_always() -> None:
    guard = OpenGuard()
    out = EventChannels(guard)
    for _ in range(3):
        out.check({"type": "x", "item_id": "id-1", "text": "hello"})
        out.check_id({"item_id": "id-1"})
    assert guard.texts.count("id-1") == 1
    assert guard.texts.count("hello") == 3


def test_an_id_that_is_no_text_is_walked() -> None:
    guard = OpenGuard()
    EventChannels(guard).check_id({"item_id": ["deep"]})
    assert guard.texts == ["deep"]


def test_unknown_leaves_take_no_value_for_the_apis_own() -> None:
    leaves = unknown_leaves({"type": "x.y", "sequence_number": 1, "status": "completed", "mine": 5})
    assert [(leaf.text, leaf.part) for leaf in leaves] == [("x.y", "value"), ("completed", "value"), ("mine", "key")]
