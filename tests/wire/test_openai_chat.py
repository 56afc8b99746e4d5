"""The chat dialect: what a request and an answer carry, and what becomes of an answer."""

import copy
import timeit
from pathlib import Path

import pytest

from yett.errors import RequestError, UpstreamError
from yett.flow import Role, ToolCall, ToolResult
from yett.verdict import Edit
from yett.wire import pointer, strictjson
from yett.wire.exchange import Fact
from yett.wire.openai_chat import DIALECT
from yett.wire.walk import SCHEMA_KEYS

PNG = "iVBORw0KGgo="


def request(*messages, **more):
    return {"model": "gpt-4o-mini", "messages": list(messages), **more}


def user(content, **more):
    return {"role": "user", "content": content, **more}


def shown(leaves):
    """Leaves as `pointer text` with the marks that differ from the usual: role, part, channel, format, fixed, newest."""
    rows = []
    for leaf in leaves:
        marks = [leaf.role.value]
        marks += [leaf.part] if leaf.part != "value" else []
        marks += [f"in {leaf.channel}"] if leaf.channel else []
        marks += [leaf.format] if leaf.format != "plain" else []
        marks += [] if leaf.editable else ["fixed"]
        marks += ["newest"] if leaf.newest else []
        rows.append(f"{leaf.pointer} {leaf.text!r} {' '.join(marks)}")
    return rows


def leaves_of(*messages, **more):
    return shown(DIALECT.read_request(request(*messages, **more)).leaves)


def test_roles_and_the_newest_turn():
    assert leaves_of(
        {"role": "system", "content": "s"},
        {"role": "developer", "content": "d"},
        user("old"),
        {"role": "assistant", "content": "a", "refusal": "r", "reasoning_content": "think"},
        user("new"),
        {"role": "tool", "tool_call_id": "c1", "content": "t"},
        {"role": "function", "name": "f", "content": "u"},
    ) == [
        "/messages/0/content 's' system",
        "/messages/1/content 'd' system",
        "/messages/2/content 'old' user",
        "/messages/3/content 'a' assistant",
        "/messages/3/refusal 'r' assistant",
        "/messages/3/reasoning_content 'think' assistant",
        "/messages/4/content 'new' user newest",
        "/messages/5/tool_call_id 'c1' tool_result fixed",
        "/messages/5/content 't' tool_result",
        "/messages/6/name 'f' tool_result fixed",
        "/messages/6/content 'u' tool_result",
    ]


def test_only_the_last_user_message_is_newest():
    assert leaves_of(user("a"), user("b"))[0].endswith("user")
    assert leaves_of({"role": "assistant", "content": "x"}) == ["/messages/0/content 'x' assistant"]


def test_text_parts_of_a_message_share_a_channel():
    parts = [{"type": "text", "text": "jane@exa"}, {"type": "text", "text": "mple.com", "cache": {"note": "n"}}]
    assert leaves_of(user(parts, name="joe")) == [
        "/messages/0/content/0/text 'jane@exa' user in /messages/0/content newest",
        "/messages/0/content/1/text 'mple.com' user in /messages/0/content newest",
        "/messages/0/content/1/cache 'cache' user key fixed newest",
        "/messages/0/content/1/cache/note 'note' user key fixed newest",
        "/messages/0/content/1/cache/note 'n' user newest",
        "/messages/0/name 'joe' user fixed newest",
    ]


def test_refusal_parts_and_unknown_parts_are_text():
    parts = [{"type": "refusal", "refusal": "no"}, {"type": "poem", "verse": ["a", {"b": "c"}]}]
    assert leaves_of({"role": "assistant", "content": parts}) == [
        "/messages/0/content/0/refusal 'no' assistant in /messages/0/content",
        "/messages/0/content/1/type 'poem' assistant",
        "/messages/0/content/1/verse 'verse' assistant key fixed",
        "/messages/0/content/1/verse/0 'a' assistant",
        "/messages/0/content/1/verse/1/b 'b' assistant key fixed",
        "/messages/0/content/1/verse/1/b 'c' assistant",
    ]


