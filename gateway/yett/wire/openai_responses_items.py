"""The grammar that requests, answers and stream events of the Responses API share: items, content parts, tools.

`Reader` walks a piece of it, lists every string as a leaf with its role, and notes facts, tools and calls on the way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from yett.flow import Leaf, Role, ToolCall, ToolOffer, ToolResult
from yett.wire.exchange import Fact
from yett.wire.openai_responses_words import KEYS, VALUES
from yett.wire.reference import escape
from yett.wire.walk import NOTHING, walk_any, walk_json_text, walk_schema

JsonObject = dict[str, Any]

_REFERENCES = frozenset({"previous_response_id", "file_id", "file_ids", "vector_store_ids", "container_id", "skill_id"})
_CONTAINERS = frozenset({"container", "conversation"})  # an id, or an object that holds one
_SCHEMAS = frozenset({"parameters", "schema", "input_schema", "output_schema"})
_MAPS = frozenset({"metadata", "attributes", "headers", "env"})  # the caller's own member names
_BLOBS = frozenset({"data", "file_data", "result", "partial_image_b64", "image_data"})
_URLS = frozenset({"image_url", "file_url", "url", "audio_url", "video_url", "source", "server_url"})
_QUOTED_URLS = frozenset({"url", "source"})  # of a citation: text that somebody wrote, which may be changed
_SEALING = frozenset({"reasoning", "compaction", "program"})
_SIGNED = frozenset({"encrypted_content", "fingerprint"})
_RESULTS = frozenset({"output", "outputs", "results"})
_CALLS = frozenset({"arguments", "action", "operation", "input", "code", "queries"})
_SPECIAL = frozenset({"content", "tools"}).union(
    _REFERENCES, _CONTAINERS, _SCHEMAS, _MAPS, _BLOBS, _URLS, _SIGNED, _RESULTS, _CALLS
)
# Names, ids and enums: text that nothing may be replaced in without breaking what it refers to.
_FIXED_WORDS = """id type role status name namespace object server_label model detail format media_type phase effort
    mode param syntax service_tier truncation verbosity tool_names allowed_tools include caller_id"""
_FIXED = frozenset(_FIXED_WORDS.split()) | {name for name in KEYS if name.endswith("_id")}
_TEXT_TYPES = frozenset({"input_text", "output_text", "summary_text", "reasoning_text"})
_MEDIA = {
    "input_image": "image",
    "output_image": "image",
    "image_url": "image",
    "image": "image",
    "computer_screenshot": "image",
    "image_generation_call": "image",
    "input_audio": "audio",
    "output_audio": "audio",
    "input_video": "video",
    "video_url": "video",
    "input_file": "file",
    "file": "file",
}
_ROLES = {"system": Role.SYSTEM, "developer": Role.SYSTEM, "user": Role.USER, "assistant": Role.ASSISTANT}
_ROLES["tool"] = Role.TOOL_RESULT
_BLOB = re.compile(r"(?:data:[a-z0-9.+-]+/[a-z0-9.+-]+;base64,)?[A-Za-z0-9+/_-]*={0,2}")
_SEALED = re.compile(r"[A-Za-z0-9+/_-]{64,}={0,2}")  # shorter or other text is no ciphertext and is read


def is_blob(text: str) -> bool:
    """Whether `text` is base64 (plain or as a data URL) and nothing else, so that there is nothing to scan."""
    return _BLOB.fullmatch(text) is not None


def kind_of(item: JsonObject) -> str:
    """The type of an input item; those without one are messages, or references where they only carry an id."""
    kind = item.get("type")
    if isinstance(kind, str):
        return kind
    return "message" if "role" in item or "content" in item else "item_reference"


def is_user_message(item: object) -> bool:
    """Whether an input item is what the user said."""
    return isinstance(item, dict) and item.get("role") == "user" and kind_of(item) == "message"


@dataclass(slots=True)
class Reader:
    """Collects leaves and facts. `newest` marks the leaves of the newest user turn while it is set.

    Nothing that it is given stays unseen: what has no rule of its own is walked value by value. Base64 is left alone
    only inside of `media`, which is a fact, and ciphertext only in the items that carry it (`sealed`). In answers
    (`shadows`) the logprobs of a text part are no leaves: they may only spell its text (openai_responses_text.follow).
    """

    leaves: list[Leaf] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    tools: list[ToolOffer] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    tool_results: list[ToolResult] = field(default_factory=list)
    newest: bool = False
    constrained: bool = False
    media: bool = False
    shadows: bool = False
    sealed: bool = False

    def item(self, item: JsonObject, pointer: str) -> None:
        """One input or output item."""
        kind = kind_of(item)
        role = _ROLES.get(_string(item.get("role")), Role.OTHER) if kind == "message" else _item_role(kind)
        if kind in {"function_call", "custom_tool_call"}:
            text = item.get("arguments" if kind == "function_call" else "input")
            self.tool_calls.append(
                ToolCall(pointer, _string(item.get("name")), _string(text), _string(item.get("call_id")))
            )
        elif role is Role.TOOL_RESULT:
            self.tool_results.append(ToolResult(pointer, _string(item.get("call_id")), _text_of(item.get("output"))))
        if _is_reference(kind, item):
            self.facts.append(Fact("reference", f"{pointer}/id", kind, _string(item.get("id"))))
        self.sealed = kind in _SEALING
        self.part(item, pointer, role)
        self.sealed = False

    def members(self, value: JsonObject, pointer: str, role: Role) -> None:
        """Any object of the API: each member by the rule for its name."""
        for name, member in value.items():
            if name not in KEYS:
                at = f"{pointer}/{escape(name)}"
                if name:
                    self.leaves.append(Leaf(at, name, role, "key", editable=False, newest=self.newest))
                self.member("", member, at, role)
            elif member.__class__ is str and name not in _SPECIAL:
                if member and member not in VALUES:
                    editable = name not in _FIXED
                    at = f"{pointer}/{name}"
                    self.leaves.append(Leaf(at, member, role, "value", "", "plain", editable, self.newest))
            elif member is not None and member is not True and member is not False:
                self.member(name, member, f"{pointer}/{name}", role)

    def member(self, name: str, value: object, pointer: str, role: Role) -> None:
        """What stands at the API's member `name` (empty: a name that the API does not know)."""
        if name in _SPECIAL:
            self._special(name, value, pointer, role)
        elif value.__class__ is str:
            self.string(name, value, pointer, role)
        elif value.__class__ is dict:
            self.part(value, pointer, role)
        elif value.__class__ is list:
            for index, one in enumerate(value):
                self.member(name, one, f"{pointer}/{index}", role)
        elif value.__class__ is int or value.__class__ is float:
            self._walk(value, pointer, role, name)

    def string(self, name: str, text: str, pointer: str, role: Role) -> None:
        """A string leaf, unless it is one of the API's own words."""
        if text and not (name and text in VALUES):
            editable = name not in _FIXED
            self.leaves.append(Leaf(pointer, text, role, "value", "", "plain", editable, self.newest))

    def part(self, part: JsonObject, pointer: str, role: Role) -> None:
        """A content part or any object of that size: a media part is a fact before it is walked."""
        media = _media_kind(part)
        if media:
            urls = (part.get(name) for name in ("image_url", "file_url", "audio_url", "video_url", "url"))
            url = next((_url(u) for u in urls if _url(u)), "")
            self.facts.append(Fact("media", pointer, media, "" if url.startswith("data:") else url))
        outer, self.media = self.media, self.media or bool(media)
        if self.shadows and "logprobs" in part and isinstance(part.get("text"), str):
            part = {name: value for name, value in part.items() if name != "logprobs"}
        self.members(part, pointer, role)
        self.media = outer

    def content(self, parts: list[Any], pointer: str, role: Role) -> None:
        """A message's parts. Texts that follow each other share a scan channel and so stand first among the leaves."""
        run = 0
        for index, part in enumerate(parts):
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str) and not _media_kind(part):
                at, channel = f"{pointer}/{index}/text", f"{pointer}#{run}" if len(parts) > 1 else ""
                if text:
                    self.leaves.append(Leaf(at, text, role, "value", channel, "plain", True, self.newest))
            else:
                run += 1
        for index, part in enumerate(parts):
            at = f"{pointer}/{index}"
            if not isinstance(part, dict):
                self.member("content", part, at, role)
            elif len(part) > 2 or "text" not in part or _string(part.get("type")) not in _TEXT_TYPES:
                self.part(self._without_text(part), at, role)

    def _without_text(self, part: JsonObject) -> JsonObject:
        if not isinstance(part.get("text"), str) or _media_kind(part):
            return part
        left_out = {"text", "logprobs"} if self.shadows else {"text"}
        return {name: value for name, value in part.items() if name not in left_out}

    def tool(self, tool: JsonObject, pointer: str) -> None:
        """A tool description: the caller's own (function, custom) is an offer, any other is run by the provider."""
        kind = _string(tool.get("type"))
        if (kind in {"function", "custom"} or tool.get("type") is None) and "name" in tool:
            schema = tool.get("parameters", tool.get("input_schema"))
            self.tools.append(
                ToolOffer(
                    pointer,
                    _string(tool.get("name")),
                    _string(tool.get("description")),
                    schema if isinstance(schema, dict) else None,
                )
            )
            self.constrained = self.constrained or tool.get("strict") is True
        else:
            self.facts.append(Fact("hosted_tool", pointer, kind or "unknown"))
        self.members(tool, pointer, Role.TOOL_DESCRIPTION)

    def reference(self, name: str, value: object, pointer: str) -> None:
        """Ids that the provider holds; what is no string is a fact all the same."""
        for index, one in enumerate(value if isinstance(value, list) else [value]):
            at = f"{pointer}/{index}" if isinstance(value, list) else pointer
            self.facts.append(Fact("reference", at, name, _string(one)))
            self._walk(one, at, Role.OTHER, editable=False)

    def _special(self, name: str, value: object, pointer: str, role: Role) -> None:
        if value is None or value is True or value is False:
            return
        if name in _CONTAINERS and isinstance(value, dict):
            if "id" in value:
                self.facts.append(Fact("reference", f"{pointer}/id", name, _string(value["id"])))
            self.members(value, pointer, role)
        elif name in _REFERENCES or name in _CONTAINERS:
            self.reference(name, value, pointer)
        elif name in _SCHEMAS and isinstance(value, dict):
            walk_schema(value, pointer, Role.TOOL_DESCRIPTION, self.leaves, newest=self.newest)
        elif name in _MAPS:
            self._map(value, pointer, role)
        elif name == "tools":
            self._each_tool(value, pointer)
        elif name == "content" and isinstance(value, list):
            self.content(value, pointer, role)
        else:
            self._special_text(name, value, pointer, role)

    def _special_text(self, name: str, value: object, pointer: str, role: Role) -> None:
        if name in _RESULTS:
            role = Role.TOOL_RESULT
        elif name in _CALLS and role is not Role.USER:
            role = Role.TOOL_ARGUMENTS
        if not isinstance(value, str):
            self._nested(name, value, pointer, role)
        elif name == "arguments":
            walk_json_text(value, pointer, Role.TOOL_ARGUMENTS, self.leaves, newest=self.newest)
        elif self.media and (name in _BLOBS or (name in _URLS and value.startswith("data:"))) and is_blob(value):
            self.facts.append(Fact("opaque", pointer, name))
        elif name in _URLS or name in _BLOBS:
            form = "uri" if name in _URLS else "plain"
            editable = name in _QUOTED_URLS
            self.leaves.append(Leaf(pointer, value, role, format=form, editable=editable, newest=self.newest))
        elif name in _SIGNED:
            self._signed(name, value, pointer, role)
        else:
            self.string(name, value, pointer, role)

    def _signed(self, name: str, text: str, pointer: str, role: Role) -> None:
        if self.sealed and _SEALED.fullmatch(text):
            self.facts.append(Fact("opaque", pointer, name))
        elif text:
            self.leaves.append(Leaf(pointer, text, role, editable=False, newest=self.newest))

    def _nested(self, name: str, value: object, pointer: str, role: Role) -> None:
        if name == "arguments":
            walk_any(value, pointer, role, self.leaves, known_keys=NOTHING, known_values=NOTHING, newest=self.newest)
        elif isinstance(value, dict):
            self.part(value, pointer, role)
        elif isinstance(value, list) and name in {"output", "input"}:
            self.content(value, pointer, role)
        elif isinstance(value, list):
            for index, one in enumerate(value):
                self._nested_or_text(name, one, f"{pointer}/{index}", role)
        else:
            self._walk(value, pointer, role, name)

    def _nested_or_text(self, name: str, value: object, pointer: str, role: Role) -> None:
        if isinstance(value, str):
            self.string(name, value, pointer, role)
        elif value is not None and value is not True and value is not False:
            self._nested(name, value, pointer, role)

    def _map(self, value: object, pointer: str, role: Role) -> None:
        walk_any(value, pointer, role, self.leaves, known_keys=NOTHING, known_values=NOTHING, newest=self.newest)

    def _each_tool(self, value: object, pointer: str) -> None:
        for index, tool in enumerate(value if isinstance(value, list) else [value]):
            at = f"{pointer}/{index}" if isinstance(value, list) else pointer
            if isinstance(tool, dict):
                self.tool(tool, at)
            else:
                self._walk(tool, at, Role.TOOL_DESCRIPTION)

    def _walk(self, value: object, pointer: str, role: Role, name: str = "", *, editable: bool = True) -> None:
        walk_any(
            value,
            pointer,
            role,
            self.leaves,
            known_keys=KEYS,
            known_values=VALUES if name else NOTHING,
            editable=editable,
            newest=self.newest,
            key=name,
        )


