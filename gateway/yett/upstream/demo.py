"""The embedded `demo` provider: a deterministic model behind the transport seam, with no key and no network.

It speaks chat completions, Responses, completions, embeddings and moderations, plain and streamed, and its answers
show what reached it: a pseudonym appears once as received, which the gate restores for its owner, and once spelled
`[EMAIL q7k2xm4p]`, which the gate leaves alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
import struct
from collections.abc import AsyncIterator, Callable, Iterator

import orjson

from yett.upstream.demo_chat import chat_answer, chat_chunks, completion_answer, completion_chunks
from yett.upstream.demo_model import JsonObject, Reply, pieces, stable_id, to_json
from yett.upstream.demo_responses import response_answer, response_events
from yett.upstream.messages import Headers, UpstreamRequest, UpstreamResponse

_DIMENSIONS = 256
_MAX_DIMENSIONS = 4096
_JSON = ((b"content-type", b"application/json"),)
_SSE = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))
_CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


class DemoResponse:
    """An answer of the demo provider, whole or in chunks."""

    __slots__ = ("_parts", "headers", "status")

    def __init__(self, status: int, headers: Headers, parts: Iterator[bytes]) -> None:
        self.status = status
        self.headers = headers
        self._parts = parts

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join(self._parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body piece by piece; other tasks run between two pieces."""
        for part in self._parts:
            yield part
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Drop what was not read."""
        self._parts = iter(())


class DemoTransport:
    """A transport whose far end is in this process. Keeps nothing between requests.

    `reply` is said in place of the model's own words, where it has any.
    """

    __slots__ = ("reply",)

    def __init__(self, reply: Reply | None = None) -> None:
        self.reply = reply

    async def send(self, request: UpstreamRequest) -> UpstreamResponse:
        """Answer `request` as an OpenAI-compatible provider would; a malformed one gets its 400."""
        path = request.path.partition("?")[0].removeprefix("/v1")
        routes = _routes()
        if request.method != "POST" or path not in routes:
            return _refusal(404, "the demo provider does not serve this path", "not_found")
        whole, streamed = routes[path]
        try:
            body = orjson.loads(request.body or b"")
            if streamed is not None and body.get("stream"):
                parts = list(
                    streamed(body, self.reply)
                )  # made before the status goes out, so that a bad request gets its 400
                return DemoResponse(200, _SSE, _sse(parts, done=path != "/responses"))
            return DemoResponse(200, _JSON, iter((to_json(whole(body, self.reply)).encode(),)))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return _refusal(400, "the demo provider could not read this request", "invalid_request")

    async def aclose(self) -> None:
        """Nothing is open."""


def embedding_answer(body: JsonObject) -> JsonObject:
    """Unit vectors drawn from a hash of each text; `base64` as the OpenAI clients ask by default."""
    given = body["input"]
    texts = [given] if isinstance(given, str) else list(given)
    size = int(body.get("dimensions") or _DIMENSIONS)
    if not texts or not all(isinstance(text, str) for text in texts) or not 0 < size <= _MAX_DIMENSIONS:
        raise ValueError("the demo provider embeds texts, in 1 to 4096 dimensions")
    tokens = sum(len(pieces(text)) for text in texts)
    vectors = [_vector(text, size) for text in texts]
    encoded = [_base64(vector) if body.get("encoding_format") == "base64" else vector for vector in vectors]
    return {
        "object": "list",
        "model": body.get("model", "demo"),
        "data": [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(encoded)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def moderation_answer(body: JsonObject) -> JsonObject:
    """Nothing is ever flagged: the demo provider has no opinion."""
    given = body["input"]
    count = 1 if isinstance(given, str) else len(given)
    result = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    return {"id": stable_id("modr-demo-", body), "model": body.get("model", "demo"), "results": [result] * count}


_Whole = Callable[[JsonObject, Reply | None], JsonObject]
_Streamed = Callable[[JsonObject, Reply | None], Iterator[JsonObject]]


def _routes() -> dict[str, tuple[_Whole, _Streamed | None]]:
    return {
        "/chat/completions": (chat_answer, chat_chunks),
        "/responses": (response_answer, response_events),
        "/completions": (completion_answer, completion_chunks),
        "/embeddings": (lambda body, _: embedding_answer(body), None),
        "/moderations": (lambda body, _: moderation_answer(body), None),
    }


def _sse(events: list[JsonObject], *, done: bool) -> Iterator[bytes]:
    for event in events:
        name = f"event: {event['type']}\n" if "type" in event else ""
        yield f"{name}data: {to_json(event)}\n\n".encode()
    if done:
        yield b"data: [DONE]\n\n"


def _refusal(status: int, message: str, code: str) -> DemoResponse:
    error = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return DemoResponse(status, _JSON, iter((to_json(error).encode(),)))


def _vector(text: str, size: int) -> list[float]:
    raw = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(2 * size)
    values = [number - 32_767.5 for number in struct.unpack(f"<{size}H", raw)]
    norm = math.sqrt(sum(value * value for value in values))
    return [value / norm for value in values]


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
