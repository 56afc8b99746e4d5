"""What is measured: something that is given texts and says where it found what."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from yett.flow import Role


class Detection(NamedTuple):
    """Something found at characters `start` to `end`.

    `counts`: the gate would act on it. Others are below a threshold, or flagged only: they rank a text, no more.
    """

    start: int
    end: int
    code: str
    score: float
    counts: bool = True


class Spent(NamedTuple):
    """What one stage took of one text: time that passed, and the time this thread computed."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found in one text, by position. `spent`: stage -> time; `failed`: the gate could not vouch for it."""

    detections: tuple[Detection, ...] = ()
    spent: Mapping[str, Spent] = field(default_factory=dict)
    action: str = ""  # the policy's strictest verdict, where there is a policy
    failed: bool = False


@contextmanager
def timed(spent: dict[str, Spent], stage: str) -> Iterator[None]:
    """Note what the body takes as `stage` in `spent`."""
    cpu_s, wall_s = time.thread_time(), time.perf_counter()
    yield
    spent[stage] = Spent(time.perf_counter() - wall_s, time.thread_time() - cpu_s)


class Subject(Protocol):
    """A set of detectors. Texts are given one after another, as requests come."""

    codes: frozenset[str]

    async def find(self, text: str, role: Role) -> Outcome:
        """What it finds in `text`, written by `role`."""

    async def mask(self, text: str) -> Sequence[tuple[int, int]]:
        """All that must not be shown of `text`: places that any detector at hand finds."""

    def describe(self) -> list[dict[str, object]]:
        """One entry per detector: its name and what it may find."""
