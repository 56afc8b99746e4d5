"""The dialect of the legacy `POST /v1/completions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yett.errors import RequestError, UpstreamError
from yett.flow import Leaf, Role
from yett.verdict import Edit
from yett.wire import openai_body, openai_chat_answer, openai_logprobs
from yett.wire.exchange import Answer, Dialect, Exchange, Fact, JsonObject, StreamCodec
from yett.wire.guard import Guard
from yett.wire.openai_body import as_object, bad, identity, is_token_ids, model_of, stream_of
from yett.wire.openai_chat_messages import MessageReader
from yett.wire.openai_completions_stream import CompletionStream, alternatives, entries_of

NAME = "openai_completions"
_SKIPPED = frozenset({"model", "stream"})


class OpenAiCompletions:
    """See `yett.wire.exchange.Dialect` for the contract of each method."""

    name = NAME

    def read_request(self, body: JsonObject) -> Exchange:
        """List the leaves and facts of a request. The prompt counts as the newest user turn."""
        as_object(body, "")
        exchange = Exchange(NAME, model_of(body), stream_of(body))
        reader = MessageReader(exchange.leaves, exchange.facts)
        for key, value in body.items():
            if key == "prompt":
                _read_prompt(exchange, value)
            elif key == "suffix" and isinstance(value, str):
                reader.text(value, "/suffix", Role.USER, newest=True)
            elif key in {"user", "safety_identifier"} and value is not None:
                fact = identity(key, value)
                exchange.facts += [fact] if fact is not None else []
            elif key == "store" and value:
                exchange.facts.append(Fact("store", "/store", "store"))
                reader.other({key: value}, "", Role.OTHER)
            elif key not in _SKIPPED:
                reader.other({key: value}, "", Role.OTHER)
        return exchange

    def prepare(self, body: JsonObject, model: str) -> None:
        """Change a checked body for the provider, in place."""
        openai_body.prepare(body, model)

    def read_answer(self, body: JsonObject) -> Answer:
        """List the leaves of a whole answer."""
        answer = Answer()
        reader = MessageReader(answer.leaves)
        try:
            for index, choice in enumerate(openai_body.choices_of(body)):
                reader.text(choice.get("text"), f"/choices/{index}/text", Role.ASSISTANT)
                rest = {key: value for key, value in choice.items() if key not in {"text", "logprobs"}}
                reader.other(rest, f"/choices/{index}", Role.ASSISTANT)
                answer.leaves += alternatives(choice.get("logprobs"), f"/choices/{index}/logprobs")
        except RequestError as error:
            raise UpstreamError(error.message, code="upstream_protocol", pointer=error.pointer) from None
        openai_chat_answer.read_head(answer, body)
        return answer

    def finish_answer(self, body: JsonObject, request: JsonObject, edits: Mapping[str, Sequence[Edit]]) -> None:
        """Name the caller's model; logprobs stay where they repeat the text as it now is."""
        del edits  # an edited text no longer fits its tokens
        if "model" in request:
            body["model"] = request["model"]
        for choice in openai_body.choices_of(body):
            if choice.get("logprobs") is not None:
                entries = entries_of(choice["logprobs"])
                if entries is None or not openai_logprobs.fit(entries[0], choice["text"]):
                    choice["logprobs"] = None

    def block_answer(self, body: JsonObject, message: str) -> JsonObject:
        """The answer that says "blocked"."""
        blocked = openai_body.blocked_head(body, "text_completion")
        blocked["choices"] = [
            {"index": index, "text": "", "refusal": message, "logprobs": None, "finish_reason": "content_filter"}
            for index in range(max(1, len(openai_body.choices_of(body))))
        ]
        if "usage" in body:
            blocked["usage"] = openai_body.numbers_only(body["usage"])
        return blocked

    def open_stream(self, request: JsonObject, model: str, guard: Guard) -> StreamCodec:
        """A codec for one streamed answer."""
        return CompletionStream(model, guard, wants_usage=openai_body.wants_usage(request))


def _read_prompt(exchange: Exchange, value: Any) -> None:  # JSON is any shape
    if is_token_ids(value) or (isinstance(value, list) and any(is_token_ids(item) for item in value)):
        exchange.facts.append(Fact("tokens", "/prompt", "prompt"))
        return
    prompts = [("/prompt", value)] if not isinstance(value, list) else _places(value)
    for at, prompt in prompts:
        if prompt is not None and not isinstance(prompt, str):
            raise bad(at, "a string, an array of strings, or token ids")
        if prompt:
            exchange.leaves.append(Leaf(at, prompt, Role.USER, newest=True))


def _places(prompts: list[Any]) -> list[tuple[str, Any]]:
    return [(f"/prompt/{index}", prompt) for index, prompt in enumerate(prompts)]


DIALECT: Dialect = OpenAiCompletions()
