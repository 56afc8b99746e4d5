"""The heart: one phase of one flow. Scan, check, judge, prove coverage; say what to edit or that it is denied.

Requests, whole answers and streamed answers all pass here; tool calls are leaves like any other text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yett.callables import CallableScans
from yett.detector import Span
from yett.errors import Unavailable
from yett.flow import Flow, Leaf, Phase, ToolCall
from yett.hookcalls import HookCalls
from yett.judge import Judge, Judged, Policy, edits_across, one_way
from yett.ledger import Ledger
from yett.registry import Registry
from yett.scan import ScanEngine
from yett.vault import TAG, Vaults, mark, pseudonyms
from yett.verdict import Action, Decision, Edit, Finding, Verdict, decide, merge_edits

REQUEST_CHECKS = ("check_request", "check_tool_offer", "check_tool_result")
RESPONSE_CHECKS = ("check_response", "check_tool_call")
TAG_RULE = "yett:tag_shaped"
SLICE_CHARS = 16 * 1024

Group = tuple[list[Leaf], str]  # adjacent leaves of one channel, and their joined text


@dataclass(slots=True)
class Checked:
    """What one phase found and decided. `edits` are merged per pointer and ready to apply."""

    decision: Decision
    edits: Mapping[str, list[Edit]]
    judged: list[Judged]
    ledger: Ledger
    degraded: list[str] = field(default_factory=list)

    @property
    def denied(self) -> bool:
        """The text must not go on: DENY, or APPROVE while nobody has approved."""
        return self.decision.action >= Action.APPROVE


class Pipeline:
    """Runs the detectors and checks of one gateway; holds no flow and no policy."""

    def __init__(
        self,
        engine: ScanEngine,
        registry: Registry,
        vaults: Vaults,
        leaf_key: bytes,
        calls: HookCalls,
        callables: CallableScans | None = None,
    ) -> None:
        self.engine = engine
        self.callables = callables or CallableScans(())
        self.registry = registry
        self._vaults = vaults
        self._leaf_key = leaf_key
        self._calls = calls
        self._request_hooks = any(registry.hooks[name] for name in REQUEST_CHECKS)
        self._response_hooks = any(registry.hooks[name] for name in RESPONSE_CHECKS)

    def holds_streams(self, policy: Policy) -> bool:
        """Whether a check, a rule or a detector has to see a streamed answer whole before any of it leaves."""
        return self._response_hooks or policy.holds_streams or self.callables.holds_streams(policy)

    def notes_streams(self, policy: Policy) -> bool:
        """Whether a detector reads a streamed answer after it has passed."""
        return self.callables.notes_streams(policy)

    @property
    def detector_names(self) -> tuple[str, ...]:
        """All detectors, by name."""
        return self.engine.names + self.callables.names

    def judge(
        self, flow: Flow, policy: Policy, phase: Phase, *, one_way: bool = False, constrained: bool = False
    ) -> Judge:
        """A judge for one phase of `flow`: answers are always redacted one-way."""
        vault = self._vaults.of(flow.principal.tenant)
        return Judge(policy, phase, vault, flow.restores, one_way or phase is Phase.RESPONSE, flow, constrained)

    def ledger(self, leaves: Sequence[Leaf], opaque: Sequence[str] = ()) -> Ledger:
        """An empty coverage ledger for `leaves`."""
        return Ledger(self._leaf_key, leaves, opaque)

    async def check(
        self,
        flow: Flow,
        policy: Policy,
        phase: Phase,
        leaves: Sequence[Leaf],
        *,
        opaque: Sequence[str] = (),
        one_way: bool = False,
        constrained: bool = False,
    ) -> Checked:
        """Check `leaves`: every one is scanned by every detector, or Unavailable(guard_failed) is raised."""
        judge = self.judge(flow, policy, phase, one_way=one_way, constrained=constrained)
        ledger = self.ledger(leaves, opaque)
        degraded: list[str] = []
        if phase is Phase.REQUEST:
            flow.asked = leaves
        verdicts, edits = await self._scan(judge, leaves, ledger, degraded)
        edits += _tag_edits(judge, leaves)
        verdicts += judge.wholes(leaves)
        if self._request_hooks if phase is Phase.REQUEST else self._response_hooks:
            flow.leaves = leaves
            for finding in await self._hook_findings(flow, phase, degraded):
                verdict, edit = _judge_check(judge, finding, leaves)
                verdicts.append(verdict)
                edits += edit
        missing = ledger.missing()
        if missing:
            raise Unavailable("a mandatory detector did not see every text", code="guard_failed", pointer=missing[0])
        flow.findings.extend(judged.finding for judged in judge.judged)
        decision = decide(verdicts, policy.revision)
        return Checked(decision, merge_edits(edits) if edits else {}, judge.judged, ledger, degraded)

    async def check_hooks(self, flow: Flow, policy: Policy, leaves: Sequence[Leaf]) -> Checked:
        """What hooks and callable detectors say of an answer, for a stream that was buffered to its end for them."""
        judge = self.judge(flow, policy, Phase.RESPONSE)
        degraded: list[str] = []
        flow.leaves = leaves
        verdicts: list[Verdict] = []
        edits: list[Edit] = []
        groups, own = _groups(leaves), set(flow.restores.values())
        for (group, text), spans in zip(groups, await self._called(judge, groups, degraded), strict=True):
            foreign = [span for span in spans if text[span.start : span.end] not in own]  # what was restored stays
            _judge_group(judge, group, text, foreign, verdicts, edits)
        verdicts += judge.wholes(leaves)
        for finding in await self._hook_findings(flow, Phase.RESPONSE, degraded):
            verdict, edit = _judge_check(judge, finding, leaves)
            verdicts.append(verdict)
            edits += edit
        decision = decide(verdicts, policy.revision)
        return Checked(decision, merge_edits(edits), judge.judged, self.ledger(()), degraded)

    async def note(self, flow: Flow, policy: Policy, leaves: Sequence[Leaf], judged: list[Judged]) -> None:
        """Add to `judged` what `detect_only` detectors find in a streamed answer that has passed: nothing is undone."""
        checked = await self.check_hooks(flow, policy, leaves)
        judged += [Judged(one.finding, Action.ALLOW, one.rule, one.reason, one.rehearsed) for one in checked.judged]

    def check_now(self, judge: Judge, leaves: Sequence[Leaf], ledger: Ledger) -> Checked:
        """The detectors' part of `check`, synchronous: for the whole pieces within a stream (tool arguments)."""
        if judge.flow is not None and judge.policy.names_tools:
            judge.flow.tool_calls = [*judge.flow.tool_calls, *_named(leaves)]
        scans = _Scans.of(leaves)
        verdicts, edits = _judge_all(judge, scans, self.engine.scan_all(scans.texts), ledger)
        edits += _tag_edits(judge, leaves)
        return Checked(decide(verdicts, judge.policy.revision), merge_edits(edits), judge.judged, ledger)

    async def _scan(
        self, judge: Judge, leaves: Sequence[Leaf], ledger: Ledger, degraded: list[str]
    ) -> tuple[list[Verdict], list[Edit]]:
        scans = _Scans.of(leaves)
        if max(map(len, scans.texts), default=0) <= SLICE_CHARS:
            found: Sequence[Sequence[Span]] = self.engine.scan_all(scans.texts)  # one fused pass
        else:  # in slices that let the loop breathe
            found = [await self.engine.scan_async(text) for text in scans.texts]
        called = await self._called(judge, scans.groups, degraded) if self.callables.reads(judge.phase) else ()
        return _judge_all(judge, scans, found, ledger, called)

    async def _called(self, judge: Judge, groups: Sequence[Group], degraded: list[str]) -> Sequence[Sequence[Span]]:
        """What the callable detectors find in each group."""
        texts = [(group[0].role, text) for group, text in groups]
        return await self.callables.find(judge.phase, texts, judge.policy, degraded)

    async def _hook_findings(self, flow: Flow, phase: Phase, degraded: list[str]) -> list[Finding]:
        hooks, view = self.registry.hooks, flow.view()
        given: dict[str, Any] = {"flow": view}
        if phase is Phase.RESPONSE:
            found = await self._calls.findings(hooks["check_response"], given, degraded)
            for call in view.tool_calls:
                found += await self._calls.findings(hooks["check_tool_call"], given | {"call": call}, degraded)
            return found
        found = await self._calls.findings(hooks["check_request"], given, degraded)
        for tool in view.tools:
            found += await self._calls.findings(hooks["check_tool_offer"], given | {"tool": tool}, degraded)
        calls = {call.call_id: call for call in view.tool_calls}
        for result in view.tool_results:
            more = given | {"result": result, "call": calls.get(result.call_id)}
            found += await self._calls.findings(hooks["check_tool_result"], more, degraded)
        return found


