"""No string of OpenAI's API passes unseen: generated from OpenAI's own description of the endpoints we serve.

For every string that a request or answer schema can hold (enum values and object names too), a body is made that has a
canary there and as little else as the schema allows. The dialect must list it as a leaf, raise a fact that is denied by
default, refuse the body, or (in answers) not let it out. What is none of these stands in LISTED with its reason.
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from helpers.responses_events import message_events, stream
from helpers.stream_guards import OpenGuard, sse
from yett.errors import RequestError, UpstreamError
from yett.wire import openai_chat, openai_completions, openai_embeddings, openai_moderations, openai_responses
from yett.wire.exchange import Dialect, Exchange, Fact
from yett.wire.reference import escape

SPEC = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "specs" / "openai-openapi.yaml"
CANARY = "CANARYq7x4bird0"  # it has the shape of base64 and of an id: the easiest text to wave through
DENIED_FACTS = frozenset({"media", "reference", "hosted_tool", "background", "tokens"})
MAX_DEPTH = 30  # no schema is entered twice on one path, so this only has to be more than the longest path
# Where a canary may pass without having been scanned, and why. Paths with indices as *.
LISTED = {
    r"/model": "a model's name: RBAC decides on it in requests, the caller's own name replaces it in answers",
    r"/(user|safety_identifier)": "identity: leaves as a tenant HMAC",
    r".*/logprobs/.*": "tokens: kept only where they spell what was released, with the alternatives to each",
}

# Base64 in an answer's media: its shape is checked, it is opaque.
BASE64 = frozenset({"partial_image_b64", "result", "file_data"})

Json = dict[str, Any]
Path_ = tuple[str, ...]
Make = Callable[[str], Any]


@dataclass(frozen=True)
class Place:
    """One string that a schema can hold, and how to make the smallest value that has `canary` there."""

    path: Path_
    make: Make


@dataclass
class Count:
    """What became of the canaries of one schema."""

    what: str
    outcomes: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)

    def add(self, outcome: str, where: str) -> None:
        self.outcomes[outcome] += 1
        if outcome == "missed":
            self.missed.append(where)

    def verify(self, at_least: int) -> None:
        total = sum(self.outcomes.values())
        print(f"{self.what}: {total} places: {dict(sorted(self.outcomes.items()))}")
        assert not self.missed, f"{len(self.missed)} of {total} strings pass unseen: {sorted(set(self.missed))[:20]}"
        assert total >= at_least, f"the description has shrunk or is read wrongly: {total} places"


class Description:
    """OpenAI's schemas, and the places for strings in them."""

    def __init__(self, document: Json) -> None:
        self._schemas: Json = document["components"]["schemas"]
        self._places: dict[str, list[Place]] = {}

    def places(self, name: str) -> list[Place]:
        """Every string of the schema `name`."""
        if name not in self._places:
            self._places[name] = list(self._of({"$ref": f"#/components/schemas/{name}"}, MAX_DEPTH, frozenset()))
        return self._places[name]

    def members(self, name: str) -> list[str]:
        """The schemas that `name` is a choice of."""
        schema = self._schemas[name]
        return [_name(one) for one in schema.get("anyOf", schema.get("oneOf"))]

    def smallest(self, schema: Json, depth: int = MAX_DEPTH) -> Any:
        """A value of `schema` with required members only."""
        schema = self._whole(schema)
        for choice in ("oneOf", "anyOf"):
            if schema.get(choice):
                return self.smallest(schema[choice][0], depth - 1)
        if "enum" in schema:
            return schema["enum"][0]
        kind = _type(schema)
        if kind == "object":
            required = set(schema.get("required", ())) | {"type"}
            given = schema.get("properties", {})
            return {n: self.smallest(s, depth - 1) for n, s in given.items() if n in required} if depth else {}
        if kind == "array":
            return []
        return {"string": "x", "integer": 0, "number": 0.5, "boolean": False}.get(kind)

    def _of(self, schema: Json, depth: int, trail: frozenset[str]) -> Iterator[Place]:
        name = _name(schema)
        if depth <= 0 or (name and name in trail):
            return
        trail |= {name} if name else frozenset()
        whole = self._whole(schema)
        for choice in ("oneOf", "anyOf"):
            for variant in whole.get(choice, ()):
                yield from self._of(variant, depth - 1, trail)
        kind = _type(whole)
        if kind == "string" or (not kind and not whole.get("oneOf") and not whole.get("anyOf")):
            yield Place((), lambda canary: canary)
        elif kind == "array":
            for place in self._of(whole.get("items", {}), depth - 1, trail):
                yield Place(("*", *place.path), _in_list(place.make))
        elif kind == "object":
            yield from self._of_object(whole, depth, trail)

    def _of_object(self, schema: Json, depth: int, trail: frozenset[str]) -> Iterator[Place]:
        base = self.smallest(schema)
        for name, member in schema.get("properties", {}).items():
            for place in self._of(member, depth - 1, trail):
                yield Place((name, *place.path), _in_object(base, name, place.make))
        more = schema.get("additionalProperties")
        if more or (more is None and not schema.get("properties")):
            yield Place(("{name}",), lambda canary: base | {canary: "x"})
            for place in self._of(more if isinstance(more, dict) else {}, depth - 1, trail):
                yield Place(("{value}", *place.path), _in_object(base, "some name", place.make))

    def _whole(self, schema: Json) -> Json:
        """`schema` with its reference followed and its allOf merged."""
        while "$ref" in schema:
            schema = self._schemas[_name(schema)]
        if "allOf" not in schema:
            return schema
        merged: Json = {"type": "object", "properties": {}, "required": []}
        for part in [*schema["allOf"], {k: v for k, v in schema.items() if k != "allOf"}]:
            one = self._whole(part)
            merged["properties"] |= one.get("properties", {})
            merged["required"] += one.get("required", ())
            for key in ("oneOf", "anyOf", "enum", "additionalProperties", "items"):
                if key in one:
                    merged[key] = one[key]
            if one.get("type") and one["type"] != "object":
                merged["type"] = one["type"]
        return merged


