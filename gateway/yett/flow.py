"""What travels through the gate: a flow, its text leaves, its tool calls and who sent it.

Everything here is plain data on the standard library, so that any module may import it.
Only the pipeline changes a `Flow`; plugins are given a `FlowView`.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from yett.verdict import Decision, Finding


class Phase(StrEnum):
    """Which way the text travels."""

    REQUEST = "request"
    RESPONSE = "response"


class Role(StrEnum):
    """Who wrote a leaf, in the field's words; `developer` messages count as `system`."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL_DESCRIPTION = "tool_description"
    TOOL_ARGUMENTS = "tool_arguments"
    TOOL_RESULT = "tool_result"
    OTHER = "other"


class Leaf(NamedTuple):  # a request may have thousands: a named tuple is made in a third of a frozen dataclass's time
    """One place in an exchange that carries text.

    `pointer` is an RFC 6901 JSON pointer; for JSON inside a string the inner pointer follows a `#`
    (`/messages/2/tool_calls/0/function/arguments#/to`). An object key is named by the pointer of its member with
    `part="key"`. Leaves with the same non-empty `channel` that stand next to each other are scanned as one text,
    so that a value split over two content parts is still found.
    """

    pointer: str
    text: str
    role: Role = Role.OTHER
    part: str = "value"  # value | key | number
    channel: str = ""
    format: str = "plain"  # plain | json (inside a JSON string) | uri
    editable: bool = True  # REDACT on a leaf that is not editable becomes DENY
    newest: bool = False  # belongs to the newest user turn, not to resent history


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: made by authentication, never by what the request body says."""

    id: str
    tenant: str = "default"
    agent: str = ""
    roles: tuple[str, ...] = ()
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A tool description offered to a model: `schema` is its JSON Schema for arguments."""

    pointer: str
    name: str
    description: str = ""
    schema: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model proposes; `arguments` is the JSON text as the model wrote it."""

    pointer: str
    name: str
    arguments: str
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered, as the agent sends it back to the model."""

    pointer: str
    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Target:
    """One place a request may go to: a configured provider and the model's name there."""

    provider: str
    model: str


class TraceContext(NamedTuple):
    """W3C trace context: 32 hex digits of trace id, 16 of the caller's span, both minted when absent."""

    trace_id: str
    parent_id: str
    sampled: bool = True

    def traceparent(self, span_id: str) -> str:
        """The header value that names `span_id` as the parent of the next hop."""
        return f"00-{self.trace_id}-{span_id}-{'01' if self.sampled else '00'}"


def new_id() -> str:
    """A fresh flow id: 128 random bits as 32 hex digits; also the request id the client sees."""
    return secrets.token_hex(16)


class Ids:
    """Fresh ids for one data port.

    They name things and open nothing, so a generator that is seeded from the system once is enough; asking the system
    anew costs more than parsing the request.
    """

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = random.Random(secrets.token_bytes(32)).getrandbits  # noqa: S311  # not a secret, see above

    def flow(self) -> str:
        """128 bits as 32 hex digits."""
        return f"{self._bits(128):032x}"

    def span(self) -> str:
        """64 bits, not all zero, as 16 hex digits."""
        return f"{self._bits(64) or 1:016x}"


class Restores(dict[str, str]):
    """Pseudonym -> the caller's own value. Who looks one up by index puts it back: `revealed` remembers which."""

    __slots__ = ("revealed",)

    def __init__(self) -> None:
        super().__init__()
        self.revealed: set[str] = set()

    def __getitem__(self, pseudonym: str) -> str:
        self.revealed.add(pseudonym)
        return super().__getitem__(pseudonym)


@dataclass(slots=True)
class Flow:
    """One exchange from the first byte to the last record. Owned and changed by the pipeline only."""

    id: str
    trace: TraceContext
    principal: Principal
    dialect: str
    model: str = ""
    stream: bool = False
    session: str = ""
    revision: str = ""
    target: Target | None = None
    leaves: Sequence[Leaf] = ()
    asked: Sequence[Leaf] = ()
    tools: Sequence[ToolOffer] = ()
    tool_calls: Sequence[ToolCall] = ()
    tool_results: Sequence[ToolResult] = ()
    findings: list[Finding] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    restores: Restores = field(default_factory=Restores)

    def view(self) -> FlowView:
        """The frozen picture of this flow that a plugin is given."""
        return FlowView(
            id=self.id,
            trace_id=self.trace.trace_id,
            principal=self.principal,
            dialect=self.dialect,
            model=self.model,
            stream=self.stream,
            session=self.session,
            revision=self.revision,
            leaves=tuple(self.leaves),
            asked=tuple(self.asked),
            tools=tuple(self.tools),
            tool_calls=tuple(self.tool_calls),
            tool_results=tuple(self.tool_results),
            findings=tuple(self.findings),
        )


@dataclass(frozen=True, slots=True)
class FlowView:
    """A flow as plugins see it: read only, text before redaction in the request, after it in the answer.

    `leaves` are those of the phase at hand; `asked` are the request's, also while the answer is checked.
    """

    id: str
    trace_id: str
    principal: Principal
    dialect: str
    model: str
    stream: bool
    session: str
    revision: str
    leaves: tuple[Leaf, ...] = ()
    asked: tuple[Leaf, ...] = ()
    tools: tuple[ToolOffer, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_results: tuple[ToolResult, ...] = ()
    findings: tuple[Finding, ...] = ()
