"""The rules that concern one caller, merged: what a flow is judged by."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from yett.flow import Flow, Leaf, Phase, Role
from yett.policy.conditions import Circumstances, any_glob
from yett.policy.evaluate import Case, Judging, says, utc_now
from yett.policy.model import Rule
from yett.policy.rbac import Rbac
from yett.verdict import Action, Finding, Verdict

MAX_CACHED = 8192
NOT_EDITABLE = "a finding at a place that cannot be redacted"
WHOLE = "policy.whole"
_TOOL_ROLES = frozenset({Role.TOOL_DESCRIPTION, Role.TOOL_ARGUMENTS, Role.TOOL_RESULT})

_Key = tuple[str, str, Action, Role, bool, Phase, bool, int]


class Placed(NamedTuple):
    """A rule with where it stands (`file:line`) and its level: 0 is the floor that concerns everybody."""

    rule: Rule
    where: str = ""
    level: int = 0


class Rehearsed(NamedTuple):
    """What a shadow rule would have said."""

    rule: str
    action: Action


class Whole(NamedTuple):
    """What a rule without `finding` says of a request, an answer or a tool call."""

    finding: Finding
    verdict: Verdict
    rehearsed: tuple[Rehearsed, ...] = ()


class EffectivePolicy:
    """One revision as it concerns one caller. `judge` remembers its answers: it looks up, it does not search.

    Levels merge monotonically: the floor decides, or the finding's default where no floor rule speaks; rules bound to
    somebody can only be stricter than that.
    """

    __slots__ = (
        "_bounds",
        "_judging",
        "_known",
        "_now",
        "_shadows",
        "_spoken_of",
        "_wholes",
        "holds_streams",
        "names_tools",
        "placed",
        "rbac",
        "rehearses",
        "revision",
    )

    def __init__(
        self,
        revision: str,
        placed: Sequence[Placed],
        rbac: Rbac,
        judging: Judging,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.revision = revision
        self.rbac = rbac
        self.placed = tuple(placed)
        rules = [one.rule for one in placed]
        self._judging = judging
        self._now = now
        # Scores matter only where they cross a bound that some rule names.
        self._bounds = sorted({rule.when.score for rule in rules if rule.when.score is not None})
        self._known: dict[_Key, Verdict | _Open] = {}
        self._shadows = tuple(rule for rule in rules if rule.shadow and rule.when.finding is not None)
        self._wholes = tuple(rule for rule in rules if rule.when.finding is None)
        self.rehearses = bool(self._shadows)
        self.names_tools = any(_names_tools(rule) for rule in rules)
        directions = {rule.when.direction for rule in self._wholes}
        self._spoken_of = {phase: bool(directions & {"any", phase.value}) for phase in Phase}
        self.holds_streams = self._spoken_of[Phase.RESPONSE]

    def judge(self, finding: Finding, leaf: Leaf, phase: Phase, flow: Flow | None = None, matched: str = "") -> Verdict:
        """The strictest matching rule's verdict, in any order of the rules; the finding's default where none matches.

        Between equally strict rules the first id in the alphabet speaks. REDACT on a leaf that is not editable is
        DENY. The verdict is shared: its `findings` and `edits` are empty, the pipeline knows which finding it meant.
        `flow` and `matched`, the text that was found, are for rules whose conditions ask for them.
        """
        level = bisect_right(self._bounds, finding.score) if self._bounds else 0
        key = (finding.code, finding.detector, finding.default, leaf.role, leaf.newest, phase, leaf.editable, level)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= MAX_CACHED:  # only a plugin that invents codes gets here
                self._known.clear()
            known = self._known[key] = self._prepare(finding, leaf, phase)
        if isinstance(known, _Open):
            return self._settle(known.placed, finding, leaf, phase, flow, matched)
        return known

    def rehearse(self, finding: Finding, leaf: Leaf, phase: Phase, flow: Flow | None, matched: str) -> list[Rehearsed]:
        """What shadow rules would have said of a finding."""
        case = self._case(finding, leaf, phase, flow, matched)
        said = ((rule.id, says(rule, case, self._judging)) for rule in self._shadows)
        return [Rehearsed(name, action) for name, action in said if action is not None]

    def asks_for(self, code: str) -> bool:
        """Whether some rule names findings with `code`."""
        return any(any_glob(one.rule.when.finding or (), code) for one in self.placed)

    def speaks_of_wholes(self, phase: Phase) -> bool:
        """Whether some rule is about requests (answers) or their tool calls as a whole."""
        return self._spoken_of[phase]

    def wholes(self, flow: Flow, phase: Phase, leaves: Sequence[Leaf]) -> list[Whole]:
        """What rules without `finding` say of one phase of `flow`, and of each tool that it names."""
        found: list[Whole] = []
        for subject, tool, characters in _subjects(flow, phase, leaves):
            case = Case("", subject, phase, 1.0, self._given(flow, tool, characters))
            for rule in self._wholes:
                if (rule.when.tool is None) is not (subject.role is Role.OTHER):
                    continue
                action = says(rule, case, self._judging)
                if action is None:
                    continue
                finding = Finding(WHOLE, subject.pointer, None, 1.0, "policy")
                if rule.shadow:
                    found.append(Whole(finding, Verdict(Action.ALLOW, rule.id), (Rehearsed(rule.id, action),)))
                else:
                    found.append(Whole(finding, Verdict(action, rule.id, rule.message)))
        return found

    def _prepare(self, finding: Finding, leaf: Leaf, phase: Phase) -> Verdict | _Open:
        """The verdict, if it never changes for such findings; else the rules that must be asked each time."""
        possible = [
            one
            for one in self.placed
            if not one.rule.shadow
            and one.rule.when.finding is not None
            and one.rule.when.matches(finding.code, leaf, phase, finding.score)
        ]
        if all(one.rule.plain for one in possible):
            return _strictest([(one, one.rule.action) for one in possible], finding, leaf)
        return _Open(tuple(possible))

    def _settle(
        self, possible: Sequence[Placed], finding: Finding, leaf: Leaf, phase: Phase, flow: Flow | None, matched: str
    ) -> Verdict:
        case = self._case(finding, leaf, phase, flow, matched)
        said = [(one, says(one.rule, case, self._judging)) for one in possible]
        return _strictest([(one, action) for one, action in said if action is not None], finding, leaf)

    def _case(self, finding: Finding, leaf: Leaf, phase: Phase, flow: Flow | None, matched: str) -> Case:
        tool = tool_of(flow, leaf) if self.names_tools else ""
        given = self._given(flow, tool, len(leaf.text), matched)
        return Case(finding.code, leaf, phase, finding.score, given)

    def _given(self, flow: Flow | None, tool: str | None, characters: int, matched: str = "") -> Circumstances:
        now = self._now()
        if flow is None:
            return Circumstances(now, tool=tool, characters=characters, matched=matched)
        who = flow.principal
        return Circumstances(
            now, who.tenant, who.id, who.agent, who.key_id, flow.model, flow.session, tool, characters, matched
        )


class _Open(NamedTuple):
    """Rules that must be asked at each finding."""

    placed: tuple[Placed, ...]


def tool_of(flow: Flow | None, leaf: Leaf) -> str | None:
    """The tool that a text of `flow` belongs to; "" for a text of no tool, None where it cannot be known."""
    if flow is not None:
        named = [(one.pointer, one.name) for one in flow.tools] + [(one.pointer, one.name) for one in flow.tool_calls]
        for above, name in named:
            if _within(leaf.pointer, above):
                return name or None
        for result in flow.tool_results:
            if _within(leaf.pointer, result.pointer):
                return _called(flow, result.call_id)
    return None if leaf.role in _TOOL_ROLES else ""


def _within(pointer: str, above: str) -> bool:
    return pointer.startswith(above) and pointer[len(above) : len(above) + 1] in {"", "/", "#"}


def _called(flow: Flow, call_id: str) -> str | None:
    """The name of the call with this id, where the request holds it."""
    return next((call.name for call in flow.tool_calls if call_id and call.call_id == call_id), None)


def _subjects(flow: Flow, phase: Phase, leaves: Sequence[Leaf]) -> Iterator[tuple[Leaf, str | None, int]]:
    """The phase as a whole, then each tool in it: (what it is, tool, characters)."""
    yield Leaf("", ""), "", sum(len(leaf.text) for leaf in leaves)
    if phase is Phase.REQUEST:
        for offer in flow.tools:
            yield Leaf(offer.pointer, "", Role.TOOL_DESCRIPTION), offer.name, len(offer.description)
        for result in flow.tool_results:
            yield Leaf(result.pointer, "", Role.TOOL_RESULT), _called(flow, result.call_id), len(result.text)
    for call in flow.tool_calls:
        yield Leaf(call.pointer, "", Role.TOOL_ARGUMENTS), call.name or None, len(call.arguments)


def _names_tools(rule: Rule) -> bool:
    return rule.when.tool is not None or any(one.match.tool is not None for one in rule.exceptions)


def _strictest(said: Sequence[tuple[Placed, Action]], finding: Finding, leaf: Leaf) -> Verdict:
    """The verdict of what rules said: the floor, or else the finding's default, and nothing milder than it."""
    voices = [(action, False, one.rule.id, one.rule) for one, action in said]
    action, name, reason = Action.ALLOW, f"default:{finding.detector}", finding.message
    if voices:
        strictest = min(voices, key=lambda voice: (-voice[0], voice[2]))
        action, name, reason = strictest[0], strictest[2], strictest[3].message
    if not any(one.level == 0 for one, _ in said) and (not voices or finding.default > action):
        action, name, reason = finding.default, f"default:{finding.detector}", finding.message
    if action is Action.REDACT and not leaf.editable:
        return Verdict(Action.DENY, name, NOT_EDITABLE)
    one_way = any(a in {Action.REDACT, Action.APPROVE} and rule.restore == "never" for a, _, _, rule in voices)
    return Verdict(action, name, reason, one_way=one_way)
