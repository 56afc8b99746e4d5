"""From findings to verdicts to edits, for one phase of one flow: policy decides, this words its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from yett.detector import Span
from yett.errors import Unavailable
from yett.flow import Flow, FlowView, Leaf, Phase
from yett.policy.effective import Rehearsed, Whole
from yett.vault import Vault, mark
from yett.verdict import Action, Edit, Finding, Verdict


class Policy(Protocol):
    """What the pipeline asks of the rules that concern a caller (`yett.policy.effective.EffectivePolicy`)."""

    revision: str
    rehearses: bool  # some rule about findings is in shadow mode
    names_tools: bool  # some rule depends on the tool that a text belongs to
    holds_streams: bool  # some rule is about answers as a whole

    def judge(self, finding: Finding, leaf: Leaf, phase: Phase, flow: Flow | None = None, matched: str = "") -> Verdict:
        """The verdict of the strictest matching rule, or of the finding's default where none matches."""

    def rehearse(
        self, finding: Finding, leaf: Leaf, phase: Phase, flow: Flow | None, matched: str
    ) -> Sequence[Rehearsed]:
        """What rules in shadow mode would have said."""

    def speaks_of_wholes(self, phase: Phase) -> bool:
        """Whether some rule is about requests, answers or tool calls as a whole."""

    def wholes(self, flow: Flow, phase: Phase, leaves: Sequence[Leaf]) -> Sequence[Whole]:
        """What such rules say of this phase of `flow`."""

    def asks_for(self, code: str) -> bool:
        """Whether some rule names findings with `code`."""


class Judged(NamedTuple):  # one for each finding
    """A finding with what policy said of it: what the audit keeps.

    `rehearsed`: a rule in shadow mode said it; `rule` is then `shadow:ACTION:ID`, and it decided nothing.
    """

    finding: Finding
    action: Action
    rule: str
    reason: str = ""
    rehearsed: bool = False


