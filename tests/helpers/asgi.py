"""A gateway without sockets: real settings, real policies, real audit on disk, a scripted provider, an ASGI caller."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from yett.app import Gateway
from yett.auth import create_key
from yett.config import load_settings
from yett.scan import ScanEngine
from yett.server.core import Provider
from yett.upstream.transport import UpstreamRequest

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Scripted:
    """One scripted answer: `chunks` are the body's bytes as they arrive; an exception among them is raised there."""

    chunks: list[Any] = field(default_factory=list)
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", b"application/json"),)
    closed: bool = False

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks_iterator()])

    async def chunks_iterator(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            if isinstance(chunk, BaseException):
                raise chunk
            if isinstance(chunk, asyncio.Event):
                await chunk.wait()
                continue
            yield chunk


class ScriptedResponse:
    def __init__(self, scripted: Scripted) -> None:
        self.scripted, self.status, self.headers = scripted, scripted.status, scripted.headers
        self._iterator = scripted.chunks_iterator()

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self._iterator])

    def chunks(self) -> AsyncIterator[bytes]:
        return self._iterator

    async def aclose(self) -> None:
        self.scripted.closed = True


class ScriptedTransport:
    """A provider that answers what `reply(request)` gives and keeps every request it was sent."""

    def __init__(self, reply: Callable[[UpstreamRequest], Any]) -> None:
        self.reply = reply
        self.requests: list[UpstreamRequest] = []

    async def send(self, request: UpstreamRequest) -> ScriptedResponse:
        self.requests.append(request)
        scripted = self.reply(request)
        if asyncio.iscoroutine(scripted):
            scripted = await scripted
        if isinstance(scripted, BaseException):
            raise scripted
        return ScriptedResponse(scripted)

    async def aclose(self) -> None:
        return None

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.requests]

    @property
    def raw(self) -> bytes:
        return b"\n".join(request.body for request in self.requests)


@dataclass
class Reply:
    """What the client got."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    sends: list[bytes] = field(default_factory=list)
    ended: bool = False

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json()["error"]["code"]

    @property
    def events(self) -> list[Any]:
        """The data of each event, parsed; `[DONE]` stays a string."""
        found = []
        for block in self.body.decode().split("\n\n"):
            lines = [line[6:] for line in block.splitlines() if line.startswith("data: ")]
            if lines:
                found.append(lines[0] if lines[0] == "[DONE]" else json.loads("\n".join(lines)))
        return found

    def text(self, choice: int = 0) -> str:
        """The content of one choice of a chat stream."""
        deltas = [
            c["delta"].get("content") or ""
            for event in self.events
            if isinstance(event, dict)
            for c in event.get("choices", ())
            if c["index"] == choice
        ]
        return "".join(deltas)


@dataclass
class Harness:
    """One opened gateway with its scripted provider."""

    gateway: Gateway
    upstream: ScriptedTransport
    key: str
    root: Path

    async def call(
        self,
        path: str,
        body: Any = None,
        *,
        method: str = "POST",
        key: str | None = None,
        headers: dict[str, str] | None = None,
        disconnect: asyncio.Event | None = None,
        on_send: Callable[[Reply], Any] | None = None,
    ) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        sent = {"authorization": f"Bearer {key or self.key}", "content-type": "application/json", "host": "test"}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(n.encode(), v.encode()) for n, v in sent.items() if v],
            "client": ("127.0.0.1", 1),
        }
        messages = [{"type": "http.request", "body": raw, "more_body": False}]
        reply = Reply()

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            await (disconnect or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers = {n.decode(): v.decode() for n, v in message["headers"]}
            else:
                reply.sends.append(message["body"])
                reply.body += message["body"]
                reply.ended = not message["more_body"]
            if on_send is not None:
                result = on_send(reply)
                if asyncio.iscoroutine(result):
                    await result

        if disconnect is not None:

            async def watch() -> None:
                await disconnect.wait()
                scope["yett.on_disconnect"]()

            watcher = asyncio.ensure_future(watch())
        await self.gateway.data(scope, receive, send)
        if disconnect is not None:
            watcher.cancel()
        return reply

    async def chat(self, text: str = "hello", **more: Any) -> Reply:
        options = {name: more.pop(name) for name in ("key", "headers", "disconnect", "on_send") if name in more}
        messages = more.pop("messages", [{"role": "user", "content": text}])
        return await self.call("/v1/chat/completions", {"model": "m", "messages": messages, **more}, **options)

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        """The audit log as it lies on disk now."""
        rows = []
        for segment in sorted((self.root / "var/audit").glob("*/*.jsonl")):
            rows += [json.loads(line) for line in segment.read_bytes().splitlines()]
        return [row for row in rows if not kind or row["kind"] == kind]


def chat_answer(content: str | None = "fine", **message: Any) -> Scripted:
    """A plain chat completion."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "upstream-model",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content, **message}}
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
    return Scripted([json.dumps(body).encode()])


