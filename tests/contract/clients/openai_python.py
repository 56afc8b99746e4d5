"""The scenario of test_real_clients, for openai-python 2.x and 3.x: runs by itself and prints what it saw as JSON."""

from __future__ import annotations

import asyncio
import json
import os

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

EMAIL = os.environ["SCENARIO_EMAIL"]
SECRET = os.environ["SCENARIO_SECRET"]
ASK = [{"role": "user", "content": f"Write to {EMAIL}"}]
PARAMETERS = {
    "type": "object",
    "properties": {"to": {"type": "string"}},
    "required": ["to"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "send_mail", "parameters": PARAMETERS, "strict": True}}
FLAT_TOOL = {"type": "function", "name": "send_mail", "parameters": PARAMETERS, "strict": True}
CALL = f"call send_mail {json.dumps({'to': EMAIL})}"


class Note(BaseModel):
    """What structured output is parsed into."""

    text: str
    count: int


def chat(client: OpenAI) -> dict[str, object]:
    plain = client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
    texts = [choice.delta.content or "" for chunk in stream for choice in chunk.choices]
    several = client.chat.completions.create(model="gpt-4o-mini", messages=ASK, n=3, logprobs=True, top_logprobs=2)
    note = client.chat.completions.parse(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "a short note"}], response_format=Note
    )
    return {
        "plain": plain.choices[0].message.content,
        "usage": plain.usage.total_tokens > 0,
        "stream": "".join(texts),
        "several": [choice.message.content for choice in several.choices],
        "structured": note.choices[0].message.parsed.model_dump(),
    }


def tools(client: OpenAI) -> dict[str, object]:
    messages = [{"role": "user", "content": CALL}]
    first = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[TOOL])
    call = first.choices[0].message.tool_calls[0]
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[TOOL], stream=True)
    deltas = [part for chunk in stream for choice in chunk.choices for part in choice.delta.tool_calls or []]
    messages.append(first.choices[0].message.model_dump(exclude_none=True))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": f"sent to {EMAIL}"})
    last = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=[TOOL])
    return {
        "tool_name": call.function.name,
        "tool_arguments": json.loads(call.function.arguments),
        "tool_stream": json.loads("".join(part.function.arguments or "" for part in deltas if part.function)),
        "tool_answer": last.choices[0].message.content,
    }


def responses(client: OpenAI) -> dict[str, object]:
    plain = client.responses.create(model="gpt-4o-mini", input=f"Write to {EMAIL}")
    kinds, texts = [], []
    for event in client.responses.create(model="gpt-4o-mini", input=f"Write to {EMAIL}", stream=True):
        kinds.append(event.type)
        if event.type == "response.output_text.delta":
            texts.append(event.delta)
        if event.type == "response.completed":
            completed = event.response.output_text
    call = client.responses.create(model="gpt-4o-mini", input=CALL, tools=[FLAT_TOOL]).output[0]
    return {
        "responses_plain": plain.output_text,
        "responses_stream": "".join(texts),
        "responses_completed": completed,
        "responses_order": list(dict.fromkeys(kinds)),
        "responses_call": json.loads(call.arguments),
    }


def others(client: OpenAI) -> dict[str, object]:
    model = "text-embedding-3-small"
    packed = client.embeddings.create(model=model, input=["one", "two"])  # base64 on the wire by default
    floats = client.embeddings.create(model=model, input=["one", "two"], encoding_format="float")
    pairs = zip(packed.data[1].embedding, floats.data[1].embedding, strict=True)
    completion = client.completions.create(model="gpt-3.5-turbo-instruct", prompt=f"Write to {EMAIL}")
    return {
        "embedding_size": len(packed.data[0].embedding),
        "embeddings_agree": all(abs(a - b) < 1e-5 for a, b in pairs),
        "completion": completion.choices[0].text,
        "models": sorted(model.id for model in client.models.list()),
        "model": client.models.retrieve("gpt-4o-mini").id,
    }


def refusals(client: OpenAI) -> dict[str, object]:
    found: dict[str, object] = {}
    try:
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": f"key {SECRET}"}])
    except openai.BadRequestError as error:
        found |= {"blocked_code": error.code, "blocked_message": str(error)}
    try:
        client.chat.completions.create(model="gpt-4o-mimi", messages=ASK)
    except openai.NotFoundError as error:
        found |= {"unknown_model": error.code}
    try:
        client.with_options(api_key="yett_nosuchkey_aaaa").models.list()
    except openai.AuthenticationError as error:
        found |= {"wrong_key": error.status_code}
    return found


async def asynchronous() -> dict[str, object]:
    async with AsyncOpenAI() as client:
        plain = await client.chat.completions.create(model="gpt-4o-mini", messages=ASK)
        stream = await client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True)
        texts = [choice.delta.content or "" async for chunk in stream for choice in chunk.choices]
        many = await asyncio.gather(
            *(client.chat.completions.create(model="gpt-4o-mini", messages=ASK) for _ in range(16))
        )
    return {
        "async_plain": plain.choices[0].message.content,
        "async_stream": "".join(texts),
        "async_many": sorted({answer.choices[0].message.content for answer in many}),
    }


def main() -> None:
    with OpenAI() as client:
        seen = chat(client) | tools(client) | responses(client) | others(client) | refusals(client)
    seen |= asyncio.run(asynchronous())
    print(json.dumps({"version": openai.__version__, **seen}))


if __name__ == "__main__":
    main()
