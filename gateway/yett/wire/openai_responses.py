"""The dialect of OpenAI's Responses API: `POST /v1/responses`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yett.errors import RequestError, UpstreamError
from yett.flow import Leaf, Role
from yett.verdict import Edit
from yett.wire.exchange import Answer, Exchange, Fact, JsonObject
from yett.wire.guard import Guard
from yett.wire.openai_responses_items import Reader, is_user_message, read_response
from yett.wire.openai_responses_stream import ResponsesStream, incomplete_response
from yett.wire.openai_responses_text import changes_of, follow
from yett.wire.reference import escape

_OUTPUT_LISTS = ("output", "instructions")


class OpenAIResponses:
    """See `wire.exchange.Dialect`. `finish_answer` takes the edits too (a mapping from pointer), and moves indices."""

    name = "openai_responses"

    def read_request(self, body: JsonObject) -> Exchange:
        """List leaves, facts, tools and calls. Raises RequestError on a shape that cannot be read."""
        model = body.get("model")
        if not isinstance(model, str) or not model:
            raise RequestError("`model` must name a model", pointer="/model")
        stream = body.get("stream")
        if stream is not None and not isinstance(stream, bool):
            raise RequestError("`stream` must be true or false", pointer="/stream")
        reader = Reader()
        for name, value in body.items():
            if name not in {"model", "stream"}:
                _read_field(reader, name, value)
        _read_switches(reader, body)
        return Exchange(
            dialect=self.name,
            model=model,
            stream=bool(stream),
            leaves=reader.leaves,
            facts=reader.facts,
            tools=reader.tools,
            tool_calls=reader.tool_calls,
            tool_results=reader.tool_results,
            constrained=reader.constrained,
        )

    def prepare(self, body: JsonObject, model: str) -> None:
        """Name the provider's model; `store` is false unless the caller of this method puts it back."""
        body["model"] = model
        body["store"] = False

    def read_answer(self, body: JsonObject) -> Answer:
        """List the leaves of a whole response. Raises UpstreamError where its output cannot be read."""
        if not isinstance(body.get("output"), list):
            raise UpstreamError("the provider's response has no output", code="upstream_protocol", pointer="/output")
        reader = Reader(shadows=True)
        try:
            read_response(reader, body)
        except RequestError as error:  # what refuses a client's arguments refuses a model's
            raise UpstreamError(error.message, code="upstream_protocol", pointer=error.pointer) from None
        owners = [body, *body["output"]]
        ids = [owner.get("id") for owner in owners if isinstance(owner, dict)]
        ids += [fact.value for fact in reader.facts if fact.kind == "reference"]
        details = body.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        return Answer(
            leaves=reader.leaves,
            tool_calls=reader.tool_calls,
            held_ids=list(dict.fromkeys(i for i in ids if isinstance(i, str) and i)),
            opaque=[fact.pointer for fact in reader.facts if fact.kind == "opaque"],
            usage=body["usage"] if isinstance(body.get("usage"), dict) else None,
            finish=_word(reason) or _word(body.get("status")),
        )

    def finish_answer(
        self, body: JsonObject, request: JsonObject, edited: Sequence[str] | Mapping[str, Sequence[Edit]]
    ) -> None:
        """Name the caller's model; bring logprobs and annotation indices in line with edited texts.

        Given the edits, indices move; given pointers only, what pointed into an edited text is dropped.
        """
        if isinstance(request.get("model"), str):
            body["model"] = request["model"]
        for name in _OUTPUT_LISTS:
            if isinstance(body.get(name), list):
                _follow_edits(body[name], f"/{name}", edited)

    def block_answer(self, body: JsonObject, message: str) -> JsonObject:
        """An incomplete response whose only output is a refusal; nothing of the provider's text is in it."""
        usage = body.get("usage")
        refusal = {"type": "refusal", "refusal": message}
        item = {"id": "msg_blocked", "type": "message", "role": "assistant", "status": "incomplete"}
        return incomplete_response(
            body, _word(body.get("model")), [{**item, "content": [refusal]}], usage if _only_numbers(usage) else None
        )

    def open_stream(self, request: JsonObject, model: str, guard: Guard) -> ResponsesStream:
        """A codec for one streamed response."""
        del request
        return ResponsesStream(model, guard)


