"""The demo provider's chat completions and (legacy) completions: JSON bodies and stream chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from yett.upstream.demo_model import (
    JsonObject,
    Question,
    Reply,
    Tool,
    pieces,
    reply_to,
    stable_id,
    texts_in,
)

CREATED = 1_700_000_000  # a fixed instant: the same request gets the same bytes


def chat_question(body: JsonObject) -> Question:
    """Read a chat request. Raises KeyError, TypeError or ValueError where it is malformed."""
    messages = body["messages"]
    last = messages[-1]
    newest = last if last["role"] == "tool" else next((m for m in reversed(messages) if m["role"] == "user"), last)
    choice = body.get("tool_choice", "auto")
    forced = choice["function"]["name"] if isinstance(choice, dict) else "*" if choice == "required" else ""
    offered = [] if choice == "none" else body.get("tools") or []
    functions = [tool["function"] for tool in offered if tool.get("type") == "function"]
    wanted = body.get("response_format") or {}
    schema: JsonObject | None = None
    if wanted.get("type") == "json_schema":
        schema = wanted["json_schema"].get("schema", {})
    elif wanted.get("type") == "json_object":
        schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    return Question(
        text=texts_in(newest.get("content")),
        from_tool=last["role"] == "tool",
        tools=tuple(Tool(f["name"], f.get("parameters") or {}) for f in functions),
        forced=forced,
        schema=schema,
        prompt_tokens=sum(len(pieces(texts_in(message.get("content")))) for message in messages),
    )


def chat_answer(body: JsonObject, given: Reply | None = None) -> JsonObject:
    """The whole answer to a chat request; `given` is said in place of what the model would say."""
    question = chat_question(body)
    reply = given or reply_to(question)
    choices = [_choice(body, reply, index) for index in range(_count(body))]
    return {
        **_head(body, "chat.completion"),
        "choices": choices,
        "usage": _usage(question.prompt_tokens, len(choices) * _size(body, reply)),
    }


def chat_chunks(body: JsonObject, given: Reply | None = None) -> Iterator[JsonObject]:
    """The chunks of a streamed chat answer, without the final `[DONE]`."""
    question = chat_question(body)
    reply = given or reply_to(question)
    head = _head(body, "chat.completion.chunk")
    asked = bool((body.get("stream_options") or {}).get("include_usage"))
    usage: JsonObject = {"usage": None} if asked else {}
    for index in range(_count(body)):
        for choice in _deltas(body, reply, index):
            yield {**head, "choices": [choice], **usage}
    if asked:
        total = _count(body) * _size(body, reply)
        yield {**head, "choices": [], "usage": _usage(question.prompt_tokens, total)}


def completion_answer(body: JsonObject, given: Reply | None = None) -> JsonObject:
    """The whole answer to a legacy completion request."""
    prompts = _prompts(body)
    texts = [(given or reply_to(Question(text=prompt))).text for prompt in prompts for _ in range(_count(body))]
    size = sum(min(len(pieces(text)), _limit(body)) for text in texts)
    return {
        **_head(body, "text_completion"),
        "choices": [_text_choice(body, text, index) for index, text in enumerate(texts)],
        "usage": _usage(sum(len(pieces(prompt)) for prompt in prompts), size),
    }


def completion_chunks(body: JsonObject, given: Reply | None = None) -> Iterator[JsonObject]:
    """The chunks of a streamed legacy completion."""
    whole = completion_answer(body, given)
    usage = whole.pop("usage")
    for choice in whole["choices"]:
        for piece in pieces(choice["text"]):
            part = {"index": choice["index"], "text": piece, "logprobs": None, "finish_reason": None}
            yield {**whole, "choices": [part]}
        yield {**whole, "choices": [{**choice, "text": "", "logprobs": None}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**whole, "choices": [], "usage": usage}


def logprob(piece: str, alternatives: int) -> JsonObject:
    """A log probability that depends on the piece only, and `alternatives` less likely ones."""
    value = -(hashlib.sha256(piece.encode("utf-8", "surrogatepass")).digest()[0] + 1) / 256
    top = [_entry(piece if rank == 0 else f"{piece}{rank}", value - rank) for rank in range(alternatives)]
    return {**_entry(piece, value), "top_logprobs": top}


def _entry(token: str, value: float) -> JsonObject:
    return {"token": token, "logprob": value, "bytes": list(token.encode("utf-8", "surrogatepass"))}


def _choice(body: JsonObject, reply: Reply, index: int) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": None, "refusal": None}
    shown = pieces(reply.text)[: _limit(body)]
    if reply.calls:
        message["tool_calls"] = _tool_calls(body, reply, index)
    else:
        message["content"] = "".join(shown)
    return {
        "index": index,
        "message": message,
        "logprobs": {"content": _logprobs(body, shown), "refusal": None} if body.get("logprobs") else None,
        "finish_reason": _finish(body, reply),
    }


def _deltas(body: JsonObject, reply: Reply, index: int) -> Iterator[JsonObject]:
    yield _delta(index, {"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    for number, call in enumerate(_tool_calls(body, reply, index)):
        arguments = call["function"]["arguments"]
        start = {**call, "index": number, "function": {"name": call["function"]["name"], "arguments": ""}}
        yield _delta(index, {"tool_calls": [start]})
        for piece in pieces(arguments):
            yield _delta(index, {"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
    for piece in pieces(reply.text)[: _limit(body)]:
        choice = _delta(index, {"content": piece})
        if body.get("logprobs"):
            choice["logprobs"] = {"content": _logprobs(body, [piece]), "refusal": None}
        yield choice
    yield {**_delta(index, {}), "finish_reason": _finish(body, reply)}


def _delta(index: int, delta: JsonObject) -> JsonObject:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}


def _tool_calls(body: JsonObject, reply: Reply, index: int) -> list[JsonObject]:
    return [
        {
            "id": stable_id("call_", body, index * 100 + number),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for number, call in enumerate(reply.calls)
    ]


def _text_choice(body: JsonObject, text: str, index: int) -> JsonObject:
    shown = pieces(text)[: _limit(body)]
    logprobs: JsonObject | None = None
    if body.get("logprobs") is not None:
        entries = [logprob(piece, int(body["logprobs"])) for piece in shown]
        offsets = [sum(len(piece) for piece in shown[:place]) for place in range(len(shown))]
        logprobs = {
            "tokens": shown,
            "token_logprobs": [entry["logprob"] for entry in entries],
            "top_logprobs": [{top["token"]: top["logprob"] for top in entry["top_logprobs"]} for entry in entries],
            "text_offset": offsets,
        }
    return {"index": index, "text": "".join(shown), "logprobs": logprobs, "finish_reason": _finish(body, Reply(text))}


def _logprobs(body: JsonObject, shown: list[str]) -> list[JsonObject]:
    return [logprob(piece, int(body.get("top_logprobs") or 0)) for piece in shown]


def _finish(body: JsonObject, reply: Reply) -> str:
    if reply.calls:
        return "tool_calls"
    return "length" if len(pieces(reply.text)) > _limit(body) else "stop"


def _limit(body: JsonObject) -> int:
    return int(body.get("max_completion_tokens") or body.get("max_tokens") or 1_000_000)


def _count(body: JsonObject) -> int:
    return int(body.get("n") or 1)


def _size(body: JsonObject, reply: Reply) -> int:
    return min(len(pieces(reply.text)), _limit(body)) + sum(len(pieces(call.arguments)) for call in reply.calls)


def _prompts(body: JsonObject) -> list[str]:
    prompt = body["prompt"]
    prompts = [prompt] if isinstance(prompt, str) else prompt
    if not all(isinstance(item, str) for item in prompts):
        raise ValueError("the demo provider reads text, not tokens")
    return list(prompts)


def _head(body: JsonObject, kind: str) -> JsonObject:
    return {
        "id": stable_id("chatcmpl-demo-", body),
        "object": kind,
        "created": CREATED,
        "model": body.get("model", "demo"),
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    }


def _usage(prompt: int, completion: int) -> JsonObject:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
