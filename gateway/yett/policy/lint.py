"""What is allowed and probably not meant: rules that never act, that another one swallows, that nobody can try."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from yett.flow import Role
from yett.policy.conditions import matches_glob
from yett.policy.covers import always_covers, bind_covers
from yett.policy.model import Rule
from yett.policy.snapshot import PolicySnapshot
from yett.strictyaml import nearest

_OF_NO_TOOL = frozenset({Role.SYSTEM, Role.USER, Role.OTHER})
_NOT_IN_ANSWERS = frozenset({Role.SYSTEM, Role.USER, Role.TOOL_DESCRIPTION})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at. `where` is `file:line` of the rule."""

    where: str
    rule: str
    kind: str
    text: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.where or 'policy'}: rule {self.rule}: {self.text} ({self.kind})"


def lint(snapshot: PolicySnapshot, codes: Collection[str] | None = None, absent: Collection[str] = ()) -> list[Problem]:
    """Everything to look at in `snapshot`, in the order of the rules.

    `codes` is what the loaded detectors find; `absent` what others would that are switched off: a rule about nothing
    else waits for them, and nobody can try it yet.
    """
    found: list[Problem] = []
    for rule in snapshot.rules:
        where = snapshot.place(rule).where
        found += [Problem(where, rule.id, kind, text) for kind, text in _of_rule(snapshot, rule, codes, absent)]
    return found


def _of_rule(
    snapshot: PolicySnapshot, rule: Rule, codes: Collection[str] | None, absent: Collection[str]
) -> Iterator[tuple[str, str]]:
    if codes is not None:
        yield from _unknown_codes(rule, {*codes, *absent})
    yield from _never(rule)
    yield from _shadowed(snapshot, rule)
    today = snapshot.today()
    for one in rule.exceptions:
        if one.until < today:
            yield "expired", f"the exception of {one.owner} ended on {one.until} and is closed"
    if not getattr(rule.examples, rule.do) and not _waits(rule, codes, absent):
        yield "no-examples", f"no examples of what it should {rule.do}"


def _waits(rule: Rule, codes: Collection[str] | None, absent: Collection[str]) -> bool:
    """Whether all that the rule speaks about would be found by detectors that are switched off."""
    return bool(rule.when.finding) and all(
        any(matches_glob(glob, code) for code in absent) and not any(matches_glob(glob, code) for code in codes or ())
        for glob in rule.when.finding or ()
    )


def _unknown_codes(rule: Rule, codes: Collection[str]) -> Iterator[tuple[str, str]]:
    globs = [(glob, "when") for glob in rule.when.finding or ()]
    globs += [(glob, "except") for one in rule.exceptions for glob in one.match.finding or ()]
    for glob, place in globs:
        if not any(matches_glob(glob, code) for code in codes):
            yield "unknown-finding", f"{place}: no loaded detector finds {glob!r}{nearest(glob, codes)}"


def _never(rule: Rule) -> Iterator[tuple[str, str]]:
    when, roles = rule.when, set(rule.when.role or ())
    answers = when.direction == "response"
    if when.tool and roles and roles <= _OF_NO_TOOL:
        yield "never-fires", f"no text of {_listing(roles)} belongs to a tool"
    elif when.finding is None and answers and roles and Role.TOOL_ARGUMENTS not in roles:
        yield "never-fires", "of tools, answers hold calls only: role: tool_arguments"
    elif answers and roles and roles <= _NOT_IN_ANSWERS:
        yield "never-fires", f"answers hold no text of {_listing(roles)}"
    if answers and when.newest:
        yield "never-fires", "newest: true with direction: response: only requests have a newest turn"


def _listing(roles: Collection[Role]) -> str:
    return ", ".join(sorted(roles))


def _shadowed(snapshot: PolicySnapshot, rule: Rule) -> Iterator[tuple[str, str]]:
    """Rules of one file only: a file on top of another is meant to say more."""
    place = snapshot.place(rule)
    for other in snapshot.rules:
        there = snapshot.place(other)
        same_file = there.where.rpartition(":")[0] == place.where.rpartition(":")[0]
        if other is rule or not same_file or rule.shadow or not bind_covers(there.bind, place.bind):
            continue
        louder = other.action > rule.action or (other.action == rule.action and other.id < rule.id)
        if louder and always_covers(other, rule):
            yield "shadowed", f"it never decides: {other.id} ({there.where}) covers it and says {other.do}"
