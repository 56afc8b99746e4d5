"""One streamed answer of the Responses API: upstream events in, client events out, in order and renumbered.

Text deltas run through the guard's channels, which hold back what may still become a match; `*.done` events, parts,
items and the final response are rebuilt from what was released. Tool arguments wait for their end and leave as one
delta. What the codec does not know it keeps, with all that follows, until the stream's end, and checks it whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from yett.errors import RequestError, UpstreamError
from yett.flow import ToolCall
from yett.wire import strictjson
from yett.wire.guard import Blocked, Guard
from yett.wire.openai_responses_channels import (
    DELTA_MEMBERS,
    EVENT_NAME,
    HELD,
    NUMBERS,
    EventChannels,
    Key,
    key_of,
    template,
    unknown_leaves,
)
from yett.wire.openai_responses_text import JsonObject, StreamedText, follow, remap_annotation
from yett.wire.sse import SseEvent

# Part type -> family of its text events, member that holds the text, member that counts it, family of its own events.
_PARTS = {
    "output_text": ("response.output_text", "text", "content_index", "response.content_part"),
    "refusal": ("response.refusal", "refusal", "content_index", "response.content_part"),
    "reasoning_text": ("response.reasoning_text", "text", "content_index", "response.content_part"),
    "summary_text": ("response.reasoning_summary_text", "text", "summary_index", "response.reasoning_summary_part"),
}
_PART_OF = {family: kind for kind, (family, *_) in _PARTS.items()}
_DONE_TEXTS = ("text", "refusal", "arguments", "input", "code", "command", "diff", "transcript")
_ECHO_VARIES = frozenset({"status", "output", "output_text", "usage", "completed_at", "error", "incomplete_details"})
_BRANCHES = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed", "partial_image"),
    "mcp_call": ("in_progress", "completed", "failed"),
    "mcp_list_tools": ("in_progress", "completed", "failed"),
    "audio": ("done",),
    "audio.transcript": ("done",),
}
# Events that carry no text of their own: their few strings are checked and they pass.
_NOTICES = frozenset(f"response.{name}.{state}" for name, states in _BRANCHES.items() for state in states)
_KNOWN_DONE = frozenset(_PART_OF) | {"response.code_interpreter_call_code"}


def incomplete_response(base: JsonObject, model: str, output: list[Any], usage: JsonObject | None) -> JsonObject:
    """The response object that says "content_filter"; of `base` only id and time are kept."""
    response_id, created = base.get("id"), base.get("created_at")
    known = isinstance(response_id, str) and EVENT_NAME.fullmatch(response_id)
    return {
        "id": response_id if known else "resp_blocked",
        "object": "response",
        "created_at": created if isinstance(created, int | float) else 0,
        "status": "incomplete",
        "error": None,
        "incomplete_details": {"reason": "content_filter"},
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": usage,
    }


class ResponsesStream(EventChannels):
    """The `StreamCodec` of the Responses API; see wire/exchange.py for the contract.

    `unknown_events` counts events that had to wait for the stream's end because nobody here knows their type.
    """

    def __init__(self, model: str, guard: Guard) -> None:
        super().__init__(guard)
        self.done = False
        self.blocked: str | None = None
        self.tail = b""
        self.usage: JsonObject | None = None
        self.finish = ""
        self.held_ids: list[str] = []
        self.unknown_events = 0
        self._model = model
        self._ended = False  # by an error event: nothing more may follow
        self._keeping = False
        self._begun = False
        self._response: JsonObject = {}
        self._echo_raw = b""
        self._echo: JsonObject = {}
        self._items: dict[object, JsonObject] = {}  # open ones, by output index
        self._output: dict[object, JsonObject] = {}  # closed ones
        self._parts: dict[Key, JsonObject] = {}  # of open items, by (part type, output index, index)
        self._open_parts: set[Key] = set()
        self._handlers: dict[str, Callable[[JsonObject], None]] = {
            "response.created": self._on_progress,
            "response.in_progress": self._on_progress,
            "response.queued": self._on_progress,
            "response.completed": self._on_end,
            "response.incomplete": self._on_end,
            "response.failed": self._on_failure,
            "error": self._on_failure,
            "response.output_item.added": self._on_item_added,
            "response.output_item.done": self._on_item_done,
            "response.content_part.added": self._on_part_added,
            "response.content_part.done": self._on_part_done,
            "response.reasoning_summary_part.added": self._on_part_added,
            "response.reasoning_summary_part.done": self._on_part_done,
            "response.output_text.annotation.added": self._on_annotation,
            "response.shell_call_command.added": self._on_command_added,
        }

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The complete calls that the model has proposed so far."""
        return [
            ToolCall(f"/output/{index}", str(item.get("name", "")), _arguments(item), str(item.get("call_id", "")))
            for index, item in self._output.items()
            if item.get("type") in ("function_call", "custom_tool_call")
        ]

    def feed(self, event: SseEvent) -> bytes:
        """Take one upstream event; return what may leave now. Raises UpstreamError on a malformed one."""
        if self.done or self._ended or event.data.startswith(b"[DONE]"):
            return b""
        try:
            body = strictjson.loads(event.data)
            kind = body.get("type") if isinstance(body, dict) else None
            if not isinstance(kind, str) or EVENT_NAME.fullmatch(kind) is None:
                raise UpstreamError("a stream event has no type", code="upstream_protocol")
            self._handle(kind, body)
        except Blocked as blocked:
            self._close(blocked.message)
        except RequestError as error:  # what refuses a client's JSON refuses a provider's
            raise UpstreamError(error.message, code="upstream_protocol", pointer=error.pointer) from None
        return b"" if self._keeping and not (self.done or self._ended) else self.take()

    def feed_all(self, events: Sequence[SseEvent]) -> bytes:
        """`feed` events that arrived together."""
        return b"".join([self.feed(event) for event in events])

    def fail(self, error: JsonObject) -> bytes:
        """The terminal error event, also in place of a `tail` that may not leave; nothing after an error event."""
        if self._ended:
            return b""
        self._ended = True
        inner = error.get("error", error)
        return self.encode({"code": None, "message": "", "param": None, **inner, "type": "error", "error": inner})

    def _handle(self, kind: str, event: JsonObject) -> None:
        handler = self._handlers.get(kind)
        if handler is not None:
            _require_places(event)
            handler(event)
        elif kind.endswith(".delta"):
            self._on_delta(event)
        elif kind in _NOTICES:
            self.check(event, media=kind.endswith(".partial_image"))
            self.emit(event)
        elif kind.endswith(".done"):
            self._on_done(event)
        else:
            self._on_unknown(event)

    def _on_unknown(self, event: JsonObject) -> None:
        event.pop("obfuscation", None)
        leaves = unknown_leaves(event)
        if len(leaves) == 1:  # no text but its type, as in a keep-alive
            self.check_leaves(event, leaves)
            self.emit(event)
            return
        self.unknown_events += 1
        self._keeping = True
        self.keep(event)

    # Texts and calls

    def _on_delta(self, event: JsonObject) -> None:
        key = key_of(event)
        delta = event.get("delta")
        if key is None or not isinstance(delta, str) or not _only_texts(event):
            self._on_unknown(event)
            return
        self.check_id(event)
        if key[0] in HELD:
            self.hold(key, delta, template(event))
            return
        self.grow(self._text(key, event), delta, event.get("logprobs"))
        self.more_texts(key, event)

    def _text(self, key: Key, event: JsonObject) -> StreamedText:
        stream = self.texts.get(key)
        if stream is not None and not stream.finished:
            return stream
        kind = _PART_OF.get(key[0])
        if kind is not None:
            self._part_begins((kind, key[1], key[2]), _blank_part(kind))
        return self.open_text(key, event)

    def _on_done(self, event: JsonObject) -> None:
        key = key_of(event)
        name = next((n for n in _DONE_TEXTS if isinstance(event.get(n), str)), "")
        if key is not None and key[0] in HELD:
            self._on_held_done(key, event, name)
            return
        if key is None or not (key in self.texts or key[0] in _KNOWN_DONE):
            self._on_unknown(event)
            return
        self.check_id(event)
        stream = self.texts.get(key) or self._text(key, {**event, "type": f"{key[0]}.delta"})
        self.settle(stream, event[name] if name else "")
        self.flush_beside(key)
        if name:
            event[name] = stream.text
        if name == "text":
            follow(event, stream.changes)
        self.check(event, {f"/{name}"})
        self.emit(event)

    def _on_held_done(self, key: Key, event: JsonObject, name: str) -> None:
        self.check_id(event)
        model = template({**event, "type": f"{key[0]}.delta"})
        text = self.finish_held(key, model, name or "arguments", event[name] if name else "")
        if name:
            event[name] = text
        self.check(event, {f"/{name}"})
        self.emit(event)

    def _on_command_added(self, event: JsonObject) -> None:
        key, command = key_of(event), event.get("command")
        if key is None or not isinstance(command, str):
            self._on_unknown(event)
            return
        self.hold(key, command, template({**event, "type": f"{key[0]}.delta"}))
        event["command"] = ""
        self.check(event)
        self.emit(event)

    def _on_annotation(self, event: JsonObject) -> None:
        stream = self.texts.get(("response.output_text", event.get("output_index"), event.get("content_index")))
        self.check(event)
        if stream is None or not isinstance(event.get("annotation"), dict):
            self.emit(event)
        elif stream.finished:
            remap_annotation(event["annotation"], stream.changes)
            self.emit(event)
        else:
            stream.annotations.append(event)
            for due in stream.due_annotations():
                self.emit(due)

    # Items and parts

    def _on_item_added(self, event: JsonObject) -> None:
        item = _object(event, "item")
        texts = _taken_texts(item)
        if item.get("type") != "message":
            for name in ("arguments", "input"):
                if isinstance(item.get(name), str):
                    item[name] = ""  # leaves complete, with its done event
        self.check(event)
        self._hold_ids(item)
        index = event.get("output_index")
        self._items[index] = item
        self.emit(event)
        for kind, position, part, text in texts:
            self._part_begins((kind, index, position), part)
            self._begin_text({"item_id": item.get("id"), "output_index": index}, kind, position, text)

    def _on_part_added(self, event: JsonObject) -> None:
        part = _object(event, "part")
        text = _taken_text(part)
        self.check(event)
        self.emit(event)
        kind, position = part.get("type"), _position(event)
        if isinstance(kind, str) and kind in _PARTS:
            self._part_begins((kind, event.get("output_index"), position), part)
            place = {"item_id": event.get("item_id"), "output_index": event.get("output_index")}
            self._begin_text(place, kind, position, text)

    def _part_begins(self, key: Key, part: JsonObject) -> None:
        if key not in self._open_parts:
            self._parts[key] = part
            self._open_parts.add(key)

    def _begin_text(self, place: JsonObject, kind: str, position: object, text: str) -> None:
        """A part came with text already in it: the client gets the text as a delta."""
        if not text:
            return
        family, _, counter, _ = _PARTS[kind]
        event = {"type": f"{family}.delta", **place, counter: position}
        if kind == "output_text":
            event["logprobs"] = []
        self.grow(self._text((family, place["output_index"], position), event), text, None)

    def _on_part_done(self, event: JsonObject) -> None:
        part = _object(event, "part")
        kind, index, position = part.get("type"), event.get("output_index"), _position(event)
        if isinstance(kind, str) and kind in _PARTS:
            family, name, *_ = _PARTS[kind]
            stream = self.texts.get((family, index, position))
            if stream is not None and isinstance(part.get(name), str):
                self.settle(stream, part[name])
        self.check(event)
        if isinstance(kind, str) and kind in _PARTS:
            self._parts[kind, index, position] = part
            self._open_parts.discard((kind, index, position))
        self.emit(event)

    def _on_item_done(self, event: JsonObject) -> None:
        item = _object(event, "item")
        index = event.get("output_index")
        self.flush_all(index)
        self.check(event)
        self._items.pop(index, None)
        self._output[index] = item
        for key in [k for k in self._parts if k[1] == index]:
            del self._parts[key]
            self._open_parts.discard(key)
        self.emit(event)

    # The response itself

    def _on_progress(self, event: JsonObject) -> None:
        self._check_response(event)
        self._begun = True
        self.emit(event)

    def _on_end(self, event: JsonObject) -> None:
        self.flush_all()
        self._check_response(event)
        if self._keeping:
            self.release_kept()
        response = event["response"]
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        self.finish = reason if isinstance(reason, str) else "completed"
        self.done = True
        self.tail = self.encode(event)

    def _on_failure(self, event: JsonObject) -> None:
        if isinstance(event.get("response"), dict):
            self._check_response(event)
        else:
            self.check(event)
        self._ended = True
        self.emit(event)

    def _check_response(self, event: JsonObject) -> None:
        """Check the response object of an event. Its echo of the request is checked once, then reused."""
        response = _object(event, "response")
        if isinstance(response.get("usage"), dict):
            self.usage = response["usage"]
        response["model"] = self._model
        raw = strictjson.dumps({name: value for name, value in response.items() if name not in _ECHO_VARIES})
        if raw == self._echo_raw:
            varying = {name: value for name, value in response.items() if name in _ECHO_VARIES}
            event["response"] = varying
            self.check(event)
            response = event["response"] = self._echo | varying
        else:
            self.check(event)
            self._echo_raw = raw
            self._echo = {name: value for name, value in response.items() if name not in _ECHO_VARIES}
        self._response = response
        self._hold_ids(response)

    def _hold_ids(self, response: JsonObject) -> None:
        for owner in (response, *_list(response.get("output"))):
            identifier = owner.get("id") if isinstance(owner, dict) else None
            if isinstance(identifier, str) and identifier not in self.held_ids:
                self.held_ids.append(identifier)

    # Blocked

    def _close(self, message: str) -> None:
        """End what is open with what the client was given of it; the tail says "content_filter"."""
        self.blocked, self.finish, self.done = message, "content_filter", True
        if not self._begun:
            begun = incomplete_response(self._response, self._model, [], None)
            begun |= {"status": "in_progress", "incomplete_details": None}
            self.emit({"type": "response.created", "response": begun})
        for index, item in list(self._items.items()):
            self._close_item(index, item)
        output = [self._output[index] for index in sorted(self._output, key=_order)]
        response = incomplete_response(self._response, self._model, output, self.usage)
        if self._begun:
            response["id"] = self._response.get("id")  # as the client has seen it
        self.tail = self.encode({"type": "response.incomplete", "response": response})

    def _close_item(self, index: object, item: JsonObject) -> None:
        contents: dict[str, list[JsonObject]] = {"content": [], "summary": []}
        for key in sorted((k for k in self._parts if k[1] == index), key=lambda k: _order(k[2])):
            family, name, counter, part_family = _PARTS[key[0]]
            part = self._parts[key]
            contents["summary" if counter == "summary_index" else "content"].append(part)
            if key in self._open_parts:
                stream = self.texts.get((family, index, key[2]))
                part[name] = stream.text if stream else ""
                place = {"item_id": item.get("id"), "output_index": index, counter: key[2]}
                shadow: JsonObject = {"logprobs": []} if key[0] == "output_text" else {}
                self.emit({"type": f"{family}.done", **place, name: part[name], **shadow})
                self.emit({"type": f"{part_family}.done", **place, "part": part})
        closed = {**item, "status": "incomplete"}
        closed |= {name: parts for name, parts in contents.items() if parts}
        self._output[index] = closed
        self.emit({"type": "response.output_item.done", "output_index": index, "item": closed})