def test_tool_calls_are_walked_as_json():
    calls = [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "mail", "arguments": '{"to":"j\\u0040x.com","n":123456789}'},
        },
        {"id": "c2", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
        {"id": "c3", "type": "function", "function": {"name": "f", "arguments": "not json", "note": "n"}},
    ]
    exchange = DIALECT.read_request(request({"role": "assistant", "content": None, "tool_calls": calls}, user("x")))
    at = "/messages/0/tool_calls"
    assert shown(exchange.leaves) == [
        f"{at}/0/id 'c1' assistant fixed",
        f"{at}/0/function/name 'mail' assistant fixed",
        f"{at}/0/function/arguments#/to 'to' tool_arguments key json fixed",
        f"{at}/0/function/arguments#/to 'j@x.com' tool_arguments json",
        f"{at}/0/function/arguments#/n 'n' tool_arguments key json fixed",
        f"{at}/0/function/arguments#/n '123456789' tool_arguments number json fixed",
        f"{at}/1/id 'c2' assistant fixed",
        f"{at}/1/custom/name 'sh' assistant fixed",
        f"{at}/1/custom/input 'ls' tool_arguments",
        f"{at}/2/id 'c3' assistant fixed",
        f"{at}/2/function/name 'f' assistant fixed",
        f"{at}/2/function/arguments 'not json' tool_arguments",
        f"{at}/2/function/note 'note' tool_arguments key fixed",
        f"{at}/2/function/note 'n' tool_arguments",
        "/messages/1/content 'x' user newest",
    ]
    assert exchange.tool_calls == [
        ToolCall(f"{at}/0", "mail", calls[0]["function"]["arguments"], "c1"),
        ToolCall(f"{at}/1", "sh", "ls", "c2"),
        ToolCall(f"{at}/2", "f", "not json", "c3"),
    ]


def test_a_legacy_function_call_and_tool_results():
    exchange = DIALECT.read_request(
        request(
            {"role": "assistant", "function_call": {"name": "f", "arguments": '["a"]'}},
            {
                "role": "tool",
                "tool_call_id": "c9",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
        )
    )
    assert exchange.tool_calls == [ToolCall("/messages/0/function_call", "f", '["a"]', "")]
    assert exchange.tool_results == [ToolResult("/messages/1/content", "c9", "ab")]


MEDIA = {
    "image url": (
        {"type": "image_url", "image_url": {"url": "https://h/a.png?u=jane", "detail": "low"}},
        Fact("media", "/messages/0/content/0", "image", "https://h/a.png?u=jane"),
        ["/messages/0/content/0/image_url/url 'https://h/a.png?u=jane' user uri fixed newest"],
    ),
    "image data": (
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + PNG}},
        Fact("media", "/messages/0/content/0", "image"),
        [],
    ),
    "text in a data url": (
        {"type": "image_url", "image_url": {"url": "data:text/plain,jane@x.com"}},
        Fact("media", "/messages/0/content/0", "image"),
        ["/messages/0/content/0/image_url/url 'data:text/plain,jane@x.com' user fixed newest"],
    ),
    "audio": (
        {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
        Fact("media", "/messages/0/content/0", "audio"),
        [],
    ),
    "text as audio": (
        {"type": "input_audio", "input_audio": {"data": "call 555 1234", "format": "wav"}},
        Fact("media", "/messages/0/content/0", "audio"),
        ["/messages/0/content/0/input_audio/data 'call 555 1234' user fixed newest"],
    ),
    "file": (
        {"type": "file", "file": {"filename": "jane.pdf", "file_data": "data:application/pdf;base64," + PNG}},
        Fact("media", "/messages/0/content/0", "file"),
        ["/messages/0/content/0/file/filename 'jane.pdf' user fixed newest"],
    ),
    "video of another provider": (
        {"type": "video_url", "video_url": {"url": "http://h/v"}},
        Fact("media", "/messages/0/content/0", "video", "http://h/v"),
        [
            "/messages/0/content/0/type 'video_url' user fixed newest",
            "/messages/0/content/0/video_url 'video_url' user key fixed newest",
            "/messages/0/content/0/video_url/url 'http://h/v' user uri fixed newest",
        ],
    ),
}


