"""Upstream streams of the Responses API, built from the texts that they carry."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def response(output: list[Json], status: str = "completed", **more: Any) -> Json:
    """A response object as OpenAI sends it."""
    usage = {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1760000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-upstream-2026",
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "text": {"format": {"type": "text"}},
        "usage": usage if status == "completed" else None,
    } | more


def logprobs(text: str) -> list[Json]:
    """One entry per character."""
    return [{"token": c, "logprob": -0.1, "bytes": list(c.encode()), "top_logprobs": []} for c in text]


def output_text(text: str, **more: Any) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []} | more


def message_events(
    parts: list[list[str]], index: int = 0, kind: str = "output_text", *, probs: bool = False, **more: Any
) -> tuple[list[Json], Json]:
    """A message item: for each part its chunks. Returns the events and the finished item."""
    item = {"id": f"msg_{index}", "type": "message", "role": "assistant", "status": "completed", "content": []}
    events: list[Json] = [
        {"type": "response.output_item.added", "output_index": index, "item": item | {"status": "in_progress"}}
    ]
    name = "text" if kind == "output_text" else "refusal"
    for content_index, chunks in enumerate(parts):
        text = "".join(chunks)
        at = {"item_id": item["id"], "output_index": index, "content_index": content_index}
        shadow = {"logprobs": []} if kind == "output_text" else {}
        part = output_text(text) if kind == "output_text" else {"type": "refusal", "refusal": text}
        if probs:
            part["logprobs"] = logprobs(text)
        part |= more
        events.append({"type": "response.content_part.added", **at, "part": part | {name: ""} | shadow})
        for chunk in chunks:
            here = {"logprobs": logprobs(chunk)} if probs else shadow
            events.append({"type": f"response.{kind}.delta", **at, "delta": chunk, **here, "obfuscation": "xY7"})
        whole = {"logprobs": logprobs(text)} if probs else shadow
        events.append({"type": f"response.{kind}.done", **at, name: text, **whole})
        events.append({"type": "response.content_part.done", **at, "part": part})
        item = item | {"content": [*item["content"], part]}
    events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return events, item


def reasoning_events(summaries: list[list[str]], index: int = 0) -> tuple[list[Json], Json]:
    """A reasoning item with its summary parts."""
    item: Json = {"id": f"rs_{index}", "type": "reasoning", "summary": []}
    events: list[Json] = [{"type": "response.output_item.added", "output_index": index, "item": item}]
    for number, chunks in enumerate(summaries):
        at = {"item_id": item["id"], "output_index": index, "summary_index": number}
        part = {"type": "summary_text", "text": "".join(chunks)}
        events.append({"type": "response.reasoning_summary_part.added", **at, "part": part | {"text": ""}})
        events += [{"type": "response.reasoning_summary_text.delta", **at, "delta": chunk} for chunk in chunks]
        events.append({"type": "response.reasoning_summary_text.done", **at, "text": part["text"]})
        events.append({"type": "response.reasoning_summary_part.done", **at, "part": part})
        item = item | {"summary": [*item["summary"], part]}
    events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return events, item


def call_events(chunks: list[str], index: int = 0, name: str = "send") -> tuple[list[Json], Json]:
    """A function call whose arguments come in chunks."""
    arguments = "".join(chunks)
    item = {"id": f"fc_{index}", "type": "function_call", "call_id": f"call_{index}", "name": name}
    begun = item | {"arguments": "", "status": "in_progress"}
    done = item | {"arguments": arguments, "status": "completed"}
    at = {"item_id": item["id"], "output_index": index}
    events: list[Json] = [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *({"type": "response.function_call_arguments.delta", **at, "delta": chunk} for chunk in chunks),
        {"type": "response.function_call_arguments.done", **at, "name": name, "arguments": arguments},
        {"type": "response.output_item.done", "output_index": index, "item": done},
    ]
    return events, done


def stream(*pieces: tuple[list[Json], Json], end: str = "completed", **echo: Any) -> list[Json]:
    """A whole stream around the events of its items, numbered as the provider does."""
    begun = response([], "in_progress", **echo)
    events: list[Json] = [{"type": "response.created", "response": begun}]
    events.append({"type": "response.in_progress", "response": begun})
    for some, _ in pieces:
        events += some
    events.append({"type": f"response.{end}", "response": response([item for _, item in pieces], end, **echo)})
    return [event | {"sequence_number": number} for number, event in enumerate(events)]
