"""What a chat request carries: its leaves, facts and tools, and where it is wrong."""

import timeit
from pathlib import Path

import pytest

from helpers.leaves import shown
from yett.errors import RequestError
from yett.flow import ToolCall, ToolResult
from yett.wire import strictjson
from yett.wire.exchange import Fact
from yett.wire.openai_chat import DIALECT
from yett.wire.walk import SCHEMA_KEYS

PNG = "iVBORw0KGgo="


def request(*messages, **more):
    return {"model": "gpt-4o-mini", "messages": list(messages), **more}


def user(content, **more):
    return {"role": "user", "content": content, **more}


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
    "file id": (
        request(user([{"type": "file", "file": {"file_id": "file-1"}}])),
        [
            Fact("reference", "/messages/0/content/0/file/file_id", "file_id", "file-1"),
            Fact("media", "/messages/0/content/0", "file"),
        ],
    ),
    "audio id": (
        request({"role": "assistant", "audio": {"id": "audio_1"}}),
        [Fact("reference", "/messages/0/audio/id", "audio.id", "audio_1")],
    ),
    "conversation": (request(conversation="c1"), [Fact("reference", "/conversation", "conversation", "c1")]),
    "file ids in an unknown place": (
        request(extra={"file_ids": ["f1", "f2"]}),
        [
            Fact("reference", "/extra/file_ids/0", "file_ids", "f1"),
            Fact("reference", "/extra/file_ids/1", "file_ids", "f2"),
        ],
    ),
    "store": (request(store=True), [Fact("store", "/store", "store")]),
    "no store": (request(store=False), []),
    "user": (request(user="jane"), [Fact("identity", "/user", "user", "jane")]),
    "safety identifier": (
        request(safety_identifier="j"),
        [Fact("identity", "/safety_identifier", "safety_identifier", "j")],
    ),
    "audio out": (request(modalities=["text", "audio"]), [Fact("media", "/modalities", "audio")]),
    "web search": (request(web_search_options={}), [Fact("hosted_tool", "/web_search_options", "web_search")]),
    "hosted tool": (
        request(tools=[{"type": "code_interpreter"}]),
        [Fact("hosted_tool", "/tools/0", "code_interpreter")],
    ),
    "hosted tool with a private type": (
        request(tools=[{"type": "jane@x.com"}]),
        [Fact("hosted_tool", "/tools/0", "unknown")],
    ),
    "tokens": (request(user([1, 2, 3])), [Fact("tokens", "/messages/0/content", "content")]),
    "nested tokens": (request(user([[1], [2]])), [Fact("tokens", "/messages/0/content", "content")]),
    "predicted tokens": (
        request(prediction={"type": "content", "content": [1]}),
        [Fact("tokens", "/prediction/content", "prediction")],
    ),
    "background": (request(background=True), [Fact("background", "/background", "background")]),
}


@pytest.mark.parametrize(("body", "facts"), FACTS.values(), ids=FACTS)
def test_facts(body, facts):
    assert DIALECT.read_request(body).facts == facts


