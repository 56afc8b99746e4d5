"""What api.openai.com would answer, deterministic and echoing: the default script of the fake upstream.

`answer` takes a request and gives JSON or a list of SSE events; the `chat_*` and `response_*` functions make the
pieces, for tests that script their own answers.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
CREATED = 1_700_000_000
MODELS = ("gpt-4o-mini", "gpt-4o", "text-embedding-3-small")


@dataclass(frozen=True)
class Answer:
    """JSON, or the events of a stream; chat and completions streams end with the string [DONE]."""

    json: Any = None
    events: list[Any] | None = None
    status: int = 200


def answer(method: str, path: str, body: bytes) -> Answer:
    """The default answer to one request."""
    route = path.partition("?")[0].removeprefix("/v1")
    if method == "GET" and route.startswith("/models"):
        return _models(route)
    handler = {
        "/chat/completions": _chat,
        "/responses": _responses,
        "/embeddings": _embeddings,
        "/completions": _completions,
        "/moderations": _moderations,
    }.get(route)
    if method != "POST" or handler is None:
        return Answer(error(f"Unknown request URL: {method} {route}", "unknown_url"), status=404)
    return handler(json.loads(body))


def error(message: str, code: str, kind: str = "invalid_request_error") -> Json:
    """OpenAI's error body."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def words(text: str) -> list[str]:
    """`text` cut as a model would stream it: a word with its following space at a time."""
    return re.findall(r"\s*\S+|\s+$", text) or [""]


def text_of(content: Any) -> str:
    """The text of a message's content, string or parts."""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or () if isinstance(part, dict))


