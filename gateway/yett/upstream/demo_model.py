"""What the demo provider says: an echo that shows what reached it, tool calls on demand, schema-shaped JSON.

Deterministic and without a model, so that a newcomer and a test can read the answer off the question.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from yett.surrogates import SURROGATE_PATTERNS
from yett.vault import TAG

JsonObject = dict[str, Any]

# Pieces of at most eight characters: a pseudonym is then split over chunks, as real models split it.
_PIECES = re.compile(r"\s*\S{1,8}|\s+")
_MAX_SCHEMA_DEPTH = 16
_FORMATS = {
    "date": "2024-01-02",
    "date-time": "2024-01-02T03:04:05Z",
    "time": "03:04:05Z",
    "duration": "P1D",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the caller offers; `schema` describes its arguments."""

    name: str
    schema: JsonObject


@dataclass(frozen=True, slots=True)
class Call:
    """A function call the demo model makes; `arguments` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Question:
    """What every dialect boils down to: the newest text, who wrote it, and what the answer may be.

    `forced` is the tool that must be called ("*": any). `schema` is set when the answer must be JSON of that shape.
    """

    text: str
    from_tool: bool = False
    tools: tuple[Tool, ...] = ()
    forced: str = ""
    schema: JsonObject | None = None
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """Text or tool calls, never both."""

    text: str = ""
    calls: tuple[Call, ...] = ()


def reply_to(question: Question) -> Reply:
    """The demo model's answer to `question`."""
    calls = () if question.from_tool else _calls(question)
    if calls:
        return Reply(calls=calls)
    if question.schema is not None:
        return Reply(text=to_json(instance(question.schema, question.text)))
    source = "The tool answered" if question.from_tool else "You wrote"
    return Reply(text=f"The provider received: {spelled_out(question.text)}\n{source}: {question.text}")


def spelled_out(text: str) -> str:
    """`text` with each pseudonym spelt so that the gate does not restore it: `[EMAIL x]`, `[PHONE stand-in]`."""
    text = TAG.sub(lambda found: "[" + " ".join(found.group()[1:-1].rsplit("_", 1)) + "]", text)
    for entity, form in SURROGATE_PATTERNS.items():
        text = re.sub(form, f"[{entity} stand-in]", text)
    return text


def pieces(text: str) -> list[str]:
    """`text` in the small pieces that the demo counts as tokens and streams one by one."""
    return _PIECES.findall(text)


def to_json(value: object) -> str:
    """Compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def stable_id(prefix: str, body: JsonObject, index: int = 0) -> str:
    """An id that is the same for the same request: `prefix` and 24 hex digits."""
    seed = f"{prefix}{index}{json.dumps(body, sort_keys=True)}"
    return prefix + hashlib.sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def texts_in(content: object) -> str:
    """The text of a message's content: a string, or the `text` of its parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(
        str(part["text"]) for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)
    )


def _calls(question: Question) -> tuple[Call, ...]:
    low = question.text.lower()
    wanted = [tool for tool in question.tools if re.search(rf"\bcall {re.escape(tool.name.lower())}\b", low)]
    if question.forced:
        named = [tool for tool in question.tools if question.forced in {"*", tool.name}]
        wanted = [tool for tool in wanted if tool in named] or named[:1]
    return tuple(Call(tool.name, to_json(_arguments(tool, question.text))) for tool in wanted)


def _arguments(tool: Tool, text: str) -> object:
    """A JSON object written in the message, else the smallest valid arguments with the message as their text."""
    start = text.find("{")
    while start >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(text, start)
        except ValueError:
            start = text.find("{", start + 1)
            continue
        return value
    value = instance(tool.schema, text)
    if isinstance(value, dict) and not any(isinstance(item, str) for item in value.values()):
        _add_first_string(tool.schema, text, value)
    return value


def _add_first_string(schema: JsonObject, text: str, into: JsonObject) -> None:
    for name, part in _mapping(schema.get("properties")).items():
        if name not in into and isinstance(part, dict) and part.get("type") == "string":
            into[name] = instance(part, text)
            return


def instance(schema: JsonObject, echo: str) -> object:
    """The smallest value that fits `schema`; free strings are `echo`. Covers what structured outputs allow."""
    return _instance(schema, schema, echo, 0)


def _instance(schema: object, root: JsonObject, echo: str, depth: int) -> Any:  # any JSON value
    if not isinstance(schema, dict) or depth > _MAX_SCHEMA_DEPTH:
        return None
    if "$ref" in schema:
        return _instance(_resolve(root, str(schema["$ref"])), root, echo, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for union in ("anyOf", "oneOf"):
        if schema.get(union):
            return _instance(_first_plain(schema[union]), root, echo, depth + 1)
    if schema.get("allOf"):
        return _instance(_merged(schema["allOf"]), root, echo, depth + 1)
    return _of_type(schema, root, echo, depth)


def _of_type(schema: JsonObject, root: JsonObject, echo: str, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind == "object":
        parts = _mapping(schema.get("properties"))
        needed = schema.get("required", list(parts))
        return {name: _instance(parts.get(name, {}), root, echo, depth + 1) for name in needed}
    if kind == "array":
        return [
            _instance(schema.get("items", {}), root, echo, depth + 1) for _ in range(int(schema.get("minItems", 0)))
        ]
    if kind in {"integer", "number"}:
        return _number(schema)
    return {"boolean": False, "null": None}.get(kind, _string(schema, echo))


def _number(schema: JsonObject) -> float:
    low: float = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    high: float = schema.get("maximum", schema.get("exclusiveMaximum", 1) - 1)
    whole = schema.get("type") == "integer"
    if high >= 0:
        return math.ceil(max(low, 0)) if whole else max(low, 0)
    return math.floor(high) if whole else high


def _string(schema: JsonObject, echo: str) -> str:
    text = _FORMATS.get(str(schema.get("format", "")), echo)
    text = text.ljust(int(schema.get("minLength", 0)), ".")
    return text[: int(schema.get("maxLength", len(text)))]


def _resolve(root: JsonObject, ref: str) -> object:
    value: object = root
    for step in ref.removeprefix("#").split("/")[1:]:
        value = _mapping(value).get(step.replace("~1", "/").replace("~0", "~"))
    return value


def _first_plain(options: Sequence[object]) -> object:
    return next((option for option in options if option != {"type": "null"}), options[0])


def _merged(parts: Iterable[object]) -> JsonObject:
    merged: JsonObject = {}
    for part in parts:
        for key, value in _mapping(part).items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                merged[key] = {**merged[key], **value}
            elif isinstance(value, list) and isinstance(merged.get(key), list):
                merged[key] = merged[key] + value
            else:
                merged[key] = value
    return merged


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
