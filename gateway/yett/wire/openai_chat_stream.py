"""One streamed chat completion: deltas in, what may leave of them out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from yett.flow import Leaf
from yett.wire import openai_logprobs, pointer, strictjson
from yett.wire.exchange import JsonObject
from yett.wire.guard import Blocked, Guard, Released
from yett.wire.openai_body import protocol_error
from yett.wire.openai_chat_calls import PendingCalls
from yett.wire.openai_chat_messages import MessageReader, is_payload
from yett.wire.openai_chat_words import KEYS, VALUES
from yett.wire.openai_deltas import DeltaForm, DeltaForms
from yett.wire.openai_stream import Choice, OpenAiStream, StreamedText
from yett.wire.sse import SseEvent, encode

_CHOICE = frozenset({"index", "delta", "logprobs", "finish_reason"})
_TRANSCRIPT = "audio/transcript"


class _Part:
    """What leaves of one choice of one chunk."""

    __slots__ = ("delta", "logprobs", "rest")

    def __init__(self, rest: JsonObject) -> None:
        self.delta: JsonObject = {}
        self.logprobs: dict[str, list[Any]] = {}
        self.rest = rest

    def add(self, name: str, text: str, entries: list[Any]) -> None:
        """More text of one kind."""
        if text and name == _TRANSCRIPT:
            audio = self.delta.setdefault("audio", {})
            audio["transcript"] = audio.get("transcript", "") + text
        elif text:
            self.delta[name] = self.delta.get(name, "") + text
        if entries:
            self.logprobs.setdefault(name, []).extend(entries)

    def says_something(self) -> bool:
        """Whether it must be sent."""
        for value in self.delta.values():
            if value is not None:
                return True
        return bool(self.logprobs or any(self.rest.values()))

    def choice(self, index: int, *, logprobs: bool) -> JsonObject:
        """It as a choice of a chunk; `logprobs`: name them even if there are none."""
        part: JsonObject = {"index": index, "delta": self.delta}
        if self.logprobs:
            part["logprobs"] = {name: self.logprobs.get(name) for name in ("content", "refusal")}
        elif logprobs:
            part["logprobs"] = None
        part["finish_reason"] = None
        part.update(self.rest)
        return part


@dataclass(slots=True)
class _Calls:
    """The tool calls of one choice, in both forms of the API."""

    tools: PendingCalls = field(default_factory=PendingCalls)
    function: PendingCalls = field(default_factory=PendingCalls)


class ChatStream(OpenAiStream):
    """The `StreamCodec` of chat completions. `tool_calls` are the calls that were proposed, as they were checked."""

    kind = "chat.completion.chunk"

    def __init__(self, model: str, guard: Guard, *, wants_usage: bool) -> None:
        super().__init__(model, guard, wants_usage=wants_usage)
        self._calls: dict[int, _Calls] = {}
        self._forms = DeltaForms()
        self._gathered: list[str] = []  # texts that came one after the other in events of one form
        self._gathered_form: DeltaForm | None = None

    # Deltas of the known forms

    def _gather(self, event: SseEvent) -> bool:
        if event.event or self._waiting is not None or self._edits:
            return False
        form = self._forms.read(event.data)
        if form is None:
            return False
        if form is not self._gathered_form:
            self._say_gathered()
            state = self._choices[form.index]
            if state.finished or state.texts[form.name].logprobs is not None:
                return False
            self._gathered_form = form
        self._gathered.append(form.text)
        return True

    def _say_gathered(self) -> None:
        form, text = self._gathered_form, "".join(self._gathered)
        if form is None:
            return
        self._gathered_form = None
        self._gathered.clear()
        try:
            released, _ = self._choices[form.index].texts[form.name].feed(text)
        except Blocked as blocked:
            if blocked.released.text:
                self._out.append(form.event(blocked.released.text))
            raise
        if released.text:
            self._out.append(form.event(released.text))

    def _pass_on(self, event: SseEvent, body: JsonObject, leaves: list[Leaf], fresh: list[Leaf]) -> None:
        form = self._forms.find(event.data, body)
        super()._pass_on(event, body, leaves, fresh)
        if form is not None and not self._edits:
            self._learn(form)

    def _learn(self, form: DeltaForm) -> None:
        """Write the probe's chunk as `_chunk` would, and use the form from now on."""
        body = form.body
        choice = body["choices"][0]
        part = _Part({name: value for name, value in choice.items() if name not in _CHOICE})
        part.delta = choice["delta"]
        if not self._wants_usage:
            body.pop("usage", None)
        self._name(body)
        body["choices"] = [part.choice(form.index, logprobs="logprobs" in choice)]
        self._forms.keep(form, encode(strictjson.dumps(body)))

    def _read_choice(self, choice: JsonObject, state: Choice, parts: list[JsonObject]) -> None:
        delta, finish = choice.get("delta"), choice.get("finish_reason")
        if delta is None:
            delta = {}
        if not isinstance(delta, dict):
            raise protocol_error("a delta that is not an object")
        known = choice.keys() <= _CHOICE
        part = _Part({} if known else {name: value for name, value in choice.items() if name not in _CHOICE})
        try:
            for name, value in delta.items():
                self._read_member(state, name, value, choice, part)
            if finish is not None:
                self._finish(state, part)
        finally:
            if part.says_something():
                parts.append(part.choice(state.index, logprobs="logprobs" in choice))
        if finish is not None and not state.finished:
            state.finished = True
            self.finish = self.finish or (finish if isinstance(finish, str) else "")
            end: JsonObject = {"index": state.index, "delta": {}, "finish_reason": finish}
            if "logprobs" in choice:
                end["logprobs"] = None
            parts.append(end)

    def _read_member(self, state: Choice, name: str, value: Any, choice: JsonObject, part: _Part) -> None:
        if name == "role":
            part.delta["role"] = value
            state.has_role = True
        elif name in {"tool_calls", "function_call"} and value is not None:
            self._call_pieces(state, name, value, part)
        elif value.__class__ is str:
            if value:
                self._text_piece(state, name, value, choice.get("logprobs"), part)
            else:
                part.delta.setdefault(name, "")
        elif name == "audio" and value is not None:
            self._audio(state, value, part)
        else:
            part.delta[name] = value

    def _text_piece(self, state: Choice, name: str, value: str, logprobs: object, part: _Part) -> None:
        entries = None
        if logprobs is not None and isinstance(logprobs, dict) and name in {"content", "refusal"}:
            entries = logprobs.get(name)
            looked_at = openai_logprobs.alternatives(entries, f"/choices/{state.index}/logprobs/{name}")
            if looked_at and self._guard.check(looked_at):
                entries = None
        self._say(state, name, part, lambda text: text.feed(value, entries))

    def _say(
        self, state: Choice, name: str, part: _Part, step: Callable[[StreamedText], tuple[Released, list[Any]]]
    ) -> None:
        if state.finished:
            raise protocol_error("text after the end of its choice")
        text = state.texts.get(name) or self.text_of(
            state, name, "message/" + (name if name == _TRANSCRIPT else pointer.escape(name))
        )
        try:
            released, entries = step(text)
        except Blocked as blocked:
            part.add(name, blocked.released.text, [])
            raise
        part.add(name, released.text, entries)

    def _audio(self, state: Choice, value: Any, part: _Part) -> None:
        if not isinstance(value, dict):
            raise protocol_error("audio that is not an object")
        held = value.get("id")
        if isinstance(held, str) and held not in self.held_ids:
            self.held_ids.append(held)
        shown = {name: member for name, member in value.items() if name != "transcript"}
        if shown:
            part.delta["audio"] = shown
        transcript = value.get("transcript")
        if isinstance(transcript, str) and transcript:
            self._say(state, _TRANSCRIPT, part, lambda text: text.feed(transcript))

    # Tool calls

    def _call_pieces(self, state: Choice, name: str, value: Any, part: _Part) -> None:
        if state.finished:
            raise protocol_error("a tool call after the end of its choice")
        calls = self._calls.setdefault(state.index, _Calls())
        if name == "function_call":
            if not isinstance(value, dict):
                raise protocol_error("a function call that is not an object")
            calls.function.add([{"index": 0, "function": value}])
            return
        for index, call in calls.tools.add(value):
            self._settle(state, index, call, part)

    def _settle(self, state: Choice, index: int, call: JsonObject, part: _Part) -> None:
        """Check a complete call; it leaves in one delta."""
        at = f"/choices/{state.index}/message/tool_calls/{index}"
        reader = MessageReader()
        reader.tool_call(call, at)
        self._check_call(reader, call, at)
        part.delta.setdefault("tool_calls", []).append({"index": index, **call})

    def _settle_function(self, state: Choice, call: JsonObject, part: _Part) -> None:
        at = f"/choices/{state.index}/message/function_call"
        reader = MessageReader()
        reader.function_call(call, at)
        self._check_call(reader, call, at)
        part.delta["function_call"] = call

    def _check_call(self, reader: MessageReader, call: JsonObject, at: str) -> None:
        if reader.leaves:
            edits = self._guard.check(reader.leaves)
            pointer.apply(call, {place.removeprefix(at): group for place, group in edits.items()})
        self.tool_calls += reader.tool_calls

    # Ends

    def _finish(self, state: Choice, part: _Part) -> None:
        if state.finished:
            return
        for name in state.texts:
            self._say(state, name, part, StreamedText.finish)
        calls = self._calls.pop(state.index, None)
        if calls is not None:
            for index, call in calls.tools.finish():
                self._settle(state, index, call, part)
            for _, call in calls.function.finish():
                self._settle_function(state, call["function"], part)

    def _flush(self, state: Choice, parts: list[JsonObject]) -> None:
        part = _Part({})
        try:
            self._finish(state, part)
        finally:
            if part.says_something():
                parts.append(part.choice(state.index, logprobs=False))
        state.finished = True

    def _refusal(self, state: Choice, message: str) -> JsonObject:
        role = {} if state.has_role else {"role": "assistant"}
        delta = {**role, "refusal": message}
        return {"index": state.index, "delta": delta, "logprobs": None, "finish_reason": "content_filter"}

    # What has no rule of its own

    def _unruled(self, choice: JsonObject) -> JsonObject:
        rest: JsonObject = {}
        for name, value in choice.items():
            if name == "delta" and isinstance(value, dict):
                nested = _unruled_delta(value)
                if nested:
                    rest["delta"] = nested
            elif name not in _CHOICE or (name == "finish_reason" and value is not None):
                rest[name] = value
        return rest


def _unruled_delta(delta: JsonObject) -> JsonObject:
    """The members of a delta that are no text channel and no tool call; of an unknown text, its name."""
    rest: JsonObject = {}
    for name, value in delta.items():
        if name in {"tool_calls", "function_call"}:
            continue
        if name == "audio" and isinstance(value, dict):
            rest[name] = {
                key: member
                for key, member in value.items()
                if key != "transcript" and not (isinstance(member, str) and is_payload(key, member))
            }
        elif value.__class__ is str and name != "role":
            if name not in KEYS:
                rest[name] = True  # its name only
        elif value is None or (isinstance(value, str) and value in VALUES):
            if name not in KEYS:
                rest[name] = True
        else:
            rest[name] = value
    return rest
