"""The dialect of `POST /v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from yett.verdict import Edit
from yett.wire import openai_body, openai_chat_answer, openai_chat_request
from yett.wire.exchange import Answer, Dialect, Exchange, JsonObject, StreamCodec
from yett.wire.guard import Guard
from yett.wire.openai_chat_stream import ChatStream


class OpenAiChat:
    """See `yett.wire.exchange.Dialect` for the contract of each method."""

    name = openai_chat_request.NAME

    def read_request(self, body: JsonObject) -> Exchange:
        """List the leaves, facts and tools of a request."""
        return openai_chat_request.read_request(body)

    def prepare(self, body: JsonObject, model: str) -> None:
        """Change a checked body for the provider, in place."""
        openai_body.prepare(body, model)

    def read_answer(self, body: JsonObject) -> Answer:
        """List the leaves of a whole answer."""
        return openai_chat_answer.read_answer(body)

    def finish_answer(self, body: JsonObject, request: JsonObject, edits: Mapping[str, Sequence[Edit]]) -> None:
        """Name the caller's model, drop shadow copies of edited text, in place."""
        openai_chat_answer.finish_answer(body, request, edits)

    def block_answer(self, body: JsonObject, message: str) -> JsonObject:
        """The answer that says "blocked"."""
        return openai_chat_answer.block_answer(body, message)

    def open_stream(self, request: JsonObject, model: str, guard: Guard) -> StreamCodec:
        """A codec for one streamed answer."""
        return ChatStream(model, guard, wants_usage=openai_body.wants_usage(request))


DIALECT: Dialect = OpenAiChat()