def test_tools_are_offers_and_leaves():
    tools = [
        {
            "type": "function",
            "function": {
                "name": "mail",
                "description": "Send",
                "strict": True,
                "parameters": {
                    "type": "object",
                    "properties": {"to": {"type": "string", "description": "who", "enum": ["e"]}},
                },
            },
        },
        {
            "type": "custom",
            "custom": {
                "name": "sh",
                "description": "Run",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "g"}},
            },
        },
    ]
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
    "metadata": (
        {"metadata": {"user": "auto"}},
        ["/metadata/user 'user' other key fixed", "/metadata/user 'auto' other"],
    ),
    "stop": ({"stop": ["END", "x"]}, ["/stop/0 'END' other", "/stop/1 'x' other"]),
    "logit bias": ({"logit_bias": {"50256": 5}}, ["/logit_bias/50256 '50256' other key fixed"]),
    "cache key": ({"prompt_cache_key": "jane"}, ["/prompt_cache_key 'jane' other"]),
    "unknown field": (
        {"x_y": {"z": ["s"]}},
        ["/x_y 'x_y' other key fixed", "/x_y/z 'z' other key fixed", "/x_y/z/0 's' other"],
    ),
    "unknown flag": ({"secret-flag": True}, ["/secret-flag 'secret-flag' other key fixed"]),
    "known words": (
        {"service_tier": "auto", "reasoning_effort": "high", "modalities": ["text"], "verbosity": "low"},
        [],
    ),
    "known word, other place": ({"service_tier": "jane"}, ["/service_tier 'jane' other"]),
    "numbers": ({"temperature": 0.30000000000000004, "seed": 1234567890123, "n": 2, "logprobs": True}, []),
    "long number": ({"max_tokens": 4111111111111111}, ["/max_tokens '4111111111111111' other number fixed"]),
    "tool choice": (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        ["/tool_choice/function/name 'f' other fixed"],
    ),
    "tool choice word": ({"tool_choice": "required"}, []),
    "tool choice text": ({"tool_choice": "jane"}, ["/tool_choice 'jane' other fixed"]),
    "prediction": ({"prediction": {"type": "content", "content": "p"}}, ["/prediction/content 'p' other"]),
    "prediction parts": (
        {"prediction": {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}},
        [
            "/prediction/content/0/text 'a' other in /prediction/content",
            "/prediction/content/1/text 'b' other in /prediction/content",
        ],
    ),
    "response format": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "n",
                    "description": "d",
                    "strict": True,
                    "schema": {"type": "object", "description": "s", "properties": {"p": {"const": "c"}}},
                },
            }
        },
        [
            "/response_format/json_schema/name 'n' other fixed",
            "/response_format/json_schema/description 'd' other",
            "/response_format/json_schema/schema/description 's' other",
            "/response_format/json_schema/schema/properties/p 'p' other key fixed",
            "/response_format/json_schema/schema/properties/p/const 'c' other fixed",
        ],
    ),
    "location": (
        {"web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Bonn"}}}},
        ["/web_search_options/user_location/approximate/city 'Bonn' other"],
    ),
    "moderation": ({"moderation": {"model": "omni"}}, ["/moderation/model 'omni' other"]),
}


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
    "arguments is an object": (
        request({"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]}),
        "/messages/0/tool_calls/0/function/arguments",
    ),
    "function is text": (
        request({"role": "assistant", "tool_calls": [{"function": "f"}]}),
        "/messages/0/tool_calls/0/function",
    ),
    "call id is a number": (request({"role": "assistant", "tool_calls": [{"id": 5}]}), "/messages/0/tool_calls/0/id"),
    "name is a number": (request(user("x", name=5)), "/messages/0/name"),
    "refusal is a list": (request({"role": "assistant", "refusal": []}), "/messages/0/refusal"),
    "audio is text": (request({"role": "assistant", "audio": "x"}), "/messages/0/audio"),
    "duplicate in arguments": (
        request({"role": "assistant", "function_call": {"arguments": '{"a":1,"a":2}'}}),
        "/messages/0/function_call/arguments#/a",
    ),
    "stream is text": (request(stream="yes"), "/stream"),
    "stream options is a list": (request(stream_options=[]), "/stream_options"),
    "store is text": (request(store="yes"), "/store"),
    "user is a number": (request(user=5), "/user"),
    "tools is an object": (request(tools={}), "/tools"),
    "tool is text": (request(tools=["x"]), "/tools/0"),
    "tool without type": (request(tools=[{"function": {"name": "f"}}]), "/tools/0/type"),
    "tool without function": (request(tools=[{"type": "function"}]), "/tools/0/function"),
    "tool without name": (request(tools=[{"type": "function", "function": {}}]), "/tools/0/function/name"),
    "parameters is a list": (
        request(tools=[{"type": "function", "function": {"name": "f", "parameters": []}}]),
        "/tools/0/function/parameters",
    ),
    "custom without custom": (request(tools=[{"type": "custom"}]), "/tools/0/custom"),
    "metadata is text": (request(metadata="x"), "/metadata"),
    "response format is text": (request(response_format="json"), "/response_format"),
    "json schema is text": (
        request(response_format={"type": "json_schema", "json_schema": "x"}),
        "/response_format/json_schema",
    ),
    "modalities is text": (request(modalities="audio"), "/modalities"),
    "prediction is text": (request(prediction="x"), "/prediction"),
    "prediction part is text": (request(prediction={"content": ["x"]}), "/prediction/content/0"),
}


@pytest.mark.parametrize(("body", "at"), BAD.values(), ids=BAD)
def test_a_wrong_shape_names_its_place(body, at):
    with pytest.raises(RequestError) as error:
        DIALECT.read_request(body)
    assert (error.value.pointer, error.value.status) == (at, 400)
    assert error.value.code in {"invalid_request", "duplicate_key"}
    assert "jane" not in str(error.value)


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
