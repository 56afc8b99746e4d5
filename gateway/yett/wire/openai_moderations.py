"""The dialect of OpenAI's moderations: `POST /v1/moderations`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yett.errors import RequestError, UpstreamError
from yett.flow import Leaf, Role
from yett.verdict import Edit
from yett.wire.exchange import Answer, Exchange, Fact, JsonObject, StreamCodec
from yett.wire.guard import Guard
from yett.wire.openai_responses_items import is_blob
from yett.wire.walk import walk_any

DEFAULT_MODEL = "omni-moderation-latest"  # what OpenAI takes where a request names none
_CATEGORIES = """hate hate/threatening harassment harassment/threatening illicit illicit/violent self-harm
    self-harm/intent self-harm/instructions sexual sexual/minors violence violence/graphic"""
_KEYS = frozenset(
    {"id", "model", "input", "results", "flagged", "categories", "category_scores", "category_applied_input_types"}
    | {"type", "text", "image_url", "url"}
).union(_CATEGORIES.split())
_VALUES = frozenset({"text", "image", "image_url"})


class OpenAIModerations:
    """See `wire.exchange.Dialect`. Answers are flags and scores: any string in one is a leaf."""

    name = "openai_moderations"

    def read_request(self, body: JsonObject) -> Exchange:
        """List the texts to judge; an image is a fact. Raises RequestError on a shape that cannot be read."""
        model = body.get("model", DEFAULT_MODEL)
        if not isinstance(model, str) or not model:
            raise RequestError("`model` must name a model", pointer="/model")
        exchange = Exchange(self.name, model)
        given = body.get("input")
        if isinstance(given, str):
            given = [given]
            at = "/input"
        elif isinstance(given, list) and given:
            at = ""
        else:
            raise RequestError("`input` must be a text or an array of texts and images", pointer="/input")
        for index, one in enumerate(given):
            _read_one(exchange, one, at or f"/input/{index}")
        rest = {name: value for name, value in body.items() if name not in {"model", "input"}}
        _walk(rest, "", Role.OTHER, exchange.leaves)
        return exchange

    def prepare(self, body: JsonObject, model: str) -> None:
        """Name the provider's model."""
        body["model"] = model

    def read_answer(self, body: JsonObject) -> Answer:
        """List every string of the answer but the model's name."""
        if not isinstance(body.get("results"), list):
            raise UpstreamError("the provider's answer has no results", code="upstream_protocol", pointer="/results")
        answer = Answer(usage=body["usage"] if isinstance(body.get("usage"), dict) else None)
        rest = {name: value for name, value in body.items() if name not in {"id", "model"}}
        _walk(rest, "", Role.OTHER, answer.leaves)
        _walk({"id": body.get("id")}, "", Role.OTHER, answer.leaves, editable=False)
        return answer

    def finish_answer(self, body: JsonObject, request: JsonObject, edits: Mapping[str, Sequence[Edit]]) -> None:
        """Name the caller's model."""
        del edits
        if isinstance(request.get("model"), str):
            body["model"] = request["model"]

    def block_answer(self, body: JsonObject, message: str) -> JsonObject:
        """No result at all, and why."""
        return {
            "id": "modr_blocked",
            "model": body.get("model") if isinstance(body.get("model"), str) else "",
            "results": [],
            "error": {"message": message, "type": "invalid_request_error", "param": None, "code": "guardrail_blocked"},
        }

    def open_stream(self, request: JsonObject, model: str, guard: Guard) -> StreamCodec:
        """Moderations have no stream. Raises UpstreamError."""
        raise UpstreamError("the provider streams what has no stream", code="upstream_protocol")


def _read_one(exchange: Exchange, one: Any, at: str) -> None:
    """One input: a text, or a part of type text or image_url."""
    if isinstance(one, str):
        if one:
            exchange.leaves.append(Leaf(at, one, Role.USER, newest=True))
        return
    if not isinstance(one, dict):
        raise RequestError("an input must be a text or a part", pointer=at)
    image = one.get("image_url")
    if image is not None or one.get("type") == "image_url":
        url = image.get("url") if isinstance(image, dict) else image
        word = url if isinstance(url, str) else ""
        inline = word.startswith("data:")
        exchange.facts.append(Fact("media", at, "image", "" if inline else word))
        if inline and is_blob(word):
            image = {name: value for name, value in image.items() if name != "url"} if isinstance(image, dict) else None
        _walk({"image_url": image}, at, Role.USER, exchange.leaves, editable=False, newest=True)
    _walk({"type": one.get("type")}, at, Role.USER, exchange.leaves, editable=False, newest=True)
    rest = {name: value for name, value in one.items() if name not in {"type", "image_url"}}
    _walk(rest, at, Role.USER, exchange.leaves, newest=True)


def _walk(value: object, at: str, role: Role, out: list[Leaf], *, editable: bool = True, newest: bool = False) -> None:
    walk_any(value, at, role, out, known_keys=_KEYS, known_values=_VALUES, editable=editable, newest=newest)


DIALECT = OpenAIModerations()
