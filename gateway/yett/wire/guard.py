"""What a stream codec asks of the pipeline: text channels that hold back, and a check for whole pieces.

The wire package knows these shapes only; `yett.streaming` and `yett.pipeline` provide them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from yett.flow import Leaf, Role
from yett.verdict import Edit


@dataclass(frozen=True, slots=True)
class Released:
    """Text that may leave a channel now.

    `text` is after edits and restoring. It covers characters `start` to `end` of what the provider sent on this
    channel; `edits` are the (start, end) spans within it, in the same coordinates, that are not as the provider
    wrote them (redacted or restored): shadow copies such as logprobs over them must go.
    """

    text: str = ""
    start: int = 0
    end: int = 0
    edits: tuple[tuple[int, int], ...] = ()


class Blocked(Exception):  # a signal between guard and codec, not an error a user sees
    """Policy denies the answer. `released` is what stood before the denied span and may still leave."""

    def __init__(self, message: str, released: Released | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.released = released or Released()


class TextChannel(Protocol):
    """One growing text: content of choice 0, refusal of choice 1, a reasoning summary ..."""

    def feed(self, text: str) -> Released:
        """Add what the provider sent; return what may leave. Raises Blocked."""

    def finish(self) -> Released:
        """No more text will come: return the rest. Raises Blocked."""


class Guard(Protocol):
    """The pipeline as a stream codec sees it."""

    def channel(self, pointer: str, role: Role) -> TextChannel:
        """Open a text channel; `pointer` names it in findings and in the ledger."""

    def check(self, leaves: Sequence[Leaf]) -> Mapping[str, list[Edit]]:
        """Check whole leaves at once; return the edits to apply, merged per pointer. Raises Blocked."""
