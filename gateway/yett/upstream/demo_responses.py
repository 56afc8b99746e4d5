"""The demo provider's Responses API: the whole object, and the full event order of its stream."""

from __future__ import annotations

from collections.abc import Iterator

from yett.upstream.demo_chat import CREATED, logprob
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

_ECHOED = ("instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls", "reasoning")
_ECHOED_TOO = ("service_tier", "store", "temperature", "text", "tool_choice", "tools", "top_p", "truncation", "user")
_DEFAULTS: dict[str, object] = {
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "store": False,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
}


def response_question(body: JsonObject) -> Question:
    """Read a Responses request. Raises KeyError, TypeError or ValueError where it is malformed."""
    if body.get("previous_response_id"):
        raise ValueError("the demo provider keeps no conversations: previous_response_id is unknown")
    items = _items(body["input"])
    last = items[-1]
    from_tool = last.get("type") == "function_call_output"
    newest = last if from_tool else next((item for item in reversed(items) if item.get("role") == "user"), last)
    choice = body.get("tool_choice", "auto")
    forced = choice.get("name", "*") if isinstance(choice, dict) else "*" if choice == "required" else ""
    offered = [] if choice == "none" else body.get("tools") or []
    layout = (body.get("text") or {}).get("format") or {}
    return Question(
        text=texts_in(newest.get("output") if from_tool else newest.get("content")),
        from_tool=from_tool,
        tools=tuple(Tool(t["name"], t.get("parameters") or {}) for t in offered if t.get("type") == "function"),
        forced=forced,
        schema=layout.get("schema", {}) if layout.get("type") == "json_schema" else None,
        prompt_tokens=sum(len(pieces(texts_in(item.get("content")))) for item in items),
    )


def response_answer(body: JsonObject, given: Reply | None = None) -> JsonObject:
    """The whole answer to a Responses request; `given` is said in place of what the model would say."""
    question = response_question(body)
    reply = given or reply_to(question)
    return _response(body, "completed", _output(body, reply), _usage(question, reply))


def response_events(body: JsonObject, given: Reply | None = None) -> Iterator[JsonObject]:
    """The events of a streamed answer, numbered, in the order the API documents."""
    for number, event in enumerate(_events(body, given)):
        yield {**event, "sequence_number": number}


def _events(body: JsonObject, given: Reply | None) -> Iterator[JsonObject]:
    question = response_question(body)
    reply = given or reply_to(question)
    started = _response(body, "in_progress", [], None)
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    output = _output(body, reply)
    for index, item in enumerate(output):
        yield from _call_events(item, index) if item["type"] == "function_call" else _text_events(body, item, index)
    yield {"type": "response.completed", "response": _response(body, "completed", output, _usage(question, reply))}


def _text_events(body: JsonObject, item: JsonObject, index: int) -> Iterator[JsonObject]:
    part = item["content"][0]
    place: JsonObject = {"item_id": item["id"], "output_index": index, "content_index": 0}
    opened = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": index, "item": opened}
    yield {"type": "response.content_part.added", **place, "part": {**part, "text": "", "logprobs": []}}
    for piece in pieces(part["text"]):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": _logprobs(body, piece)}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": part["logprobs"]}
    yield {"type": "response.content_part.done", **place, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _call_events(item: JsonObject, index: int) -> Iterator[JsonObject]:
    place: JsonObject = {"item_id": item["id"], "output_index": index}
    opened = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": index, "item": opened}
    for piece in pieces(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield {"type": "response.function_call_arguments.done", **place, **done}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _output(body: JsonObject, reply: Reply) -> list[JsonObject]:
    if not reply.calls:
        logprobs = [entry for piece in pieces(reply.text) for entry in _logprobs(body, piece)]
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": logprobs}
        message = {"type": "message", "role": "assistant", "status": "completed", "content": [part]}
        return [{"id": stable_id("msg_demo_", body), **message}]
    return [
        {
            "id": stable_id("fc_demo_", body, number),
            "type": "function_call",
            "call_id": stable_id("call_", body, number),
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
        for number, call in enumerate(reply.calls)
    ]


def _response(body: JsonObject, status: str, output: list[JsonObject], usage: JsonObject | None) -> JsonObject:
    return {
        "id": stable_id("resp_demo_", body),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": body.get("model", "demo"),
        "output": output,
        "previous_response_id": None,
        "usage": usage,
        **{name: body.get(name, _DEFAULTS.get(name)) for name in (*_ECHOED, *_ECHOED_TOO)},
    }


def _logprobs(body: JsonObject, piece: str) -> list[JsonObject]:
    if "message.output_text.logprobs" not in (body.get("include") or []):
        return []
    return [logprob(piece, int(body.get("top_logprobs") or 0))]


def _usage(question: Question, reply: Reply) -> JsonObject:
    size = len(pieces(reply.text)) + sum(len(pieces(call.arguments)) for call in reply.calls)
    return {
        "input_tokens": question.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": size,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": question.prompt_tokens + size,
    }


def _items(given: object) -> list[JsonObject]:
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise ValueError("input must be a text or a list of items")
    return given
