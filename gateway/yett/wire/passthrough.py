"""The dialect of every other JSON endpoint: nothing in it is known, so every string, name and long number is a leaf."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from yett.errors import RequestError, UpstreamError
from yett.flow import Leaf, Role, ToolCall
from yett.verdict import Edit
from yett.wire import pointer, strictjson
from yett.wire.exchange import Answer, Exchange, JsonObject
from yett.wire.guard import Blocked, Guard
from yett.wire.sse import SseEvent, encode
from yett.wire.walk import NOTHING, walk_any

_EVENT_NAME = re.compile(r"[A-Za-z0-9_.-]{0,128}")
_DONE = b"[DONE]"
# Events that end streams which send no [DONE].
_LAST_EVENTS = frozenset({"speech.audio.done", "transcript.text.done", "image_generation.completed", "message_stop"})


class Passthrough:
    """See `wire.exchange.Dialect`. Request texts count as the newest user turn, so that secrets are denied."""

    name = "passthrough"

    def read_request(self, body: JsonObject) -> Exchange:
        """List everything. `model` and `stream` are read where they have their usual types."""
        model = body.get("model")
        exchange = Exchange(self.name, model if isinstance(model, str) else "", body.get("stream") is True)
        walk_any(body, "", Role.USER, exchange.leaves, known_keys=NOTHING, known_values=NOTHING, newest=True)
        return exchange

    def prepare(self, body: JsonObject, model: str) -> None:
        """Name the provider's model, where the request names one."""
        if model and isinstance(body.get("model"), str):
            body["model"] = model

    def read_answer(self, body: JsonObject) -> Answer:
        """List everything; an `id` may be referred to later."""
        answer = Answer(usage=body["usage"] if isinstance(body.get("usage"), dict) else None)
        if isinstance(body.get("id"), str):
            answer.held_ids.append(body["id"])
        walk_any(body, "", Role.ASSISTANT, answer.leaves, known_keys=NOTHING, known_values=NOTHING)
        return answer

    def finish_answer(self, body: JsonObject, request: JsonObject, edits: Mapping[str, Sequence[Edit]]) -> None:
        """Name the caller's model, where both name one."""
        del edits
        if isinstance(request.get("model"), str) and isinstance(body.get("model"), str):
            body["model"] = request["model"]

    def block_answer(self, body: JsonObject, message: str) -> JsonObject:
        """An error body: the one form that every client of an unknown endpoint knows."""
        del body
        return _blocked(message)

    def open_stream(self, request: JsonObject, model: str, guard: Guard) -> PassthroughStream:
        """A codec that keeps the whole stream, checks it and then lets it go."""
        del request, model
        return PassthroughStream(guard)


class PassthroughStream:
    """The `StreamCodec` of unknown streams; they end with `[DONE]` or an event known to be a stream's last."""

    def __init__(self, guard: Guard) -> None:
        self.done = False
        self.blocked: str | None = None
        self.tail = b""
        self.usage: JsonObject | None = None
        self.finish = ""
        self.held_ids: list[str] = []
        self.tool_calls: list[ToolCall] = []
        self._guard = guard
        self._names: list[str] = []
        self._values: JsonObject = {}  # parsed data (or its text), by running number
        self._plain: set[str] = set()
        self._failed = False

    def feed(self, event: SseEvent) -> bytes:
        """Keep an event; at the stream's end return all of them, checked. Raises UpstreamError on a malformed one."""
        if self.done or self._failed:
            return b""
        if _EVENT_NAME.fullmatch(event.event) is None:
            raise UpstreamError("a stream event has an unreadable name", code="upstream_protocol")
        if event.data == _DONE:
            return self._end(encode(_DONE, event.event))
        value, is_json = _value(event.data)
        number = str(len(self._names))
        self._values[number] = value
        if not is_json:
            self._plain.add(number)
        self._names.append(event.event)
        kind = value.get("type") if isinstance(value, dict) else None
        if event.event in _LAST_EVENTS or (isinstance(kind, str) and kind in _LAST_EVENTS):
            return self._end(b"")
        return b""

    def feed_all(self, events: Sequence[SseEvent]) -> bytes:
        """`feed` events that arrived together."""
        return b"".join([self.feed(event) for event in events])

    def fail(self, error: JsonObject) -> bytes:
        """The terminal error event; nothing of the stream has left."""
        self._failed = True
        return encode(strictjson.dumps({"error": error.get("error", error)}), "error")

    def _end(self, tail: bytes) -> bytes:
        self.done = True
        try:
            edits = self._guard.check(self._leaves())
        except Blocked as blocked:
            self.blocked, self.finish = blocked.message, "content_filter"
            self.tail = encode(strictjson.dumps(_blocked(blocked.message)), "error")
            return b""
        if edits:
            pointer.apply(self._values, edits)
        out = [
            encode(value.encode() if number in self._plain else strictjson.dumps(value), name)
            for name, (number, value) in zip(self._names, self._values.items(), strict=True)
        ]
        self.tail = tail or out.pop()
        return b"".join(out)

    def _leaves(self) -> list[Leaf]:
        """All leaves; the same place in events of one name is one channel, since texts come in pieces."""
        leaves: list[Leaf] = []
        names = sorted({name for name in self._names if name})
        leaves += [Leaf(f"/event/{name}", name, Role.OTHER, "key", editable=False) for name in names]
        channelled: list[Leaf] = []
        for number, name in enumerate(self._names):
            found: list[Leaf] = []
            walk_any(self._values[str(number)], "", Role.ASSISTANT, found, known_keys=NOTHING, known_values=NOTHING)
            channelled += [
                Leaf(
                    f"/{number}{leaf.pointer}",
                    leaf.text,
                    leaf.role,
                    leaf.part,
                    f"{name}{leaf.pointer}:{leaf.part}",
                    editable=leaf.editable,
                )
                for leaf in found
            ]
        channelled.sort(key=lambda leaf: leaf.channel)
        return leaves + channelled


def _value(data: bytes) -> tuple[Any, bool]:
    """The JSON of an event's data, or its text, and which of them. Raises UpstreamError on ambiguous JSON."""
    try:
        return strictjson.loads(data), True
    except RequestError as error:
        if error.code != "invalid_json":
            raise UpstreamError(error.message, code="upstream_protocol", pointer=error.pointer) from None
    return data.decode("utf-8", "replace"), False


def _blocked(message: str) -> JsonObject:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": "guardrail_blocked"}}


DIALECT = Passthrough()
