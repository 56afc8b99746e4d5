"""Guards for codec tests (one lets all pass, one redacts and denies), and a way to run a stream through a codec.

The redacting guard knows two words: `<x12>` (x and two digits) becomes `[gone]`, and `!deny!` is denied. It holds back
exactly the text that may still become one of them, as the real one does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from yett.flow import Leaf, Role
from yett.verdict import Edit
from yett.wire.exchange import StreamCodec
from yett.wire.guard import Blocked, Guard, Released
from yett.wire.sse import SseDecoder, SseEvent

Json = dict[str, Any]
WORD = re.compile(r"<x[0-9]{2}>|!deny!")
MAYBE = re.compile(r"(?:<(?:x(?:[0-9](?:[0-9])?)?)?|!(?:d(?:e(?:n(?:y)?)?)?)?)\Z")
MARK = "[gone]"
DENIED = "the test guard denies this"


def redacted(text: str) -> str:
    """What the redacting guard makes of a whole text without denied words."""
    return WORD.sub(MARK, text)


@dataclass
class OpenChannel:
    """Everything leaves at once."""

    seen: list[str]
    at: int = 0

    def feed(self, text: str) -> Released:
        self.seen.append(text)
        start, self.at = self.at, self.at + len(text)
        return Released(text, start, self.at)

    def finish(self) -> Released:
        return Released("", self.at, self.at)


@dataclass
class OpenGuard:
    """Sees all and changes nothing; `seen` is every text it was shown, channels as one text each."""

    texts: list[str] = field(default_factory=list)
    channels: dict[str, list[str]] = field(default_factory=dict)
    leaves: list[Leaf] = field(default_factory=list)

    def channel(self, pointer: str, role: Role) -> OpenChannel:
        del role
        return OpenChannel(self.channels.setdefault(pointer, []))

    def check(self, leaves: Sequence[Leaf]) -> Mapping[str, list[Edit]]:
        self.leaves += leaves
        self.texts += [leaf.text for leaf in leaves]
        return {}

    @property
    def seen(self) -> list[str]:
        return self.texts + ["".join(parts) for parts in self.channels.values()]


@dataclass
class WordChannel:
    """Holds back what may still become a word."""

    waiting: str = ""
    at: int = 0
    blocked: bool = False

    def feed(self, text: str) -> Released:
        return self._release(self.waiting + text, final=False)

    def finish(self) -> Released:
        return self._release(self.waiting, final=True)

    def _release(self, text: str, *, final: bool) -> Released:
        assert not self.blocked, "a channel was used after it was blocked"
        start, out, edits, position = self.at, [], [], 0
        for found in WORD.finditer(text):
            out.append(text[position : found.start()])
            if found.group() == "!deny!":
                self.blocked = True
                raise Blocked(DENIED, Released("".join(out), start, start + found.start(), tuple(edits)))
            out.append(MARK)
            edits.append((start + found.start(), start + found.end()))
            position = found.end()
        held = None if final else MAYBE.search(text, position)
        end = held.start() if held else len(text)
        out.append(text[position:end])
        self.waiting, self.at = text[end:], start + end
        return Released("".join(out), start, self.at, tuple(edits))


@dataclass
class WordGuard:
    """Redacts and denies its words everywhere."""

    checked: list[Leaf] = field(default_factory=list)

    def channel(self, pointer: str, role: Role) -> WordChannel:
        del pointer, role
        return WordChannel()

    def check(self, leaves: Sequence[Leaf]) -> Mapping[str, list[Edit]]:
        self.checked += leaves
        edits: dict[str, list[Edit]] = {}
        for leaf in leaves:
            for found in WORD.finditer(leaf.text):
                if found.group() == "!deny!" or not leaf.editable:
                    raise Blocked(DENIED)
                edits.setdefault(leaf.pointer, []).append(Edit(leaf.pointer, found.span(), MARK))
        return edits


@dataclass
class Run:
    """What a codec made of a stream: the client's events in order, and the codec as it ended."""

    events: list[Json]
    codec: StreamCodec
    raw: bytes

    def of(self, kind: str) -> list[Json]:
        return [event for event in self.events if event["type"] == kind]

    def text(self, kind: str, **place: object) -> str:
        """All deltas of a type (at a place) as one text."""
        return "".join(e["delta"] for e in self.of(kind) if all(e.get(k) == v for k, v in place.items()))


def run(open_stream: Callable[[Guard], StreamCodec], events: Iterable[Json | bytes], guard: Guard) -> Run:
    """Send `events` through a codec; the tail is the last thing the client gets."""
    codec = open_stream(guard)
    raw = b"".join(codec.feed(sse(event)) for event in events)
    raw += codec.tail
    return Run(parsed(raw), codec, raw)


def sse(event: Json | bytes) -> SseEvent:
    """An upstream event."""
    if isinstance(event, bytes):
        return SseEvent(event)
    return SseEvent(orjson.dumps(event), event.get("type", ""))


def parsed(raw: bytes) -> list[Json]:
    """The client's view of raw bytes."""
    decoder = SseDecoder()
    events = decoder.feed(raw)
    decoder.finish()
    return [orjson.loads(event.data) for event in events if event.data != b"[DONE]"]
