"""The fake upstream is the ground truth of other tests, so it is tested itself, with the real OpenAI client."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from helpers import openai_replies
from helpers.upstream import FakeUpstream, Reply, ThreadedUpstream, parse_call


class Person(BaseModel):
    name: str
    age: int


TOOL: Any = {
    "type": "function",
    "function": {"name": "mail", "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}},
}


def test_openai_client_speaks_to_it() -> None:
    with ThreadedUpstream() as upstream, openai.OpenAI(base_url=upstream.base_url, api_key="k") as client:
        messages: Any = [{"role": "user", "content": "hello you"}]
        plain = client.chat.completions.create(model="m", messages=messages, n=2)
        assert [c.message.content for c in plain.choices] == ["You said: hello you"] * 2
        stream = list(
            client.chat.completions.create(
                model="m", messages=messages, stream=True, stream_options={"include_usage": True}
            )
        )
        assert "".join(c.choices[0].delta.content or "" for c in stream if c.choices) == "You said: hello you"
        assert stream[-1].usage is not None
        call = client.chat.completions.create(model="m", messages=messages, tools=[TOOL], tool_choice="required")
        assert call.choices[0].message.tool_calls[0].function.arguments == '{"to": "hello you"}'  # type: ignore[index, union-attr]
        parsed = client.chat.completions.parse(model="m", messages=messages, response_format=Person)
        assert parsed.choices[0].message.parsed == Person(name="hello you", age=1)
        assert client.responses.create(model="m", input="hi").output_text == "You said: hi"
        with client.responses.stream(model="m", input="hi") as events:
            assert next(iter(events)).type == "response.created"
            assert events.get_final_response().output_text == "You said: hi"
        assert client.embeddings.create(model="m", input=["a"]).data[0].embedding == openai_replies.vector("a")
        assert client.embeddings.create(model="m", input=["a"], encoding_format="float").data[
            0
        ].embedding == openai_replies.vector("a")
        assert client.completions.create(model="m", prompt="x").choices[0].text == "You said: x"
        assert not client.moderations.create(input=["x", "y"]).results[1].flagged
        assert [m.id for m in client.models.list()] == list(openai_replies.MODELS)
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("nope")
        assert len(upstream.calls) == 12
        method, path, headers, body, raw = upstream.calls[0]
        assert (method, path, headers[b"authorization"]) == ("POST", "/v1/chat/completions", b"Bearer k")
        assert raw.endswith(body)
        assert upstream.raw.startswith(raw)


async def test_stopping_midway_is_a_disconnect_and_the_rest_is_kept() -> None:
    gate = asyncio.Event()
    async with FakeUpstream(lambda _: Reply(chunks=[b"one", gate, b"two"])) as upstream:
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await reader.readuntil(b"one\r\n")).endswith(b"3\r\none\r\n")
        writer.close()
        await upstream.until(lambda: upstream.disconnects == 1)
        assert b"two" in upstream.unsent[0]
        assert upstream.open == 0
    await writer.wait_closed()


@pytest.mark.parametrize("cut", [1, 7, [3, 1, 50]])
def test_cutting_an_event_stream_changes_no_byte(cut: Any) -> None:
    events = openai_replies.chat_events(["a ", "b"])
    whole = [s for s in Reply(events=events).steps() if isinstance(s, bytes)]
    pieces = [s for s in Reply(events=events, cut=cut).steps() if isinstance(s, bytes)]
    assert _content(pieces) == _content(whole)
    assert len(pieces) > len(whole)


def _content(steps: list[bytes]) -> bytes:
    return b"".join(s.partition(b"\r\n")[2][:-2] for s in steps[1:-1])


def test_requests_are_parsed_only_when_whole() -> None:
    raw = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert [parse_call(raw[:i]) for i in range(len(raw))] == [None] * len(raw)
    call = parse_call(raw + b"GET")
    assert call is not None
    assert (call.body, call.raw) == (b"abc", raw)
