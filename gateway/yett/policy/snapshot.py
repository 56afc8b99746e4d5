"""One revision of all policy, immutable: what a flow is pinned to and what turns findings into verdicts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from yett.flow import Leaf, Phase
from yett.policy.model import Rule, matches_glob
from yett.policy.rbac import Rbac
from yett.verdict import Action, Finding, Verdict

MAX_CACHED = 8192
NOT_EDITABLE = "a finding at a place that cannot be redacted"

_Key = tuple[str, str, Action, str, bool, Phase, bool, int]


class PolicySnapshot:
    """The rules and the role policy of one revision. `judge` remembers its answers: it looks up, it does not search.

    `revision` is `sha256:` and 16 hex digits over every policy file; equal bytes give equal revisions.
    """

    __slots__ = ("_bounds", "_known", "rbac", "revision", "rules")

    def __init__(self, revision: str, rules: Sequence[Rule], rbac: Rbac) -> None:
        self.revision = revision
        self.rules = tuple(rules)
        self.rbac = rbac
        # Scores matter only where they cross a bound that some rule names.
        self._bounds = sorted({rule.when.score for rule in self.rules if rule.when.score is not None})
        self._known: dict[_Key, Verdict] = {}

    def judge(self, finding: Finding, leaf: Leaf, phase: Phase) -> Verdict:
        """The strictest matching rule's verdict, in any order of the rules; the finding's default where none matches.

        Between equally strict rules the first id in the alphabet speaks. REDACT on a leaf that is not editable is
        DENY. The verdict is shared: its `findings` and `edits` are empty, the pipeline knows which finding it meant.
        """
        level = bisect_right(self._bounds, finding.score) if self._bounds else 0
        key = (finding.code, finding.detector, finding.default, leaf.role, leaf.newest, phase, leaf.editable, level)
        verdict = self._known.get(key)
        if verdict is None:
            if len(self._known) >= MAX_CACHED:  # only a plugin that invents codes gets here
                self._known.clear()
            verdict = self._known[key] = self._decide(finding, leaf, phase)
        return verdict

    def asks_for(self, code: str) -> bool:
        """Whether some rule names findings with `code`."""
        return any(matches_glob(glob, code) for rule in self.rules for glob in rule.when.finding)

    def _decide(self, finding: Finding, leaf: Leaf, phase: Phase) -> Verdict:
        matching = [rule for rule in self.rules if rule.when.matches(finding.code, leaf, phase, finding.score)]
        if matching:
            rule = min(matching, key=lambda r: (-r.action, r.id))
            action, name, reason = rule.action, rule.id, rule.message
        else:
            action, name, reason = finding.default, f"default:{finding.detector}", finding.message
        if action is Action.REDACT and not leaf.editable:
            return Verdict(Action.DENY, name, NOT_EDITABLE)
        return Verdict(action, name, reason)
