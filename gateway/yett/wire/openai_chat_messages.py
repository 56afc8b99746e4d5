"""Reads chat messages, of requests and of answers, into leaves, facts and tool calls."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from yett.flow import Leaf, Role, ToolCall, ToolResult
from yett.wire.exchange import Fact, JsonObject
from yett.wire.openai_body import as_list, as_object, as_text, bad, is_token_ids
from yett.wire.openai_chat_words import KEYS, MEDIA_PARTS, PAYLOADS, REFERENCES, VALUES
from yett.wire.walk import Walk, is_known, walk_json_text

_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL_RESULT,
    "function": Role.TOOL_RESULT,
}
_TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_DATA_URL = re.compile(r"data:(?:image|audio|video|application|text)/[a-z0-9.+-]{1,64};base64,", re.IGNORECASE)


@dataclass(slots=True)
class ChatWalk(Walk):
    """A walk that also notes provider-held ids and, in a media part, leaves base64 out and marks URLs."""

    facts: list[Fact] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    media: bool = False

    def visit(self, value: object, pointer: str, key: str = "") -> None:
        """See `Walk.visit`."""
        if value.__class__ is str and value:
            text = str(value)
            if key in REFERENCES:
                self.facts.append(Fact("reference", pointer, key, text))
                self.out.append(Leaf(pointer, text, self.role, editable=False, newest=self.newest))
                return
            if self.media and is_payload(key, text):
                self.opaque.append(pointer)
                return
            if self.media and "://" in text:
                self.urls.append(text)
                self.out.append(Leaf(pointer, text, self.role, format="uri", editable=False, newest=self.newest))
                return
        Walk.visit(self, value, pointer, key)


def is_payload(key: str, text: str) -> bool:
    """Whether `text` is nothing but the base64 of a picture, sound or file."""
    head = _DATA_URL.match(text)
    if head is None and key not in PAYLOADS:
        return False
    try:
        binascii.a2b_base64(text[head.end() :] if head else text, strict_mode=True)
    except ValueError:
        return False
    return True


@dataclass(slots=True)
class MessageReader:
    """Collects what messages carry. Raises RequestError with a pointer on a wrong shape."""

    leaves: list[Leaf] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    tool_results: list[ToolResult] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)

    def messages(self, value: object, at: str) -> None:
        """All messages of a request; the last one of the user is the newest turn."""
        messages = as_list(value, at)
        newest = len(messages) - 1
        while newest >= 0 and not (isinstance(messages[newest], dict) and messages[newest].get("role") == "user"):
            newest -= 1
        for index, message in enumerate(messages):
            self.message(message, f"{at}/{index}", newest=index == newest)

    def message(self, value: object, at: str, *, newest: bool = False, default_role: str = "") -> None:
        """One message at the pointer `at`; a message without a role has `default_role`."""
        message = as_object(value, at)
        word = message.get("role", default_role)
        role = _ROLES.get(word) if isinstance(word, str) else None
        if role is None:
            raise bad(at + "/role", "one of " + ", ".join(_ROLES))
        before = len(self.leaves)
        for key, member in message.items():
            if key == "content":
                self._content(member, at + "/content", role, newest=newest)
            elif key != "role":
                self._member(key, member, at, role, newest=newest)
        if role is Role.TOOL_RESULT:
            place = at + "/content"
            text = "".join(leaf.text for leaf in self.leaves[before:] if leaf.pointer.startswith(place))
            call_id = message.get("tool_call_id") or message.get("name")
            self.tool_results.append(ToolResult(place, call_id if isinstance(call_id, str) else "", text))

    def other(self, members: JsonObject, at: str, role: Role, *, newest: bool = False) -> None:
        """Members without a rule of their own: every string in them is a leaf."""
        rest = {name: value for name, value in members.items() if not is_known(name, value, KEYS, VALUES)}
        if rest:
            ChatWalk(role, self.leaves, KEYS, VALUES, True, newest, facts=self.facts).members(rest, at)

    def media(self, members: JsonObject, at: str, role: Role, *, newest: bool = False) -> str:
        """A part that shows or plays something: its base64 is opaque, its text is not editable. The first URL in it."""
        walk = ChatWalk(role, self.leaves, KEYS, VALUES, False, newest, facts=self.facts, media=True)
        walk.members(members, at)
        self.opaque += walk.opaque
        return walk.urls[0] if walk.urls else ""

    def word(self, value: object, at: str, role: Role, *, newest: bool = False) -> str:
        """A name or an id: a leaf that cannot be edited."""
        text = as_text(value, at)
        if text:
            self.leaves.append(Leaf(at, text, role, editable=False, newest=newest))
        return text

    def text(self, value: object, at: str, role: Role, *, newest: bool = False, channel: str = "") -> None:
        """Free text."""
        text = as_text(value, at)
        if text:
            self.leaves.append(Leaf(at, text, role, "value", channel, "plain", True, newest))

    def tool_call(self, value: object, at: str) -> None:
        """A call that the model proposed: function or custom."""
        call = as_object(value, at)
        name = arguments = call_id = ""
        for key, member in call.items():
            if member is None:
                continue
            if key in {"function", "custom"}:
                name, arguments = self._called(member, f"{at}/{key}")
            elif key == "id":
                call_id = self.word(member, at + "/id", Role.ASSISTANT)
            else:
                self.other({key: member}, at, Role.ASSISTANT)
        self.tool_calls.append(ToolCall(at, name, arguments, call_id))

    def function_call(self, value: object, at: str) -> None:
        """A call in its legacy form."""
        self.tool_calls.append(ToolCall(at, *self._called(value, at)))

    def _called(self, value: object, at: str) -> tuple[str, str]:
        name = arguments = ""
        for key, member in as_object(value, at).items():
            place = f"{at}/{key}"
            if member is None:
                continue
            if key == "name":
                name = self.word(member, place, Role.ASSISTANT)
            elif key == "arguments":
                arguments = as_text(member, place)
                walk_json_text(arguments, place, Role.TOOL_ARGUMENTS, self.leaves)
            elif key == "input":
                arguments = as_text(member, place)
                self.text(arguments, place, Role.TOOL_ARGUMENTS)
            else:
                self.other({key: member}, at, Role.TOOL_ARGUMENTS)
        return name, arguments

    def _content(self, value: object, at: str, role: Role, *, newest: bool) -> None:
        if isinstance(value, str):
            if value:
                self.leaves.append(Leaf(at, value, role, "value", "", "plain", True, newest))
        elif is_token_ids(value):
            self.facts.append(Fact("tokens", at, "content"))
        elif value is not None:
            if not isinstance(value, list):
                raise bad(at, "a string or an array of parts")
            for index, part in enumerate(value):
                self._part(as_object(part, f"{at}/{index}"), f"{at}/{index}", at, role, newest=newest)

    def _part(self, part: JsonObject, at: str, channel: str, role: Role, *, newest: bool) -> None:
        kind = part.get("type")
        if not isinstance(kind, str):
            raise bad(at + "/type", "a string")
        name = _TEXT_PARTS.get(kind)
        if name is not None:
            self.text(part.get(name), f"{at}/{name}", role, newest=newest, channel=channel)
            if len(part) > 2:
                rest = {key: member for key, member in part.items() if key != name}
                self.other(rest, at, role, newest=newest)
        elif kind in MEDIA_PARTS:
            url = self.media(part, at, role, newest=newest)
            self.facts.append(Fact("media", at, MEDIA_PARTS[kind], url))
        else:
            self.other(part, at, role, newest=newest)

    def _member(self, key: str, value: Any, at: str, role: Role, *, newest: bool) -> None:  # JSON is any shape
        place = f"{at}/{key}"
        reads = _MEMBERS.get(key)
        if reads is not None:
            if value is not None:
                reads(self, value, place)
        elif key in {"name", "tool_call_id"}:
            if value is not None:
                self.word(value, place, role, newest=newest)
        else:
            self.other({key: value}, at, role, newest=newest)

    def _tool_calls(self, value: object, at: str) -> None:
        for index, call in enumerate(as_list(value, at)):
            self.tool_call(call, f"{at}/{index}")

    def _audio(self, value: object, at: str) -> None:
        audio = as_object(value, at)
        held = audio.get("id")
        if isinstance(held, str):
            self.facts.append(Fact("reference", at + "/id", "audio.id", held))
        if isinstance(audio.get("transcript"), str):
            self.text(audio["transcript"], at + "/transcript", Role.ASSISTANT)
            audio = {key: member for key, member in audio.items() if key != "transcript"}
        self.media(audio, at, Role.ASSISTANT)

    def _refusal(self, value: object, at: str) -> None:
        self.text(value, at, Role.ASSISTANT)


_MEMBERS: dict[str, Callable[[MessageReader, Any, str], None]] = {
    "tool_calls": MessageReader._tool_calls,  # noqa: SLF001  # the class's own table
    "function_call": MessageReader.function_call,
    "audio": MessageReader._audio,  # noqa: SLF001  # the class's own table
    "refusal": MessageReader._refusal,  # noqa: SLF001  # the class's own table
}
