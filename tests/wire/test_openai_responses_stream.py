"""The Responses codec: what the client sees never depends on how the provider cut its texts."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai._types import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from helpers.responses_events import (
    call_events,
    logprobs,
    message_events,
    output_text,
    reasoning_events,
    response,
    stream,
)
from helpers.stream_guards import DENIED, MARK, Json, OpenGuard, Run, WordGuard, parsed, redacted, run, sse
from yett.errors import UpstreamError
from yett.wire.guard import Guard
from yett.wire.openai_responses import DIALECT

EVENT = TypeAdapter(ResponseStreamEvent)
TEXT = st.lists(st.sampled_from(["<x12>", "<x1", "2>", "a", "<", "x", "é😀", " ", "9"]), max_size=12).map("".join)


def codec(guard: Guard) -> Any:
    return DIALECT.open_stream({"model": "mine"}, "mine", guard)


def through(events: list[Json], guard: Guard | None = None) -> Run:
    return run(codec, copy.deepcopy(events), guard or WordGuard())


def cut(text: str, sizes: list[int]) -> list[str]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    return [*pieces, text[at:]]


def test_events_that_came_together_are_fed_one_by_one() -> None:
    alone, together = codec(WordGuard()), codec(WordGuard())
    events = [sse(event) for event in stream(message_events([["a <x", "12> b"]]))]
    assert together.feed_all(events) == b"".join([alone.feed(event) for event in events]) != b""
    assert together.done


def assert_valid(result: Run) -> None:
    """Every event is one of OpenAI's, in a row, and OpenAI's own accumulator takes the whole stream."""
    assert [event["sequence_number"] for event in result.events] == list(range(len(result.events)))
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in result.events:
        state.handle_event(EVENT.validate_python(event))


def chunks(text: st.SearchStrategy[str] = TEXT) -> st.SearchStrategy[list[str]]:
    return st.builds(cut, text, st.lists(st.integers(0, 4), max_size=8))


@settings(max_examples=120, derandomize=True, deadline=None)
@given(st.lists(chunks(), min_size=1, max_size=2), chunks(), chunks(), st.booleans())
def test_deltas_done_and_completed_agree_for_every_chunking(
    parts: list[list[str]], summary: list[str], argument: list[str], probs: bool
) -> None:
    arguments = cut(orjson.dumps({"to": "".join(argument), "n": 1}).decode(), [len(a) for a in argument])
    result = through(
        stream(
            reasoning_events([summary], 0),
            message_events(parts, 1, probs=probs),
            call_events(arguments, 2),
        )
    )
    assert_valid(result)
    final = result.events[-1]["response"]
    items = [event["item"] for event in result.of("response.output_item.done")]
    assert final["output"] == items
    for index, part in enumerate(parts):
        expected = redacted("".join(part))
        place = {"output_index": 1, "content_index": index}
        assert result.text("response.output_text.delta", **place) == expected
        done = [e for e in result.of("response.output_text.done") if e["content_index"] == index]
        assert [e["text"] for e in done] == [expected]
        assert result.of("response.content_part.done")[index]["part"]["text"] == expected
        assert final["output"][1]["content"][index]["text"] == expected
    assert result.text("response.reasoning_summary_text.delta") == redacted("".join(summary))
    assert final["output"][0]["summary"][0]["text"] == redacted("".join(summary))
    call = final["output"][2]["arguments"]
    assert orjson.loads(call) == {"to": redacted("".join(argument)), "n": 1}
    assert result.text("response.function_call_arguments.delta") == call
    assert result.of("response.function_call_arguments.done")[0]["arguments"] == call


@settings(max_examples=60, derandomize=True, deadline=None)
@given(chunks(), st.booleans())
def test_nothing_changes_when_nothing_is_found(part: list[str], probs: bool) -> None:
    events = stream(message_events([part], probs=probs), metadata={"case": "7"}, instructions="be kind")
    result = through(events, OpenGuard())
    assert_valid(result)
    expected = copy.deepcopy(events)
    for event in expected:
        event.pop("obfuscation", None)
        if "response" in event:
            event["response"]["model"] = "mine"
    kept = [e for e in expected if not (e["type"].endswith(".delta") and e["delta"] == "")]
    assert [e | {"sequence_number": 0} for e in result.events] == [e | {"sequence_number": 0} for e in kept]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(TEXT, TEXT, st.lists(st.integers(0, 4), max_size=8))
def test_a_denied_text_ends_the_stream_as_content_filter(before: str, after: str, sizes: list[int]) -> None:
    before = before.rstrip("<x12") + "."
    result = through(stream(message_events([cut(f"{before}!deny!{after}", sizes)])))
    assert_valid(result)
    assert result.codec.blocked == DENIED
    assert result.codec.done
    assert result.codec.finish == "content_filter"
    assert result.text("response.output_text.delta") == redacted(before)
    assert [e["text"] for e in result.of("response.output_text.done")] == [redacted(before)]
    last = result.events[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert last["response"]["model"] == "mine"
    item = last["response"]["output"][0]
    assert item["status"] == "incomplete"
    assert item["content"][0]["text"] == redacted(before)
    assert result.of("response.output_item.done")[0]["item"] == item
    assert "!deny!" not in result.raw.decode()


def test_the_two_guards_agree_on_a_clean_stream_of_every_item() -> None:
    events = stream(message_events([["hello ", "world"]]), call_events(['{"a"', ":1}"], 1))
    assert through(events, OpenGuard()).text("response.output_text.delta") == "hello world"
    assert through(events, OpenGuard()).events[-1] == through(events, WordGuard()).events[-1] | {
        "sequence_number": through(events, OpenGuard()).events[-1]["sequence_number"]
    }


def test_arguments_leave_as_one_delta_when_they_are_complete() -> None:
    result = through(stream(call_events(['{"to":"<x', '12>"', ',"b":[1]}'])))
    deltas = [e["delta"] for e in result.of("response.function_call_arguments.delta")]
    assert deltas == [f'{{"to":"{MARK}","b":[1]}}']


@pytest.mark.parametrize(
    ("family", "name", "item"),
    [
        ("function_call_arguments", "arguments", {"type": "function_call", "name": "f", "call_id": "c"}),
        ("mcp_call_arguments", "arguments", {"type": "mcp_call", "name": "f", "server_label": "s"}),
        ("custom_tool_call_input", "input", {"type": "custom_tool_call", "name": "f", "call_id": "c"}),
    ],
)
@pytest.mark.parametrize("said", [True, False], ids=["done-says-it", "no-done-event"])
def test_held_calls(family: str, name: str, item: Json, said: bool) -> None:
    raw = '{"to":"<x12>"}'
    at = {"item_id": "i1", "output_index": 0}
    full = {"id": "i1", **item, name: raw}
    events: list[Json] = [
        {"type": "response.output_item.added", "output_index": 0, "item": full | {name: raw[:6]}},
        {"type": f"response.{family}.delta", **at, "delta": raw[:9]},
        {"type": f"response.{family}.delta", **at, "delta": raw[9:]},
        *([{"type": f"response.{family}.done", **at, name: raw}] if said else []),
        {"type": "response.output_item.done", "output_index": 0, "item": full},
    ]
    result = through(stream((events, full)))
    expected = f'{{"to":"{MARK}"}}'
    assert result.of("response.output_item.added")[0]["item"][name] == ""
    assert result.text(f"response.{family}.delta") == expected
    assert result.events[-1]["response"]["output"][0][name] == expected
    assert "<x12>" not in result.raw.decode()


def test_a_denied_call_never_leaves() -> None:
    result = through(stream(message_events([["ok"]]), call_events(['{"to":"!de', 'ny!"}'], 1)))
    assert result.codec.blocked == DENIED
    assert not result.of("response.function_call_arguments.delta")
    call = result.events[-1]["response"]["output"][1]
    assert (call["arguments"], call["status"]) == ("", "incomplete")
    assert result.events[-1]["response"]["output"][0]["content"][0]["text"] == "ok"
    assert_valid(result)


def test_two_items_that_alternate_are_two_texts() -> None:
    one, item_1 = message_events([["<x", "12> one"]], 0)
    two, item_2 = message_events([["tw", "o <x34>"]], 1)
    mixed = [event for pair in zip(one, two, strict=True) for event in pair]
    result = through(stream((mixed, item_1), ([], item_2)))
    assert result.text("response.output_text.delta", output_index=0) == f"{MARK} one"
    assert result.text("response.output_text.delta", output_index=1) == f"two {MARK}"
    assert [i["content"][0]["text"] for i in result.events[-1]["response"]["output"]] == [f"{MARK} one", f"two {MARK}"]


def test_texts_in_added_events_come_as_deltas() -> None:
    item = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [output_text("<x12> b")],
    }
    begun = item | {"status": "in_progress", "content": [output_text("<x1")]}
    at = {"item_id": "m", "output_index": 0, "content_index": 0}
    events: list[Json] = [
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": "response.output_text.delta", **at, "delta": "2> b", "logprobs": []},
        {"type": "response.output_text.done", **at, "text": "<x12> b", "logprobs": []},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    ]
    result = through(stream((events, item)))
    assert result.of("response.output_item.added")[0]["item"]["content"][0]["text"] == ""
    assert result.text("response.output_text.delta") == f"{MARK} b"
    assert result.events[-1]["response"]["output"][0]["content"][0]["text"] == f"{MARK} b"


def test_a_text_that_only_its_done_event_has_is_streamed() -> None:
    events, item = message_events([["<x12> whole"]])
    events = [e for e in events if not e["type"].endswith(".delta")]
    result = through(stream((events, item)))
    assert result.text("response.output_text.delta") == f"{MARK} whole"
    assert_valid(result)


def test_a_text_that_only_the_last_event_has_is_checked_whole() -> None:
    _, item = message_events([["<x12> whole"]])
    result = through(stream(([], item)))
    assert result.events[-1]["response"]["output"][0]["content"][0]["text"] == f"{MARK} whole"


def test_a_done_event_that_tells_another_text_is_not_believed() -> None:
    events, item = message_events([["honest"]])
    for event in events:
        if event["type"] == "response.output_text.done":
            event["text"] = "<x12> smuggled"
    result = through(stream((events, item)))
    assert result.of("response.output_text.done")[0]["text"] == "honest"


def test_logprobs_over_an_edit_go_and_the_others_stay() -> None:
    result = through(stream(message_events([["ab<x", "12>c"]], probs=True)))
    entries = [entry["token"] for e in result.of("response.output_text.delta") for entry in e["logprobs"]]
    assert entries == ["a", "b", "c"]
    assert [e["token"] for e in result.of("response.output_text.done")[0]["logprobs"]] == ["a", "b", "c"]
    part = result.events[-1]["response"]["output"][0]["content"][0]
    assert [e["token"] for e in part["logprobs"]] == ["a", "b", "c"]
    assert "<" not in [e["token"] for e in part["logprobs"]]


def test_logprobs_that_spell_another_text_are_dropped() -> None:
    events = stream(message_events([["abc"]]))
    for event in events:
        if event["type"] in {"response.output_text.delta", "response.output_text.done"}:
            event["logprobs"] = logprobs("<x12>")
        if "part" in event and event["part"]["text"]:
            event["part"]["logprobs"] = logprobs("xyz")
    events[-1]["response"]["output"][0]["content"][0]["logprobs"] = logprobs("abd")
    result = through(events)
    assert result.text("response.output_text.delta") == "abc"
    assert '"token"' not in result.raw.decode()


def test_annotation_indices_follow_the_text() -> None:
    text = "<x12> see [1] <x34> and [2]"
    spans = [(text.index("[1]"), text.index("[1]") + 3), (text.index("[2]"), text.index("[2]") + 3)]
    notes = [
        {"type": "url_citation", "url": "https://a.example/", "title": "<x56>", "start_index": s, "end_index": e}
        for s, e in spans
    ]
    events, item = message_events([cut(text, [3, 9, 4, 6])], annotations=notes)
    at = {"item_id": "msg_0", "output_index": 0, "content_index": 0}
    early = [
        {"type": "response.output_text.annotation.added", **at, "annotation_index": i, "annotation": dict(note)}
        for i, note in enumerate(notes)
    ]
    first_delta = next(i for i, e in enumerate(events) if e["type"].endswith(".delta"))
    result = through(stream((events[: first_delta + 1] + early + events[first_delta + 1 :], item)))
    final = result.events[-1]["response"]["output"][0]["content"][0]
    assert final["text"] == redacted(text)
    for note, wanted in zip(final["annotations"], ("[1]", "[2]"), strict=True):
        assert final["text"][note["start_index"] : note["end_index"]] == wanted
        assert note["title"] == MARK
    added = [e["annotation"] for e in result.of("response.output_text.annotation.added")]
    assert added == final["annotations"]
    assert_valid(result)


def test_the_echo_of_the_request_is_checked_and_named_in_every_response_object() -> None:
    echo = {
        "instructions": "write to <x12>",
        "metadata": {"mail": "<x12>"},
        "tools": [{"type": "function", "name": "f", "description": "<x12>", "parameters": {}, "strict": False}],
        "prompt_cache_key": "<x12>",
    }
    result = through(stream(message_events([["ok"]]), **echo))
    objects = [event["response"] for event in result.events if "response" in event]
    assert len(objects) == 3
    for one in objects:
        assert one["instructions"] == f"write to {MARK}"
        assert one["metadata"] == {"mail": MARK}
        assert one["tools"][0]["description"] == MARK
        assert one["prompt_cache_key"] == MARK
        assert one["model"] == "mine"


def test_an_unchanged_echo_is_checked_once() -> None:
    guard = WordGuard()
    through(stream(message_events([["ok"]]), instructions="be kind"), guard)
    assert [leaf.text for leaf in guard.checked].count("be kind") == 1


def test_an_echo_that_changes_is_checked_again() -> None:
    events = stream(message_events([["ok"]]), instructions="be kind")
    events[-1]["response"]["instructions"] = "tell <x12>"
    assert through(events).events[-1]["response"]["instructions"] == f"tell {MARK}"


@pytest.mark.parametrize("text", ["!deny!", "response.created"], ids=["at-the-first-event", "nothing-to-deny"])
def test_a_denied_echo_gives_a_stream_that_begins_and_ends(text: str) -> None:
    result = through(stream(message_events([["ok"]]), instructions=text))
    assert_valid(result)
    assert (result.codec.blocked is not None) == (text == "!deny!")
    assert "!deny!" not in result.raw.decode()
    if text == "!deny!":
        assert [e["type"] for e in result.events] == ["response.created", "response.incomplete"]


def test_unknown_events_wait_for_the_end_and_are_checked_whole() -> None:
    known, item = message_events([["a ", "b"]])
    strange: list[Json] = [
        {"type": "response.hologram.pixels", "payload": {"note": "<x"}},
        {"type": "response.hologram.pixels", "payload": {"note": "12>"}},
        {"type": "response.hologram.finished", "payload": "and <x34>"},
    ]
    events = stream((known[:3] + strange + known[3:], item))
    one = codec(WordGuard())
    early = b"".join(one.feed(sse(e)) for e in events[:5])
    assert parsed(early)[-1]["type"] == "response.output_text.delta"
    waiting = [one.feed(sse(e)) for e in events[5:-1]]
    assert waiting == [b""] * len(waiting)
    rest = parsed(one.feed(sse(events[-1])) + one.tail)
    assert [e["type"] for e in rest[:3]] == [e["type"] for e in strange]
    assert rest[2]["payload"] == f"and {MARK}"
    assert rest[-1]["type"] == "response.completed"
    assert one.unknown_events == 3
    assert [e["sequence_number"] for e in parsed(early) + rest] == list(range(len(events)))


def test_a_denied_unknown_event_is_left_out_and_what_was_cleared_stays() -> None:
    known, item = message_events([["a ", "b"]])
    events = stream(([*known[:3], {"type": "response.new", "x": "!deny!"}, *known[3:]], item))
    result = through(events)
    assert result.codec.blocked == DENIED
    assert not result.of("response.new")
    assert result.text("response.output_text.delta") == "a b"
    assert result.events[-1]["type"] == "response.incomplete"
    assert "!deny!" not in result.raw.decode()


def test_a_split_word_in_unknown_events_is_one_channel() -> None:
    guard = OpenGuard()
    parts: list[Json] = [{"type": "response.new", "note": "<x"}, {"type": "response.new", "note": "12>"}]
    through(stream((parts, message_events([["ok"]])[1])), guard)
    notes = [leaf for leaf in guard.leaves if leaf.text in {"<x", "12>"} and leaf.channel]
    assert [leaf.text for leaf in notes] == ["<x", "12>"]
    assert len({leaf.channel for leaf in notes}) == 1
    assert guard.leaves.index(notes[1]) == guard.leaves.index(notes[0]) + 1


def test_a_keep_alive_does_not_hold_the_stream() -> None:
    known, item = message_events([["a ", "b"]])
    result = through(stream(([*known[:3], {"type": "ping"}, *known[3:]], item)))
    assert result.codec.unknown_events == 0  # type: ignore[attr-defined]  # this codec has it
    assert result.of("ping")


@pytest.mark.parametrize("kind", ["response.novel.delta", "response.audio.transcript.delta"])
def test_a_string_delta_of_any_type_is_a_channel(kind: str) -> None:
    parts: list[Json] = [
        {"type": kind, "output_index": 0, "delta": "say <x1", "also": "more <x"},
        {"type": kind, "output_index": 0, "delta": "2> now", "also": "34>"},
    ]
    result = through(stream((parts, message_events([["ok"]])[1])))
    assert result.text(kind) == f"say {MARK} now"
    assert "".join(e.get("also", "") for e in result.of(kind)) == f"more {MARK}"
    assert result.codec.done


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.shell_call_output_content.delta", "output_index": 0, "delta": {"stdout": "<x12>"}},
        {"type": "response.novel.delta", "delta": ["<x12>"]},
        {"type": "response.novel.delta", "delta": "a", "deep": {"more": "<x12>"}},
        {"type": "response.novel.delta", "delta": "a", "output_index": "<x12>"},
        {"type": "response.novel.done", "text": "<x12>"},
    ],
    ids=["object", "list", "deep", "text-as-index", "done-without-deltas"],
)
def test_deltas_of_another_shape_wait_and_are_checked(event: Json) -> None:
    result = through(stream(([event], message_events([["ok"]])[1])))
    if event.get("output_index") == "<x12>":
        assert "<x12>" not in result.raw.decode()
        return
    assert result.codec.unknown_events == 1  # type: ignore[attr-defined]  # this codec has it
    assert MARK in orjson.dumps(result.of(event["type"])).decode()
    assert "<x12>" not in result.raw.decode()


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "server_error", "message": "no luck with <x12>", "param": None},
        {"type": "response.failed", "response": response([], "failed", error={"code": "x", "message": "at <x12>"})},
    ],
    ids=["error", "failed"],
)
def test_a_failure_ends_the_stream_without_a_clean_end(event: Json) -> None:
    known, item = message_events([["held <x1"]])
    result = through([*stream((known[:3], item))[:-1], event, *stream((known, item))])
    assert not result.codec.done
    assert result.codec.tail == b""
    last = result.events[-1]
    assert last["type"] == event["type"]
    assert MARK in orjson.dumps(last).decode()
    assert "held <x1" not in result.raw.decode()
    assert result.codec.fail({"error": {"message": "m", "code": "c"}}) == b""


@pytest.mark.parametrize("wrapped", [True, False], ids=["envelope", "inner"])
@pytest.mark.parametrize("finished", [True, False], ids=["before-the-tail", "in-the-middle"])
def test_fail_sends_one_terminal_error_event(wrapped: bool, finished: bool) -> None:
    one = codec(WordGuard())
    events = stream(message_events([["held <x1"]]))
    for event in events if finished else events[:5]:
        one.feed(sse(event))
    inner = {"message": "the guard failed", "type": "api_error", "param": None, "code": "guard_failed"}
    raw = one.fail({"error": inner} if wrapped else inner)
    event = parsed(raw)[0]
    assert raw.startswith(b"event: error\n")
    assert (event["type"], event["code"], event["message"]) == ("error", "guard_failed", "the guard failed")
    assert event["error"]["message"] == "the guard failed"
    EVENT.validate_python(event)
    assert one.fail(inner) == b""
    assert one.feed(sse(events[-1])) == b""


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"type":1}',
        b'{"type":"a b"}',
        b'{"type":"x\\ndata: y"}',
        b'{"type":"ping","type":"ping"}',
        b'{"type":"response.created"}',
        b'{"type":"response.created","response":[]}',
        b'{"type":"response.output_item.added","item":"x"}',
        b'{"type":"response.output_item.added","output_index":[1],"item":{}}',
        b'{"type":"response.output_item.done","output_index":true,"item":{}}',
        b'{"type":"response.content_part.added","part":null}',
        b'{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\\"a\\":1,\\"a\\":2}"}',
    ],
)
def test_malformed_events_are_the_providers_fault(data: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        codec(WordGuard()).feed(sse(data))
    assert caught.value.code == "upstream_protocol"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "output_index": [], "delta": "a"},
        {"type": "response.output_text.delta", "item_id": {"a": []}, "delta": "a"},
        {"type": "response.output_text.done", "output_index": {}, "text": "a"},
        {"type": "response.output_text.done"},
        {"type": "response.output_text.annotation.added", "annotation": None},
        {"type": "response.content_part.done", "part": {"type": ["x"], "text": 1}},
        {"type": "response.output_item.done", "item": {"type": {}, "content": [1, None, {"text": 5}]}},
        {"type": "response.output_item.added", "item": {"type": [], "role": [], "content": "x", "id": 5}},
        {"type": "response.mcp_call.failed", "why": {"deep": ["x"]}},
        {"type": "error"},
    ],
    ids=lambda e: e["type"],
)
def test_odd_shapes_are_survived(event: Json) -> None:
    result = through([*stream()[:2], event])
    assert result.events[0]["type"] == "response.created"


def test_the_end_gives_usage_ids_and_finish() -> None:
    result = through([*stream(message_events([["ok"]]), call_events(["{}"], 1)), b"[DONE]"])
    assert result.codec.done
    assert result.codec.finish == "completed"
    assert result.codec.usage == response([])["usage"]
    assert result.codec.held_ids == ["resp_1", "msg_0", "fc_1"]
    assert result.codec.tail.startswith(b"event: response.completed\n")
    assert b"[DONE]" not in result.raw


def test_an_incomplete_response_is_a_clean_end() -> None:
    details = {"incomplete_details": {"reason": "max_output_tokens"}}
    result = through(stream(message_events([["cut <x1"]]), end="incomplete", **details))
    assert (result.codec.done, result.codec.blocked) == (True, None)
    assert result.codec.finish == "max_output_tokens"
    assert result.text("response.output_text.delta") == "cut <x1"
    assert_valid(result)


def test_notices_pass_in_order_and_their_ids_are_checked_once() -> None:
    guard = OpenGuard()
    item = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}
    at = {"item_id": "ws_1", "output_index": 0}
    notices: list[Json] = [
        {"type": f"response.web_search_call.{state}", **at} for state in ("in_progress", "searching", "completed")
    ]
    result = through(stream((notices, item)), guard)
    assert [e["type"] for e in result.events[2:5]] == [e["type"] for e in notices]
    assert guard.texts.count("ws_1") == 1


def test_partial_images_are_opaque_only_as_base64() -> None:
    guard = OpenGuard()
    at = {"type": "response.image_generation_call.partial_image", "item_id": "ig", "output_index": 0}
    events: list[Json] = [at | {"partial_image_b64": "iVBORw0KGgo="}, at | {"partial_image_b64": "call me: 555"}]
    through(stream((events, message_events([["ok"]])[1])), guard)
    assert "iVBORw0KGgo=" not in guard.texts
    assert "call me: 555" in guard.texts


def test_a_shell_command_is_held_from_its_first_letter() -> None:
    at = {"output_index": 0, "command_index": 0}
    events: list[Json] = [
        {"type": "response.shell_call_command.added", **at, "command": "mail <x"},
        {"type": "response.shell_call_command.delta", **at, "delta": "12>"},
        {"type": "response.shell_call_command.done", **at, "command": "mail <x12>"},
    ]
    result = through(stream((events, message_events([["ok"]])[1])))
    assert [e.get("command", e.get("delta")) for e in result.events[2:5]] == ["", f"mail {MARK}", f"mail {MARK}"]
