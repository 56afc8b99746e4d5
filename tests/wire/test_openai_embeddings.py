"""Embeddings: texts in, vectors out, and nothing else unseen."""

from __future__ import annotations

import base64
import struct
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse

from yett.errors import RequestError, UpstreamError
from yett.flow import Leaf, Role
from yett.wire.exchange import Fact
from yett.wire.openai_embeddings import DIALECT

Json = dict[str, Any]
VECTOR = base64.b64encode(struct.pack("<3f", 1.0, -0.5, 0.25)).decode()


def answer(*embeddings: Any, **more: Any) -> Json:
    data = [{"object": "embedding", "index": i, "embedding": e} for i, e in enumerate(embeddings)]
    return {"object": "list", "data": data, "model": "up", "usage": {"prompt_tokens": 3, "total_tokens": 3}} | more


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("hello", [("/input", "hello")]),
        (["a", "", "b"], [("/input/0", "a"), ("/input/2", "b")]),
        ("", []),
    ],
)
def test_texts_are_the_newest_user_turn(given: Any, expected: list[tuple[str, str]]) -> None:
    exchange = DIALECT.read_request({"model": "m", "input": given, "encoding_format": "base64", "dimensions": 256})
    assert exchange.leaves == [Leaf(place, text, Role.USER, newest=True) for place, text in expected]
    assert (exchange.model, exchange.stream, exchange.facts) == ("m", False, [])


@pytest.mark.parametrize("given", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_a_fact(given: Any) -> None:
    exchange = DIALECT.read_request({"model": "m", "input": given})
    assert exchange.facts == [Fact("tokens", "/input", "input")]
    assert exchange.leaves == []


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"input": "x"}, "/model"),
        ({"model": 5, "input": "x"}, "/model"),
        ({"model": "m"}, "/input"),
        ({"model": "m", "input": []}, "/input"),
        ({"model": "m", "input": None}, "/input"),
        ({"model": "m", "input": {"a": "b"}}, "/input"),
        ({"model": "m", "input": ["a", 1]}, "/input"),
        ({"model": "m", "input": [1, True]}, "/input"),
        ({"model": "m", "input": [1.5]}, "/input"),
        ({"model": "m", "input": [[1], "a"]}, "/input"),
        ({"model": "m", "input": [["a"]]}, "/input"),
        ({"model": "m", "input": "x", "stream": True}, "/stream"),
    ],
)
def test_shapes_that_are_refused(body: Json, place: str) -> None:
    with pytest.raises(RequestError) as caught:
        DIALECT.read_request(body)
    assert caught.value.pointer == place


def test_identity_and_unknown_fields() -> None:
    exchange = DIALECT.read_request(
        {"model": "m", "input": "x", "user": "bob", "task": "for bob", "encoding_format": "odd"}
    )
    assert exchange.facts == [Fact("identity", "/user", "user", "bob")]
    assert {leaf.text for leaf in exchange.leaves} == {"x", "task", "for bob", "odd"}


@pytest.mark.parametrize("vector", [[0.123456789, -1, 2.0], [], VECTOR], ids=["floats", "empty", "base64"])
def test_vectors_are_no_leaves(vector: Any) -> None:
    read = DIALECT.read_answer(answer(vector, vector))
    assert read.leaves == []
    assert read.usage == {"prompt_tokens": 3, "total_tokens": 3}
    assert read.opaque == (["/data/0/embedding", "/data/1/embedding"] if isinstance(vector, str) else [])


@pytest.mark.parametrize(
    "vector",
    [
        "call bob",
        "bob@example.com",
        "abc",
        "YWI=",
        VECTOR + "====",
        "a-b_",
        [1, "x"],
        [[1.0]],
        [None],
        [True],
        None,
        {"a": 1},
    ],
)
def test_what_is_no_vector_is_the_providers_fault(vector: Any) -> None:
    with pytest.raises(UpstreamError):
        DIALECT.read_answer(answer([1.0], vector))


@pytest.mark.parametrize("data", [None, {}, "x", ["x"], [None]])
def test_answers_without_data_are_the_providers_fault(data: Any) -> None:
    with pytest.raises(UpstreamError):
        DIALECT.read_answer({"data": data})


def test_all_other_strings_of_an_answer_are_leaves() -> None:
    body = answer([1.0], [1.0], [1.0], note="n", usage={"prompt_tokens": 1, "why": "u"})
    body["data"][0]["extra"] = "e"
    body["data"][1]["object"] = "o"
    body["data"][2]["index"] = "i"
    assert {(leaf.pointer, leaf.text) for leaf in DIALECT.read_answer(body).leaves if leaf.part == "value"} == {
        ("/note", "n"),
        ("/usage/why", "u"),
        ("/data/0/extra", "e"),
        ("/data/1/object", "o"),
        ("/data/2/index", "i"),
    }


def test_names_of_models_and_the_form_of_a_block() -> None:
    body = {"model": "mine", "input": "x"}
    DIALECT.prepare(body, "theirs")
    assert body["model"] == "theirs"
    reply = answer([1.0], secret="bob")
    DIALECT.finish_answer(reply, {"model": "mine"}, ())
    assert reply["model"] == "mine"
    blocked = DIALECT.block_answer(reply | {"usage": {"prompt_tokens": 3, "total_tokens": "bob"}}, "no")
    assert CreateEmbeddingResponse.construct(**blocked).data == []
    assert blocked["usage"] == {"prompt_tokens": 3}
    assert blocked["error"]["code"] == "guardrail_blocked"
    assert "bob" not in str(blocked)


def test_there_is_no_stream() -> None:
    with pytest.raises(UpstreamError):
        DIALECT.open_stream({}, "m", None)  # type: ignore[arg-type]  # never asked