def _name(schema: Json) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _type(schema: Json) -> str:
    if "properties" in schema:
        return "object"
    return schema.get("type", "string" if "enum" in schema else "array" if "items" in schema else "")


def _in_list(make: Make) -> Make:
    return lambda canary: [make(canary)]


def _in_object(base: Any, name: str, make: Make) -> Make:
    return lambda canary: {**copy.deepcopy(base), name: make(canary)}


@cache
def description() -> Description:
    if not SPEC.exists():
        pytest.skip(f"OpenAI's description is not here ({SPEC.name}): the coverage of its strings was NOT tested")
    return Description(yaml.load(SPEC.read_bytes(), Loader=yaml.CSafeLoader))


def pointers(value: Any, at: str = "") -> Iterator[str]:
    """Where the canary is."""
    if value == CANARY:
        yield at
    elif isinstance(value, dict):
        for name, member in value.items():
            if name == CANARY:
                yield f"{at}/{escape(name)}"
            yield from pointers(member, f"{at}/{escape(name)}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from pointers(member, f"{at}/{index}")


def listed(path: Path_) -> bool:
    where = "/" + "/".join(path)
    return any(re.fullmatch(pattern, where) for pattern in LISTED)


def stopped(fact: Fact, where: str) -> bool:
    """Whether a fact that is denied by default is about the canary."""
    if fact.kind not in DENIED_FACTS:
        return False
    return CANARY in {fact.value, fact.name} or (fact.kind == "media" and f"{where}/".startswith(f"{fact.pointer}/"))


def of_request(exchange: Exchange, where: str) -> str:
    if any(CANARY in leaf.text for leaf in exchange.leaves):
        return "leaf"
    return "fact" if any(stopped(fact, where) for fact in exchange.facts) else "missed"


REQUESTS: Mapping[str, tuple[Dialect, str, Json, int]] = {
    "chat": (openai_chat.DIALECT, "CreateChatCompletionRequest", {"model": "m"}, 120),
    "responses": (openai_responses.DIALECT, "CreateResponse", {"model": "m", "input": "x"}, 800),
    "embeddings": (openai_embeddings.DIALECT, "CreateEmbeddingRequest", {"model": "m", "input": "x"}, 5),
    "completions": (openai_completions.DIALECT, "CreateCompletionRequest", {"model": "m", "prompt": "x"}, 8),
    "moderations": (openai_moderations.DIALECT, "CreateModerationRequest", {"input": "x"}, 6),
}


@pytest.mark.parametrize("endpoint", REQUESTS)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_every_string_of_a_request_is_seen_or_stopped(endpoint: str, streamed: bool) -> None:
    dialect, schema, least, expected = REQUESTS[endpoint]
    count = Count(f"{endpoint} request{' (stream)' if streamed else ''}")
    for place in description().places(schema):
        body = {**least, **place.make(CANARY)}
        if streamed and endpoint in {"chat", "responses", "completions"} and place.path[0] != "stream":
            body["stream"] = True
        where = next(pointers(body))
        try:
            outcome = of_request(dialect.read_request(body), where)
        except RequestError:
            outcome = "refused"
        if outcome == "missed" and listed(place.path):
            outcome = "listed"
        count.add(outcome, "/".join(place.path))
    count.verify(expected)


ANSWERS: Mapping[str, tuple[Dialect, str, int]] = {
    "chat": (openai_chat.DIALECT, "CreateChatCompletionResponse", 30),
    "responses": (openai_responses.DIALECT, "Response", 1000),
    "embeddings": (openai_embeddings.DIALECT, "CreateEmbeddingResponse", 3),
    "completions": (openai_completions.DIALECT, "CreateCompletionResponse", 8),
    "moderations": (openai_moderations.DIALECT, "CreateModerationResponse", 15),
}


@pytest.mark.parametrize("endpoint", ANSWERS)
@pytest.mark.parametrize("choices", [1, 2], ids=["n=1", "n=2"])
def test_every_string_of_an_answer_is_seen_or_dropped(endpoint: str, choices: int) -> None:
    dialect, schema, expected = ANSWERS[endpoint]
    count = Count(f"{endpoint} answer, n={choices}")
    for place in description().places(schema):
        body = place.make(CANARY)
        for several in ("choices", "output", "data", "results"):
            if choices == 2 and isinstance(body.get(several), list) and body[several]:
                body[several] = [copy.deepcopy(_plain(body[several][0])), *body[several]]
        count.add(_of_answer(dialect, body, place.path), "/".join(place.path))
    count.verify(expected)


def _plain(value: Any) -> Any:
    """A value without the canary, to stand before the one that has it."""
    return orjson.loads(orjson.dumps(value).replace(CANARY.encode(), b"plain"))


def _of_answer(dialect: Dialect, body: Json, path: Path_) -> str:
    try:
        answer = dialect.read_answer(body)
    except UpstreamError:
        return "refused"
    if any(CANARY in leaf.text for leaf in answer.leaves):
        return "leaf"
    dialect.finish_answer(body, {"model": "mine"}, ())
    if CANARY not in orjson.dumps(body).decode():
        return "dropped"
    if any(f"{where}/".startswith(f"{opaque}/") for where in pointers(body) for opaque in answer.opaque):
        return "opaque"
    return "listed" if listed(path) else "missed"


def _through(dialect: Dialect, events: list[Json | bytes]) -> str:
    """What a stream with the canary in it comes to."""
    guard = OpenGuard()
    codec = dialect.open_stream({"model": "mine", "stream": True}, "mine", guard)
    try:
        out = b"".join(codec.feed(sse(event)) for event in events) + codec.tail
    except UpstreamError:
        return "refused"
    if any(CANARY in text for text in guard.seen):
        return "seen"
    return "missed" if CANARY in out.decode() else "dropped"


def _event_outcome(place: Place, told: list[Json], at: int, index: int = 0) -> str:
    event = place.make(CANARY)
    if event.get("output_index") == 0:
        event["output_index"] = index
    outcome = _through(openai_responses.DIALECT, copy.deepcopy([*told[:at], event, *told[at:]]))
    if outcome == "missed" and place.path[-1] in BASE64:
        return "opaque"
    return "listed" if outcome == "missed" and listed(place.path) else outcome


def _is_lifecycle(name: str) -> bool:
    """Whether an event carries a whole response object."""
    return any(place.path[0] == "response" for place in description().places(name))


@pytest.mark.parametrize("position", ["first", "middle", "last"])
@pytest.mark.parametrize("index", [0, 1], ids=["item-0", "item-1"])
def test_every_string_of_a_responses_event_is_seen_or_dropped(position: str, index: int) -> None:
    told = stream(message_events([["hello ", "you"]]), message_events([["more"]], 1))
    at = {"first": 0, "middle": len(told) // 2, "last": len(told) - 1}[position]
    count = Count(f"responses event, item {index}, {position}")
    for name in description().members("ResponseStreamEvent"):
        if not _is_lifecycle(name):
            for place in description().places(name):
                count.add(_event_outcome(place, told, at, index), f"{name}/{'/'.join(place.path)}")
    count.verify(1000)


def test_every_string_of_a_responses_lifecycle_event_is_seen_or_dropped() -> None:
    told = stream()
    count = Count("responses lifecycle event")
    for name in description().members("ResponseStreamEvent"):
        if _is_lifecycle(name):
            for place in description().places(name):
                count.add(_event_outcome(place, told, 1), f"{name}/{'/'.join(place.path)}")
    count.verify(8000)


CHUNKS: Mapping[str, tuple[Dialect, str, Json, int]] = {
    "chat": (openai_chat.DIALECT, "CreateChatCompletionStreamResponse", {"delta": {"content": "hello "}}, 20),
    "completions": (openai_completions.DIALECT, "CreateCompletionResponse", {"text": "hello ", "logprobs": None}, 8),
}


@pytest.mark.parametrize("endpoint", CHUNKS)
@pytest.mark.parametrize("choice", [0, 1], ids=["choice-0", "choice-1"])
@pytest.mark.parametrize("position", ["first", "middle", "last"])
def test_every_string_of_a_chunk_is_seen_or_dropped(endpoint: str, choice: int, position: str) -> None:
    dialect, schema, said, expected = CHUNKS[endpoint]
    count = Count(f"{endpoint} chunk, choice {choice}, {position}")
    base = {"id": "c1", "object": "chunk", "created": 1, "model": "up"}
    told = [base | {"choices": [{"index": index, "finish_reason": None, **said}]} for index in (0, 1, 0, 1)]
    at = {"first": 0, "middle": 2, "last": 4}[position]
    for place in description().places(schema):
        chunk = place.make(CANARY)
        for one in chunk.get("choices") or ():
            one["index"] = choice
        events: list[Any] = [*copy.deepcopy(told[:at]), chunk, *copy.deepcopy(told[at:]), b"[DONE]"]
        outcome = _through(dialect, events)
        if outcome == "missed" and listed(place.path):
            outcome = "listed"
        count.add(outcome, "/".join(place.path))
    count.verify(expected)


@pytest.mark.parametrize("pattern", LISTED)
def test_the_list_names_fields_that_exist(pattern: str) -> None:
    schemas = [schema for _, schema, *_ in (*REQUESTS.values(), *ANSWERS.values())]
    paths = ("/" + "/".join(place.path) for schema in schemas for place in description().places(schema))
    assert any(re.fullmatch(pattern, path) for path in paths)
