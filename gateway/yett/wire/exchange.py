"""What a dialect reads out of a request and an answer: the leaves, and the facts that settings must decide on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from yett.flow import Leaf, ToolCall, ToolOffer, ToolResult
from yett.verdict import Edit
from yett.wire.guard import Guard
from yett.wire.sse import SseEvent

JsonObject = dict[str, Any]


class Fact(NamedTuple):
    """Something at `pointer` that only configuration or RBAC can allow.

    kind: `reference` (a provider-held id; `name` is the field, `value` the id), `media` (`name` is image, audio,
    video or file), `hosted_tool` (`name` is the provider-run tool's type), `tokens` (token ids in place of text),
    `identity` (an end-user id that goes upstream as a tenant HMAC), `store` (the caller asks the provider to keep the
    conversation), `background` (refused), `opaque` (signed or encrypted, passes byte-identical, never scanned).
    """

    kind: str
    pointer: str
    name: str = ""
    value: str = ""


@dataclass(slots=True)
class Exchange:
    """A request as its dialect understands it. `constrained`: the answer must fit a JSON schema or strict tool."""

    dialect: str
    model: str
    stream: bool = False
    leaves: list[Leaf] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    tools: list[ToolOffer] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    tool_results: list[ToolResult] = field(default_factory=list)
    constrained: bool = False


@dataclass(slots=True)
class Answer:
    """A whole (not streamed) answer: its leaves, the calls it proposes, ids the provider now holds, and usage."""

    leaves: list[Leaf] = field(default_factory=list)
    tool_calls: list[ToolCall] = field(default_factory=list)
    held_ids: list[str] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)
    usage: JsonObject | None = None
    finish: str = ""


class StreamCodec(Protocol):
    """One streamed answer of one dialect, sans-IO: upstream events in, client bytes out.

    `feed` raises `RequestError`-free: a malformed event raises `UpstreamError`; a guard's `Blocked` is handled inside:
    `blocked` is set and the returned bytes end the choice as the dialect says (`content_filter`).
    `done` becomes True when the upstream has sent its own clean end ([DONE], response.completed ...) or the answer
    was blocked; the bytes that tell the client so are in `tail` and are sent after the audit record is written.
    """

    done: bool
    blocked: str | None
    tail: bytes
    usage: JsonObject | None
    finish: str
    held_ids: list[str]

    @property
    def tool_calls(self) -> Sequence[ToolCall]:
        """The complete calls that the model has proposed so far."""

    def feed(self, event: SseEvent) -> bytes:
        """Take one upstream event; return what may leave now (possibly empty)."""

    def feed_all(self, events: Sequence[SseEvent]) -> bytes:
        """`feed` events that arrived together, up to `done`: a codec may join what they add to one text."""

    def fail(self, error: JsonObject) -> bytes:
        """The stream broke (upstream, guard, audit): the terminal error event, never a clean end."""


class Dialect(Protocol):
    """One API shape. All methods are pure; they raise `RequestError` with a JSON pointer, or `UpstreamError`."""

    name: str

    def read_request(self, body: JsonObject) -> Exchange:
        """Check the shape and list the leaves and facts of a request body."""

    def prepare(self, body: JsonObject, model: str) -> None:
        """Change a checked body in place for the provider: its model name, include_usage, store=false."""

    def read_answer(self, body: JsonObject) -> Answer:
        """List the leaves of a whole answer."""

    def finish_answer(self, body: JsonObject, request: JsonObject, edits: Mapping[str, Sequence[Edit]]) -> None:
        """Last touch on an answer, in place: the caller's model name, logprobs over edited leaves set to null."""

    def block_answer(self, body: JsonObject, message: str) -> JsonObject:
        """The answer that says "blocked" in this dialect's own form, usage kept."""

    def open_stream(self, request: JsonObject, model: str, guard: Guard) -> StreamCodec:
        """A codec for one streamed answer to `request`; `model` is the name the caller used."""
