"""Whether one rule speaks about one case, and what it says: the whole meaning of a rule, without any memory."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import NamedTuple

from yett.flow import Leaf, Phase
from yett.policy.conditions import Circumstances
from yett.policy.counts import Counts
from yett.policy.model import Rule
from yett.verdict import Action

KEYED = "hmac:"


class Case(NamedTuple):
    """One finding, or one request, answer or tool call as a whole (`code` is empty), with all that is known of it."""

    code: str
    leaf: Leaf
    phase: Phase
    score: float
    given: Circumstances


class Judging(NamedTuple):
    """What judging needs beside rules. `counts` None: a count is taken as reached; `value_key` opens hmac digests."""

    counts: Counts | None = None
    value_key: bytes = b""


def says(rule: Rule, case: Case, judging: Judging) -> Action | None:
    """What `rule` says of `case`: None where it does not speak, ALLOW where it is excepted.

    Where the tool cannot be known, a rule that acts speaks and a rule that flags does not: never the milder way.
    """
    when = rule.when
    if not when.matches(case.code, case.leaf, case.phase, case.score):
        return None
    if not when.holds(case.given, unknown_tool=rule.action is not Action.ALLOW):
        return None
    if rule.sample is not None and not in_sample(rule.id, case.given, rule.sample):
        return None
    if excepted(rule, case, judging.value_key):
        return Action.ALLOW
    if when.count is not None and judging.counts is not None:
        count, given = when.count, case.given
        if not judging.counts.reached(rule.id, given.tenant, given.principal, count.at_least, count.window_s):
            return None
    return rule.action


def excepted(rule: Rule, case: Case, value_key: bytes = b"") -> bool:
    """Whether an exception that is still in force, or an allowed value, covers `case`."""
    today = case.given.now.astimezone(UTC).date()
    for one in rule.exceptions:
        if today <= one.until and one.match.covers(case.code, case.leaf, case.phase, case.score, case.given):
            return True
    matched = case.given.matched
    if not rule.allow_values or not matched:
        return False
    if digest(matched) in rule.allow_values:
        return True
    return bool(value_key) and digest(matched, value_key) in rule.allow_values


def digest(value: str, key: bytes = b"") -> str:
    """How `allow_values` names `value`: a SHA-256, or an HMAC with `key`."""
    raw = value.encode("utf-8", "surrogatepass")
    if key:
        return f"{KEYED}{hmac.digest(key, raw, hashlib.sha256).hex()}"
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def in_sample(rule: str, given: Circumstances, share: float) -> bool:
    """Whether this session, or without one this principal, is in the share of `rule`: always the same answer."""
    who = f"{rule}\x00{given.tenant}\x00{given.session or given.principal}".encode()
    return int.from_bytes(hashlib.blake2b(who, digest_size=8).digest(), "big") < share * (1 << 64)


def utc_now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
