"""Reads, finishes and blocks a whole chat completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yett.errors import RequestError, UpstreamError
from yett.flow import Role
from yett.verdict import Edit
from yett.wire import openai_logprobs
from yett.wire.exchange import Answer, JsonObject
from yett.wire.openai_body import blocked_head, choices_of, numbers_only, protocol_error
from yett.wire.openai_chat_messages import MessageReader
from yett.wire.openai_chat_words import KEYS, VALUES
from yett.wire.walk import Walk, is_known

_HEAD = frozenset({"choices", "model"})  # the model's name is replaced
_FIXED = frozenset({"id", "system_fingerprint", "object", "service_tier"})  # an edited one would name another thing


def read_answer(body: JsonObject) -> Answer:
    """The leaves of a chat completion. Raises UpstreamError where it is not one."""
    answer = Answer()
    reader = MessageReader(answer.leaves, tool_calls=answer.tool_calls, opaque=answer.opaque)
    try:
        for index, choice in enumerate(choices_of(body)):
            _read_choice(reader, choice, f"/choices/{index}")
    except RequestError as error:  # what refuses a client's text refuses a provider's
        raise UpstreamError(error.message, code="upstream_protocol", pointer=error.pointer) from None
    read_head(answer, body)
    answer.held_ids += [fact.value for fact in reader.facts if fact.name == "audio.id"]
    return answer


def read_head(answer: Answer, body: JsonObject) -> None:
    """The members beside the choices, which were read before: usage is kept, and ids are leaves nobody can edit."""
    walk = Walk(Role.OTHER, answer.leaves, KEYS, VALUES)
    for key, value in body.items():
        if key in _HEAD or is_known(key, value, KEYS, VALUES):
            continue
        walk.editable = key not in _FIXED
        if key in KEYS:
            walk.visit(value, "/" + key, key)
        else:
            walk.members({key: value}, "")
    usage, choices = body.get("usage"), body["choices"]
    answer.usage = usage if isinstance(usage, dict) else None
    finish = choices[0].get("finish_reason") if choices else None
    answer.finish = finish if isinstance(finish, str) else ""


def finish_answer(body: JsonObject, request: JsonObject, edits: Mapping[str, Sequence[Edit]]) -> None:
    """Name the caller's model and drop what repeats or points into text that was edited, in place."""
    if "model" in request:
        body["model"] = request["model"]
    for index, choice in enumerate(choices_of(body)):
        message = choice["message"]
        if "logprobs" in choice:
            choice["logprobs"] = openai_logprobs.whole(choice["logprobs"], message)
        at = f"/choices/{index}/message/"
        if at + "content" in edits and message.get("annotations"):
            message["annotations"] = []
        if at + "audio/transcript" in edits:
            message["audio"]["data"] = ""


def block_answer(body: JsonObject, message: str) -> JsonObject:
    """The completion that says "blocked": `content_filter` with a refusal in every choice, usage kept."""
    blocked = blocked_head(body, "chat.completion")
    blocked["choices"] = [
        {
            "index": index,
            "message": {"role": "assistant", "content": None, "refusal": message},
            "logprobs": None,
            "finish_reason": "content_filter",
        }
        for index in range(max(1, len(choices_of(body))))
    ]
    if "usage" in body:
        blocked["usage"] = numbers_only(body["usage"])
    return blocked


def _read_choice(reader: MessageReader, choice: JsonObject, at: str) -> None:
    if not isinstance(choice.get("message"), dict):
        raise protocol_error("a choice without a message")
    for key, value in choice.items():
        if key == "message":
            reader.message(value, at + "/message", default_role="assistant")
        elif key == "logprobs" and isinstance(value, dict):  # repeats the message; finish_answer drops what does not
            for name in ("content", "refusal"):
                reader.leaves += openai_logprobs.alternatives(value.get(name), f"{at}/logprobs/{name}")
        elif key != "logprobs" and not is_known(key, value, KEYS, VALUES):
            reader.other({key: value}, at, Role.ASSISTANT)
