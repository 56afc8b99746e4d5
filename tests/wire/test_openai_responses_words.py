"""The word lists against OpenAI's own description: a word that is not the API's must not be in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from yett.wire.openai_responses_words import KEYS, VALUES

SPEC = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "specs" / "openai-openapi.yaml"
OURS = {"audio_url", "video_url", "input_audio", "transcript", "stream"}  # of compatible providers and older versions
OUR_VALUES = {"input_audio", "output_audio", "input_video", "user", "tool"}


@pytest.fixture(scope="module")
def words() -> tuple[set[str], set[str]]:
    if not SPEC.exists():
        pytest.skip(f"OpenAI's description is not here: {SPEC.name}")
    schemas = yaml.load(SPEC.read_bytes(), Loader=yaml.CSafeLoader)["components"]["schemas"]
    names: set[str] = set()
    values: set[str] = set()
    seen: set[str] = set()
    queue: list[Any] = [schemas["CreateResponse"], schemas["Response"], schemas["ResponseStreamEvent"]]
    for node in queue:
        if isinstance(node, list):
            queue += node
        elif isinstance(node, dict):
            reference = str(node.get("$ref", "")).rpartition("/")[2]
            if reference and reference not in seen:
                seen.add(reference)
                queue.append(schemas[reference])
            names |= set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
            values |= (
                {v for v in node.get("enum", ()) if isinstance(v, str)} if isinstance(node.get("enum"), list) else set()
            )
            queue += [v for k, v in node.items() if k not in {"enum", "example", "examples", "description"}]
    return names, values


def test_every_member_name_is_known(words: tuple[set[str], set[str]]) -> None:
    assert words[0] - KEYS == set()


def test_no_word_is_invented(words: tuple[set[str], set[str]]) -> None:
    assert KEYS - words[0] - OURS == set()
    assert VALUES - words[1] - OUR_VALUES == set()


def test_words_look_like_words() -> None:
    assert all(word.replace("_", "").replace(".", "").isalnum() for word in KEYS | VALUES)
