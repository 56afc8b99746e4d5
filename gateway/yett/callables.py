"""Detectors that are code: which texts each one reads, where it runs, and its results as spans like any other.

A pure function of some microseconds runs inline; everything else in worker processes that are killed at the deadline.
Results are cached per text. A detector that fails closes the gate, unless the operator opened its plugin.
"""

from __future__ import annotations

import asyncio
import importlib
import operator
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from yett.detector import CallableDetector, Detector, Found, Scanner, Span, Streaming
from yett.errors import ConfigError, Unavailable
from yett.flow import Phase, Role
from yett.recent import Recent, text_key

CACHE_ENTRIES = 10_000
log = structlog.get_logger("yett.detectors")


class Pool(Protocol):
    """Worker processes that hold scanners by name (`yett.workers.WorkerPool`)."""

    async def scan(self, name: str, texts: Sequence[str], deadline_s: float) -> Sequence[Sequence[Found]]:
        """What scanner `name` finds in `texts`. Raises Unavailable; a worker past the deadline is killed."""


class Wanted(Protocol):
    """What is asked of a policy: whether some rule names a finding code."""

    def asks_for(self, code: str) -> bool:
        """Whether a rule's `when.finding` matches `code`."""


@dataclass(frozen=True, slots=True)
class Contributed:
    """A callable detector with the plugin it came from; `fail_open` is the operator's choice for that plugin."""

    detector: CallableDetector
    plugin: str
    fail_open: bool = False


class CallableScans:
    """The callable detectors of one gateway."""

    def __init__(self, contributed: Sequence[Contributed], pool: Pool | None = None) -> None:
        """Make the inline scanners. Raises ConfigError for one that cannot be made, or a worker without a pool."""
        self._runs = tuple(_Run(one, pool) for one in contributed)
        self.names = tuple(run.detector.name for run in self._runs)
        self._by_phase = {phase: tuple(run for run in self._runs if run.reads(phase)) for phase in Phase}

    def codes(self, *, inline: bool = False) -> frozenset[str]:
        """What they may find; `inline`: those alone that `find_now` asks."""
        runs = [run for run in self._runs if run.inline or not inline]
        return frozenset(one.code for run in runs for one in run.detector.finds)

    def find_now(self, phase: Phase, role: Role, text: str, codes: Collection[str]) -> list[Span]:
        """What the inline ones that may find one of `codes` find in one text, without memory.

        Raises Unavailable if one fails that must not.
        """
        runs = [run for run in self._by_phase[phase] if run.inline and run.finds_any(codes)]
        return [span for run in runs for span in run.find_now(role, text)]

    def reads(self, phase: Phase) -> bool:
        """Whether any of them reads texts of `phase`."""
        return bool(self._by_phase[phase])

    def holds_streams(self, policy: Wanted) -> bool:
        """Whether one that `policy` wants has to see a streamed answer whole before any of it leaves."""
        return any(run.holds and run.wanted(policy) for run in self._by_phase[Phase.RESPONSE])

    def notes_streams(self, policy: Wanted) -> bool:
        """Whether one that `policy` wants reads answers at all."""
        return any(run.wanted(policy) for run in self._by_phase[Phase.RESPONSE])

    async def find(
        self, phase: Phase, texts: Sequence[tuple[Role, str]], policy: Wanted, degraded: list[str]
    ) -> list[list[Span]]:
        """What all of them find in `texts` of one phase, in the order of the texts; `degraded` gets opened plugins.

        Raises Unavailable(guard_failed) if one that must not fail does.
        """
        found: list[list[Span]] = [[] for _ in texts]
        runs = [run for run in self._by_phase[phase] if run.wanted(policy)]
        results = (
            await asyncio.gather(*(run.find(texts, degraded) for run in runs))
            if len(runs) > 1
            else [await run.find(texts, degraded) for run in runs]
        )
        for result in results:
            for at, spans in enumerate(result):
                found[at] += spans
        return found


