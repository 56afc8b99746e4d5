"""What the lines of the audit log say. Facts, keyed hashes and findings with scores: never a word of content.

Every record is a JSON object. The log stamps four fields on it: `v` (this vocabulary, 1), `i` (its index), `t` (UTC)
and `p` (the link to the record before it). `kind` is one of

    open        a process began to write: which log, which key, what repair cut off
    decided     written before anything is forwarded: once per forward (and per phase that decides)
    completed   how a flow ended: exactly once per flow
    event       anything else worth remembering: reload, reveal, key, approval, an outage of the log itself

Texts are clipped and lists are capped, so that no caller can make a record large; what is left out is counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

VERSION = 1
MAX_TEXT = 1024
MAX_POINTER = 512
MAX_FINDINGS = 256
MAX_LEAVES = 512
MAX_LIST = 64
MAX_WORDED = 4096
OUTCOMES = frozenset({"ok", "blocked", "denied", "error", "client_gone", "unknown"})

Record = dict[str, object]
Row = tuple[str, str, str]  # pointer, keyed hash (16 hex digits), detectors ("all", "opaque" or a mask)

# A pointer's steps are field names of the API or indices. Any other name was chosen by the caller and may itself be
# personal data or a key, so it is not written down.
_KNOWN_STEP = r"(?:[a-z$][A-Za-z_]{0,39}[0-9]{0,2}|[0-9]{1,6}|-)"
_PLAIN_POINTER = re.compile(rf"#?(?:/{_KNOWN_STEP})*(?:#(?:/{_KNOWN_STEP})*)*")
_KNOWN = re.compile(_KNOWN_STEP)


def clip(text: str, limit: int = MAX_TEXT) -> str:
    """`text`, or its beginning with `...` if it is longer than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def safe_pointer(pointer: str) -> str:
    """`pointer` with every step that is not plainly a field name or an index replaced by `*`, and clipped."""
    if not _PLAIN_POINTER.fullmatch(pointer):
        pointer = "#".join("/".join(_safe_steps(part)) for part in pointer.split("#"))
    return clip(pointer, MAX_POINTER)


def _safe_steps(part: str) -> list[str]:
    root, *steps = part.split("/")
    return ["*" if root else "", *(step if _KNOWN.fullmatch(step) else "*" for step in steps)]


class Pointers(dict[str, str]):
    """`safe_pointer` by look-up. Bounded in number and size: when full, all are forgotten."""

    __slots__ = ()

    def __missing__(self, pointer: str) -> str:
        safe = safe_pointer(pointer)
        if len(pointer) <= MAX_POINTER:
            if len(self) >= MAX_WORDED:
                self.clear()
            self[pointer] = safe
        return safe


class Wording:
    """How one gateway's records say what they say again and again: places, and whole findings. Bounded."""

    __slots__ = ("_findings", "pointers")

    def __init__(self) -> None:
        self.pointers = Pointers()
        self._findings: dict[tuple[str, str, float, str, str, str], Record] = {}

    def finding(self, code: str, pointer: str, score: float, detector: str, action: str, rule: str) -> Record:
        """What `finding` makes of this, shared between records: not to be changed."""
        facts = (code, pointer, score, detector, action, rule)
        row = self._findings.get(facts)
        if row is None:
            row = finding(code, pointer, score, detector, action, rule)
            if len(pointer) + len(code) <= MAX_POINTER:
                if len(self._findings) >= MAX_WORDED:
                    self._findings.clear()
                self._findings[facts] = row
        return row


def principal(id: str, tenant: str, agent: str = "", roles: Sequence[str] = (), key_id: str = "") -> Record:  # noqa: A002  # the field's own name
    """Who called, as `decided` carries it; made once per principal and shared between records."""
    return {
        "id": clip(id),
        "tenant": clip(tenant),
        "agent": clip(agent),
        "roles": _texts(roles),
        "key_id": clip(key_id),
    }


def finding(code: str, pointer: str, score: float, detector: str, action: str, rule: str = "") -> Record:
    """One finding: what, where, how sure, who found it, what policy did about it. Never the text found."""
    return {
        "code": clip(code),
        "pointer": safe_pointer(pointer),
        "score": round(score, 4),
        "detector": clip(detector),
        "action": clip(action),
        "rule": clip(rule),
    }


class Ledger(NamedTuple):  # two are made per request: a named tuple is made in a third of a frozen dataclass's time
    """Which leaves were looked at, by whom. `new` is listed; leaves already known are a count and a digest.

    `worded`: the rows of `new` are as a record carries them, safe pointers and all.
    """

    new: Sequence[Row] = ()
    known: int = 0
    known_digest: str = ""
    worded: bool = False

    def to_record(self) -> Record:
        """The ledger as a record carries it; rows past the cap become a count and a digest of their hashes."""
        rows = self.new if len(self.new) <= MAX_LEAVES else self.new[:MAX_LEAVES]
        out: Record = {
            "new": rows if self.worded else [(safe_pointer(p), h[:32], clip(d, 64)) for p, h, d in rows],
        }
        if rows is not self.new:
            rest = self.new[MAX_LEAVES:]
            out["more"] = len(rest)
            out["more_digest"] = digest_of(row[1] for row in rest)
        if self.known:
            out["known"] = self.known
            out["known_digest"] = clip(self.known_digest, 64)
        return out


