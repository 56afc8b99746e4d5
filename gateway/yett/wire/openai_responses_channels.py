"""The texts and tool calls inside one Responses stream, and the way its events leave.

`EventChannels` is the lower half of the stream codec: it numbers and encodes events, checks what comes whole, runs text
deltas through the guard's channels and holds tool calls until they are complete.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from yett.flow import Leaf, Role
from yett.verdict import Edit
from yett.wire import pointer, strictjson
from yett.wire.guard import Blocked, Guard, Released
from yett.wire.openai_responses_items import Reader, read_response
from yett.wire.openai_responses_text import Change, JsonObject, StreamedText, changes_of, follow
from yett.wire.openai_responses_words import KEYS
from yett.wire.sse import encode
from yett.wire.walk import walk_any

Key = tuple[str, object, object]  # event family (or container of parts), output index, index within the item

NOTHING: frozenset[str] = frozenset()
EVENT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
HELD = frozenset(  # calls of tools: nothing of them leaves before all of it is known
    {
        "response.function_call_arguments",
        "response.mcp_call_arguments",
        "response.mcp_call.arguments",
        "response.custom_tool_call_input",
        "response.shell_call_command",
        "response.apply_patch_call_operation_diff",
    }
)
_HELD_NAMES = {"response.custom_tool_call_input": "input", "response.shell_call_command": "command"}
NUMBERS = ("output_index", "content_index", "summary_index", "command_index")
DELTA_MEMBERS = frozenset(("type", "sequence_number", "delta", "item_id", "obfuscation", "logprobs", *NUMBERS))
_PLACE = ("item_id", *NUMBERS)
_UNREAD = frozenset({"type", "sequence_number", "obfuscation"})
_SHADOWS = frozenset({"annotations", "logprobs"})
_SEEN_MAX_CHARS = 256


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a finished text, filed under what the provider wrote."""

    text: str
    changes: list[Change]