def _groups(leaves: Sequence[Leaf]) -> list[Group]:
    """Leaves as they are scanned: adjacent ones of the same channel are one text."""
    groups: list[Group] = []
    channel = ""
    for leaf in leaves:
        if leaf.channel and leaf.channel == channel:
            group, text = groups[-1]
            group.append(leaf)
            groups[-1] = (group, text + leaf.text)
        else:
            groups.append(([leaf], leaf.text))
        channel = leaf.channel
    return groups


@dataclass(frozen=True, slots=True)
class _Scans:
    """Which texts are scanned for the groups of a phase, and how their spans come together again.

    Of each group the joined text, so that a value split over two parts is found; and where it has several leaves, each
    leaf alone, so that the end of one part cannot hide the beginning of a value in the next.
    """

    groups: list[Group]
    texts: list[str]

    @classmethod
    def of(cls, leaves: Sequence[Leaf]) -> _Scans:
        """The scans that `leaves` need."""
        groups = _groups(leaves)
        texts: list[str] = []
        for group, text in groups:
            texts.append(text)
            if len(group) > 1:
                texts += [leaf.text for leaf in group]
        return cls(groups, texts)

    def spans(self, found: Sequence[Sequence[Span]]) -> Iterator[tuple[Group, Sequence[Span]]]:
        """Each group with what was found in it; `found` belongs to `texts`."""
        at = 0
        for group, text in self.groups:
            spans, at = found[at], at + 1
            if len(group) > 1:
                spans, at = _united(group, spans, found[at : at + len(group)]), at + len(group)
            yield (group, text), spans