def digest_of(hashes: Iterable[str]) -> str:
    """One digest (32 hex digits) that stands for many leaf hashes, in their order."""
    return sha256("\n".join(hashes).encode()).hexdigest()[:32]


def decided(
    *,
    flow_id: str,
    trace_id: str,
    principal: Mapping[str, object],
    dialect: str,
    model: str,
    target: str,
    stream: bool,
    phase: str,
    action: str,
    revision: str,
    rules: Iterable[str] = (),
    reasons: Iterable[str] = (),
    findings: Sequence[Mapping[str, object]] = (),
    ledger: Ledger | None = None,
    attempt: int = 0,
    degraded: Iterable[str] = (),
    client: str = "",
) -> Record:
    """What is about to be forwarded (or refused), and why. Written before anything leaves.

    Clipped is what a caller can shape; ids, dialect, phase, action and revision are our own short words.
    """
    out: Record = {
        "kind": "decided",
        "flow": flow_id,
        "trace": trace_id,
        "attempt": attempt,
        "principal": principal,
        "dialect": dialect,
        "model": model if len(model) <= MAX_TEXT else clip(model),
        "target": target if len(target) <= MAX_TEXT else clip(target),
        "stream": stream,
        "phase": phase,
        "action": action,
        "rules": _texts(rules) if rules else [],
        "reasons": _texts(reasons) if reasons else [],
        "revision": revision,
    }
    _add_findings(out, findings)
    if ledger is not None:
        out["ledger"] = ledger.to_record()
    if degraded:
        out["degraded"] = _texts(degraded)
    if client:
        out["client"] = clip(client, 64)
    return out


def completed(
    *,
    flow_id: str,
    trace_id: str,
    outcome: str,
    status: int = 0,
    code: str = "",
    action: str = "",
    rules: Iterable[str] = (),
    findings: Sequence[Mapping[str, object]] = (),
    ledger: Ledger | None = None,
    usage: Mapping[str, object] | None = None,
    duration_ms: float = 0.0,
    upstream_status: int = 0,
) -> Record:
    """How a flow ended; `action` and `rules` are the response's decision. Raises ValueError for an unknown outcome."""
    if outcome not in OUTCOMES:
        raise ValueError("unknown outcome")
    out: Record = {
        "kind": "completed",
        "flow": flow_id,
        "trace": trace_id,
        "outcome": outcome,
        "status": status,
        "code": code if len(code) <= MAX_TEXT else clip(code),
        "action": action,
        "rules": _texts(rules) if rules else [],
        "duration_ms": round(duration_ms, 3),
        "upstream_status": upstream_status,
    }
    _add_findings(out, findings)
    if ledger is not None:
        out["ledger"] = ledger.to_record()
    if usage:
        out["usage"] = _plain(usage)
    return out


def opened(origin: str, vkey: str, durability: str, cut_bytes: int, unknown_flows: int) -> Record:
    """A process begins to write: what repair cut off, and how many flows it closes as `unknown` right after this."""
    return {
        "kind": "open",
        "origin": origin,
        "vkey": vkey,
        "durability": durability,
        "cut_bytes": cut_bytes,
        "unknown_flows": unknown_flows,
    }


def event(name: str, /, **facts: object) -> Record:
    """Something else that happened; `facts` are numbers, booleans and short texts."""
    out: Record = {"kind": "event", "name": clip(name)}
    out.update(_plain(facts))
    return out


def _texts(texts: Iterable[str]) -> list[str]:
    listed = sorted(texts) if isinstance(texts, (set, frozenset)) else list(texts)
    return [text if len(text) <= MAX_TEXT else clip(text) for text in listed[:MAX_LIST]]


def _add_findings(out: Record, findings: Sequence[Mapping[str, object]]) -> None:
    if len(findings) <= MAX_FINDINGS:
        out["findings"] = findings
    else:
        out["findings"] = findings[:MAX_FINDINGS]
        more: dict[str, int] = {}
        for one in findings[MAX_FINDINGS:]:
            code = str(one.get("code", ""))
            more[code] = more.get(code, 0) + 1
        out["findings_more"] = dict(sorted(more.items())[:MAX_LIST])


def _plain(facts: Mapping[str, object], depth: int = 3) -> Record:
    """Only scalars and clipped texts, to a bounded depth and width: usage and event facts come from outside."""
    out: Record = {}
    for name, value in islice(facts.items(), MAX_LIST):
        short = name if type(name) is str and len(name) <= 64 else clip(str(name), 64)
        if type(value) is int or value is None or isinstance(value, (bool, int, float)):
            out[short] = value
        elif isinstance(value, Mapping):
            if depth:
                out[short] = _plain(value, depth - 1)
        elif isinstance(value, (list, tuple)):
            out[short] = [clip(str(item)) for item in value[:MAX_LIST]]
        else:
            out[short] = clip(str(value))
    return out
