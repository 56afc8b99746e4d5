"""The dialect of OpenAI's embeddings: `POST /v1/embeddings`, in floats and in base64."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from yett.errors import RequestError, UpstreamError
from yett.flow import Leaf, Role
from yett.verdict import Edit
from yett.wire.exchange import Answer, Exchange, Fact, JsonObject, StreamCodec
from yett.wire.guard import Guard
from yett.wire.walk import walk_any

_KEYS = frozenset(
    {"input", "model", "encoding_format", "dimensions", "user", "data", "object", "usage", "embedding", "index"}
    | {"prompt_tokens", "total_tokens"}
)
_VALUES = frozenset({"float", "base64", "list", "embedding"})
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_NUMBERS = frozenset({int, float})


class OpenAIEmbeddings:
    """See `wire.exchange.Dialect`. Vectors are opaque; all other strings of an answer are leaves."""

    name = "openai_embeddings"

    def read_request(self, body: JsonObject) -> Exchange:
        """List the texts to embed; token ids are a fact. Raises RequestError on a shape that cannot be read."""
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise RequestError("`model` must name a model", pointer="/model")
        if body.get("stream"):
            raise RequestError("embeddings cannot be streamed", pointer="/stream")
        exchange = Exchange(self.name, model)
        _read_input(exchange, body.get("input"))
        rest = {name: value for name, value in body.items() if name not in {"model", "input", "stream"}}
        if isinstance(rest.get("user"), str):
            exchange.facts.append(Fact("identity", "/user", "user", rest.pop("user")))
        walk_any(rest, "", Role.OTHER, exchange.leaves, known_keys=_KEYS, known_values=_VALUES)
        return exchange

    def prepare(self, body: JsonObject, model: str) -> None:
        """Name the provider's model."""
        body["model"] = model

    def read_answer(self, body: JsonObject) -> Answer:
        """Check that vectors are vectors and list all other strings. Raises UpstreamError on anything else."""
        data = body.get("data")
        if not isinstance(data, list):
            raise UpstreamError("the provider's answer has no data", code="upstream_protocol", pointer="/data")
        answer = Answer(usage=body["usage"] if isinstance(body.get("usage"), dict) else None)
        rest = {name: value for name, value in body.items() if name not in {"model", "data"}}
        walk_any(rest, "", Role.OTHER, answer.leaves, known_keys=_KEYS, known_values=_VALUES)
        for index, entry in enumerate(data):
            at = f"/data/{index}"
            if not isinstance(entry, dict) or not _is_vector(entry.get("embedding")):
                raise UpstreamError("the provider sent an embedding that is none", code="upstream_protocol", pointer=at)
            if isinstance(entry["embedding"], str):
                answer.opaque.append(f"{at}/embedding")
            if entry.keys() != {"object", "index", "embedding"} or entry["object"] != "embedding":
                others = {name: value for name, value in entry.items() if name != "embedding"}
                walk_any(others, at, Role.OTHER, answer.leaves, known_keys=_KEYS, known_values=_VALUES)
            elif not isinstance(entry["index"], int):
                walk_any(
                    entry["index"], f"{at}/index", Role.OTHER, answer.leaves, known_keys=_KEYS, known_values=_VALUES
                )
        return answer

    def finish_answer(self, body: JsonObject, request: JsonObject, edits: Mapping[str, Sequence[Edit]]) -> None:
        """Name the caller's model."""
        del edits
        if isinstance(request.get("model"), str):
            body["model"] = request["model"]

    def block_answer(self, body: JsonObject, message: str) -> JsonObject:
        """No vector at all: OpenAI's clients raise on it."""
        usage = body.get("usage")
        counts = usage if isinstance(usage, dict) else {}
        return {
            "object": "list",
            "data": [],
            "model": body.get("model") if isinstance(body.get("model"), str) else "",
            "usage": {
                name: counts[name] for name in ("prompt_tokens", "total_tokens") if isinstance(counts.get(name), int)
            },
            "error": {"message": message, "type": "invalid_request_error", "param": None, "code": "guardrail_blocked"},
        }

    def open_stream(self, request: JsonObject, model: str, guard: Guard) -> StreamCodec:
        """Embeddings have no stream. Raises UpstreamError."""
        raise UpstreamError("the provider streams what has no stream", code="upstream_protocol")


def _read_input(exchange: Exchange, given: Any) -> None:
    if isinstance(given, str):
        if given:
            exchange.leaves.append(Leaf("/input", given, Role.USER, newest=True))
        return
    if not isinstance(given, list) or not given:
        raise RequestError("`input` must be a text or an array of texts", pointer="/input")
    if all(isinstance(one, str) for one in given):
        exchange.leaves += [
            Leaf(f"/input/{index}", text, Role.USER, newest=True) for index, text in enumerate(given) if text
        ]
    elif _are_tokens(given) or all(isinstance(one, list) and _are_tokens(one) for one in given):
        exchange.facts.append(Fact("tokens", "/input", "input"))
    else:
        raise RequestError("`input` must be texts only, or token ids only", pointer="/input")


def _are_tokens(values: list[Any]) -> bool:
    return all(value.__class__ is int for value in values)


def _is_vector(value: Any) -> bool:
    """An array of numbers, or the base64 of 32-bit floats."""
    if isinstance(value, list):
        return _NUMBERS.issuperset(map(type, value))
    if not isinstance(value, str) or len(value) % 4 or _BASE64.fullmatch(value) is None:
        return False
    padding = len(value) - len(value.rstrip("="))
    return (len(value) // 4 * 3 - padding) % 4 == 0


DIALECT = OpenAIEmbeddings()
