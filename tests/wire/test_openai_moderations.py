"""Moderations: texts and images in, flags out."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types import ModerationCreateResponse

from yett.errors import RequestError, UpstreamError
from yett.flow import Leaf, Role
from yett.wire.exchange import Fact
from yett.wire.openai_moderations import DEFAULT_MODEL, DIALECT

Json = dict[str, Any]
PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("hello", [("/input", "hello")]),
        (["a", "", "b"], [("/input/0", "a"), ("/input/2", "b")]),
        ([{"type": "text", "text": "a"}], [("/input/0/text", "a")]),
    ],
)
def test_texts_are_the_newest_user_turn(given: Any, expected: list[tuple[str, str]]) -> None:
    exchange = DIALECT.read_request({"model": "m", "input": given})
    assert exchange.leaves == [Leaf(place, text, Role.USER, newest=True) for place, text in expected]
    assert exchange.model == "m"


def test_the_model_may_be_left_out() -> None:
    assert DIALECT.read_request({"input": "x"}).model == DEFAULT_MODEL
    body: Json = {"input": "x"}
    DIALECT.prepare(body, "theirs")
    assert body == {"input": "x", "model": "theirs"}


@pytest.mark.parametrize(
    ("image", "value", "texts"),
    [
        ({"url": "https://a.example/i"}, "https://a.example/i", {"https://a.example/i"}),
        ({"url": PNG}, "", set()),
        (PNG, "", set()),
        ({"url": PNG, "note": "n"}, "", {"note", "n"}),
        ({"url": "data:text/plain,ring bob"}, "", {"data:text/plain,ring bob"}),
        ({"url": 5}, "", set()),
        (None, "", set()),
    ],
)
def test_images_are_facts(image: Any, value: str, texts: set[str]) -> None:
    exchange = DIALECT.read_request({"input": [{"type": "image_url", "image_url": image}]})
    assert exchange.facts == [Fact("media", "/input/0", "image", value)]
    assert {leaf.text for leaf in exchange.leaves} == texts
    assert all(not leaf.editable for leaf in exchange.leaves)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"input": None}, "/input"),
        ({"input": []}, "/input"),
        ({"input": {"type": "text"}}, "/input"),
        ({"input": [1]}, "/input/0"),
        ({"input": ["a", ["b"]]}, "/input/1"),
        ({"input": "x", "model": ""}, "/model"),
        ({"input": "x", "model": None}, "/model"),
    ],
)
def test_shapes_that_are_refused(body: Json, place: str) -> None:
    with pytest.raises(RequestError) as caught:
        DIALECT.read_request(body)
    assert caught.value.pointer == place


def test_unknown_fields_and_types_are_leaves() -> None:
    exchange = DIALECT.read_request({"input": [{"type": "odd", "more": "m", "text": "t"}], "extra": ["e"]})
    assert {leaf.text for leaf in exchange.leaves} == {"odd", "more", "m", "t", "extra", "e"}


def reply(**more: Any) -> Json:
    flags = {"hate": True, "self-harm/intent": False}
    result = {
        "flagged": True,
        "categories": flags,
        "category_scores": {"hate": 0.123456789012, "self-harm/intent": 0.1},
        "category_applied_input_types": {"hate": ["text"], "self-harm/intent": ["text", "image"]},
    }
    return {"id": "modr-1", "model": "up", "results": [result | more]}


def test_an_answer_of_flags_has_only_its_id_as_text() -> None:
    leaves = DIALECT.read_answer(reply()).leaves
    assert [(leaf.text, leaf.editable) for leaf in leaves if leaf.part == "value"] == [("modr-1", False)]


def test_strings_of_an_answer_are_leaves() -> None:
    texts = {leaf.text for leaf in DIALECT.read_answer(reply(why="because of bob", bob=True)).leaves}
    assert {"because of bob", "why", "bob"} <= texts


@pytest.mark.parametrize("body", [{}, {"results": None}, {"results": {}}])
def test_answers_without_results_are_the_providers_fault(body: Json) -> None:
    with pytest.raises(UpstreamError):
        DIALECT.read_answer(body)


def test_finish_and_block() -> None:
    body = reply(why="bob")
    DIALECT.finish_answer(body, {"model": "mine"}, ())
    assert body["model"] == "mine"
    blocked = DIALECT.block_answer(body, "no")
    assert ModerationCreateResponse.model_validate(blocked).results == []
    assert blocked["error"]["message"] == "no"
    assert "bob" not in str(blocked)


def test_there_is_no_stream() -> None:
    with pytest.raises(UpstreamError):
        DIALECT.open_stream({}, "m", None)  # type: ignore[arg-type]  # never asked
