"""Tool calls are put together from their pieces, and no piece comes after the end."""

import pytest

from yett.errors import UpstreamError
from yett.wire import openai_chat_calls
from yett.wire.openai_chat_calls import PendingCalls


def piece(index=0, arguments="", **more):
    return {"index": index, "function": {"arguments": arguments}, **more}


def test_pieces_are_joined():
    calls = PendingCalls()
    first = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": '{"'}}
    assert calls.add([first, piece(0, 'a":'), piece(0, "1}", note=None)]) == []
    assert calls.finish() == [(0, {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}})]
    assert calls.finish() == []
    assert first["function"]["arguments"] == '{"'


@pytest.mark.parametrize(
    ("names", "whole"), [(["f", "f"], "f"), (["get_", "time"], "get_time"), (["f", ""], "f"), (["", "f"], "f")]
)
def test_a_repeated_name_is_one_name(names, whole):
    calls = PendingCalls()
    for name in names:
        calls.add([{"index": 0, "function": {"name": name}}])
    assert calls.finish()[0][1]["function"]["name"] == whole


def test_a_repeated_id_is_one_id():
    calls = PendingCalls()
    calls.add([piece(0, "x", id="a"), piece(0, "y", id="a")])
    assert calls.finish() == [(0, {"id": "a", "function": {"arguments": "xy"}})]


def test_unknown_texts_grow_and_the_rest_is_replaced():
    calls = PendingCalls()
    calls.add([{"index": 0, "note": "a", "list": ["x"], "n": 1}, {"index": 0, "note": "b", "list": ["y"], "n": 2}])
    assert calls.finish() == [(0, {"note": "ab", "list": ["y"], "n": 2})]


def test_another_call_completes_the_one_before():
    calls = PendingCalls()
    assert calls.add([piece(0, "a"), piece(1, "b")]) == [(0, {"function": {"arguments": "a"}})]
    assert calls.add([piece(5, "c")]) == [(1, {"function": {"arguments": "b"}})]


def test_another_id_at_the_same_index_is_another_call():
    calls = PendingCalls()
    assert [call["id"] for _, call in calls.add([piece(0, "a", id="x"), piece(0, "b", id="y")])] == ["x"]
    assert [call["id"] for _, call in calls.finish()] == ["y"]


BAD = {
    "text": "x",
    "list of text": ["x"],
    "index is text": [{"index": "0"}],
    "index is true": [{"index": True}],
    "index is negative": [{"index": -1}],
    "index is large": [{"index": 5000}],
    "late": [piece(0, id="a"), piece(1, id="b"), piece(0)],
    "late with its id": [piece(0, id="a"), piece(1, id="b"), piece(0, id="a")],
}


@pytest.mark.parametrize("pieces", BAD.values(), ids=BAD)
def test_impossible_pieces_are_refused(pieces):
    with pytest.raises(UpstreamError) as error:
        PendingCalls().add(pieces)
    assert error.value.code == "upstream_protocol"


def test_a_call_cannot_grow_without_end(monkeypatch):
    monkeypatch.setattr(openai_chat_calls, "_MAX_CALL_CHARS", 100)
    calls = PendingCalls()
    with pytest.raises(UpstreamError):
        for _ in range(20):
            calls.add([piece(0, "x" * 10)])


def test_the_number_of_calls_is_bounded():
    calls = PendingCalls()
    with pytest.raises(UpstreamError):
        for number in range(5000):
            calls.add([piece(0, id=f"c{number}")])
            calls.add([piece(number % 1000 + 1, id=f"d{number}")])