@dataclass(slots=True)
class Judge:
    """Asks policy about each finding, remembers the answers, and words the replacements.

    `one_way`: values are replaced by marks that nobody gets back (answers, embeddings). `constrained`: the answer must
    fit a schema, so pseudonyms keep the form of what they stand for.
    """

    policy: Policy
    phase: Phase
    vault: Vault
    restores: dict[str, str]
    one_way: bool
    flow: Flow | None = None  # what detectors with `concerns` are shown
    constrained: bool = False
    judged: list[Judged] = field(default_factory=list)
    _view: FlowView | None = None

    def finding(self, finding: Finding, leaf: Leaf, matched: str = "") -> Verdict:
        """Policy's verdict on `finding`, the text `matched` at `leaf`, remembered."""
        policy = self.policy
        verdict = policy.judge(finding, leaf, self.phase, self.flow, matched)
        self.judged.append(Judged(finding, verdict.action, verdict.rule, verdict.reason))
        if policy.rehearses:
            self._rehearsed(finding, policy.rehearse(finding, leaf, self.phase, self.flow, matched))
        return verdict

    def wholes(self, leaves: Sequence[Leaf]) -> list[Verdict]:
        """Policy's verdicts on the phase and its tools as a whole, remembered."""
        if self.flow is None or not self.policy.speaks_of_wholes(self.phase):
            return []
        verdicts = []
        for finding, verdict, rehearsed in self.policy.wholes(self.flow, self.phase, leaves):
            if rehearsed:
                self._rehearsed(finding, rehearsed)
                continue
            self.judged.append(Judged(finding, verdict.action, verdict.rule, verdict.reason))
            verdicts.append(verdict)
        return verdicts

    def _rehearsed(self, finding: Finding, said: Sequence[Rehearsed]) -> None:
        for rule, action in said:
            word = "flag" if action is Action.ALLOW else action.name.lower()
            self.judged.append(Judged(finding, Action.ALLOW, f"shadow:{word}:{rule}", rehearsed=True))

    def concerned(self, span: Span, matched: str) -> bool:
        """Whether what was `matched` is a finding in this flow. Raises Unavailable if the detector fails to say.

        A pseudonym of ours in an answer is none, whatever it looks like: it is restored.
        """
        if self.phase not in span.detector.phases or (self.phase is Phase.RESPONSE and matched in self.restores):
            return False
        concerns = span.detector.concerns
        if concerns is None or self.flow is None:
            return True
        if self._view is None:
            self._view = self.flow.view()
        try:
            return concerns(self._view, matched)
        except Exception:  # noqa: BLE001  # code of others may raise anything: the text was not vouched for
            raise Unavailable(f"the detector {span.detector.name!r} failed", code="guard_failed") from None

    def span(self, span: Span, leaf: Leaf, start: int, end: int, matched: str) -> Verdict:
        """Policy's verdict on what a detector `matched` at characters `start` to `end` of `leaf`."""
        detector = span.detector
        found = Finding(
            code=detector.code,
            pointer=leaf.pointer,
            span=(start, end),
            score=span.score,
            detector=detector.name,
            default=detector.default,
            entity=detector.entity,
            part=leaf.part,
        )
        return self.finding(found, leaf, matched)

    def replacement(self, spans: list[Span], text: str) -> str:
        """What stands in place of `text`, the union of overlapping `spans`.

        A pseudonym of the whole union, so that restoring gives back exactly what was there; a one-way mark as soon as
        one of the spans is not reversible.
        """
        best = spans[0] if len(spans) == 1 else min(spans, key=_rank)
        fixed = [s for s in spans if not s.detector.reversible]
        if fixed:
            return mark(min(s.detector.entity for s in fixed))
        if self.one_way:
            return mark(best.detector.entity)
        entity = best.detector.entity
        if self.constrained and self.flow is not None:
            return self.vault.surrogate(entity, text, self.restores, [leaf.text for leaf in self.flow.asked])
        return self.vault.pseudonym(entity, text, self.restores)

    def redactions(self, spans: list[Span], text: str) -> list[tuple[int, int, str, str]]:
        """(start, end, replacement, code) for each cluster of overlapping spans that policy wants redacted."""
        edits: list[tuple[int, int, str, str]] = []
        cluster: list[Span] = []
        end = -1
        for span in sorted(spans, key=_place):
            if cluster and span.start >= end:
                edits.append(self._redaction(cluster, text))
                cluster = []
            end = max(end, span.end)
            cluster.append(span)
        if cluster:
            edits.append(self._redaction(cluster, text))
        return edits

    def _redaction(self, cluster: list[Span], text: str) -> tuple[int, int, str, str]:
        start, end = cluster[0].start, max(s.end for s in cluster)
        return start, end, self.replacement(cluster, text[start:end]), cluster[0].detector.code


def one_way(span: Span) -> Span:
    """`span`, found by a detector whose findings do not come back."""
    return span._replace(detector=replace(span.detector, reversible=False)) if span.detector.reversible else span


def _place(span: Span) -> tuple[int, int]:
    return (span.start, span.end)


def _rank(span: Span) -> tuple[int, int, str]:
    return (-span.detector.priority, span.start - span.end, span.detector.code)


def edits_across(
    leaves: list[Leaf], offsets: list[int], redactions: list[tuple[int, int, str, str]]
) -> tuple[list[Edit], list[Leaf]]:
    """Redactions of a text that was scanned as one but lies in several adjacent leaves, as edits of those leaves.

    `offsets[i]` is where `leaves[i]` begins in the joined text. The first leaf a redaction touches gets the whole
    replacement, the others lose their share. Also returned: touched leaves that cannot be edited.
    """
    edits: list[Edit] = []
    fixed: list[Leaf] = []
    if len(leaves) == 1:
        leaf = leaves[0]
        if not leaf.editable:
            fixed.append(leaf)
        return [Edit(leaf.pointer, (start, end), put, code) for start, end, put, code in redactions], fixed
    for start, end, replacement, code in redactions:
        put = replacement
        for leaf, offset in zip(leaves, offsets, strict=True):
            low, high = max(start, offset), min(end, offset + len(leaf.text))
            if low >= high:
                continue
            if not leaf.editable:
                fixed.append(leaf)
            edits.append(Edit(leaf.pointer, (low - offset, high - offset), put, code))
            put = ""
    return edits, fixed
