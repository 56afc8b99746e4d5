"""What the streams of chat and of (legacy) completions share: chunks in, checked chunks out.

A chunk is taken apart by the dialect (`_read_choice`); this module does what stands around the choices. Whatever has no
rule here is walked and checked: at first sight on its own, and if it then changes, it may be a text that grows, so
from there on everything waits for the end of the stream, is checked together and released in order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from yett.errors import RequestError
from yett.flow import Leaf, Role, ToolCall
from yett.wire import pointer, strictjson
from yett.wire.exchange import JsonObject
from yett.wire.guard import Blocked, Guard, Released, TextChannel
from yett.wire.openai_body import protocol_error
from yett.wire.openai_chat_words import KEYS, VALUES
from yett.wire.openai_logprobs import HeldLogprobs
from yett.wire.sse import SseEvent, encode
from yett.wire.walk import Walk, is_known

DONE = encode(b"[DONE]")
MAX_CHOICES = 128
_MAX_CHANNELS = 64
_MAX_SEEN = 4096
_MAX_HELD_BYTES = 16 * 1024 * 1024
_EVENT_NAME = re.compile("[a-z][a-z_.]{0,63}")  # it is sent on unscanned, so it must not carry text
_PLAIN = frozenset({"object", "model", "created", "choices", "obfuscation"})
_LATCHED = ("id", "system_fingerprint")
_KNOWN = _PLAIN | {"id", "system_fingerprint", "service_tier", "usage"}


@dataclass(slots=True)
class StreamedText:
    """One growing text: its channel, how much of it the provider sent, and the logprobs that wait with it."""

    channel: TextChannel
    fed: int = 0
    logprobs: HeldLogprobs | None = None
    edited: bool = False

    def feed(
        self, text: str, entries: object = None, carried: Sequence[Any] | None = None
    ) -> tuple[Released, list[Any]]:
        """Add provider text with its logprobs (see `HeldLogprobs.add`); what may leave of both. Raises Blocked."""
        if entries is not None:
            self.logprobs = self.logprobs or HeldLogprobs()
            self.logprobs.add(entries, text, self.fed, carried)
        self.fed += len(text)
        return self._out(self.channel.feed(text))

    def finish(self) -> tuple[Released, list[Any]]:
        """The rest. Raises Blocked."""
        return self._out(self.channel.finish())

    def _out(self, released: Released) -> tuple[Released, list[Any]]:
        if released.edits:
            self.edited = True
        return released, self.logprobs.release(released) if self.logprobs is not None else []


@dataclass(slots=True)
class Choice:
    """One answer of a stream, by its index."""

    index: int
    texts: dict[str, StreamedText] = field(default_factory=dict)
    finished: bool = False
    has_role: bool = False


class OpenAiStream:
    """The common part of two `StreamCodec`s (see wire/exchange.py). Subclasses bring the shape of a choice.

    `unknown_events` counts events whose shape has no rule here.
    """

    kind = ""  # the `object` of every chunk

    def __init__(self, model: str, guard: Guard, *, wants_usage: bool) -> None:
        self.done = False
        self.blocked: str | None = None
        self.tail = b""
        self.usage: JsonObject | None = None
        self.finish = ""
        self.held_ids: list[str] = []
        self.tool_calls: list[ToolCall] = []
        self.unknown_events = 0
        self._model = model
        self._guard = guard
        self._wants_usage = wants_usage
        self._choices: dict[int, Choice] = {}
        self._out: list[bytes] = []
        self._failed = False
        self._head: JsonObject = {"object": self.kind, "created": 0, "model": model}
        self._seen: dict[str, str] = {}  # texts that were checked and have left, by part and pointer
        self._steady: dict[str, Any] = {}  # values that need no second look
        self._edits: dict[str, list[Any]] = {}
        self._waiting: list[tuple[str, Any]] | None = None
        self._held_bytes = 0

    def feed(self, event: SseEvent) -> bytes:
        """Take one upstream event; return what may leave now. Raises UpstreamError on a malformed one."""
        return self.feed_all((event,))

    def feed_all(self, events: Sequence[SseEvent]) -> bytes:
        """`feed` events that came together; what they add to one text is checked and sent as one."""
        try:
            for event in events:
                if self.done or self._failed:
                    break
                if not self._gather(event):
                    self._say_gathered()
                    self._take(event)
            self._say_gathered()
        except Blocked as blocked:
            self._block(blocked.message)
        except RequestError as error:  # what refuses a client's JSON refuses a provider's
            raise protocol_error(f"text that is refused ({error.code})") from None
        out = b"".join(self._out)
        self._out.clear()
        return out

    def fail(self, error: JsonObject) -> bytes:
        """The terminal error event; nothing if the stream has already ended in one."""
        if self._failed:
            return b""
        self._failed = True
        return encode(strictjson.dumps(error if "error" in error else {"error": error}))

    # What a dialect brings

    def _read_choice(self, choice: JsonObject, state: Choice, parts: list[JsonObject]) -> None:
        """Append to `parts` the choices of chunks that may leave now. On Blocked, what was released is in `parts`."""
        raise NotImplementedError

    def _gather(self, event: SseEvent) -> bool:
        """Whether `event` was put aside, to be said together with those that follow it."""
        del event
        return False

    def _say_gathered(self) -> None:
        """Feed what was put aside. Raises Blocked."""

    def _unruled(self, choice: JsonObject) -> JsonObject:
        """The members of a choice that `_read_choice` does not take apart: they are checked here."""
        raise NotImplementedError

    def _flush(self, state: Choice, parts: list[JsonObject]) -> None:
        """Append what a choice still holds. On Blocked as `_read_choice`."""
        raise NotImplementedError

    def _refusal(self, state: Choice, message: str) -> JsonObject:
        """The choice that says "blocked"."""
        raise NotImplementedError

    # Events

    def _take(self, event: SseEvent) -> None:
        if event.data.strip() == b"[DONE]":
            self._end()
            return
        body = strictjson.loads(event.data)
        if isinstance(body, dict) and body.get("error") and not body.get("choices"):
            self._pass_error(body)
        elif self._waiting is not None:
            self._wait(event, body)
        elif not self._is_chunk(event.event, body):
            self.unknown_events += 1
            self._wait(event, body)
        else:
            leaves = self._unruled_leaves(body)
            fresh = self._fresh(leaves)
            if fresh is None:
                self.unknown_events += 1
                self._wait(event, body)
            else:
                self._pass_on(event, body, leaves, fresh)

    def _pass_on(self, event: SseEvent, body: JsonObject, leaves: list[Leaf], fresh: list[Leaf]) -> None:
        """Check and send on the chunk `body` of `event`; of its `leaves`, `fresh` are new."""
        del event
        self._check(body, leaves, fresh)
        self._chunk(body, keep=bool(fresh))

    def _is_chunk(self, name: str, body: object) -> bool:
        if name not in {"", "message"} or not isinstance(body, dict):
            return False
        return isinstance(body.get("choices"), list) and body.get("object") in (self.kind, "", None)

    def _chunk(self, body: JsonObject, *, keep: bool) -> None:
        """Send on one chunk. With `keep`, also where all its text waits: it says something else that is new."""
        usage = body.get("usage")
        if isinstance(usage, dict):
            self.usage = usage
        if not self._wants_usage:
            body.pop("usage", None)
        self._name(body)
        parts: list[JsonObject] = []
        try:
            for position, choice in enumerate(body["choices"]):
                if not isinstance(choice, dict):
                    raise protocol_error("a choice that is not an object")
                self._read_choice(choice, self._state(choice, position), parts)
        finally:
            asked = self._wants_usage and isinstance(usage, dict)
            if parts or ((keep or asked) and (asked or body.keys() - _KNOWN)):
                self._emit(body, parts)

    def _name(self, body: JsonObject) -> None:
        """The caller's model, and one id and stamp throughout: the first chunk's, which were checked."""
        head = self._head
        body.pop("obfuscation", None)
        for name in _LATCHED:
            if body.get(name) is not None:
                body[name] = head.setdefault(name, body[name])
        created = body.get("created")
        if created is not None:
            if created.__class__ is int and not head["created"]:
                head["created"] = created
            body["created"] = head["created"]
        body["model"] = self._model
        body["object"] = self.kind

    def _emit(self, body: JsonObject, parts: list[JsonObject]) -> None:
        """One chunk for each part; what stands around the choices goes with the first."""
        body["choices"] = parts[:1]
        self._out.append(encode(strictjson.dumps(body)))
        for part in parts[1:]:
            self._send([part])

    def _send(self, parts: list[JsonObject]) -> None:
        chunk = {**self._head, "choices": parts}
        if self._wants_usage:
            chunk["usage"] = None
        self._out.append(encode(strictjson.dumps(chunk)))

    def _state(self, choice: JsonObject, position: int) -> Choice:
        index = choice.get("index", position)
        if index.__class__ is not int or not 0 <= index < MAX_CHOICES:
            raise protocol_error("a choice with an impossible index")
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = Choice(index)
        return state

    def text_of(self, state: Choice, name: str, at: str) -> StreamedText:
        """The text `name` of a choice; `at` is its pointer within the choice of a whole answer."""
        text = state.texts.get(name)
        if text is None:
            if len(state.texts) >= _MAX_CHANNELS:
                raise protocol_error("too many different texts in one choice")
            channel = self._guard.channel(f"/choices/{state.index}/{at}", Role.ASSISTANT)
            text = state.texts[name] = StreamedText(channel)
        return text

    # What has no rule of its own

    def _unruled_leaves(self, body: JsonObject) -> list[Leaf]:
        leaves: list[Leaf] = []
        rest: JsonObject = {}
        for name, value in body.items():
            if name not in _PLAIN and self._steady.get(name) != value and not is_known(name, value, KEYS, VALUES):
                rest[name] = value
        walk = Walk(Role.OTHER, leaves, KEYS, VALUES)
        if rest:
            walk.members(rest, "")
        for position, choice in enumerate(body["choices"]):
            more = self._unruled(choice) if isinstance(choice, dict) else None
            if more:
                walk.members(more, f"/choices/{position}")
        return leaves

    def _fresh(self, leaves: list[Leaf]) -> list[Leaf] | None:
        """Those leaves that are seen for the first time; None if one of them has changed."""
        fresh = []
        for leaf in leaves:
            before = self._seen.get(f"{leaf.part} {leaf.pointer}")
            if before is None:
                fresh.append(leaf)
            elif before != leaf.text and leaf.pointer not in {"/id", "/system_fingerprint"}:  # these are latched
                return None
        return fresh

    def _check(self, body: JsonObject, leaves: list[Leaf], fresh: list[Leaf]) -> None:
        if fresh:
            self._edits.update(self._guard.check(fresh))
            self._seen.update({f"{leaf.part} {leaf.pointer}": leaf.text for leaf in fresh})
            for name in ("id", "system_fingerprint"):
                if f"/{name}" not in self._edits:
                    self._steady[name] = body.get(name)
            if len(self._seen) > _MAX_SEEN:
                raise protocol_error("too many members without a known meaning")
        if self._edits:
            again = {leaf.pointer.partition("#")[0] for leaf in leaves}
            pointer.apply(body, {at: edits for at, edits in self._edits.items() if at.partition("#")[0] in again})

    def _wait(self, event: SseEvent, body: object) -> None:
        self._held_bytes += len(event.data)
        if self._held_bytes > _MAX_HELD_BYTES:
            raise protocol_error("more than can be held until its end")
        if self._waiting is None:
            self._waiting = []
        self._waiting.append((event.event, body))

    def _release_waiting(self) -> None:
        """Check all that waited together, the same place of different events as one text; then let it go in order."""
        waiting, self._waiting = self._waiting or [], None
        bodies = [body for _, body in waiting]
        leaves = self._waiting_leaves(waiting)
        if leaves:
            pointer.apply(bodies, self._guard.check(leaves))
        for name, body in zip((name for name, _ in waiting), bodies, strict=True):
            if self._is_chunk(name, body):
                self._chunk(body, keep=True)
            else:
                shown = name if _EVENT_NAME.fullmatch(name) else ""
                self._out.append(encode(strictjson.dumps(body), shown))

    def _waiting_leaves(self, waiting: list[tuple[str, Any]]) -> list[Leaf]:
        """Leaves by place, then by event. What has already left begins its place's text, and cannot be edited."""
        found: list[tuple[str, str, int, Leaf]] = []
        for number, (name, body) in enumerate(waiting):
            leaves: list[Leaf] = []
            if self._is_chunk(name, body):
                leaves = self._unruled_leaves(body)
            else:
                Walk(Role.ASSISTANT, leaves, KEYS, VALUES).visit(body, "")
            for leaf in leaves:
                channel = f"waiting {leaf.pointer}" if leaf.part == "value" else ""
                placed = leaf._replace(pointer=f"/{number}{leaf.pointer}", channel=channel)
                found.append((leaf.part, leaf.pointer, number, placed))
        for part, at in {(part, at) for part, at, _, _ in found if part == "value"}:
            left = self._seen.get(f"{part} {at}")
            if left:
                found.append((part, at, -1, Leaf(f"/left{at}", left, channel=f"waiting {at}", editable=False)))
        found.sort(key=lambda entry: entry[:3])
        return [leaf for *_, leaf in found]

    # Ends

    def _end(self) -> None:
        if self._waiting is not None:
            self._release_waiting()
        for state in self._choices.values():
            parts: list[JsonObject] = []
            try:
                self._flush(state, parts)
            finally:
                for part in parts:
                    self._send([part])
        self.done = True
        self.tail = DONE

    def _pass_error(self, body: JsonObject) -> None:
        """The provider's own error ends the stream, without a clean end; what was held back is dropped."""
        leaves: list[Leaf] = []
        error = {"error": body["error"]}
        Walk(Role.OTHER, leaves, KEYS, VALUES).members(error, "")
        if leaves:
            pointer.apply(error, self._guard.check(leaves))
        self._out.append(self.fail(error))

    def _block(self, message: str) -> None:
        states = [state for state in self._choices.values() if not state.finished]
        if not self._choices:
            states = [Choice(0)]
        for state in states:
            self._send([self._refusal(state, message)])
            state.finished = True
        self._waiting = None
        self.blocked = message
        self.finish = "content_filter"
        self.done = True
        self.tail = DONE