def _read_field(reader: Reader, name: str, value: Any) -> None:
    at = f"/{escape(name)}"
    if name == "input":
        _read_input(reader, value)
    elif name in {"user", "safety_identifier"} and isinstance(value, str):
        reader.facts.append(Fact("identity", at, name, value))
    elif name == "prompt" and isinstance(value, dict):
        _read_prompt(reader, value)
    elif name == "instructions":
        reader.member(name, value, at, Role.SYSTEM)
    elif name == "tools" and not (value is None or isinstance(value, list)):
        raise RequestError("`tools` must be an array", pointer=at)
    else:
        reader.members({name: value}, "", Role.OTHER)


def _read_input(reader: Reader, given: object) -> None:
    if given is None:
        return
    if isinstance(given, str):
        if given:
            reader.leaves.append(Leaf("/input", given, Role.USER, newest=True))
        return
    if not isinstance(given, list):
        raise RequestError("`input` must be a string or an array of items", pointer="/input")
    newest = _newest_turn(given)
    for index, item in enumerate(given):
        if not isinstance(item, dict):
            raise RequestError("an input item must be an object", pointer=f"/input/{index}")
        content = item.get("content")
        if isinstance(content, list) and not all(isinstance(part, dict) for part in content):
            raise RequestError("a content part must be an object", pointer=f"/input/{index}/content")
        reader.newest = index in newest
        reader.item(item, f"/input/{index}")
    reader.newest = False


def _newest_turn(items: list[Any]) -> range:
    """The last run of user messages."""
    last = next((i for i in range(len(items) - 1, -1, -1) if is_user_message(items[i])), -1)
    first = last
    while first > 0 and is_user_message(items[first - 1]):
        first -= 1
    return range(max(first, 0), last + 1)


def _read_prompt(reader: Reader, prompt: JsonObject) -> None:
    """A prompt template that the provider holds, and the user's values for its variables."""
    reader.facts.append(Fact("reference", "/prompt/id", "prompt", _word(prompt.get("id"))))
    reader.members({name: value for name, value in prompt.items() if name != "variables"}, "/prompt", Role.OTHER)
    variables = prompt.get("variables")
    reader.newest = True
    if isinstance(variables, dict):
        for name, value in variables.items():
            at = f"/prompt/variables/{escape(name)}"
            if name:
                reader.leaves.append(Leaf(at, name, Role.USER, "key", editable=False, newest=True))
            reader.member("", value, at, Role.USER)
    else:
        reader.member("", variables, "/prompt/variables", Role.USER)
    reader.newest = False


def _read_switches(reader: Reader, body: JsonObject) -> None:
    """Members that say what the provider shall do with the request."""
    background = body.get("background")
    if background is not None and background is not False:
        reader.facts.append(Fact("background", "/background", "background"))
    if body.get("store") is not False:
        reader.facts.append(Fact("store", "/store", "store"))
    text = body.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        reader.constrained = True


def _follow_edits(node: Any, at: str, edited: Sequence[str] | Mapping[str, Sequence[Edit]]) -> None:
    """Every text part below `node` whose logprobs or annotations depend on its text."""
    if isinstance(node, list):
        for index, value in enumerate(node):
            _follow_edits(value, f"{at}/{index}", edited)
    elif isinstance(node, dict):
        if isinstance(node.get("text"), str) and ("logprobs" in node or "annotations" in node):
            place = f"{at}/text"
            if isinstance(edited, Mapping):
                follow(node, changes_of(edited.get(place, ())))
            else:
                follow(node, None if place in edited else ())
        for name, value in node.items():
            if value.__class__ is dict or value.__class__ is list:
                _follow_edits(value, f"{at}/{escape(name)}", edited)


def _only_numbers(value: object) -> bool:
    if isinstance(value, dict):
        return all(_only_numbers(v) for v in value.values())
    return value is None or isinstance(value, int | float)


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


DIALECT = OpenAIResponses()