@pytest.mark.parametrize(("part", "fact", "leaves"), MEDIA.values(), ids=MEDIA)
def test_media_is_a_fact_and_only_its_base64_no_leaf(part, fact, leaves):
    exchange = DIALECT.read_request(request(user([part])))
    assert exchange.facts == [fact]
    assert shown(exchange.leaves) == leaves


FACTS = {
    "file id": (request(user([{"type": "file", "file": {"file_id": "file-1"}}])),
                [Fact("reference", "/messages/0/content/0/file/file_id", "file_id", "file-1"),
                 Fact("media", "/messages/0/content/0", "file")]),
    "audio id": (request({"role": "assistant", "audio": {"id": "audio_1"}}),
                 [Fact("reference", "/messages/0/audio/id", "audio.id", "audio_1")]),
    "conversation": (request(conversation="c1"), [Fact("reference", "/conversation", "conversation", "c1")]),
    "file ids in an unknown place": (request(extra={"file_ids": ["f1", "f2"]}),
                 [Fact("reference", "/extra/file_ids/0", "file_ids", "f1"),
                  Fact("reference", "/extra/file_ids/1", "file_ids", "f2")]),
    "store": (request(store=True), [Fact("store", "/store", "store")]),
    "no store": (request(store=False), []),
    "user": (request(user="jane"), [Fact("identity", "/user", "user", "jane")]),
    "safety identifier": (request(safety_identifier="j"), [Fact("identity", "/safety_identifier", "safety_identifier", "j")]),
    "audio out": (request(modalities=["text", "audio"]), [Fact("media", "/modalities", "audio")]),
    "web search": (request(web_search_options={}), [Fact("hosted_tool", "/web_search_options", "web_search")]),
    "hosted tool": (request(tools=[{"type": "code_interpreter"}]), [Fact("hosted_tool", "/tools/0", "code_interpreter")]),
    "hosted tool with a private type": (request(tools=[{"type": "jane@x.com"}]), [Fact("hosted_tool", "/tools/0", "unknown")]),
    "tokens": (request(user([1, 2, 3])), [Fact("tokens", "/messages/0/content", "content")]),
    "nested tokens": (request(user([[1], [2]])), [Fact("tokens", "/messages/0/content", "content")]),
    "predicted tokens": (request(prediction={"type": "content", "content": [1]}),
                         [Fact("tokens", "/prediction/content", "prediction")]),
    "background": (request(background=True), [Fact("background", "/background", "background")]),
}  # fmt: skip


@pytest.mark.parametrize(("body", "facts"), FACTS.values(), ids=FACTS)
def test_facts(body, facts):
    assert DIALECT.read_request(body).facts == facts


def test_tools_are_offers_and_leaves():
    tools = [
        {"type": "function", "function": {"name": "mail", "description": "Send", "strict": True,
         "parameters": {"type": "object", "properties": {"to": {"type": "string", "description": "who", "enum": ["e"]}}}}},
        {"type": "custom", "custom": {"name": "sh", "description": "Run", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "g"}}}},
    ]  # fmt: skip
    exchange = DIALECT.read_request(request(tools=tools, functions=[{"name": "old", "parameters": {}}]))
    assert [(t.pointer, t.name, t.description, t.schema) for t in exchange.tools] == [
        ("/tools/0", "mail", "Send", tools[0]["function"]["parameters"]),
        ("/tools/1", "sh", "Run", None),
        ("/functions/0", "old", "", {}),
    ]
    assert exchange.constrained
    assert shown(exchange.leaves) == [
        "/tools/0/function/name 'mail' tool_description fixed",
        "/tools/0/function/description 'Send' tool_description",
        "/tools/0/function/parameters/properties/to 'to' tool_description key fixed",
        "/tools/0/function/parameters/properties/to/description 'who' tool_description",
        "/tools/0/function/parameters/properties/to/enum/0 'e' tool_description fixed",
        "/tools/1/custom/name 'sh' tool_description fixed",
        "/tools/1/custom/description 'Run' tool_description",
        "/tools/1/custom/format/grammar/definition 'g' tool_description",
        "/functions/0/name 'old' tool_description fixed",
    ]