def sse(*events: Any, done: bool = True, size: int = 0) -> Scripted:
    """An event stream; `size` > 0 cuts the bytes into pieces of that size."""
    data = b"".join(
        (f"event: {event['type']}\n".encode() if "type" in event else b"") + f"data: {json.dumps(event)}\n\n".encode()
        for event in events
    )
    data += b"data: [DONE]\n\n" if done else b""
    chunks = [data[i : i + size] for i in range(0, len(data), size)] if size else [data]
    return Scripted(chunks, headers=((b"content-type", b"text/event-stream"),))


def chat_chunks(*deltas: Any, index: int = 0, finish: str | None = "stop") -> list[dict[str, Any]]:
    """Chat chunks of one choice: strings are content, dicts are whole deltas."""

    def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up", "choices": [choice]}

    chunks = [chunk({"role": "assistant", "content": ""})]
    chunks += [chunk(delta if isinstance(delta, dict) else {"content": delta}) for delta in deltas]
    return [*chunks, chunk({}, finish)] if finish else chunks


_ENGINES: dict[Any, ScanEngine] = {}


def shared_engine(detectors: Any) -> ScanEngine:
    """Compiling the rules takes a second and gives the same every time: tests share engines of equal rules."""
    key = tuple((d.name, d.patterns, d.default) for d in detectors)
    if key not in _ENGINES:
        _ENGINES[key] = ScanEngine(detectors)
    return _ENGINES[key]


@contextlib.asynccontextmanager
async def harness(
    tmp_path: Path,
    reply: Callable[[UpstreamRequest], Any] | None = None,
    *,
    settings: dict[str, Any] | None = None,
    policies: Callable[[Path], None] | None = None,
    role: str = "developer",
    name: str = "gate",
    share: bool = True,
) -> AsyncIterator[Harness]:
    """A gateway in `tmp_path/name` with model `m` at a scripted provider `up`."""
    root = tmp_path / name
    root.mkdir(parents=True, exist_ok=True)
    shutil.copytree(REPOSITORY / "policies", root / "policies", dirs_exist_ok=True)
    if policies is not None:
        policies(root / "policies")
    config: dict[str, Any] = {
        "providers": {"up": {"kind": "demo"}},
        "models": {
            "m": {"targets": [{"provider": "up", "model": "upstream-model"}]},
            "other": {"targets": [{"provider": "up", "model": "upstream-other"}]},
        },
        "audit": {"durability": "os", "content": "none"},
        "builtins": {"pii": {"cache_dir": str(REPOSITORY / "var/cache")}},
    }
    for key, value in (settings or {}).items():
        config[key] = config[key] | value if isinstance(value, dict) and isinstance(config.get(key), dict) else value
    (root / "config").mkdir(exist_ok=True)
    (root / "config/gateway.yaml").write_text(yaml.safe_dump(config))
    key = create_key(root / "config/keys.yaml", agent="agent-1", role=role, tenant="acme")
    loaded = load_settings(root / "config/gateway.yaml", root=root)
    upstream = ScriptedTransport(reply or (lambda request: chat_answer()))
    with pytest.MonkeyPatch.context() as patch:
        if share:
            patch.setattr("yett.app.ScanEngine", shared_engine)
        opening = Gateway.opened(loaded)
        gateway = await opening.__aenter__()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_exit(opening)
        gateway.core.providers = {
            "up": Provider("up", upstream, ((b"authorization", b"Bearer provider-secret"),), "/v1")
        }
        yield Harness(gateway, upstream, key, root)