def last_user_text(messages: list[Json]) -> str:
    """The newest user message."""
    return next((text_of(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")


def instance(schema: Json, text: str) -> Any:
    """A value that fits a simple JSON schema; strings echo `text`."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: instance(sub, text) for name, sub in schema.get("properties", {}).items()}
        case "array":
            return [instance(schema.get("items", {}), text)]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "null":
            return None
    return text


def usage(prompt: int = 11, completion: int = 7) -> Json:
    """Token counts of the chat and completions APIs."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def logprobs(pieces: list[str]) -> Json:
    """Log probabilities for a choice whose tokens are `pieces`."""
    entries = [{"token": p, "logprob": -0.25, "bytes": list(p.encode())} for p in pieces]
    return {"content": [e | {"top_logprobs": [dict(e)]} for e in entries], "refusal": None}


# --- chat completions ---


def chat(content: str | None, model: str = "gpt-4o-mini", n: int = 1, **message: Any) -> Json:
    """A whole chat completion; keywords go into the message (tool_calls=...)."""
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    one = {"role": "assistant", "content": content, "refusal": None} | message
    choices = [{"index": i, "message": dict(one), "logprobs": None, "finish_reason": finish} for i in range(n)]
    return _chat_head("chat.completion", model) | {"choices": choices, "usage": usage()}


def chat_chunk(
    delta: Json | None, model: str = "gpt-4o-mini", index: int = 0, finish: str | None = None, **choice: Any
) -> Json:
    """One chunk of a chat stream; keywords go into the choice (logprobs=...)."""
    one = {"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": finish} | choice
    return _chat_head("chat.completion.chunk", model) | {"choices": [one]}


def chat_events(pieces: list[str], model: str = "gpt-4o-mini", n: int = 1, include_usage: bool = False) -> list[Any]:
    """A whole chat stream: role, the pieces, finish, usage if asked for, [DONE]. Choices are interleaved."""
    events: list[Any] = [chat_chunk({"role": "assistant", "content": ""}, model, i) for i in range(n)]
    events += [chat_chunk({"content": piece}, model, i) for piece in pieces for i in range(n)]
    events += [chat_chunk({}, model, i, "stop") for i in range(n)]
    if include_usage:
        events.append(_chat_head("chat.completion.chunk", model) | {"choices": [], "usage": usage()})
    return [*events, "[DONE]"]


def tool_call(name: str, arguments: str, index: int = 0, call_id: str = "call_fake0") -> Json:
    """A function call, in the form of a whole answer and (with `index`) of a delta."""
    return {"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool_call_events(name: str, pieces: list[str], model: str = "gpt-4o-mini") -> list[Any]:
    """A chat stream that proposes one call whose arguments arrive in `pieces`."""
    first = chat_chunk({"role": "assistant", "content": None, "tool_calls": [tool_call(name, "")]}, model)
    deltas = [chat_chunk({"tool_calls": [{"index": 0, "function": {"arguments": p}}]}, model) for p in pieces]
    return [first, *deltas, chat_chunk({}, model, 0, "tool_calls"), "[DONE]"]


def _chat_head(kind: str, model: str) -> Json:
    return {"id": "chatcmpl-fake", "object": kind, "created": CREATED, "model": model, "system_fingerprint": "fp_fake"}


def _wanted_tool(body: Json) -> Json | None:
    """The function the request forces, in either API's form."""
    choice = body.get("tool_choice")
    functions = [t.get("function", t) for t in body.get("tools") or []]
    if not isinstance(choice, dict):
        return functions[0] if functions and choice == "required" else None
    name = (choice.get("function") or choice).get("name")
    return next((f for f in functions if f.get("name") == name), None)


def _chat(body: Json) -> Answer:
    said = last_user_text(body.get("messages", []))
    model, n = body.get("model", ""), body.get("n") or 1
    tool = _wanted_tool(body)
    if tool is not None:
        arguments = json.dumps(instance(tool.get("parameters") or {"type": "object"}, said), ensure_ascii=False)
        if body.get("stream"):
            return Answer(events=tool_call_events(tool["name"], words(arguments), model))
        call = {k: v for k, v in tool_call(tool["name"], arguments).items() if k != "index"}
        return Answer(chat(None, model, n, tool_calls=[call]))
    schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    text = json.dumps(instance(schema, said), ensure_ascii=False) if schema else f"You said: {said}"
    if not body.get("stream"):
        whole = chat(text, model, n)
        if body.get("logprobs"):
            for choice in whole["choices"]:
                choice["logprobs"] = logprobs(words(text))
        return Answer(whole)
    events = chat_events(words(text), model, n, bool((body.get("stream_options") or {}).get("include_usage")))
    if body.get("logprobs"):
        for event in events[:-1]:
            for choice in event["choices"]:
                if choice["delta"].get("content"):
                    choice["logprobs"] = logprobs([choice["delta"]["content"]])
    return Answer(events=events)


# --- responses ---


def response(output: list[Json], model: str = "gpt-4o-mini", status: str = "completed", **more: Any) -> Json:
    """A whole response object."""
    return {
        "id": "resp_fake", "object": "response", "created_at": CREATED, "status": status, "model": model,
        "error": None, "incomplete_details": None, "instructions": None, "max_output_tokens": None, "metadata": {},
        "output": output, "parallel_tool_calls": True, "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None}, "store": False, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "user": None,
        "usage": {
            "input_tokens": 11, "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 18,
        } if status == "completed" else None,
    } | more  # fmt: skip


def output_message(text: str, status: str = "completed") -> Json:
    """An output item with one text part."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": "msg_fake", "type": "message", "role": "assistant", "status": status, "content": [part]}


def response_text_events(pieces: list[str], model: str = "gpt-4o-mini", **more: Any) -> list[Json]:
    """The events of a streamed text answer, in the provider's order, numbered."""
    item = output_message("".join(pieces))
    at = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    begun = item | {"status": "in_progress", "content": []}
    events: list[Json] = [
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        {"type": "response.content_part.added", **at, "part": empty},
        *({"type": "response.output_text.delta", **at, "delta": p, "logprobs": []} for p in pieces),
        {"type": "response.output_text.done", **at, "text": "".join(pieces), "logprobs": []},
        {"type": "response.content_part.done", **at, "part": item["content"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    ]
    return _wrap(events, [item], model, more)


def response_call_events(name: str, pieces: list[str], model: str = "gpt-4o-mini", **more: Any) -> list[Json]:
    """The events of a streamed function call."""
    item = function_call_item(name, "".join(pieces))
    at = {"item_id": item["id"], "output_index": 0}
    events: list[Json] = [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": item | {"arguments": "", "status": "in_progress"},
        },
        *({"type": "response.function_call_arguments.delta", **at, "delta": p} for p in pieces),
        {"type": "response.function_call_arguments.done", **at, "name": name, "arguments": "".join(pieces)},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    ]
    return _wrap(events, [item], model, more)


def function_call_item(name: str, arguments: str) -> Json:
    """An output item that proposes a call."""
    ids = {"id": "fc_fake", "type": "function_call", "call_id": "call_fake0"}
    return ids | {"status": "completed", "name": name, "arguments": arguments}


def _wrap(events: list[Json], output: list[Json], model: str, more: Json) -> list[Json]:
    begun = response([], model, "in_progress", **more)
    every = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *events,
        {"type": "response.completed", "response": response(output, model, **more)},
    ]
    return [event | {"sequence_number": i} for i, event in enumerate(every)]


def _responses(body: Json) -> Answer:
    given = body.get("input", "")
    said = given if isinstance(given, str) else last_user_text(given)
    model = body.get("model", "")
    echo = {k: body[k] for k in ("instructions", "metadata", "tools", "store") if body.get(k) is not None}
    tool = _wanted_tool(body)
    if tool is not None:
        arguments = json.dumps(instance(tool.get("parameters") or {"type": "object"}, said), ensure_ascii=False)
        if body.get("stream"):
            return Answer(events=response_call_events(tool["name"], words(arguments), model, **echo))
        return Answer(response([function_call_item(tool["name"], arguments)], model, **echo))
    schema = (body.get("text") or {}).get("format", {}).get("schema")
    text = json.dumps(instance(schema, said), ensure_ascii=False) if schema else f"You said: {said}"
    if body.get("stream"):
        return Answer(events=response_text_events(words(text), model, **echo))
    return Answer(response([output_message(text)], model, **echo))


# --- embeddings, completions, moderations, models ---


def vector(text: str, size: int = 8) -> list[float]:
    """A deterministic embedding; exact in 32-bit floats."""
    return [byte / 256 - 0.5 for byte in hashlib.shake_128(text.encode()).digest(size)]


def _embeddings(body: Json) -> Answer:
    given = body.get("input", "")
    texts = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else given
    data = []
    for i, text in enumerate(texts):
        floats = vector(text if isinstance(text, str) else repr(text), body.get("dimensions") or 8)
        packed = base64.b64encode(struct.pack(f"<{len(floats)}f", *floats)).decode()
        value = packed if body.get("encoding_format") == "base64" else floats
        data.append({"object": "embedding", "index": i, "embedding": value})
    counts = {"prompt_tokens": 5, "total_tokens": 5}
    return Answer({"object": "list", "data": data, "model": body.get("model", ""), "usage": counts})


def _completions(body: Json) -> Answer:
    prompt = body.get("prompt", "")
    texts = [f"You said: {p}" for p in ([prompt] if isinstance(prompt, str) else prompt)]
    head = {"id": "cmpl-fake", "object": "text_completion", "created": CREATED, "model": body.get("model", "")}

    def choice(index: int, text: str, finish: str | None) -> Json:
        return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}

    if not body.get("stream"):
        return Answer(head | {"choices": [choice(i, t, "stop") for i, t in enumerate(texts)], "usage": usage()})
    events: list[Any] = [head | {"choices": [choice(i, p, None)]} for i, t in enumerate(texts) for p in words(t)]
    events += [head | {"choices": [choice(i, "", "stop")]} for i in range(len(texts))]
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append(head | {"choices": [], "usage": usage()})
    return Answer(events=[*events, "[DONE]"])


def _moderations(body: Json) -> Answer:
    given = body.get("input", "")
    names = ("harassment", "hate", "self-harm", "sexual", "violence")
    result = {
        "flagged": False,
        "categories": dict.fromkeys(names, False),
        "category_scores": dict.fromkeys(names, 0.001),
    }
    count = 1 if isinstance(given, str) else len(given)
    return Answer(
        {"id": "modr-fake", "model": body.get("model", "omni-moderation-latest"), "results": [result] * count}
    )


def _models(route: str) -> Answer:
    def entry(name: str) -> Json:
        return {"id": name, "object": "model", "created": CREATED, "owned_by": "fake"}

    name = route.removeprefix("/models").strip("/")
    if not name:
        return Answer({"object": "list", "data": [entry(m) for m in MODELS]})
    if name not in MODELS:
        return Answer(error("The model does not exist", "model_not_found"), status=404)
    return Answer(entry(name))