def _judge_all(
    judge: Judge,
    scans: _Scans,
    found: Sequence[Sequence[Span]],
    ledger: Ledger,
    called: Sequence[Sequence[Span]] = (),
) -> tuple[list[Verdict], list[Edit]]:
    """Verdicts and edits for what was found in each group; each is marked in the ledger when its scan is at hand.

    `called`: what callable detectors found besides, by group.
    """
    verdicts: list[Verdict] = []
    edits: list[Edit] = []
    first = 0
    for number, ((group, text), spans) in enumerate(scans.spans(found)):
        if called and called[number]:
            spans = [*spans, *called[number]]  # noqa: PLW2901  # the same thing, complete
        if spans:
            _judge_group(judge, group, text, spans, verdicts, edits)
        ledger.mark(first, len(group))
        first += len(group)
    return verdicts, edits


def _united(group: list[Leaf], joined: Sequence[Span], alone: Sequence[Sequence[Span]]) -> Sequence[Span]:
    """Spans of the joined text and of its parts, in joined coordinates, without repetitions."""
    united = {(span.start, span.end, span.detector.name): span for span in joined}
    offset = 0
    for leaf, spans in zip(group, alone, strict=True):
        for span in spans:
            start, end = span.start + offset, span.end + offset
            united.setdefault((start, end, span.detector.name), Span(start, end, span.detector, span.score))
        offset += len(leaf.text)
    return [united[key] for key in sorted(united)]


def _judge_group(
    judge: Judge,
    group: list[Leaf],
    text: str,
    spans: Sequence[Span],
    verdicts: list[Verdict],
    edits: list[Edit],
) -> None:
    """Verdicts on `spans` of one scanned text, and the edits of those that policy wants redacted."""
    offsets = [0]
    for leaf in group:
        offsets.append(offsets[-1] + len(leaf.text))
    redact: list[Span] = []
    for span in spans:
        index = bisect_right(offsets, span.start, 0, len(group)) - 1
        start, end = span.start - offsets[index], min(span.end, offsets[index + 1]) - offsets[index]
        matched = text[span.start : span.end]
        if not judge.concerned(span, matched):
            continue
        verdict = judge.span(span, group[index], start, end, matched)
        verdicts.append(verdict)
        if verdict.action in (Action.REDACT, Action.APPROVE):
            redact.append(one_way(span) if verdict.one_way else span)
    if redact:
        more, fixed = edits_across(group, offsets[:-1], judge.redactions(redact, text))
        edits += more
        verdicts += [Verdict(Action.DENY, "yett:not_editable", "the text cannot be edited here") for _ in fixed]


def _named(leaves: Sequence[Leaf]) -> list[ToolCall]:
    """The calls that leaves of a streamed answer belong to: a call's name is a leaf beside its arguments."""
    return [
        ToolCall(leaf.pointer.removesuffix("/name"), leaf.text, "")
        for leaf in leaves
        if leaf.pointer.endswith(("/function/name", "/custom/name", "/function_call/name"))
    ]


def _tag_edits(judge: Judge, leaves: Sequence[Leaf]) -> list[Edit]:
    """In requests, text shaped like our tags is itself pseudonymised; in answers, known pseudonyms are restored.

    Both stand behind redactions (priority -1): where they overlap, the redaction's replacement wins.
    """
    if judge.phase is Phase.REQUEST:
        return [
            Edit(leaf.pointer, found.span(), _hidden_tag(judge, found.group()), TAG_RULE, -1)
            for leaf in leaves
            if "<" in leaf.text and leaf.editable
            for found in TAG.finditer(leaf.text)
        ]
    if not judge.restores:
        return []
    return [
        Edit(leaf.pointer, found.span(), judge.restores[found.group()], TAG_RULE, -1)
        for leaf in leaves
        if leaf.editable
        for found in pseudonyms(leaf.text, judge.restores)
    ]


def _hidden_tag(judge: Judge, tag: str) -> str:
    return mark("TAG") if judge.one_way else judge.vault.pseudonym("TAG", tag, judge.restores)


def _judge_check(judge: Judge, finding: Finding, leaves: Sequence[Leaf]) -> tuple[Verdict, list[Edit]]:
    """Policy's verdict on what a check found, and the edit it asks for."""
    leaf = next((one for one in leaves if one.pointer == finding.pointer and one.part == finding.part), None)
    start, end = finding.span or (0, None)
    matched = "" if leaf is None else leaf.text[start:end]
    verdict = judge.finding(finding, leaf or Leaf(finding.pointer, "", editable=False), matched)
    if verdict.action not in (Action.REDACT, Action.APPROVE) or leaf is None:
        return verdict, []
    return verdict, [Edit(finding.pointer, finding.span, mark(finding.entity or "REDACTED"), finding.code)]
