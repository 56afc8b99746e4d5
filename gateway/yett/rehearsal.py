"""Policy test cases, run through a whole gateway that has neither sockets nor a provider outside this process."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yett.app import Gateway, value_key
from yett.auth import PREFIX, KeyEntry, KeyPrincipal, KeyRing
from yett.config import Audit, Settings
from yett.policy.cases import Case, ExpectedAnswer, PlacedCase, Seen
from yett.policy.conditions import any_glob
from yett.policy.counts import Counts
from yett.policy.evaluate import utc_now
from yett.policy.loader import PolicySource, Surroundings, load_policies
from yett.server.core import Provider
from yett.upstream.demo import DemoTransport
from yett.upstream.demo_model import Call, Reply
from yett.upstream.messages import UpstreamRequest, UpstreamResponse
from yett.vault import load_master_key
from yett.wire import strictjson

_SECRET = "rehearsal-not-a-secret"  # noqa: S105  # it opens a gateway that nobody can reach
_SHADOW = "shadow:"


@dataclass(frozen=True, slots=True)
class Difference:
    """One expectation that was not met."""

    what: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case went. No difference: it passed."""

    name: str
    where: str
    differences: tuple[Difference, ...]
    took_s: float


class Rehearsal:
    """A gateway on `settings` with the policy in `folder`; `run` takes one case after another."""

    def __init__(self, gateway: Gateway, folder: Path, provider: _Provider, key: bytes) -> None:
        self._gateway = gateway
        self._folder = folder
        self._provider = provider
        self._key = key

    async def run(self, placed: PlacedCase) -> CaseResult:
        """Run one case in a world of its own: fresh counts, its identity, its clock."""
        case, core, started = placed.case, self._gateway.core, time.monotonic()
        at = case.at
        around = Surroundings(counts=Counts(), value_key=self._key, now=(lambda: at) if at else utc_now)
        core.policies.current = load_policies(self._folder, around)
        core.keys.current = KeyRing((_entry(case),))
        answer = case.answer
        self._provider.reply = None
        if answer is not None:
            calls = tuple(Call(one.tool, one.arguments) for one in answer.calls)
            self._provider.reply = Reply(answer.text, calls)
        model = next((name for name in core.settings.models if name != "*"), "any")
        body = strictjson.dumps(case.body(model))
        seen = _Exchange()
        for _ in range(case.repeat):
            self._provider.forwarded = None
            seen = await self._exchange(case, body)
        return CaseResult(case.name, placed.where, tuple(_differences(case, seen)), time.monotonic() - started)

    async def _exchange(self, case: Case, body: bytes) -> _Exchange:
        seen = _Exchange()
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        key = f"{PREFIX}{case.identity.key}_{_SECRET}".encode()
        scope = {
            "type": "http",
            "method": "POST",
            "path": case.path,
            "query_string": b"",
            "headers": [(b"authorization", b"Bearer " + key), (b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
        }

        async def receive() -> dict[str, Any]:
            if not messages:
                await asyncio.Event().wait()  # the caller stays to the end
            return messages.pop(0)

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                seen.flow = dict(message["headers"])[b"x-request-id"].decode()
            else:
                seen.body += message["body"]

        await self._gateway.data(scope, receive, send)
        seen.forwarded = self._provider.forwarded
        folder = self._gateway.core.settings.path(self._gateway.core.settings.audit.dir)
        seen.records = [row for row in _records(folder) if row.get("flow") == seen.flow]
        return seen


@dataclass(slots=True)
class _Exchange:
    """What came of one request."""

    status: int = 0
    flow: str = ""
    body: bytes = b""
    forwarded: bytes | None = None
    records: list[dict[str, Any]] = field(default_factory=list)

    def record(self, kind: str) -> dict[str, Any]:
        """The last record of a kind; empty where there is none."""
        return next((row for row in reversed(self.records) if row["kind"] == kind), {})

    @property
    def code(self) -> str:
        """The code of the error envelope; "" for an answer."""
        value = _parsed(self.body)
        error = value.get("error") if isinstance(value, dict) else None
        return str(error.get("code", "")) if isinstance(error, dict) else ""


class _Provider(DemoTransport):
    """The demo provider, saying what a case wants and keeping what it was sent."""

    __slots__ = ("forwarded",)

    def __init__(self) -> None:
        super().__init__()
        self.forwarded: bytes | None = None

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Answer as the demo provider does."""
        self.forwarded = request.body
        return await super().send(request)


async def rehearse(settings: Settings, folder: Path, cases: Sequence[PlacedCase]) -> list[CaseResult]:
    """Run `cases` against the policy in `folder` under `settings`. Raises ConfigError or PluginError."""
    with tempfile.TemporaryDirectory() as scratch:
        offline = _offline(settings, folder, Path(scratch))
        key = value_key(load_master_key(offline.path(offline.vault_key)))
        policies = PolicySource(folder, Surroundings(value_key=key))
        async with Gateway.opened(offline, policies=policies) as gateway:
            provider = _Provider()
            gateway.core.providers = dict.fromkeys(gateway.core.providers, Provider("offline", provider, (), "/v1"))
            rehearsal = Rehearsal(gateway, folder, provider, key)
            return [await rehearsal.run(case) for case in cases]


def _offline(settings: Settings, folder: Path, scratch: Path) -> Settings:
    """`settings`, with everything that is written or reached put into `scratch`; the value key is the real one."""
    (scratch / "keys.yaml").write_text("keys: []\n")
    audit = Audit(dir=scratch / "audit", durability="os", content="none", signing_key=scratch / "audit.pem")
    demo = {name: one.model_copy(update={"kind": "demo"}) for name, one in settings.providers.items()}
    own = settings.path(settings.vault_key)
    return settings.model_copy(
        update={
            "audit": audit,
            "keys_file": scratch / "keys.yaml",
            "vault_key": own if own.is_file() else scratch / "vault.key",
            "state": f"sqlite:///{scratch}/state.db",
            "providers": demo,
            "policies": folder,
        }
    )


def _entry(case: Case) -> KeyEntry:
    who = case.identity
    whole = f"{PREFIX}{who.key}_{_SECRET}".encode()
    principal = KeyPrincipal(id=who.id, tenant=who.tenant, roles=who.roles, agent=who.agent)
    return KeyEntry(id=who.key, hash=f"sha256:{hashlib.sha256(whole).hexdigest()}", principal=principal)


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    for segment in sorted(folder.glob("*/*.jsonl")):
        for line in segment.read_bytes().splitlines():
            row = strictjson.loads(line)
            if isinstance(row, dict):
                yield row


def _parsed(body: bytes) -> object:
    try:
        return strictjson.loads(body)
    except Exception:  # noqa: BLE001  # a stream is no JSON
        return None


def _differences(case: Case, seen: _Exchange) -> Iterator[Difference]:
    expect, decided, completed = case.expect, seen.record("decided"), seen.record("completed")
    # A refusal before the checks has no decision of its own but its end.
    request = decided or completed
    yield from _compare("decision", expect.decision, _action(request))
    yield from _compare_names("by", expect.by, request.get("rules", ()))
    yield from _compare_codes("findings", expect.findings, request.get("findings", ()))
    yield from _compare("status", expect.status, seen.status)
    yield from _compare("code", expect.code, seen.code)
    yield from _forwarded(expect.forwarded, seen.forwarded)
    rows = [row for one in (decided, completed) for row in one.get("findings", ())]
    shadows = {row["rule"].split(":", 2)[2] for row in rows if row["rule"].startswith(_SHADOW)}
    yield from _compare_names("shadow", expect.shadow, shadows)
    if expect.answer is not None:
        yield from _answer(expect.answer, completed, seen.body)


def _action(row: Mapping[str, Any]) -> str:
    return str(row.get("action") or "none").lower()


def _answer(expect: ExpectedAnswer, completed: Mapping[str, Any], body: bytes) -> Iterator[Difference]:
    yield from _compare("answer.decision", expect.decision, _action(completed))
    yield from _compare_names("answer.by", expect.by, completed.get("rules", ()))
    yield from _compare_codes("answer.findings", expect.findings, completed.get("findings", ()))
    yield from _compare_texts("answer", expect, text_of(body))


def _forwarded(expect: Seen | bool | None, sent: bytes | None) -> Iterator[Difference]:
    if expect is None:
        return
    if expect is False or sent is None:
        if (sent is None) is not (expect is False):
            yield Difference("forwarded", "nothing" if expect is False else "a body", "a body" if sent else "nothing")
    elif isinstance(expect, Seen):
        yield from _compare_texts("forwarded", expect, text_of(sent))


def text_of(body: bytes) -> str:
    """All strings of a JSON body, or of each event of a stream, one after another."""
    values = [_parsed(body)]
    if values == [None]:
        data = [line[6:] for line in body.splitlines() if line.startswith(b"data: ") and line != b"data: [DONE]"]
        values = [_parsed(line) for line in data]
        return "".join(_deltas(values)) + "\n" + "\n".join(_strings(values))
    return "\n".join(_strings(values))


def _deltas(events: Sequence[object]) -> Iterator[str]:
    """The pieces of streamed texts, which are put together again before anything is looked for."""
    for event in events:
        if not isinstance(event, dict):
            continue
        if isinstance(event.get("delta"), str):
            yield event["delta"]
        for choice in event.get("choices") or ():
            delta = choice.get("delta") or {"content": choice.get("text")}
            yield delta.get("content") or ""
            yield from (call.get("function", {}).get("arguments") or "" for call in delta.get("tool_calls") or ())


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)


def _compare(what: str, expected: object, got: object) -> Iterator[Difference]:
    if expected is not None and expected != got:
        yield Difference(what, str(expected), str(got) or "none")


def _compare_names(what: str, expected: Sequence[str] | None, got: Sequence[str] | set[str]) -> Iterator[Difference]:
    if expected is not None and set(expected) != set(got):
        yield Difference(what, _listing(expected), _listing(got))


def _compare_codes(
    what: str, expected: Sequence[str] | None, rows: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    """Every code found fits an expectation, every expectation a code found."""
    if expected is None:
        return
    got = {str(row["code"]) for row in rows}
    if not all(any_glob(expected, code) for code in got) or not all(
        any(any_glob((e,), c) for c in got) for e in expected
    ):
        yield Difference(what, _listing(expected), _listing(got))


def _compare_texts(what: str, expect: Seen, text: str) -> Iterator[Difference]:
    for wanted in expect.has:
        if wanted not in text:
            yield Difference(f"{what}.has", repr(wanted), _excerpt(text))
    for unwanted in expect.lacks:
        if unwanted in text:
            yield Difference(f"{what}.lacks", f"no {unwanted!r}", _excerpt(text))


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 400 else text[:400] + "...")


def _listing(names: Sequence[str] | set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
