"""What chat and completions bodies share."""

import pytest

from yett.errors import RequestError
from yett.wire import openai_body, strictjson


@pytest.mark.parametrize("model", ["gpt-4o-mini", "org/model:tag", "ft:gpt-4o:acme::x1", "m", "claude@2024", "a+b"])
def test_model_names(model):
    assert openai_body.model_of({"model": model}) == model


@pytest.mark.parametrize("model", [None, "", " m", "m\n", "a b", "-m", "é", "<x>", 5, ["m"], "m" * 129])
def test_what_is_no_model_name(model):
    with pytest.raises(RequestError) as error:
        openai_body.model_of({"model": model})
    assert error.value.pointer == "/model"


def test_preparing_twice_is_preparing_once():
    body = {"model": "m", "stream": True}
    for name in ("a", "b"):
        openai_body.prepare(body, name)
    assert not openai_body.wants_usage(body)
    assert strictjson.dumps(body) == b'{"model":"b","stream":true,"stream_options":{"include_usage":true}}'
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    openai_body.prepare(asked, "a")
    assert openai_body.wants_usage(asked)


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ([1], True),
        ([[1, 2], [3]], True),
        ([], False),
        ("1", False),
        ([True], False),
        ([1, "a"], False),
        ([[]], False),
        ({}, False),
    ],
)
def test_token_ids(value, tokens):
    assert openai_body.is_token_ids(value) is tokens


@pytest.mark.parametrize(
    ("usage", "kept"),
    [
        ({"a": 1, "b": {"c": 2.5}}, {"a": 1, "b": {"c": 2.5}}),
        ({"a": "x", "B": 1, "c": [1]}, {}),
        ("x", None),
        ({"a": 1e12}, {}),
    ],
)
def test_usage_without_text(usage, kept):
    assert openai_body.numbers_only(usage) == kept


def test_an_error_shows_the_place_not_the_name():
    error = openai_body.bad("/metadata/jane@example.com", "a string")
    assert (error.pointer, error.message) == ("/metadata/*", "/metadata/* must be a string")
