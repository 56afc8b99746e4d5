"""The audit's side of one flow: `decided` before anything is forwarded, `completed` exactly once, whatever happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from yett.audit import record
from yett.errors import Unavailable
from yett.flow import Flow, Phase
from yett.judge import Judged
from yett.pipeline import Checked
from yett.server.call import Call
from yett.server.client import client_address
from yett.server.core import Core
from yett.verdict import Action, Decision

# A member's `name` and `value` are looked up through a descriptor each time; an index is a fifth of that.
ACTIONS = tuple(action.name for action in sorted(Action))
WORDS = tuple(name.lower() for name in ACTIONS)  # as the header x-yett-decision says it
MAX_NAMED = 64  # pseudonyms that one event names; it counts them all
REQUEST, RESPONSE = Phase.REQUEST.value, Phase.RESPONSE.value


class Answered(NamedTuple):
    """What the check of an answer, whole or streamed, came to."""

    decision: Decision
    judged: Sequence[Judged] = ()
    ledger: record.Ledger | None = None
    usage: Mapping[str, object] | None = None


class Recorder:
    """Writes the records of one flow."""

    __slots__ = ("_answer", "_call", "_core", "_decided", "_flow", "closed", "outcome")

    def __init__(self, core: Core, call: Call, flow: Flow) -> None:
        self._core = core
        self._call = call
        self._flow = flow
        self._decided = False
        self.closed = False
        self.outcome = ""
        self._answer: Answered | None = None

    async def decided(self, decision: Decision, checked: Checked | None = None) -> None:
        """Store the decision on the request. Raises Unavailable(audit_unavailable): then nothing may be forwarded."""
        flow, core, target = self._flow, self._core, self._flow.target
        action = ACTIONS[decision.action]
        plain = flow.model in core.models or _is_clean(checked, "/model")
        index = self._append(
            record.decided(
                flow_id=flow.id,
                trace_id=flow.trace.trace_id,
                principal=core.principal_record(flow.principal),
                dialect=flow.dialect,
                model=flow.model if plain else "*",
                target=f"{target.provider}/{target.model if plain else '*'}" if target else "",
                stream=flow.stream,
                phase=REQUEST,
                action=action,
                rules=decision.by,
                reasons=decision.reasons,
                revision=flow.revision,
                findings=finding_rows(checked.judged, core.known.wording) if checked and checked.judged else [],
                ledger=checked.ledger.summary(core.known) if checked else None,
                degraded=[*core.opened, *(checked.degraded if checked else ())],
                client=client_address(self._call.scope, core.trusted),
            )
        )
        self._decided = True
        if core.audit.waits:
            await core.audit.commit(index)
        core.metrics.decided(REQUEST, action)

    def saw_answer(self, answered: Answered) -> None:
        """Note what the answer's check found; it is stored with `completed`."""
        self._answer = answered
        self._core.metrics.decided(RESPONSE, ACTIONS[answered.decision.action])

    async def tell(self, phase: Phase, decision: Decision) -> None:
        """Tell the observers of decisions."""
        hooks = self._core.registry.hooks["decided"]
        if hooks:
            given = {"flow": self._flow.view(), "phase": phase, "decision": decision}
            await self._core.calls.observe(hooks, given)

    async def completed(self, outcome: str, status: int, code: str = "", upstream_status: int = 0) -> None:
        """Close the flow, once. Raises Unavailable if no sink can store the record."""
        if self.closed:
            return
        if not self._decided:
            await self.decided(Decision(Action.DENY, frozenset((f"gate:{code}",)), revision=self._flow.revision))
        core, flow, answer = self._core, self._flow, self._answer or Answered(Decision())
        if flow.restores.revealed:
            self._append(self._reveal())
        duration_ms = self._call.duration_ms()
        index = self._append(
            record.completed(
                flow_id=flow.id,
                trace_id=flow.trace.trace_id,
                outcome=outcome,
                status=status,
                code=code,
                action=ACTIONS[answer.decision.action],
                rules=answer.decision.by,
                findings=finding_rows(answer.judged, core.known.wording) if answer.judged else [],
                ledger=answer.ledger,
                usage=answer.usage,
                duration_ms=duration_ms,
                upstream_status=upstream_status,
            )
        )
        self.closed = True
        self.outcome = outcome
        if core.audit.waits:
            await core.audit.commit(index)
        core.metrics.completed(flow.dialect, outcome, duration_ms / 1000)

    def _reveal(self) -> record.Record:
        """Which pseudonyms were put back for the caller: names of them, never the values."""
        flow, revealed = self._flow, sorted(self._flow.restores.revealed)
        return record.event(
            "reveal",
            flow=flow.id,
            trace=flow.trace.trace_id,
            to=flow.principal.id,
            count=len(revealed),
            pseudonyms=revealed[:MAX_NAMED],
        )

    def _append(self, made: record.Record) -> int:
        try:
            return self._core.audit.append(made)
        except Unavailable:
            self._core.known.clear()  # what this record would have named is not in the log
            raise

    async def close_quietly(self, outcome: str, status: int, code: str) -> None:
        """`completed` on a path that already ends in an error: an unavailable audit cannot make it worse."""
        try:
            await self.completed(outcome, status, code)
        except Unavailable:
            self.closed = True
            self.outcome = outcome
            self._core.metrics.audit_failed()


def _is_clean(checked: Checked | None, pointer: str) -> bool:
    """Whether the text at `pointer` was scanned and nothing was found: a caller's own word may then be written down."""
    if checked is None:
        return False
    return not checked.judged or all(one.finding.pointer != pointer for one in checked.judged)


def finding_rows(judged: Iterable[Judged], wording: record.Wording) -> list[record.Record]:
    """Findings as the audit keeps them: code, place, score and who decided; never the text."""
    rows = []
    for one in judged:
        found = one.finding
        rows.append(
            wording.finding(found.code, found.pointer, found.score, found.detector, ACTIONS[one.action], one.rule)
        )
    return rows