def _require_places(event: JsonObject) -> None:
    for name in NUMBERS:
        value = event.get(name)
        if value is not None and value.__class__ is not int:
            raise UpstreamError(f"{name} of a stream event is no number", code="upstream_protocol")


def _only_texts(event: JsonObject) -> bool:
    """Whether a delta event has nothing but texts beside what every delta event has."""
    if event.keys() <= DELTA_MEMBERS:
        return True
    return all(value is None or isinstance(value, str) for name, value in event.items() if name not in DELTA_MEMBERS)


def _object(event: JsonObject, name: str) -> JsonObject:
    value = event.get(name)
    if not isinstance(value, dict):
        raise UpstreamError(f"a {event['type']} event has no {name}", code="upstream_protocol")
    return value


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _position(event: JsonObject) -> object:
    return event.get("content_index", event.get("summary_index"))


def _order(index: object) -> int:
    return index if isinstance(index, int) else -1


def _arguments(item: JsonObject) -> str:
    text = item.get("arguments", item.get("input"))
    return text if isinstance(text, str) else ""


def _blank_part(kind: str) -> JsonObject:
    part: JsonObject = {"type": kind, _PARTS[kind][1]: ""}
    return part | ({"annotations": [], "logprobs": []} if kind == "output_text" else {})


def _taken_text(part: JsonObject) -> str:
    """The text of a part, which is left blank: it will come in deltas."""
    kind = part.get("type")
    name = _PARTS[kind][1] if isinstance(kind, str) and kind in _PARTS else ""
    text = part.get(name)
    if not isinstance(text, str):
        return ""
    part[name] = ""
    return text


def _taken_texts(item: JsonObject) -> list[tuple[str, int, JsonObject, str]]:
    """The parts of an item, each with its type, index and text; the texts are left blank."""
    taken = []
    for container in ("content", "summary"):
        for index, part in enumerate(_list(item.get(container))):
            if isinstance(part, dict) and isinstance(part.get("type"), str) and part["type"] in _PARTS:
                taken.append((part["type"], index, part, _taken_text(part)))
    return taken