OTHERS = {
    "metadata": ({"metadata": {"user": "auto"}}, ["/metadata/user 'user' other key fixed", "/metadata/user 'auto' other"]),
    "stop": ({"stop": ["END", "x"]}, ["/stop/0 'END' other", "/stop/1 'x' other"]),
    "logit bias": ({"logit_bias": {"50256": 5}}, ["/logit_bias/50256 '50256' other key fixed"]),
    "cache key": ({"prompt_cache_key": "jane"}, ["/prompt_cache_key 'jane' other"]),
    "unknown field": ({"x_y": {"z": ["s"]}}, ["/x_y 'x_y' other key fixed", "/x_y/z 'z' other key fixed", "/x_y/z/0 's' other"]),
    "unknown flag": ({"secret-flag": True}, ["/secret-flag 'secret-flag' other key fixed"]),
    "known words": ({"service_tier": "auto", "reasoning_effort": "high", "modalities": ["text"], "verbosity": "low"}, []),
    "known word, other place": ({"service_tier": "jane"}, ["/service_tier 'jane' other"]),
    "numbers": ({"temperature": 0.30000000000000004, "seed": 1234567890123, "n": 2, "logprobs": True}, []),
    "long number": ({"max_tokens": 4111111111111111}, ["/max_tokens '4111111111111111' other number fixed"]),
    "tool choice": ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, ["/tool_choice/function/name 'f' other fixed"]),
    "tool choice word": ({"tool_choice": "required"}, []),
    "tool choice text": ({"tool_choice": "jane"}, ["/tool_choice 'jane' other fixed"]),
    "prediction": ({"prediction": {"type": "content", "content": "p"}}, ["/prediction/content 'p' other"]),
    "prediction parts": ({"prediction": {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}},
        ["/prediction/content/0/text 'a' other in /prediction/content", "/prediction/content/1/text 'b' other in /prediction/content"]),
    "response format": ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "description": "d", "strict": True,
        "schema": {"type": "object", "description": "s", "properties": {"p": {"const": "c"}}}}}},
        ["/response_format/json_schema/name 'n' other fixed", "/response_format/json_schema/description 'd' other",
         "/response_format/json_schema/schema/description 's' other",
         "/response_format/json_schema/schema/properties/p 'p' other key fixed",
         "/response_format/json_schema/schema/properties/p/const 'c' other fixed"]),
    "location": ({"web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Bonn"}}}},
        ["/web_search_options/user_location/approximate/city 'Bonn' other"]),
    "moderation": ({"moderation": {"model": "omni"}}, ["/moderation/model 'omni' other"]),
}  # fmt: skip


@pytest.mark.parametrize(("more", "leaves"), OTHERS.values(), ids=OTHERS)
def test_other_members(more, leaves):
    assert shown(DIALECT.read_request(request(**more)).leaves) == leaves


@pytest.mark.parametrize(
    ("wanted", "constrained"),
    [
        ({"type": "json_schema", "json_schema": {"name": "n"}}, True),
        ({"type": "json_object"}, False),
        ({"type": "text"}, False),
    ],
)
def test_constrained(wanted, constrained):
    assert DIALECT.read_request(request(response_format=wanted)).constrained is constrained


def test_the_flow_s_basics():
    exchange = DIALECT.read_request(request(user("x"), stream=True))
    assert (exchange.dialect, exchange.model, exchange.stream) == ("openai_chat", "gpt-4o-mini", True)


