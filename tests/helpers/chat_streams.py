"""Chat and completion streams for codec tests: chunks to send, and what a client puts together from the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from helpers.stream_guards import DENIED, MARK, WORD, OpenGuard, WordGuard
from yett.flow import Leaf
from yett.verdict import Edit
from yett.wire.exchange import StreamCodec
from yett.wire.guard import Blocked
from yett.wire.sse import SseDecoder, SseEvent

Json = dict[str, Any]
HEAD = {"id": "chatcmpl-7", "created": 1_700_000_000, "model": "real-model", "system_fingerprint": "fp_1"}


class JoinGuard(WordGuard):
    """A word guard that, as the real one does, scans adjacent leaves of one channel as one text."""

    def check(self, leaves: Sequence[Leaf]) -> Mapping[str, list[Edit]]:
        """Deny a word that lies across two leaves; else as WordGuard."""
        groups: dict[str, str] = {}
        for leaf in leaves:
            if leaf.channel:
                groups[leaf.channel] = groups.get(leaf.channel, "") + leaf.text
        alone = sum(len(WORD.findall(leaf.text)) for leaf in leaves if leaf.channel)
        if sum(len(WORD.findall(text)) for text in groups.values()) > alone:
            raise Blocked(DENIED)
        return super().check(leaves)


def chunk(delta: Json | None = None, index: int = 0, finish: str | None = None, **more: Any) -> Json:
    """One chunk of a chat stream; keywords go beside the choices, `choice` into the choice."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish} | more.pop("choice", {})
    return {**HEAD, "object": "chat.completion.chunk", "choices": [choice], **more}


def text_chunk(text: str, index: int = 0, finish: str | None = None, **more: Any) -> Json:
    """One chunk of a completion stream."""
    choice = {"index": index, "text": text, "logprobs": None, "finish_reason": finish} | more.pop("choice", {})
    return {**HEAD, "object": "text_completion", "choices": [choice], **more}


def usage_chunk(kind: str = "chat.completion.chunk") -> Json:
    """The last chunk of a stream with usage."""
    return {
        **HEAD,
        "object": kind,
        "choices": [],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }


def entry(token: str, raw: bytes | None = None) -> Json:
    """A logprob entry with one alternative."""
    one = {"token": token, "logprob": -0.5, "bytes": list(token.encode() if raw is None else raw)}
    return one | {"top_logprobs": [dict(one)]}


@dataclass
class Client:
    """What a client puts together; `chunks` are the events as they came."""

    chunks: list[Json] = field(default_factory=list)
    texts: dict[tuple[int, str], str] = field(default_factory=dict)
    calls: dict[tuple[int, int], Json] = field(default_factory=dict)
    finish: dict[int, str] = field(default_factory=dict)
    tokens: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    done: bool = False

    def add(self, body: Json) -> None:
        """Take one event."""
        self.chunks.append(body)
        for choice in body.get("choices", ()):
            index = choice["index"]
            assert index not in self.finish, "a choice went on after its end"
            if choice["finish_reason"] is not None:
                self.finish[index] = choice["finish_reason"]
            for name, value in (choice.get("delta") or {"text": choice.get("text")}).items():
                self._add_member(index, name, value)
            for name, entries in (choice.get("logprobs") or {}).items():
                if name in ("content", "refusal", "tokens"):
                    found = [e if isinstance(e, str) else e["token"] for e in entries or ()]
                    self.tokens.setdefault((index, name), []).extend(found)

    def _add_member(self, index: int, name: str, value: Any) -> None:
        if isinstance(value, str):
            self.texts[index, name] = self.texts.get((index, name), "") + value
        elif name == "tool_calls":
            for call in value:
                assert (index, call["index"]) not in self.calls, "a call came in pieces"
                self.calls[index, call["index"]] = call
        elif name == "function_call":
            self.calls[index, -1] = value

    def view(self) -> tuple[Any, ...]:
        """All that must not depend on how the stream was cut."""
        texts = {key: text for key, text in self.texts.items() if text}
        return texts, self.calls, self.finish, self.done


def play(codec: StreamCodec, events: Sequence[Json | bytes]) -> Client:
    """Send events through a codec and read what comes out, the tail last."""
    raw = b"".join(codec.feed(as_event(event)) for event in events) + codec.tail
    return read(raw)


def read(raw: bytes) -> Client:
    """The client's view of raw bytes."""
    decoder, client = SseDecoder(), Client()
    for event in decoder.feed(raw):
        assert not client.done, "an event after [DONE]"
        if event.data == b"[DONE]":
            client.done = True
        else:
            client.add(orjson.loads(event.data))
    decoder.finish()
    return client


def as_event(event: Json | bytes) -> SseEvent:
    """An upstream event as the SSE decoder gives it."""
    return SseEvent(event) if isinstance(event, bytes) else SseEvent(orjson.dumps(event))


__all__ = [
    "DENIED",
    "HEAD",
    "MARK",
    "Client",
    "JoinGuard",
    "OpenGuard",
    "WordGuard",
    "as_event",
    "chunk",
    "entry",
    "play",
    "read",
    "text_chunk",
    "usage_chunk",
]