class EventChannels:
    """Numbers, checks and releases the events of one stream."""

    def __init__(self, guard: Guard) -> None:
        self.texts: dict[Key, StreamedText] = {}
        self._guard = guard
        self._number = 0
        self._out: list[bytes | JsonObject] = []
        self._held: dict[Key, tuple[list[str], JsonObject]] = {}
        self._settled: dict[str, Settled] = {}
        self._seen: set[str] = set()

    # The way out

    def emit(self, event: JsonObject) -> None:
        """Queue a checked event for the client."""
        self._out.append(self.encode(event))

    def keep(self, event: JsonObject) -> None:
        """Queue an event, at its place, that `release_kept` must check before it may leave."""
        event["sequence_number"] = self._number
        self._number += 1
        self._out.append(event)

    def encode(self, event: JsonObject) -> bytes:
        """The bytes of a checked event, with the next number."""
        event["sequence_number"] = self._number
        self._number += 1
        return encode(strictjson.dumps(event), event["type"])

    def take(self) -> bytes:
        """What was queued, without events that were kept and never released."""
        out = b"".join([piece for piece in self._out if piece.__class__ is bytes])
        self._out.clear()
        return out

    def release_kept(self) -> None:
        """Check the kept events as a whole, same places of the same event types as one text each."""
        kept = {str(i): piece for i, piece in enumerate(self._out) if isinstance(piece, dict)}
        leaves = [leaf for number, event in kept.items() for leaf in _kept_leaves(number, event)]
        leaves.sort(key=lambda leaf: leaf.channel)
        self.check_leaves(kept, leaves)
        self._out = [encode(strictjson.dumps(p), p["type"]) if isinstance(p, dict) else p for p in self._out]

    # Checking whole pieces

    def check(self, event: JsonObject, skip: AbstractSet[str] = NOTHING, *, media: bool = False) -> None:
        """Check all strings of an event but those at the pointers `skip`, and carry out the edits, in place.

        Texts that were streamed before are not checked again: what was released of them takes their place.
        """
        event.pop("obfuscation", None)
        reader = Reader(media=media, shadows=True)
        done = set(skip)
        for name, value in event.items():
            at = f"/{pointer.escape(name)}"
            if not isinstance(value, str):
                done |= self.rebuild(value, at)
            if name == "item" and isinstance(value, dict):
                reader.item(value, at)
            elif name == "response" and isinstance(value, dict):
                read_response(reader, value, at)
            elif name not in _UNREAD and not (name == "logprobs" and "/text" in skip):
                reader.members({name: value}, "", Role.ASSISTANT)
        self.check_leaves(event, reader.leaves, done)

    def check_leaves(self, root: JsonObject, leaves: list[Leaf], skip: AbstractSet[str] = NOTHING) -> None:
        """Check the leaves of `root` and carry out the edits; ids that were seen clean are not asked again."""
        unseen = [
            leaf
            for leaf in leaves
            if (leaf.editable or leaf.text not in self._seen) and leaf.pointer.partition("#")[0] not in skip
        ]
        if not unseen:
            return
        edits = self._guard.check(unseen)
        if edits:
            pointer.apply(root, edits)
            _follow_edits(root, edits)
        for leaf in unseen:
            if not leaf.editable and len(leaf.text) <= _SEEN_MAX_CHARS and leaf.pointer not in edits:
                self._seen.add(leaf.text)

    def check_id(self, event: JsonObject) -> None:
        """Check an event's `item_id` the first time it is met."""
        identifier = event.get("item_id")
        if identifier.__class__ is str and identifier in self._seen:
            return
        if identifier is not None:
            whole = {"item_id": identifier}
            self.check(whole)
            event["item_id"] = whole["item_id"]

    # Texts

    def open_text(self, key: Key, event: JsonObject, name: str = "delta") -> StreamedText:
        """A new text that grows with the member `name` of delta events like `event`."""
        full_key = key if name == "delta" else (f"{key[0]}#{name}", key[1], key[2])
        stream = StreamedText(self._guard.channel(_channel_pointer(key, name), Role.ASSISTANT), template(event), name)
        self.texts[full_key] = stream
        return stream

    def more_texts(self, key: Key, event: JsonObject) -> None:
        """Strings that a delta event carries beside its delta: each a text of its own, in an event of its own."""
        for name, value in event.items():
            if name not in DELTA_MEMBERS and isinstance(value, str):
                stream = self.texts.get((f"{key[0]}#{name}", key[1], key[2])) or self.open_text(key, event, name)
                self.grow(stream, value, None)

    def grow(self, stream: StreamedText, delta: str, logprobs: object) -> None:
        """The provider sent more of a text; what may leave of it is queued."""
        stream.add(delta, logprobs)
        try:
            released = stream.channel.feed(delta)
        except Blocked as blocked:
            self._release(stream, blocked.released)
            raise
        self._release(stream, released)

    def settle(self, stream: StreamedText, text: str) -> None:
        """End a text of which the provider says that it is `text`; what it did not stream of it is streamed now."""
        if stream.finished:
            return
        raw = stream.raw
        if len(text) > len(raw) and text.startswith(raw):
            self.grow(stream, text[len(raw) :], None)
        self.flush(stream)
        if text:
            self._settled.setdefault(text, Settled(stream.text, stream.changes))

    def flush(self, stream: StreamedText) -> None:
        """The provider sends no more of a text; the rest of it is queued."""
        if stream.finished:
            return
        try:
            released = stream.channel.finish()
        except Blocked as blocked:
            self._release(stream, blocked.released)
            raise
        stream.finished = True
        self._release(stream, released)
        if raw := stream.raw:
            self._settled[raw] = Settled(stream.text, stream.changes)

    def flush_beside(self, key: Key) -> None:
        """End the texts that came beside the deltas of `key`."""
        for other, stream in list(self.texts.items()):
            if other[0].startswith(f"{key[0]}#") and other[1:] == key[1:]:
                self.flush(stream)

    def flush_all(self, output_index: object = None) -> None:
        """End the texts and calls (of one item, or all) that the provider ended without an event of their own."""
        for key, stream in list(self.texts.items()):
            if output_index is None or key[1] == output_index:
                self.flush(stream)
        for key, (_, model) in list(self._held.items()):
            if output_index is None or key[1] == output_index:
                self.finish_held(key, model, _HELD_NAMES.get(key[0], "arguments"), "")

    def _release(self, stream: StreamedText, released: Released) -> None:
        text, logprobs = stream.take(released)
        if text or logprobs:
            event = {**stream.template, "delta": "", stream.name: text}
            if "logprobs" in event:
                event["logprobs"] = logprobs
            self.emit(event)
        for annotation in stream.due_annotations():
            self.emit(annotation)

    # Calls of tools, held until they are complete

    def hold(self, key: Key, text: str, model: JsonObject) -> None:
        """The provider sent more of a tool call; `model` is the event that will carry it."""
        parts, _ = self._held.setdefault(key, ([], model))
        parts.append(text)

    def finish_held(self, key: Key, model: JsonObject, name: str, said: str) -> str:
        """Check a complete call, queue it as one delta, and return it; `said` is what the done event says it is."""
        parts, model = self._held.pop(key, ([], model))
        raw = said or "".join(parts)
        if not raw:
            return ""
        whole = {name: raw}
        reader = Reader()
        reader.members(whole, "", Role.TOOL_ARGUMENTS)
        self.check_leaves(whole, reader.leaves)
        self._settled[raw] = Settled(whole[name], [])
        self.emit({**model, "delta": whole[name]})
        return whole[name]

    def rebuild(self, node: Any, at: str) -> set[str]:
        """Put what was released in the place of what the provider wrote, in place; return where that was."""
        done: set[str] = set()
        if isinstance(node, dict):
            text = node.get("text")
            for name, value in node.items():
                if name not in _SHADOWS:
                    self._rebuild_at(node, name, value, at, done)
            if isinstance(text, str) and not _SHADOWS.isdisjoint(node):
                settled = self._settled.get(text)
                follow(node, settled.changes if settled else ())
        elif isinstance(node, list):
            for index, value in enumerate(node):
                self._rebuild_at(node, index, value, at, done)
        return done

    def _rebuild_at(self, node: Any, key: str | int, value: object, at: str, done: set[str]) -> None:
        if isinstance(value, str):
            settled = self._settled.get(value)
            if settled is not None:
                node[key] = settled.text
                done.add(f"{at}/{pointer.escape(str(key))}")
        elif value.__class__ is dict or value.__class__ is list:
            done |= self.rebuild(value, f"{at}/{pointer.escape(str(key))}")


