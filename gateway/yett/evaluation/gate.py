"""A gateway's own detectors as a subject: declarative ones through the scan engine, callable ones as it calls them.

Hooks (`check_*`) are not run: they judge whole exchanges, which rows of texts are not.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from yett.callables import CallableScans, Contributed, Pool
from yett.detector import Detector, Span
from yett.errors import ConfigError, Unavailable
from yett.evaluation.labels import fits
from yett.evaluation.subject import Detection, Outcome, Spent, timed
from yett.flow import FlowView, Leaf, Phase, Principal, Role
from yett.judge import Policy
from yett.registry import Registry
from yett.scan import ScanEngine
from yett.strictyaml import nearest
from yett.verdict import Action, Finding
from yett.workers import WorkerPool

PATTERNS = "patterns"  # the stage of all declarative detectors: one fused pass
WARM_UP = "The meeting about the garden is on the second floor, please bring the notes and some tea."


@dataclass(frozen=True, slots=True)
class Chosen:
    """The detectors that are measured. `named`: the user asked for them by name."""

    patterns: tuple[Detector, ...]
    callables: tuple[Contributed, ...]
    named: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """When a detection counts: from `threshold` on (None: each detector's own) and where `policy` acts on it."""

    phase: Phase = Phase.REQUEST
    threshold: float | None = None
    policy: Policy | None = None


def choose(registry: Registry, names: Sequence[str]) -> Chosen:
    """The detectors of `registry` whose name, or one of whose codes, fits one of `names`; all without names.

    Raises ConfigError for a name that fits none.
    """
    patterns, callables = registry.detectors(), registry.callables()
    if not names:
        return Chosen(patterns, callables)
    words: dict[str, tuple[str, ...]] = {one.name: (one.name, one.code) for one in patterns}
    words |= {one.detector.name: (one.detector.name, *(find.code for find in one.detector.finds)) for one in callables}
    for name in names:
        if not any(fits((name,), word) for all_words in words.values() for word in all_words):
            families = sorted({f"{word.partition('.')[0]}.*" if "." in word else word for word in words})
            raise ConfigError(f"no detector {name!r}{nearest(name, words)}; there are {', '.join(families)}")
    kept = {name for name, all_words in words.items() if any(fits(names, word) for word in all_words)}
    return Chosen(
        tuple(one for one in patterns if one.name in kept),
        tuple(one for one in callables if one.detector.name in kept),
        named=True,
    )


@contextlib.asynccontextmanager
async def open_gate(
    chosen: Chosen, everything: Sequence[Detector], rules: Rules, warm_up: Iterable[str] = ()
) -> AsyncIterator[Gate]:
    """The chosen detectors, compiled and warm; `everything` is what masks examples. Stops its worker processes."""
    async with WorkerPool([one.detector for one in chosen.callables], processes=1) as pool:
        gate = Gate(chosen, everything, rules, pool)
        gate.warm_up(warm_up)
        await gate.find(WARM_UP, Role.USER)
        yield gate


class Gate:
    """The chosen detectors, ready. One text is one request of one leaf, the newest; results are not cached."""

    def __init__(self, chosen: Chosen, everything: Sequence[Detector], rules: Rules, pool: Pool | None = None) -> None:
        self._rules = rules
        self._engine = ScanEngine(chosen.patterns, cache_entries=1)
        self._stages = [_Stage(one, rules, chosen, pool) for one in chosen.callables]
        self._everything = everything
        self._mask: ScanEngine | None = None
        self._patterns = chosen.patterns
        running = [stage for stage in self._stages if stage.runs]
        self.codes = frozenset(
            [one.code for one in chosen.patterns] + [find.code for stage in running for find in stage.detector.finds]
        )

    async def find(self, text: str, role: Role) -> Outcome:
        """What the detectors find in `text`, and how long each stage took."""
        leaf = Leaf("/text", text, role, newest=self._rules.phase is Phase.REQUEST)
        spent: dict[str, Spent] = {}
        detections: list[Detection] = []
        actions = [Action.ALLOW]
        try:
            if self._patterns:
                with timed(spent, PATTERNS):
                    spans: Sequence[Span] = self._engine.scan(text)
                found = self._meant(spans, leaf)
                detections += [self._judge(span, leaf, span.detector.min_score, actions) for span in found]
            for stage in self._stages:
                if stage.runs:
                    with timed(spent, stage.detector.name):
                        spans = await stage.find(role, text)
                    found = self._meant(spans, leaf)
                    detections += [self._judge(span, leaf, stage.least[span.detector.code], actions) for span in found]
        except Unavailable:
            return Outcome(failed=True)
        return Outcome(tuple(sorted(detections)), spent, self._action(actions))

    def warm_up(self, texts: Iterable[str]) -> None:
        """Scan `texts` with the patterns, so that what is compiled at its first use is not counted later."""
        for text in texts:
            with contextlib.suppress(Unavailable):
                self._engine.scan(text)

    async def mask(self, text: str) -> Sequence[tuple[int, int]]:
        """All that any declarative detector of the gateway finds, chosen or not."""
        if self._mask is None:
            self._mask = ScanEngine(self._everything)
        return [(span.start, span.end) for span in self._mask.scan(text)]

    def describe(self) -> list[dict[str, object]]:
        """Name, codes and kind of every chosen detector."""
        rows: list[dict[str, object]] = [
            {"name": one.name, "codes": [one.code], "kind": "patterns", "runs": True} for one in self._patterns
        ]
        for stage in self._stages:
            one = stage.detector
            codes = [find.code for find in one.finds]
            rows.append({"name": one.name, "codes": codes, "kind": one.isolation, "runs": stage.runs})
        return rows

    def _meant(self, spans: Sequence[Span], leaf: Leaf) -> list[Span]:
        """The spans that are findings in this flow. Raises Unavailable if a detector fails to say."""
        return [span for span in spans if span.detector.concerns is None or self._concerned(span, leaf)]

    def _concerned(self, span: Span, leaf: Leaf) -> bool:
        asked = (leaf,) if self._rules.phase is Phase.REQUEST else ()
        view = FlowView("eval", "", Principal("eval"), "", "", False, "", "", leaves=(leaf,), asked=asked)
        try:
            return span.detector.concerns is None or span.detector.concerns(view, leaf.text[span.start : span.end])
        except Exception:  # noqa: BLE001  # code of others may raise anything
            raise Unavailable(f"the detector {span.detector.name!r} failed", code="guard_failed") from None

    def _judge(self, span: Span, leaf: Leaf, least: float, actions: list[Action]) -> Detection:
        """`span` as a detection: whether it counts, with the policy's verdict added to `actions`."""
        rules, detector = self._rules, span.detector
        counts = span.score >= (least if rules.threshold is None else rules.threshold)
        if counts and rules.policy is not None:
            place = (span.start, span.end)
            finding = Finding(
                detector.code, leaf.pointer, place, span.score, detector.name, detector.default, detector.entity
            )
            action = rules.policy.judge(finding, leaf, rules.phase, matched=leaf.text[span.start : span.end]).action
            actions.append(action)
            counts = action > Action.ALLOW
        return Detection(span.start, span.end, detector.code, span.score, counts)

    def _action(self, actions: Sequence[Action]) -> str:
        return max(actions).name if self._rules.policy is not None else ""


class _Stage:
    """One callable detector on its own, so that its time is its own. It reports every score; `least` is its bound."""

    def __init__(self, contributed: Contributed, rules: Rules, chosen: Chosen, pool: Pool | None) -> None:
        self.detector = contributed.detector
        self.least: Mapping[str, float] = {find.code: find.min_score for find in self.detector.finds}
        self._wanted = rules.policy or _Asked(chosen.named)
        self._phase = rules.phase
        asked = not self.detector.asked_for or any(map(self._wanted.asks_for, self.least))
        self.runs = asked and rules.phase in self.detector.phases
        ranked = tuple(replace(find, min_score=0.0) for find in self.detector.finds)
        ranking = replace(self.detector, finds=ranked)
        self._scans = CallableScans([replace(contributed, detector=ranking, fail_open=False)], pool)

    async def find(self, role: Role, text: str) -> Sequence[Span]:
        """What it finds in `text`. Raises Unavailable."""
        return (await self._scans.find(self._phase, [(role, text)], self._wanted, []))[0]


class _Asked:
    """In place of a policy: detectors that run only when asked are asked if the user named them."""

    def __init__(self, named: bool) -> None:
        self._named = named

    def asks_for(self, code: str) -> bool:
        """Whether the user named the detector of `code`."""
        del code
        return self._named
