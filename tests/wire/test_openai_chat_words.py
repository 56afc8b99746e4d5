"""The words that are no leaves are exactly the API's own, as its description lists them."""

from pathlib import Path

import pytest
import yaml

from yett.wire.openai_chat_words import KEYS, VALUES

SPEC = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "specs" / "openai-openapi.yaml"
ROOTS = [
    "CreateChatCompletionRequest",
    "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse",
    "CreateCompletionRequest",
    "CreateCompletionResponse",
]
NOT_IN_THE_DESCRIPTION = {"reasoning", "reasoning_content"}  # what compatible providers call a reasoning text
NAMES_NOT_WORDS = {"ModelIdsShared", "VoiceIdsShared"}  # checked by shape, or leaves


def words_of(spec):
    """Member names and enum values reachable from the roots, without names of models and voices."""
    schemas, keys, values, seen = spec["components"]["schemas"], set(), set(), set(NAMES_NOT_WORDS)
    queue = [{"$ref": "#/" + root} for root in ROOTS]
    for schema in queue:
        name = schema.get("$ref", "").split("/")[-1]
        if name and name not in seen:
            seen.add(name)
            queue.append(schemas[name])
        keys.update(schema.get("properties") or {})
        values.update(schema.get("enum") or [])
        for key, member in (schema.get("properties") or {}).items():
            if key != "model":
                queue.append(member)
        queue += [s for way in ("allOf", "anyOf", "oneOf") for s in schema.get(way) or []]
        queue += [schema[k] for k in ("items", "additionalProperties") if isinstance(schema.get(k), dict)]
    return keys, values


@pytest.fixture(scope="module")
def spec():
    if not SPEC.exists():
        pytest.skip("OpenAI's API description is not here: the word lists are not compared")
    return yaml.load(SPEC.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def test_the_lists_are_the_descriptions_words(spec):
    keys, values = words_of(spec)
    assert keys | NOT_IN_THE_DESCRIPTION == KEYS
    assert values <= VALUES
    assert sorted(VALUES - values) == []


def test_no_word_is_long_enough_to_carry_anything():
    assert max(map(len, KEYS | VALUES)) < 40
    assert not [word for word in KEYS | VALUES if word != word.lower() or " " in word]