def _follow_edits(root: JsonObject, edits: Mapping[str, Sequence[Edit]]) -> None:
    for edited, group in edits.items():
        if edited.endswith("/text") and "#" not in edited:
            part = pointer.get(root, edited.removesuffix("/text"))
            if isinstance(part, dict):
                follow(part, changes_of(group))


def template(event: JsonObject) -> JsonObject:
    """A delta event without its text: type and place, and logprobs where the event has them."""
    model = {"type": event["type"], **{name: event[name] for name in _PLACE if name in event}}
    if "logprobs" in event:
        model["logprobs"] = []
    return model


def key_of(event: JsonObject) -> Key | None:
    """What names the text that a delta or done event belongs to; None where a place is no number."""
    family = event["type"].rpartition(".")[0]
    inner: object = None
    for name in NUMBERS:
        value = event.get(name)
        if value is not None and value.__class__ is not int:
            return None
        inner = value if name != "output_index" and value is not None else inner
    outer = event.get("output_index", event.get("item_id"))
    return (family, outer, inner) if outer is None or outer.__class__ in {int, str} else None


def _channel_pointer(key: Key, name: str) -> str:
    family = key[0].removeprefix("response.")
    inner = "" if key[2] is None else f"/{key[2]}"
    return f"/output/{pointer.escape(str(key[1]))}/{family}{inner}" + (
        "" if name == "delta" else f"/{pointer.escape(name)}"
    )


def _kept_leaves(number: str, event: JsonObject) -> list[Leaf]:
    """The leaves of an event of unknown type; the same place in the same type is the same channel."""
    return [
        Leaf(
            f"/{number}{leaf.pointer}",
            leaf.text,
            leaf.role,
            leaf.part,
            f"{event['type']}{leaf.pointer}:{leaf.part}",
            editable=leaf.editable,
        )
        for leaf in unknown_leaves(event)
    ]


def unknown_leaves(event: JsonObject) -> list[Leaf]:
    """Every string of an event of unknown type, its type first: no value in it is taken for the API's own word."""
    leaves = [Leaf("/type", event["type"], Role.OTHER, editable=False)]
    rest = {name: value for name, value in event.items() if name not in _UNREAD}
    walk_any(rest, "", Role.ASSISTANT, leaves, known_keys=KEYS, known_values=NOTHING)
    return leaves
