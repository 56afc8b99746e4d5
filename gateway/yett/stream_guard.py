"""The pipeline as a stream codec sees it: text channels with exact hold-back, and checks of whole pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from yett.audit.content import DIGEST_BYTES
from yett.audit.record import Ledger as LedgerRecord
from yett.audit.record import Row
from yett.detector import Span
from yett.flow import Flow, Leaf, Phase, Role
from yett.judge import Judge, Judged, Policy
from yett.pipeline import Pipeline
from yett.streaming import Judgement, TextStream
from yett.vault import mark
from yett.verdict import Action, Decision, Edit, combine
from yett.wire.guard import Blocked, Released


class GuardedChannel:
    """One text channel of a stream: holds back, judges, and keeps what the ledger needs."""

    def __init__(self, leaf: Leaf, stream: TextStream, key: bytes, *, keep: bool) -> None:
        self.leaf = leaf
        self.characters = 0
        self._stream = stream
        self._digest = hashlib.blake2b(digest_size=DIGEST_BYTES, key=key)
        self._kept: list[str] | None = [] if keep else None

    def feed(self, text: str) -> Released:
        """See `TextChannel.feed`."""
        self.characters += len(text)
        self._digest.update(text.encode("utf-8", "surrogatepass"))
        return self._note(self._stream.feed(text))

    def finish(self) -> Released:
        """See `TextChannel.finish`."""
        return self._note(self._stream.finish())

    @property
    def text(self) -> str:
        """What the client was given on this channel so far; kept only where checks want whole answers."""
        return "".join(self._kept or ())

    def row(self) -> Row:
        """This channel's line in the coverage ledger."""
        return (self.leaf.pointer, self._digest.hexdigest(), "all")

    def close(self) -> None:
        """Let go of what judges the text; nothing is fed after this."""
        del self._stream

    def _note(self, released: Released) -> Released:
        if self._kept is not None:
            self._kept.append(released.text)
        return released


class StreamGuard:
    """Guards one streamed answer. Everything it sees is in `rows`, everything it found in `judged`."""

    def __init__(self, pipeline: Pipeline, flow: Flow, policy: Policy, leaf_key: bytes, *, keep: bool = False) -> None:
        self._pipeline = pipeline
        self._flow = flow
        self._key = leaf_key
        self._keep = keep
        self._judge: Judge = pipeline.judge(flow, policy, Phase.RESPONSE)
        self._rows: list[Row] = []
        self._decisions: list[Decision] = []
        self.channels: list[GuardedChannel] = []
        self.pieces: list[Leaf] = []  # what `check` was asked, where checks want whole answers
        self.edited: dict[str, list[Edit]] = {}  # and what it answered

    @property
    def judged(self) -> list[Judged]:
        """Findings with policy's answers, in the order they were made."""
        return self._judge.judged

    def channel(self, pointer: str, role: Role) -> GuardedChannel:
        """Open a text channel named `pointer`."""
        leaf = Leaf(pointer, "", role)

        def judge(span: Span, matched: str) -> Judgement:
            return self._judgement(span, leaf, matched)

        stream = TextStream(self._pipeline.engine, judge, self._flow.restores)
        channel = GuardedChannel(leaf, stream, self._key, keep=self._keep)
        self.channels.append(channel)
        return channel

    def check(self, leaves: Sequence[Leaf]) -> Mapping[str, list[Edit]]:
        """Check whole leaves at once; the edits to apply. Raises Blocked."""
        ledger = self._pipeline.ledger(leaves)
        checked = self._pipeline.check_now(self._judge, leaves, ledger)
        missing = set(ledger.missing())
        self._rows += [
            (leaf.pointer, digest.hex(), "all")
            for leaf, digest in zip(leaves, ledger.digests(), strict=True)
            if leaf.pointer not in missing
        ]
        self._decisions.append(checked.decision)
        if checked.denied:
            raise Blocked(block_message(checked.decision))
        if self._keep:
            self.pieces += leaves
            self.edited.update(checked.edits)
        return checked.edits

    def texts(self) -> list[Leaf]:
        """What the client was given on each channel, where it is kept."""
        return [Leaf(one.leaf.pointer, one.text, one.leaf.role) for one in self.channels]

    def close(self) -> None:
        """The stream is over. Channels and guard refer to each other: without this only the collector frees them."""
        for channel in self.channels:
            channel.close()

    def decision(self) -> Decision:
        """The decision on everything seen so far."""
        made = [
            Decision(j.action, frozenset((j.rule,)), reasons=frozenset((j.reason,) if j.reason else ()))
            for j in self.judged
            if not j.rehearsed
        ]
        return combine([*self._decisions, *made])

    def ledger(self) -> LedgerRecord:
        """The coverage ledger of the stream, as the audit stores it."""
        return LedgerRecord(self._rows + [channel.row() for channel in self.channels])

    def _judgement(self, span: Span, leaf: Leaf, matched: str) -> Judgement:
        if not self._judge.concerned(span, matched):
            return Judgement(Action.ALLOW)
        verdict = self._judge.span(span, leaf, span.start, span.end, matched)
        if verdict.action is Action.ALLOW:
            return Judgement(Action.ALLOW, None, "")
        if verdict.action is Action.REDACT:
            return Judgement(Action.REDACT, mark(span.detector.entity), "")
        return Judgement(Action.DENY, None, verdict.reason or f"blocked by policy rule {verdict.rule}")


def block_message(decision: Decision) -> str:
    """What the client is told of a denial: the rules that decided and policy's own words, never the text."""
    rules = ", ".join(sorted(decision.by)) or "policy"
    reasons = "; ".join(sorted(decision.reasons))
    return f"Blocked by policy ({rules})" + (f": {reasons}" if reasons else "")
