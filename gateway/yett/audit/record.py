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
from dataclasses import dataclass
from hashlib import sha256

VERSION = 1
MAX_TEXT = 1024
MAX_POINTER = 512
MAX_FINDINGS = 256
MAX_LEAVES = 512
MAX_LIST = 64
OUTCOMES = frozenset({"ok", "blocked", "denied", "error", "client_gone", "unknown"})

Record = dict[str, object]
Row = tuple[str, str, str]  # pointer, keyed hash (16 hex digits), detectors ("all", "opaque" or a mask)

# A pointer's steps are field names of the API or indices. Any other name was chosen by the caller and may itself be
# personal data or a key, so it is not written down.
_KNOWN_STEP = r"(?:[a-z$][A-Za-z_]{0,39}\d{0,2}|\d{1,6}|-)"
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


@dataclass(frozen=True, slots=True)
class Ledger:
    """Which leaves were looked at, by whom. `new` is listed; leaves already known are a count and a digest."""

    new: Sequence[Row] = ()
    known: int = 0
    known_digest: str = ""

    def to_record(self) -> Record:
        """The ledger as a record carries it; rows past the cap become a count and a digest of their hashes."""
        out: Record = {"new": [(safe_pointer(p), h[:32], clip(d, 64)) for p, h, d in self.new[:MAX_LEAVES]]}
        rest = self.new[MAX_LEAVES:]
        if rest:
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
) -> Record:
    """What is about to be forwarded (or refused), and why. Written before anything leaves."""
    out: Record = {
        "kind": "decided",
        "flow": clip(flow_id, 64),
        "trace": clip(trace_id, 64),
        "attempt": attempt,
        "principal": principal,
        "dialect": clip(dialect),
        "model": clip(model),
        "target": clip(target),
        "stream": stream,
        "phase": clip(phase),
        "action": clip(action),
        "rules": _texts(rules),
        "reasons": _texts(reasons),
        "revision": clip(revision),
    }
    _add_findings(out, findings)
    if ledger is not None:
        out["ledger"] = ledger.to_record()
    if degraded:
        out["degraded"] = _texts(degraded)
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
        "flow": clip(flow_id, 64),
        "trace": clip(trace_id, 64),
        "outcome": outcome,
        "status": status,
        "code": clip(code),
        "action": clip(action),
        "rules": _texts(rules),
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
    return [clip(text) for text in listed[:MAX_LIST]]


def _add_findings(out: Record, findings: Sequence[Mapping[str, object]]) -> None:
    out["findings"] = findings[:MAX_FINDINGS]
    if len(findings) > MAX_FINDINGS:
        more: dict[str, int] = {}
        for one in findings[MAX_FINDINGS:]:
            code = str(one.get("code", ""))
            more[code] = more.get(code, 0) + 1
        out["findings_more"] = dict(sorted(more.items())[:MAX_LIST])


def _plain(facts: Mapping[str, object], depth: int = 3) -> Record:
    """Only scalars and clipped texts, to a bounded depth and width: usage and event facts come from outside."""
    out: Record = {}
    for name, value in list(facts.items())[:MAX_LIST]:
        if value is None or isinstance(value, (bool, int, float)):
            out[clip(str(name), 64)] = value
        elif isinstance(value, Mapping):
            if depth:
                out[clip(str(name), 64)] = _plain(value, depth - 1)
        elif isinstance(value, (list, tuple)):
            out[clip(str(name), 64)] = [clip(str(item)) for item in value[:MAX_LIST]]
        else:
            out[clip(str(name), 64)] = clip(str(value))
    return out