BAD = {
    "not an object": ([], ""),
    "no model": ({"messages": []}, "/model"),
    "model is a number": ({"model": 1, "messages": []}, "/model"),
    "model is a sentence": ({"model": "call jane now", "messages": []}, "/model"),
    "model is empty": ({"model": "", "messages": []}, "/model"),
    "model is long": ({"model": "a" * 200, "messages": []}, "/model"),
    "no messages": ({"model": "m"}, "/messages"),
    "messages is an object": ({"model": "m", "messages": {}}, "/messages"),
    "message is text": (request("hi"), "/messages/0"),
    "no role": (request({"content": "x"}), "/messages/0/role"),
    "unknown role": (request({"role": "jane@x.com", "content": "x"}), "/messages/0/role"),
    "role is a list": (request({"role": ["user"]}), "/messages/0/role"),
    "content is a number": (request(user(5)), "/messages/0/content"),
    "content is true": (request(user(True)), "/messages/0/content"),
    "content is an object": (request(user({"text": "x"})), "/messages/0/content"),
    "part is text": (request(user(["x"])), "/messages/0/content/0"),
    "part without type": (request(user([{"text": "x"}])), "/messages/0/content/0/type"),
    "part of a list type": (request(user([{"type": ["text"]}])), "/messages/0/content/0/type"),
    "text part without text": (request(user([{"type": "text"}])), "/messages/0/content/0/text"),
    "text part of a number": (request(user([{"type": "text", "text": 5}])), "/messages/0/content/0/text"),
    "tool calls is an object": (request({"role": "assistant", "tool_calls": {}}), "/messages/0/tool_calls"),
    "tool call is text": (request({"role": "assistant", "tool_calls": ["x"]}), "/messages/0/tool_calls/0"),
    "arguments is an object": (request({"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]}), "/messages/0/tool_calls/0/function/arguments"),
    "function is text": (request({"role": "assistant", "tool_calls": [{"function": "f"}]}), "/messages/0/tool_calls/0/function"),
    "call id is a number": (request({"role": "assistant", "tool_calls": [{"id": 5}]}), "/messages/0/tool_calls/0/id"),
    "name is a number": (request(user("x", name=5)), "/messages/0/name"),
    "refusal is a list": (request({"role": "assistant", "refusal": []}), "/messages/0/refusal"),
    "audio is text": (request({"role": "assistant", "audio": "x"}), "/messages/0/audio"),
    "duplicate in arguments": (request({"role": "assistant", "function_call": {"arguments": '{"a":1,"a":2}'}}), "/messages/0/function_call/arguments#/a"),
    "stream is text": (request(stream="yes"), "/stream"),
    "stream options is a list": (request(stream_options=[]), "/stream_options"),
    "store is text": (request(store="yes"), "/store"),
    "user is a number": (request(user=5), "/user"),
    "tools is an object": (request(tools={}), "/tools"),
    "tool is text": (request(tools=["x"]), "/tools/0"),
    "tool without type": (request(tools=[{"function": {"name": "f"}}]), "/tools/0/type"),
    "tool without function": (request(tools=[{"type": "function"}]), "/tools/0/function"),
    "tool without name": (request(tools=[{"type": "function", "function": {}}]), "/tools/0/function/name"),
    "parameters is a list": (request(tools=[{"type": "function", "function": {"name": "f", "parameters": []}}]), "/tools/0/function/parameters"),
    "custom without custom": (request(tools=[{"type": "custom"}]), "/tools/0/custom"),
    "metadata is text": (request(metadata="x"), "/metadata"),
    "response format is text": (request(response_format="json"), "/response_format"),
    "json schema is text": (request(response_format={"type": "json_schema", "json_schema": "x"}), "/response_format/json_schema"),
    "modalities is text": (request(modalities="audio"), "/modalities"),
    "prediction is text": (request(prediction="x"), "/prediction"),
    "prediction part is text": (request(prediction={"content": ["x"]}), "/prediction/content/0"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "at"), BAD.values(), ids=BAD)
def test_a_wrong_shape_names_its_place(body, at):
    with pytest.raises(RequestError) as error:
        DIALECT.read_request(body)
    assert (error.value.pointer, error.value.status) == (at, 400)
    assert error.value.code in {"invalid_request", "duplicate_key"}
    assert "jane" not in str(error.value)


# --- for the provider ---


def test_prepare_names_the_model_and_asks_for_usage():
    body = request(user("x"), stream=True, store=True)
    DIALECT.prepare(body, "real-model")
    assert strictjson.loads(strictjson.dumps(body)) == {
        "model": "real-model", "messages": [user("x")], "stream": True, "store": False, "stream_options": {"include_usage": True}
    }  # fmt: skip


def test_prepare_leaves_the_rest_alone():
    body = request(user("x"), stream_options={"include_obfuscation": False})
    DIALECT.prepare(body, "m")
    assert body == request(user("x"), stream_options={"include_obfuscation": False}) | {"model": "m"}
    body = request(stream=True, stream_options={"include_usage": False, "include_obfuscation": False})
    original = copy.deepcopy(body)
    asked = dict(body)
    DIALECT.prepare(body, "m")
    assert body["stream_options"] == {"include_usage": True, "include_obfuscation": False}
    assert asked == original


# --- answers ---


def completion(content="hi", n=1, logprobs=None, **message):
    one = {"role": "assistant", "content": content, "refusal": None} | message
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "real-2024", "service_tier": "default",
        "choices": [{"index": i, "message": dict(one), "logprobs": logprobs, "finish_reason": "stop"} for i in range(n)],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }  # fmt: skip


def logprobs_for(*tokens):
    entries = [{"token": t, "logprob": -0.12345678901, "bytes": list(t.encode()), "top_logprobs": []} for t in tokens]
    return {"content": entries, "refusal": None}


def test_read_answer():
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"to":"j"}'}}
    note = {"type": "url_citation", "url_citation": {"url": "http://u", "title": "t", "start_index": 0, "end_index": 2}}
    body = completion(
        "hi", logprobs=logprobs_for("hi"), tool_calls=[call], annotations=[note], reasoning_content="why",
        audio={"id": "audio_1", "data": PNG, "transcript": "hello", "expires_at": 1700000000},
    ) | {"x_extra": {"k": "v"}}  # fmt: skip
    answer = DIALECT.read_answer(body)
    at = "/choices/0/message"
    assert shown(answer.leaves) == [
        f"{at}/content 'hi' assistant",
        f"{at}/tool_calls/0/id 'c1' assistant fixed",
        f"{at}/tool_calls/0/function/name 'f' assistant fixed",
        f"{at}/tool_calls/0/function/arguments#/to 'to' tool_arguments key json fixed",
        f"{at}/tool_calls/0/function/arguments#/to 'j' tool_arguments json",
        f"{at}/annotations/0/url_citation/url 'http://u' assistant",
        f"{at}/annotations/0/url_citation/title 't' assistant",
        f"{at}/reasoning_content 'why' assistant",
        f"{at}/audio/transcript 'hello' assistant",
        f"{at}/audio/id 'audio_1' assistant fixed",
        "/id 'chatcmpl-1' other fixed",
        "/x_extra 'x_extra' other key fixed",
        "/x_extra/k 'k' other key fixed",
        "/x_extra/k 'v' other",
    ]
    assert answer.tool_calls == [ToolCall(f"{at}/tool_calls/0", "f", '{"to":"j"}', "c1")]
    assert (answer.finish, answer.usage, answer.held_ids) == ("stop", body["usage"], ["audio_1"])
    assert answer.opaque == [f"{at}/audio/data"]


GARBAGE = {
    "no choices": {"id": "x"},
    "choices is text": {"choices": "x"},
    "choice is text": {"choices": ["x"]},
    "no message": {"choices": [{"index": 0}]},
    "message is text": {"choices": [{"message": "x"}]},
    "content is a number": {"choices": [{"message": {"content": 5}}]},
    "unknown role": {"choices": [{"message": {"role": "jane", "content": "x"}}]},
    "ambiguous arguments": {"choices": [{"message": {"tool_calls": [{"function": {"arguments": '{"a":1,"a":2}'}}]}}]},
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_an_answer_that_cannot_be_read_is_the_provider_s_error(body):
    with pytest.raises(UpstreamError) as error:
        DIALECT.read_answer(body)
    assert (error.value.code, error.value.status) == ("upstream_protocol", 502)


def finished(body, edits=None):
    DIALECT.read_answer(body)
    edited = pointer.apply(body, {at: [Edit(at, None, new)] for at, new in (edits or {}).items()})
    DIALECT.finish_answer(body, {"model": "mine"}, edited)
    return body


def test_an_untouched_answer_keeps_all_but_the_model():
    body = completion("hi there", logprobs=logprobs_for("hi", " there"))
    assert finished(copy.deepcopy(body)) == body | {"model": "mine"}


def test_logprobs_follow_their_text():
    edited = finished(completion("hi", n=2, logprobs=logprobs_for("hi")), {"/choices/1/message/content": "<E>"})
    assert edited["choices"][0]["logprobs"]["content"][0]["token"] == "hi"
    assert edited["choices"][1]["logprobs"] is None


@pytest.mark.parametrize(
    "logprobs",
    [logprobs_for("other text"), {"content": "hi"}, "jane", ["jane"], {"tokens": ["jane"]},
     {"content": [{"token": "hi", "note": "jane"}]}],
    ids=["other text", "text", "string", "list", "unknown form", "unknown member"],
)  # fmt: skip
def test_logprobs_that_say_something_else_go(logprobs):
    assert finished(completion("hi", logprobs=logprobs))["choices"][0]["logprobs"] is None


def test_what_points_into_edited_text_goes():
    note = [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 2}}]
    body = completion("hi", annotations=note, audio={"id": "a", "data": PNG, "transcript": "hi"})
    kept = finished(copy.deepcopy(body))["choices"][0]["message"]
    assert (kept["annotations"], kept["audio"]["data"]) == (note, PNG)
    gone = finished(body, {"/choices/0/message/content": "x", "/choices/0/message/audio/transcript": "y"})
    assert gone["choices"][0]["message"]["annotations"] == []
    assert gone["choices"][0]["message"]["audio"]["data"] == ""