def read_response(reader: Reader, response: JsonObject, pointer: str = "") -> None:
    """A whole response object, with its echo of the request. Its `model` is no leaf: the caller's name replaces it."""
    for name, value in response.items():
        at = f"{pointer}/{escape(name)}"
        if name in {"output", "instructions"} and isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, dict):
                    reader.item(item, f"{at}/{index}")
                else:
                    reader.member("", item, f"{at}/{index}", Role.OTHER)
        elif name == "instructions":
            reader.member(name, value, at, Role.SYSTEM)
        elif name == "output_text":
            reader.member(name, value, at, Role.ASSISTANT)
        elif name != "model":
            reader.members({name: value}, pointer, Role.OTHER)


def _media_kind(part: JsonObject) -> str:
    kind = part.get("type")
    if isinstance(kind, str) and kind in _MEDIA:
        return _MEDIA[kind]
    if "input_audio" in part:
        return "audio"
    return "file" if "file_data" in part else "image" if "image_url" in part else ""


def _item_role(kind: str) -> Role:
    if kind.endswith("_output"):
        return Role.TOOL_RESULT
    if kind.endswith("_call"):
        return Role.TOOL_ARGUMENTS
    return Role.ASSISTANT if kind in {"reasoning", "compaction"} else Role.OTHER


def _is_reference(kind: str, item: JsonObject) -> bool:
    """An item that stands for content which only the provider has, looked up by the item's id."""
    if kind == "item_reference":
        return True
    if not item.get("id"):
        return False
    if kind == "reasoning":
        return not (item.get("encrypted_content") or item.get("summary") or item.get("content"))
    return kind == "image_generation_call" and not item.get("result")


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _url(value: object) -> str:
    return _string(value.get("url")) if isinstance(value, dict) else _string(value)


def _text_of(output: object) -> str:
    """A tool's output as one text: itself, or its text parts."""
    if isinstance(output, list):
        return "".join(_string(part.get("text")) for part in output if isinstance(part, dict))
    return _string(output)
