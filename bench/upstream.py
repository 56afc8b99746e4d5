"""A provider that costs almost nothing: canned chat answers over a bare asyncio protocol.

`python bench/upstream.py PORT`. Plain answers weigh about 1 KB; a request whose body contains `"stream":true` gets 50
SSE events in ten bursts. `GET /last` returns the last request body, so that the bench can see what a gateway sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop
from bodies import ANSWER_STARTS

EVENTS = 50
BURST = 5
WORDS = ANSWER_STARTS + ": light and air pass through it and nobody who is not let in does. "


def plain_answer() -> bytes:
    message = {"role": "assistant", "content": WORDS * 6, "refusal": None}
    body = json.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "gpt-4o-mini",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320},
        }
    ).encode()
    return http_answer(body, b"application/json")


def http_answer(body: bytes, kind: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(body), body)


def stream_bursts() -> list[bytes]:
    """The answer's head with the first events, then the rest, each burst written in its own loop step."""
    words = (WORDS * 6).split(" ")
    head = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1700000000, "model": "gpt-4o-mini"}
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": words[number] + " "} for number in range(EVENTS - 3)]
    deltas.append({})
    events = []
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
        events.append(f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode())
    events.append(b"data: [DONE]\n\n")
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
    chunks[-1] += b"0\r\n\r\n"
    bursts = [b"".join(chunks[at : at + BURST]) for at in range(0, len(chunks), BURST)]
    # x-accel-buffering: nginx passes such an answer on at once, as a stream needs.
    intro = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-accel-buffering: no\r\n"
    return [intro + b"transfer-encoding: chunked\r\n\r\n" + bursts[0], *bursts[1:]]


PLAIN = plain_answer()
STREAM = stream_bursts()
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class Provider(asyncio.Protocol):
    """One connection. Understands what gateways send: content-length or chunked bodies, keep-alive."""

    last = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A gateway connected."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own class is not derived from it
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request in the buffer."""
        self.buffer += data
        while True:
            head_end = self.buffer.find(b"\r\n\r\n")
            if head_end < 0:
                return
            head = self.buffer[:head_end].lower()
            end = body_end(head, self.buffer, head_end + 4)
            if end < 0:
                return
            body, self.buffer = self.buffer[head_end + 4 : end], self.buffer[end:]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        """Write the canned answer that fits."""
        if head.startswith(b"get /last"):
            self.transport.write(http_answer(Provider.last, b"application/json"))
            return
        if not head.startswith(b"post /v1/chat/completions http/1.1"):
            self.transport.write(NOT_FOUND)
            return
        Provider.last = body
        if b'"stream":true' in body or b'"stream": true' in body:
            self.burst(0)
        else:
            self.transport.write(PLAIN)

    def burst(self, number: int) -> None:
        """Write one burst of the stream; the next one follows in the next loop step."""
        if self.transport.is_closing():
            return
        self.transport.write(STREAM[number])
        if number + 1 < len(STREAM):
            asyncio.get_running_loop().call_soon(self.burst, number + 1)


def body_end(head: bytes, buffer: bytes, start: int) -> int:
    """Where the request that starts in `buffer` ends, or -1 if it has not all arrived."""
    length_at = head.find(b"content-length:")
    if length_at >= 0:
        end = start + int(head[length_at + 15 :].split(b"\r\n", 1)[0])
        return end if len(buffer) >= end else -1
    if b"transfer-encoding: chunked" in head:
        last = buffer.find(b"0\r\n\r\n", start)
        return last + 5 if last >= 0 else -1
    return start


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