def test_a_blocked_answer_holds_nothing_of_the_provider_s():
    call = {"id": "SECRET", "type": "function", "function": {"name": "SECRET", "arguments": "SECRET"}}
    body = completion("SECRET", n=2, logprobs=logprobs_for("SECRET"), tool_calls=[call], extra="SECRET")
    body |= {"id": "SECRET", "system_fingerprint": "SECRET", "x": "SECRET"}
    body["usage"] |= {"note": "SECRET", "SECRET": 1, "details": {"a": 2, "b": "SECRET"}, "card": 4111111111111111}
    blocked = DIALECT.block_answer(body, "no")
    assert "SECRET" not in str(blocked)
    assert blocked["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "details": {"a": 2}}
    assert (blocked["object"], blocked["created"], blocked["model"]) == ("chat.completion", 1700000000, "real-2024")
    assert blocked["choices"] == [
        {"index": i, "message": {"role": "assistant", "content": None, "refusal": "no"}, "logprobs": None, "finish_reason": "content_filter"}
        for i in range(2)
    ]  # fmt: skip
    assert len(DIALECT.block_answer({"choices": []}, "no")["choices"]) == 1


def test_the_openai_client_reads_a_blocked_answer():
    openai = pytest.importorskip("openai")
    blocked = openai.types.chat.ChatCompletion.model_validate(DIALECT.block_answer(completion(), "no"))
    assert (blocked.choices[0].message.refusal, blocked.choices[0].finish_reason) == ("no", "content_filter")


def test_real_tool_offers_are_read():
    path = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "json_schema" / "bfcl_tool_calls.jsonl"
    if not path.exists():
        pytest.skip("the function calling data is not here")
    rows = [strictjson.loads(line.encode()) for line in path.read_text().splitlines()[:200]]
    for row in rows:
        exchange = DIALECT.read_request(request(user(row["prompt"]), tools=row["tools"]))
        functions = [tool["function"] for tool in row["tools"]]
        assert [tool.name for tool in exchange.tools] == [function["name"] for function in functions]
        texts = {leaf.text for leaf in exchange.leaves}
        assert {row["prompt"], *(f["description"] for f in functions)} <= texts
        assert {name for f in functions for name in f["parameters"]["properties"]} - {
            "type",
            "title",
            "format",
        } <= texts | SCHEMA_KEYS


def test_reading_a_request_is_fast():
    text = "lorem ipsum dolor sit amet " * 8
    body = request(
        {"role": "system", "content": text},
        user(text),
        {"role": "assistant", "content": text},
        user(text),
        temperature=0.5,
    )
    best = min(timeit.repeat(lambda: DIALECT.read_request(body), number=200, repeat=5)) / 200
    assert best < 250e-6
