"""One streamed (legacy) completion: text in, what may leave of it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from yett.flow import Leaf, Role
from yett.wire.exchange import JsonObject
from yett.wire.guard import Blocked, Released
from yett.wire.openai_body import protocol_error
from yett.wire.openai_logprobs import needs_a_look
from yett.wire.openai_stream import Choice, OpenAiStream, StreamedText
from yett.wire.reference import escape

_CHOICE = frozenset({"index", "text", "logprobs", "finish_reason"})
_LISTS = ("tokens", "token_logprobs", "top_logprobs", "text_offset")


def entries_of(logprobs: object) -> tuple[list[JsonObject], list[tuple[Any, ...]]] | None:
    """Legacy logprobs token by token: as `openai_logprobs` takes them, and as they were. None if malformed."""
    if not isinstance(logprobs, dict) or not logprobs.keys() <= set(_LISTS):
        return None
    tokens = logprobs.get("tokens")
    if not isinstance(tokens, list):
        return None
    columns = [logprobs.get(name) or [None] * len(tokens) for name in _LISTS]
    if any(not isinstance(column, list) or len(column) != len(tokens) for column in columns):
        return None
    rows = list(zip(*columns, strict=True))
    entries: list[JsonObject] = []
    for token, logprob, top, offset in rows:
        if not isinstance(top, (dict, type(None))) or not isinstance(offset, (int, type(None))):
            return None
        alternatives = [{"token": name, "logprob": value} for name, value in (top or {}).items()]
        entries.append({"token": token, "logprob": logprob, "top_logprobs": alternatives})
    return entries, rows


def alternatives(logprobs: object, at: str) -> list[Leaf]:
    """The alternative tokens that could be a text of their own: names of members, so they cannot be edited."""
    columns = logprobs.get("top_logprobs") if isinstance(logprobs, dict) else None
    return [
        Leaf(f"{at}/top_logprobs/{index}/{escape(token)}", token, Role.ASSISTANT, "key", editable=False)
        for index, top in enumerate(columns if isinstance(columns, list) else ())
        for token in (top if isinstance(top, dict) else ())
        if needs_a_look(token)
    ]


def logprobs_of(rows: list[tuple[Any, ...]]) -> JsonObject | None:
    """The rows of `entries_of` as the API writes them."""
    if not rows:
        return None
    return {name: list(column) for name, column in zip(_LISTS, zip(*rows, strict=True), strict=True)}


class CompletionStream(OpenAiStream):
    """The `StreamCodec` of completions."""

    kind = "text_completion"

    def _read_choice(self, choice: JsonObject, state: Choice, parts: list[JsonObject]) -> None:
        finish, text = choice.get("finish_reason"), choice.get("text")
        if text is not None and not isinstance(text, str):
            raise protocol_error("a text that is not a string")
        rest = {name: value for name, value in choice.items() if name not in _CHOICE}
        out = _Out(self, state, rest)
        try:
            if text:
                looked_at = alternatives(choice.get("logprobs"), f"/choices/{state.index}/logprobs")
                if looked_at:
                    self._guard.check(looked_at)
                entries, rows = entries_of(choice.get("logprobs")) or (None, None)
                out.say(lambda stream: stream.feed(text, entries, rows))
            if finish is not None and not state.finished:
                self._finish(state, out)
        finally:
            if out.text or out.rows or any(rest.values()) or (text == "" and finish is None):
                parts.append(out.choice(None))
        if finish is not None and not state.finished:
            state.finished = True
            self.finish = self.finish or (finish if isinstance(finish, str) else "")
            parts.append({"index": state.index, "text": "", "logprobs": None, "finish_reason": finish})

    def _unruled(self, choice: JsonObject) -> JsonObject:
        return {
            name: value
            for name, value in choice.items()
            if name not in _CHOICE or (name == "finish_reason" and value is not None)
        }

    def _finish(self, state: Choice, out: _Out) -> None:
        if "text" in state.texts:
            out.say(StreamedText.finish)

    def _flush(self, state: Choice, parts: list[JsonObject]) -> None:
        if state.finished:
            return
        out = _Out(self, state, {})
        try:
            self._finish(state, out)
        finally:
            if out.text:
                parts.append(out.choice(None))
        state.finished = True

    def _refusal(self, state: Choice, message: str) -> JsonObject:
        return {
            "index": state.index,
            "text": "",
            "refusal": message,
            "logprobs": None,
            "finish_reason": "content_filter",
        }


class _Out:
    """What leaves of one choice of one chunk."""

    def __init__(self, stream: CompletionStream, state: Choice, rest: JsonObject) -> None:
        self._stream = stream
        self._state = state
        self._rest = rest
        self.text = ""
        self.rows: list[tuple[Any, ...]] = []

    def say(self, step: Callable[[StreamedText], tuple[Released, list[Any]]]) -> None:
        """Add what `step` releases of the choice's text. Raises Blocked."""
        if self._state.finished:
            raise protocol_error("text after the end of its choice")
        try:
            released, rows = step(self._stream.text_of(self._state, "text", "text"))
        except Blocked as blocked:
            self.text += blocked.released.text
            raise
        self.text += released.text
        self.rows += rows

    def choice(self, finish: str | None) -> JsonObject:
        """It as a choice of a chunk."""
        shown = {"index": self._state.index, "text": self.text, "logprobs": logprobs_of(self.rows)}
        return {**shown, "finish_reason": finish, **self._rest}