class _Run:
    """One callable detector at work."""

    __slots__ = ("_cache", "_codes", "_contributed", "_pool", "_scanner", "detector", "holds")

    def __init__(self, contributed: Contributed, pool: Pool | None) -> None:
        self.detector = detector = contributed.detector
        self.holds = detector.streaming is Streaming.HOLD_ALL
        self._contributed = contributed
        self._codes: Mapping[str, Detector] = {one.code: one for one in detector.finds}
        self._cache: Recent[tuple[Span, ...]] = Recent(CACHE_ENTRIES)
        self._pool = pool
        self._scanner: Scanner | None = None
        if detector.isolation == "inline":
            self._scanner = make_scanner(detector)
        elif pool is None:
            raise ConfigError(f"detector {detector.name} needs worker processes and there are none")

    @property
    def inline(self) -> bool:
        return self._scanner is not None

    def reads(self, phase: Phase) -> bool:
        return phase in self.detector.phases

    def finds_any(self, codes: Collection[str]) -> bool:
        return any(code in codes for code in self._codes)

    def find_now(self, role: Role, text: str) -> Sequence[Span]:
        roles = self.detector.roles
        if self._scanner is None or not text or not (roles is None or role in roles):
            return ()
        try:
            return self._spans(text, self._scanner.scan([text])[0])
        except Exception as error:  # noqa: BLE001  # code of others may raise anything
            failed = self._failed(error)
            if self._contributed.fail_open:
                return ()
            raise failed from None

    def wanted(self, policy: Wanted) -> bool:
        return not self.detector.asked_for or any(policy.asks_for(code) for code in self._codes)

    async def find(self, texts: Sequence[tuple[Role, str]], degraded: list[str]) -> list[Sequence[Span]]:
        roles = self.detector.roles
        keys = [text_key(text) if text and (roles is None or role in roles) else None for role, text in texts]
        results = [() if key is None else self._cache.get(key) for key in keys]
        new = [at for at, found in enumerate(results) if found is None]
        if new:
            try:
                scanned = await self._scan([texts[at][1] for at in new])
            except Unavailable:
                if not self._contributed.fail_open:
                    raise
                degraded.append(self._contributed.plugin)
                scanned = [()] * len(new)
            else:
                for at, spans in zip(new, scanned, strict=True):
                    self._cache.put(keys[at] or "", spans)
            for at, spans in zip(new, scanned, strict=True):
                results[at] = spans
        return [found or () for found in results]

    async def _scan(self, texts: list[str]) -> list[tuple[Span, ...]]:
        try:
            found = await self._pooled(texts) if self._scanner is None else self._scanner.scan(texts)
            return [self._spans(text, one) for text, one in zip(texts, found, strict=True)]
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  # code of others may raise anything: the text was not vouched for
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> Unavailable:
        log.warning("detector_failed", detector=self.detector.name, error=type(error).__name__)
        return Unavailable(f"the detector {self.detector.name!r} failed", code="guard_failed")

    async def _pooled(self, texts: list[str]) -> Sequence[Sequence[Found]]:
        if self._pool is None:
            raise Unavailable("there are no worker processes", code="guard_failed")
        return await self._pool.scan(self.detector.name, texts, self.detector.deadline_s)

    def _spans(self, text: str, found: Collection[Found]) -> tuple[Span, ...]:
        spans = []
        for at, until, code, score in found:
            start, end = operator.index(at), operator.index(until)
            if not (0 <= start < end <= len(text) and 0 <= score <= 1):
                raise ValueError("a place outside the text, or a score outside 0 to 1")
            one = self._codes[code]
            if score >= one.min_score:
                spans.append(Span(start, end, one, score))
        return tuple(sorted(spans, key=_place))


def make_scanner(detector: CallableDetector) -> Scanner:
    """The scanner that `detector.make` names. Raises ConfigError."""
    module, _, name = detector.make.partition(":")
    try:
        scanner: Scanner = getattr(importlib.import_module(module), name)(**detector.options)
    except Exception as error:  # a factory may raise anything
        raise ConfigError(f"detector {detector.name} cannot be made: {type(error).__name__}: {error}") from error
    return scanner


def _place(span: Span) -> tuple[int, int]:
    return span.start, span.end
