"""Reads a chat completion request: which member carries what."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from yett.flow import Leaf, Role, ToolOffer
from yett.wire.exchange import Exchange, Fact, JsonObject
from yett.wire.openai_body import as_list, as_object, as_text, bad, identity, is_token_ids, model_of, stream_of
from yett.wire.openai_chat_messages import MessageReader
from yett.wire.openai_chat_words import KEYS, VALUES
from yett.wire.walk import NOTHING, is_known, walk_any, walk_schema

NAME = "openai_chat"
_TOOL_TYPE = re.compile("[a-z][a-z0-9_]{0,47}")  # it stands in errors, so it must not carry text
_SKIPPED = frozenset({"model", "stream", "messages"})


def read_request(body: JsonObject) -> Exchange:
    """The exchange of a chat request. Raises RequestError with a pointer on a wrong shape."""
    as_object(body, "")
    exchange = Exchange(NAME, model_of(body), stream_of(body))
    reader = MessageReader(exchange.leaves, exchange.facts, exchange.tool_calls, exchange.tool_results)
    reader.messages(body.get("messages"), "/messages")
    for key, value in body.items():
        reads = _FIELDS.get(key)
        if reads is not None:
            if value is not None:
                reads(exchange, reader, value, "/" + key)
        elif key not in _SKIPPED and not is_known(key, value, KEYS, VALUES):
            reader.other({key: value}, "", Role.OTHER)
    return exchange


def _tools(exchange: Exchange, reader: MessageReader, value: object, at: str) -> None:
    for index, item in enumerate(as_list(value, at)):
        place = f"{at}/{index}"
        tool = as_object(item, place)
        kind = as_text(tool.get("type"), place + "/type")
        if kind == "function":
            _function(exchange, reader, tool.get("function"), place + "/function", place)
            rest = {key: member for key, member in tool.items() if key != "function"}
            reader.other(rest, place, Role.TOOL_DESCRIPTION)
        elif kind == "custom":
            _custom(exchange, reader, tool, place)
        else:
            exchange.facts.append(Fact("hosted_tool", place, kind if _TOOL_TYPE.fullmatch(kind) else "unknown"))
            reader.other(tool, place, Role.TOOL_DESCRIPTION)


def _functions(exchange: Exchange, reader: MessageReader, value: object, at: str) -> None:
    for index, item in enumerate(as_list(value, at)):
        _function(exchange, reader, item, f"{at}/{index}", f"{at}/{index}")


def _function(exchange: Exchange, reader: MessageReader, value: object, at: str, offer_at: str) -> None:
    function = as_object(value, at)
    name = as_text(function.get("name"), at + "/name")
    description, schema = function.get("description"), function.get("parameters")
    for key, member in function.items():
        place = f"{at}/{key}"
        if key == "name":
            reader.word(member, place, Role.TOOL_DESCRIPTION)
        elif key == "parameters":
            if member is not None:
                walk_schema(as_object(member, place), place, Role.TOOL_DESCRIPTION, exchange.leaves)
        else:
            reader.other({key: member}, at, Role.TOOL_DESCRIPTION)
    if function.get("strict") is True:
        exchange.constrained = True
    text = description if isinstance(description, str) else ""
    exchange.tools.append(ToolOffer(offer_at, name, text, schema))


def _custom(exchange: Exchange, reader: MessageReader, tool: JsonObject, at: str) -> None:
    custom = as_object(tool.get("custom"), at + "/custom")
    name = reader.word(custom.get("name"), at + "/custom/name", Role.TOOL_DESCRIPTION)
    description = custom.get("description")
    rest = {key: member for key, member in custom.items() if key != "name"}
    reader.other(rest, at + "/custom", Role.TOOL_DESCRIPTION)
    reader.other({key: member for key, member in tool.items() if key != "custom"}, at, Role.TOOL_DESCRIPTION)
    exchange.tools.append(ToolOffer(at, name, description if isinstance(description, str) else ""))


def _identity(exchange: Exchange, _reader: MessageReader, value: object, at: str) -> None:
    fact = identity(at[1:], value)
    if fact is not None:
        exchange.facts.append(fact)


def _store(exchange: Exchange, _reader: MessageReader, value: object, at: str) -> None:
    if not isinstance(value, bool):
        raise bad(at, "true or false")
    if value:
        exchange.facts.append(Fact("store", at, "store"))


def _metadata(exchange: Exchange, _reader: MessageReader, value: object, at: str) -> None:
    """Names too are the client's own words here, even where they look like the API's."""
    walk_any(as_object(value, at), at, Role.OTHER, exchange.leaves, known_keys=NOTHING, known_values=NOTHING)


def _response_format(exchange: Exchange, reader: MessageReader, value: object, at: str) -> None:
    wanted = as_object(value, at)
    reader.other({key: member for key, member in wanted.items() if key != "json_schema"}, at, Role.OTHER)
    if wanted.get("type") == "json_schema":
        exchange.constrained = True
    if wanted.get("json_schema") is None:
        return
    place = at + "/json_schema"
    for key, member in as_object(wanted["json_schema"], place).items():
        if member is None:
            continue
        if key == "schema":
            walk_schema(member, place + "/schema", Role.OTHER, exchange.leaves)
        elif key == "name":
            reader.word(member, place + "/name", Role.OTHER)
        else:
            reader.other({key: member}, place, Role.OTHER)


def _tool_choice(exchange: Exchange, _reader: MessageReader, value: object, at: str) -> None:
    """Names of tools: a leaf that is edited would name another one."""
    walk_any(
        value, at, Role.OTHER, exchange.leaves, known_keys=KEYS, known_values=VALUES, editable=False, key=at[1:]
    )  # fmt: skip


def _modalities(exchange: Exchange, reader: MessageReader, value: object, at: str) -> None:
    if "audio" in as_list(value, at):
        exchange.facts.append(Fact("media", at, "audio"))
    reader.other({at[1:]: value}, "", Role.OTHER)


def _web_search(exchange: Exchange, reader: MessageReader, value: object, at: str) -> None:
    exchange.facts.append(Fact("hosted_tool", at, "web_search"))
    reader.other({at[1:]: value}, "", Role.OTHER)


def _background(exchange: Exchange, reader: MessageReader, value: object, at: str) -> None:
    if value:
        exchange.facts.append(Fact("background", at, "background"))
    reader.other({at[1:]: value}, "", Role.OTHER)


def _prediction(exchange: Exchange, reader: MessageReader, value: object, at: str) -> None:
    """The answer that the client expects: text, or text parts, like the content of a message."""
    prediction = as_object(value, at)
    content = prediction.get("content")
    if is_token_ids(content):
        exchange.facts.append(Fact("tokens", at + "/content", "prediction"))
    if isinstance(content, list):
        for index, part in enumerate(content):
            place = f"{at}/content/{index}"
            members = dict(as_object(part, place)) if not isinstance(part, int) else {}
            text = members.pop("text", None)
            if isinstance(text, str) and text:
                exchange.leaves.append(Leaf(place + "/text", text, Role.OTHER, channel=at + "/content"))
            elif text is not None:
                members["text"] = text
            reader.other(members, place, Role.OTHER)
        prediction = {key: member for key, member in prediction.items() if key != "content"}
    reader.other(prediction, at, Role.OTHER)


_FIELDS: dict[str, Callable[[Exchange, MessageReader, Any, str], None]] = {
    "tools": _tools,
    "functions": _functions,
    "user": _identity,
    "safety_identifier": _identity,
    "store": _store,
    "metadata": _metadata,
    "response_format": _response_format,
    "tool_choice": _tool_choice,
    "function_call": _tool_choice,
    "modalities": _modalities,
    "web_search_options": _web_search,
    "background": _background,
    "prediction": _prediction,
}
