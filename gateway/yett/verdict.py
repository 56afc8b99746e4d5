"""Findings, edits, verdicts and the one function that combines them.

Detectors and checks *find*; policy makes *verdicts*; `combine` takes the strictest. The order in which verdicts
arrive never matters: `combine` is commutative, associative and idempotent (tests/gateway/test_verdict.py).
All of these are named tuples: some are made per finding, and a frozen dataclass takes three times as long to make.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple


class Action(IntEnum):
    """What happens, from mild to strict. `max()` of two actions is the one that counts."""

    ALLOW = 0
    REDACT = 1
    APPROVE = 2
    DENY = 3

    @classmethod
    def parse(cls, word: str) -> Action:
        """The action a policy file names; `flag` records and allows. Raises KeyError for any other word."""
        return {"flag": cls.ALLOW, "allow": cls.ALLOW, "redact": cls.REDACT, "approve": cls.APPROVE, "deny": cls.DENY}[
            word
        ]


class Finding(NamedTuple):
    """Something a detector or check found; it says what and where, never what to do about it.

    `code` is stable and dotted (`pii.email`). `span` is in characters of the leaf's text, end exclusive; None means
    the whole leaf. `entity` is the type word that a pseudonym carries (`EMAIL`). `default` is the author's suggested
    action and counts only where no policy rule matches.
    """

    code: str
    pointer: str
    span: tuple[int, int] | None = None
    score: float = 1.0
    detector: str = ""
    default: Action = Action.ALLOW
    entity: str = ""
    message: str = ""
    part: str = "value"


class Edit(NamedTuple):
    """The only way to change content: replace `span` of the leaf at `pointer` (None: all of it)."""

    pointer: str
    span: tuple[int, int] | None
    replacement: str
    code: str = ""
    priority: int = 0


class Verdict(NamedTuple):
    """What one policy rule says about one finding. `one_way`: what is redacted does not come back for the caller."""

    action: Action
    rule: str
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    edits: tuple[Edit, ...] = ()
    one_way: bool = False


class Decision(NamedTuple):
    """What the gate does with one phase of one flow: the strictest action, the rules at it, all edits."""

    action: Action = Action.ALLOW
    by: frozenset[str] = frozenset()
    edits: frozenset[Edit] = frozenset()
    revision: str = ""
    reasons: frozenset[str] = frozenset()


def combine(decisions: Iterable[Decision]) -> Decision:
    """The strictest of several decisions, the rules that stand at it, and the union of the edits."""
    action, revision = Action.ALLOW, ""
    by: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    edits: frozenset[Edit] = frozenset()
    for one in decisions:
        if one.action > action:
            action, by, reasons = one.action, one.by, one.reasons
        elif one.action == action:
            by, reasons = by | one.by, reasons | one.reasons
        edits |= one.edits
        revision = max(revision, one.revision)
    return Decision(action, by, edits, revision, reasons)


def decide(verdicts: Sequence[Verdict], revision: str = "") -> Decision:
    """The decision that follows from policy's verdicts; no verdict at all is ALLOW. As `combine` of one each."""
    if not verdicts:
        return Decision(revision=revision)
    action = max([v.action for v in verdicts])
    deciding = [v for v in verdicts if v.action is action]
    return Decision(
        action,
        frozenset([v.rule for v in deciding]),
        frozenset([edit for v in verdicts for edit in v.edits]),
        revision,
        frozenset([v.reason for v in deciding if v.reason]),
    )


def merge_edits(edits: Iterable[Edit]) -> dict[str, list[Edit]]:
    """Edits per pointer, ready to apply: sorted by start, overlapping ones merged into one over their union span.

    The replacement of a merged edit is that of the smallest `(-priority, -length, code)`, so the result does not
    depend on the order of arrival. An edit of the whole leaf (span None) swallows all others on it.
    """
    by_pointer: dict[str, list[Edit]] = {}
    for edit in edits:
        by_pointer.setdefault(edit.pointer, []).append(edit)
    return {pointer: _merge(group) for pointer, group in by_pointer.items()}


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """`text` with merged, non-overlapping `edits` (as `merge_edits` gives them) carried out."""
    if edits and edits[0].span is None:
        return edits[0].replacement
    pieces, done = [], 0
    for edit in edits:
        start, end = edit.span or (0, len(text))
        pieces += [text[done:start], edit.replacement]
        done = end
    pieces.append(text[done:])
    return "".join(pieces)


def _rank(edit: Edit) -> tuple[int, int, str, str]:
    start, end = edit.span or (0, 1 << 62)
    return (-edit.priority, start - end, edit.code, edit.replacement)


def _merge(edits: list[Edit]) -> list[Edit]:
    whole = [e for e in edits if e.span is None]
    if whole:
        return [min(whole, key=_rank)]
    merged: list[Edit] = []
    best: Edit | None = None
    start = end = 0
    for edit in sorted(edits, key=lambda e: e.span or (0, 0)):
        low, high = edit.span or (0, 0)
        if best is not None and low < end:
            end = max(end, high)
            best = min(best, edit, key=_rank)
            continue
        if best is not None:
            merged.append(Edit(best.pointer, (start, end), best.replacement, best.code, best.priority))
        best, start, end = edit, low, high
    if best is not None:
        merged.append(Edit(best.pointer, (start, end), best.replacement, best.code, best.priority))
    return merged
