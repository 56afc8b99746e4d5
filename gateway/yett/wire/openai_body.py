"""What bodies of chat and (legacy) completions share: shape checks, common members, changes for the provider."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from yett.errors import RequestError, UpstreamError
from yett.wire.exchange import Fact, JsonObject
from yett.wire.reference import public

# A model name is no text leaf, so it must not be able to carry a sentence.
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}")


class AddedUsage(dict[str, Any]):
    """Stream options in which `include_usage` is ours: the client did not ask, so it does not get the usage chunk."""


def bad(pointer: str, expected: str) -> RequestError:
    """The error for a member of the wrong type; it shows the place, never what stands there."""
    at = public(pointer)
    return RequestError(f"{at or 'the body'} must be {expected}", pointer=at)


def as_object(value: object, pointer: str) -> JsonObject:
    """`value` if it is a JSON object, else RequestError."""
    if isinstance(value, dict):
        return value
    raise bad(pointer, "an object")


def as_list(value: object, pointer: str) -> list[Any]:
    """`value` if it is a JSON array, else RequestError."""
    if isinstance(value, list):
        return value
    raise bad(pointer, "an array")


def as_text(value: object, pointer: str) -> str:
    """`value` if it is a string, else RequestError."""
    if isinstance(value, str):
        return value
    raise bad(pointer, "a string")


def model_of(body: JsonObject) -> str:
    """The model that the request names. Raises RequestError where it is absent or not shaped like a name."""
    model = body.get("model")
    if isinstance(model, str) and _MODEL.fullmatch(model):
        return model
    raise bad("/model", "a model name")


def stream_of(body: JsonObject) -> bool:
    """Whether the answer is to be streamed."""
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise bad("/stream", "true or false")
    if body.get("stream_options") is not None:
        as_object(body["stream_options"], "/stream_options")
    return bool(stream)


def identity(key: str, value: object) -> Fact | None:
    """The fact of an end-user id; the pipeline replaces its value, so it is no leaf."""
    text = as_text(value, "/" + key)
    return Fact("identity", "/" + key, key, text) if text else None


def is_token_ids(value: object) -> bool:
    """Whether `value` is token ids, or lists of them, in place of text."""
    if not isinstance(value, list) or not value:
        return False
    return all(item.__class__ is int or is_token_ids(item) for item in value)


def prepare(body: JsonObject, model: str) -> None:
    """Change a checked body for the provider: its model name, usage on streams, nothing stored."""
    body["model"] = model
    if "store" in body:
        body["store"] = False
    if body.get("stream") is True and not wants_usage(body):
        body["stream_options"] = AddedUsage({**(body.get("stream_options") or {}), "include_usage": True})


def wants_usage(body: JsonObject) -> bool:
    """Whether the client asked for usage on its stream; right before and after `prepare`."""
    options = body.get("stream_options")
    return isinstance(options, dict) and not isinstance(options, AddedUsage) and options.get("include_usage") is True


def choices_of(body: JsonObject) -> list[JsonObject]:
    """The choices of an answer. Raises UpstreamError where they are not a list of objects."""
    choices = body.get("choices")
    if not isinstance(choices, list):
        raise protocol_error("an answer without a list of choices")
    for choice in choices:
        if not isinstance(choice, dict):
            raise protocol_error("an answer without a list of choices")
    return choices


def protocol_error(what: str) -> UpstreamError:
    """The error for an answer that is not what the API describes: it cannot be checked, so it does not pass."""
    return UpstreamError(f"the provider sent {what}", code="upstream_protocol")


def blocked_head(body: JsonObject, kind: str) -> JsonObject:
    """The members of a blocked answer beside its choices. The id is a hash: the provider's could carry text."""
    digest = hashlib.blake2b(str(body.get("id")).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    created, model = body.get("created"), body.get("model")
    return {
        "id": "chatcmpl-" + digest if kind.startswith("chat") else "cmpl-" + digest,
        "object": kind,
        "created": created if isinstance(created, int) else 0,
        "model": model if isinstance(model, str) and _MODEL.fullmatch(model) else "",
    }


def numbers_only(value: object) -> Any:  # JSON is any shape
    """The numbers of a usage object with their known places, without any text that came along."""
    if isinstance(value, dict):
        kept = {k: numbers_only(v) for k, v in value.items() if re.fullmatch("[a-z_]{1,40}", k)}
        return {k: v for k, v in kept.items() if v is not None}
    return value if isinstance(value, (int, float)) and abs(value) < 1e9 else None
