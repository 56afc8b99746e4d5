"""The Responses dialect on whole bodies: leaves, facts, and answers finished or blocked."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from openai.types.responses import Response

from helpers.responses_events import call_events, logprobs, message_events, output_text, reasoning_events, response
from yett.errors import RequestError, UpstreamError
from yett.flow import Leaf, Role
from yett.verdict import Edit
from yett.wire import pointer
from yett.wire.exchange import Exchange, Fact
from yett.wire.openai_responses import DIALECT

Json = dict[str, Any]


def read(**body: Any) -> Exchange:
    return DIALECT.read_request({"model": "m", "store": False, **body})


def texts(exchange: Exchange) -> dict[str, str]:
    return {leaf.pointer: leaf.text for leaf in exchange.leaves if leaf.part == "value"}


def leaf_of(exchange: Exchange, text: str) -> Leaf:
    return next(leaf for leaf in exchange.leaves if leaf.text == text)


def facts(exchange: Exchange, kind: str) -> list[tuple[str, str, str]]:
    return [(f.pointer, f.name, f.value) for f in exchange.facts if f.kind == kind]


def test_a_string_input_is_the_newest_user_turn() -> None:
    exchange = read(input="hi there", instructions="be kind")
    assert exchange.leaves == [
        Leaf("/input", "hi there", Role.USER, newest=True),
        Leaf("/instructions", "be kind", Role.SYSTEM),
    ]
    assert (exchange.model, exchange.stream, exchange.facts) == ("m", False, [])


@pytest.mark.parametrize(
    ("role", "expected"),
    [("user", Role.USER), ("assistant", Role.ASSISTANT), ("system", Role.SYSTEM), ("developer", Role.SYSTEM)],
)
def test_roles(role: str, expected: Role) -> None:
    exchange = read(input=[{"role": role, "content": "words"}])
    assert leaf_of(exchange, "words").role is expected


def test_newest_is_the_last_run_of_user_messages() -> None:
    user, model = ({"role": "user", "content": f"u{i}"} for i in range(1)), {"role": "assistant", "content": "a"}
    first = next(user)
    items = [first, model, {"role": "user", "content": "n1"}, {"role": "user", "content": "n2"}]
    items.append({"type": "function_call_output", "call_id": "c", "output": "r"})
    newest = {leaf.text for leaf in read(input=items).leaves if leaf.newest}
    assert newest == {"n1", "n2"}


def test_adjacent_text_parts_share_a_channel_and_stand_together() -> None:
    parts: list[Json] = [
        {"type": "input_text", "text": "4111 1111", "prompt_cache_breakpoint": {"note": "x y"}},
        {"type": "input_text", "text": "1111 1111"},
        {"type": "input_image", "image_url": "https://a.example/i.png", "detail": "auto"},
        {"type": "input_text", "text": "after"},
    ]
    leaves = read(input=[{"role": "user", "content": parts}]).leaves
    assert [leaf.text for leaf in leaves[:3]] == ["4111 1111", "1111 1111", "after"]
    assert leaves[0].channel == leaves[1].channel != ""
    assert leaves[2].channel not in {"", leaves[0].channel}


def test_arguments_are_walked_as_json_and_calls_and_results_listed() -> None:
    items: list[Json] = [
        {"type": "function_call", "call_id": "c1", "name": "mail", "arguments": '{"to":"bob","deep":{"n":["x"]}}'},
        {"type": "function_call_output", "call_id": "c1", "output": '{"sent":true,"id":"77"}'},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "part"}]},
        {"type": "custom_tool_call", "call_id": "c3", "name": "sh", "input": "ls {"},
    ]
    exchange = read(input=items)
    assert texts(exchange)["/input/0/arguments#/to"] == "bob"
    assert texts(exchange)["/input/0/arguments#/deep/n/0"] == "x"
    assert leaf_of(exchange, "bob").role is Role.TOOL_ARGUMENTS
    assert leaf_of(exchange, "part").role is Role.TOOL_RESULT
    assert leaf_of(exchange, '{"sent":true,"id":"77"}').role is Role.TOOL_RESULT
    assert leaf_of(exchange, "ls {").role is Role.TOOL_ARGUMENTS
    assert [(c.name, c.call_id) for c in exchange.tool_calls] == [("mail", "c1"), ("sh", "c3")]
    assert [(r.call_id, r.text) for r in exchange.tool_results] == [("c1", '{"sent":true,"id":"77"}'), ("c2", "part")]
    assert not leaf_of(exchange, "mail").editable
    assert not leaf_of(exchange, "c1").editable


def test_ambiguous_arguments_are_refused_with_their_place() -> None:
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":"1","a":"2"}'}
    with pytest.raises(RequestError) as caught:
        read(input=[item])
    assert (caught.value.code, caught.value.pointer) == ("duplicate_key", "/input/0/arguments#/a")


def test_tools_are_offers_or_facts() -> None:
    schema = {"type": "object", "properties": {"to": {"type": "string", "description": "who gets it"}}}
    tools: list[Json] = [
        {"type": "function", "name": "mail", "description": "sends", "parameters": schema, "strict": True},
        {"type": "custom", "name": "sh", "description": "runs"},
        {"type": "web_search", "user_location": {"type": "approximate", "city": "Perth"}},
        {"type": "mcp", "server_label": "crm", "server_url": "https://crm.example", "headers": {"X-Key": "k"}},
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_9"]}},
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "inner", "parameters": {}}]},
        {"nothing": "known"},
    ]
    exchange = read(tools=tools)
    assert [(t.pointer, t.name) for t in exchange.tools] == [
        ("/tools/0", "mail"),
        ("/tools/1", "sh"),
        ("/tools/6/tools/0", "inner"),
    ]
    assert exchange.tools[0].schema == schema
    assert exchange.constrained
    hosted = [name for _, name, _ in facts(exchange, "hosted_tool")]
    assert hosted == ["web_search", "mcp", "code_interpreter", "file_search", "namespace", "unknown"]
    assert {value for _, _, value in facts(exchange, "reference")} == {"file_9", "vs_1"}
    assert leaf_of(exchange, "who gets it").role is Role.TOOL_DESCRIPTION
    assert {"Perth", "crm", "https://crm.example", "k", "X-Key", "known", "nothing", "to"} <= {
        leaf.text for leaf in exchange.leaves
    }


def test_tools_inside_input_items_are_read_too() -> None:
    exchange = read(input=[{"type": "additional_tools", "role": "developer", "tools": [{"type": "web_search"}]}])
    assert facts(exchange, "hosted_tool") == [("/input/0/tools/0", "web_search", "")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"previous_response_id": "resp_7"}, ("/previous_response_id", "previous_response_id", "resp_7")),
        ({"conversation": "conv_7"}, ("/conversation", "conversation", "conv_7")),
        ({"conversation": {"id": "conv_7"}}, ("/conversation/id", "conversation", "conv_7")),
        ({"prompt": {"id": "pmpt_7"}}, ("/prompt/id", "prompt", "pmpt_7")),
        ({"input": [{"type": "item_reference", "id": "msg_7"}]}, ("/input/0/id", "item_reference", "msg_7")),
        ({"input": [{"id": "msg_7"}]}, ("/input/0/id", "item_reference", "msg_7")),
        ({"input": [{"type": None, "id": "msg_7"}]}, ("/input/0/id", "item_reference", "msg_7")),
        ({"input": [{"type": "reasoning", "id": "rs_7", "summary": []}]}, ("/input/0/id", "reasoning", "rs_7")),
        (
            {"input": [{"type": "image_generation_call", "id": "ig_7"}]},
            ("/input/0/id", "image_generation_call", "ig_7"),
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "file_7"}]}]},
            ("/input/0/content/0/file_id", "file_id", "file_7"),
        ),
        (
            {"tools": [{"type": "code_interpreter", "container": "cntr_7"}]},
            ("/tools/0/container", "container", "cntr_7"),
        ),
        ({"previous_response_id": 7}, ("/previous_response_id", "previous_response_id", "")),
    ],
)
def test_references(body: Json, expected: tuple[str, str, str]) -> None:
    assert expected in facts(read(**body), "reference")


def test_a_callers_own_fields_are_no_references() -> None:
    arguments = '{"file_id":"file_7","conversation":"c"}'
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments}
    schema = {"type": "object", "properties": {"file_id": {"type": "string"}}}
    exchange = read(
        input=[item],
        metadata={"file_id": "7"},
        tools=[{"type": "function", "name": "f", "parameters": schema}],
    )
    assert facts(exchange, "reference") == []
    assert {"file_7", "7", "file_id"} <= {leaf.text for leaf in exchange.leaves}


PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("part", "kind", "value", "leaves"),
    [
        ({"type": "input_image", "image_url": "https://a.example/i"}, "image", "https://a.example/i", 1),
        ({"type": "input_image", "image_url": PNG}, "image", "", 0),
        ({"type": "input_image", "image_url": {"url": PNG}}, "image", "", 0),
        ({"type": "input_image", "image_url": "data:text/plain,ring 555 1234"}, "image", "", 1),
        ({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}, "audio", "", 1),
        ({"type": "input_audio", "input_audio": {"data": "ring me", "format": "wav"}}, "audio", "", 2),
        ({"type": "input_file", "file_data": "JVBERi0=", "filename": "cv of bob.pdf"}, "file", "", 1),
        ({"type": "input_file", "file_url": "https://a.example/f"}, "file", "https://a.example/f", 1),
        ({"type": "input_video", "video_url": "https://a.example/v"}, "video", "https://a.example/v", 1),
        ({"image_url": PNG}, "image", "", 0),
    ],
)
def test_media_is_a_fact_and_only_base64_is_no_leaf(part: Json, kind: str, value: str, leaves: int) -> None:
    exchange = read(input=[{"role": "user", "content": [part]}])
    assert facts(exchange, "media") == [("/input/0/content/0", kind, value)]
    assert len([leaf for leaf in exchange.leaves if leaf.part == "value"]) == leaves


@pytest.mark.parametrize(
    "body",
    [
        {"extra": {"data": "078051120"}},
        {"extra": {"file": {"data": "Ym9i"}}},
        {"extra": [{"result": "Ym9i"}]},
        {"extra": {"encrypted_content": "x" * 90}},
        {"input": [{"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "ring me at 555"}]},
        {"input": [{"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "078051120"}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": "Ym9i"}]},
    ],
)
def test_base64_and_ciphertext_pass_nowhere_else(body: Json) -> None:
    exchange = read(**body)
    assert not facts(exchange, "opaque")
    assert any(
        leaf.text in {"078051120", "Ym9i", "x" * 90, "ring me at 555"} and leaf.part == "value"
        for leaf in exchange.leaves
    )


def test_encrypted_reasoning_is_opaque_and_its_summary_is_not() -> None:
    item = {"type": "reasoning", "id": "rs", "encrypted_content": "gAAAAA" + "b" * 80 + "=="}
    item["summary"] = [{"type": "summary_text", "text": "thinking of bob"}]  # type: ignore[assignment]  # JSON
    exchange = read(input=[item])
    assert facts(exchange, "opaque") == [("/input/0/encrypted_content", "encrypted_content", "")]
    assert leaf_of(exchange, "thinking of bob").role is Role.ASSISTANT
    assert not facts(exchange, "reference")


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        ({}, {"store"}),
        ({"store": True}, {"store"}),
        ({"store": None}, {"store"}),
        ({"store": False}, set()),
        ({"store": False, "background": True}, {"background"}),
        ({"store": False, "background": "yes"}, {"background"}),
        ({"store": False, "background": []}, {"background"}),
        ({"store": False, "background": False}, set()),
        ({"store": False, "user": "bob", "safety_identifier": "b"}, {"identity"}),
    ],
)
def test_switches(body: Json, kinds: set[str]) -> None:
    exchange = DIALECT.read_request({"model": "m", "input": "x", **body})
    assert {fact.kind for fact in exchange.facts} == kinds


def test_identities_are_facts_with_their_values() -> None:
    exchange = read(user="bob", safety_identifier="b-1", input="x")
    assert exchange.facts == [
        Fact("identity", "/user", "user", "bob"),
        Fact("identity", "/safety_identifier", "safety_identifier", "b-1"),
    ]


@pytest.mark.parametrize(
    ("body", "constrained"),
    [
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}, True),
        ({"text": {"format": {"type": "text"}}}, False),
        ({"text": {"format": {"type": "json_object"}}}, False),
        ({"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}]}, True),
        ({"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}]}, False),
        ({"text": "json_schema"}, False),
    ],
)
def test_constrained(body: Json, constrained: bool) -> None:
    assert read(input="x", **body).constrained is constrained


def test_prompt_variables_and_unknown_fields_are_leaves() -> None:
    exchange = read(
        prompt={"id": "p", "variables": {"who": "bob", "pic": {"type": "input_image", "image_url": PNG}}},
        metadata={"ticket of bob": "t", "user": "user"},
        brand_new={"deep": [{"field": "secret"}], "count": 123456789012},
        prompt_cache_key="bob's",
    )
    every = {leaf.text for leaf in exchange.leaves}
    assert {
        "who",
        "bob",
        "ticket of bob",
        "t",
        "user",
        "brand_new",
        "field",
        "secret",
        "bob's",
        "123456789012",
    } <= every
    assert leaf_of(exchange, "bob").newest
    assert facts(exchange, "media")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"model": None}, "/model"),
        ({"model": ""}, "/model"),
        ({"model": 4}, "/model"),
        ({"stream": "yes"}, "/stream"),
        ({"stream": 1}, "/stream"),
        ({"input": 5}, "/input"),
        ({"input": {"role": "user"}}, "/input"),
        ({"input": ["hi"]}, "/input/0"),
        ({"input": [{"role": "user", "content": ["hi"]}]}, "/input/0/content"),
        ({"tools": {"type": "function"}}, "/tools"),
    ],
)
def test_shapes_that_are_refused(body: Json, place: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(**{"input": "x", **body})
    assert caught.value.pointer == place
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"input": [{"role": ["user"], "content": {"text": "T"}}]},
        {"input": [{"type": {"a": 1}, "content": "T"}]},
        {"input": [{"type": "message", "content": None, "x": "T"}]},
        {"input": [{"role": "user", "content": [{"type": ["x"], "text": "T"}]}]},
        {"input": [{"type": "function_call", "name": 5, "arguments": {"a": "T"}, "call_id": []}]},
        {"input": [{"type": "function_call_output", "output": {"a": "T"}}]},
        {"tools": [["T"]]},
        {"tools": [{"type": ["function"], "name": "T"}]},
        {"prompt": "T"},
        {"prompt": {"id": 5, "variables": ["T"]}},
        {"user": ["T"]},
        {"text": ["T"]},
        {"metadata": ["T"]},
        {"conversation": ["T"]},
        {"instructions": ["T"]},
        {"include": ["T"]},
    ],
)
def test_odd_shapes_are_walked_all_the_same(body: Json) -> None:
    exchange = read(**body)
    assert "T" in {leaf.text for leaf in exchange.leaves}


def test_prepare_names_the_model_and_never_lets_the_provider_keep_it() -> None:
    for store in (True, None, False):
        body = {"model": "mine", "input": "x", "store": store}
        DIALECT.prepare(body, "theirs")
        assert body == {"model": "theirs", "input": "x", "store": False}
    body = {"model": "mine"}
    DIALECT.prepare(body, "theirs")
    assert body["store"] is False


# --- answers ---


def whole(*pieces: tuple[list[Json], Json], **more: Any) -> Json:
    return copy.deepcopy(response([item for _, item in pieces], **more))


def test_an_answer_lists_every_text_and_the_echo() -> None:
    note = {"type": "url_citation", "url": "https://a.example", "title": "a title", "start_index": 0, "end_index": 2}
    body = whole(
        reasoning_events([["thoughts"]]),
        message_events([["said"]], 1, annotations=[note]),
        call_events(['{"to":"bob"}'], 2),
        instructions="be kind",
        metadata={"k": "v"},
        tools=[{"type": "function", "name": "f", "description": "does", "parameters": {}}],
    )
    answer = DIALECT.read_answer(body)
    found = {leaf.text: leaf.role for leaf in answer.leaves}
    assert found["said"] is Role.ASSISTANT
    assert found["thoughts"] is Role.ASSISTANT
    assert found["bob"] is Role.TOOL_ARGUMENTS
    assert found["be kind"] is Role.SYSTEM
    assert found["does"] is Role.TOOL_DESCRIPTION
    assert {"a title", "https://a.example", "v", "k"} <= found.keys()
    assert "gpt-upstream-2026" not in found
    assert answer.held_ids == ["resp_1", "rs_0", "msg_1", "fc_2"]
    assert answer.finish == "completed"
    assert answer.usage == body["usage"]
    assert [(c.name, c.arguments) for c in answer.tool_calls] == [("send", '{"to":"bob"}')]


def test_every_leaf_of_an_answer_stands_where_it_says() -> None:
    body = whole(message_events([["one"], ["two"]]), call_events(['{"a":["x"]}'], 1), metadata={"a/b": "c"})
    answer = DIALECT.read_answer(body)
    for leaf in answer.leaves:
        if leaf.part == "value" and "#" not in leaf.pointer:
            assert pointer.get(body, leaf.pointer) == leaf.text


@pytest.mark.parametrize("body", [{}, {"output": None}, {"output": {}}, {"error": {"message": "x"}}])
def test_answers_without_output_are_the_providers_fault(body: Json) -> None:
    with pytest.raises(UpstreamError):
        DIALECT.read_answer(body)


def test_ambiguous_arguments_of_a_model_are_the_providers_fault() -> None:
    with pytest.raises(UpstreamError) as caught:
        DIALECT.read_answer(whole(call_events(['{"a":1,"a":2}'])))
    assert caught.value.status == 502


def edited_answer(text: str, edits: list[Edit], *, told: bool) -> Json:
    note = {"type": "url_citation", "url": "u", "title": "t", "start_index": text.index("[1]")}
    note["end_index"] = note["start_index"] + 3  # type: ignore[operator]  # an int
    cited = {"type": "file_citation", "file_id": "f", "filename": "n", "index": 3}
    part = output_text(text, logprobs=logprobs(text), annotations=[note, cited])
    body = response([{"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [part]}])
    merged = {"/output/0/content/0/text": edits} if edits else {}
    changed = pointer.apply(body, merged)
    DIALECT.finish_answer(body, {"model": "mine"}, merged if told else changed)
    assert body["model"] == "mine"
    result: Json = body["output"][0]["content"][0]
    return result


def test_finish_moves_indices_and_drops_logprobs_over_edits() -> None:
    part = edited_answer("mail bob [1] now", [Edit("/output/0/content/0/text", (5, 8), "<NAME_1>")], told=True)
    note = part["annotations"][0]
    assert part["text"][note["start_index"] : note["end_index"]] == "[1]"
    assert "".join(entry["token"] for entry in part["logprobs"]) == "mail  [1] now"
    assert len(part["annotations"]) == 2


def test_finish_without_the_edits_drops_what_pointed_into_the_text() -> None:
    part = edited_answer("mail bob [1] now", [Edit("/output/0/content/0/text", (5, 8), "<NAME_1>")], told=False)
    assert [a["type"] for a in part["annotations"]] == ["file_citation"]
    assert part["logprobs"] == []


def test_finish_drops_positions_when_a_whole_text_was_replaced() -> None:
    part = edited_answer("mail bob [1] now", [Edit("/output/0/content/0/text", None, "gone")], told=True)
    assert [a["type"] for a in part["annotations"]] == ["file_citation"]
    assert part["logprobs"] == []


@pytest.mark.parametrize("told", [True, False])
def test_finish_leaves_an_unedited_answer_as_it_is(told: bool) -> None:
    part = edited_answer("plain [1]", [], told=told)
    assert len(part["logprobs"]) == len("plain [1]")
    assert part["annotations"][0]["start_index"] == 6


def test_logprobs_are_no_place_to_hide_a_text() -> None:
    body = whole(message_events([["abc"]]))
    body["output"][0]["content"][0]["logprobs"] = logprobs("bob")
    DIALECT.read_answer(body)
    DIALECT.finish_answer(body, {"model": "mine"}, ())
    assert body["output"][0]["content"][0]["logprobs"] == []


def test_a_blocked_answer_is_incomplete_with_a_refusal_and_nothing_else() -> None:
    body = whole(message_events([["secret words"]]), instructions="secret too", metadata={"a": "secret"})
    blocked = DIALECT.block_answer(body, "no")
    assert blocked["status"] == "incomplete"
    assert blocked["incomplete_details"] == {"reason": "content_filter"}
    assert blocked["usage"] == body["usage"]
    assert (blocked["id"], blocked["created_at"]) == (body["id"], body["created_at"])
    assert "secret" not in str(blocked)
    parsed = Response.model_validate(blocked)
    content = parsed.output[0].content[0]  # type: ignore[union-attr]  # a message
    assert (content.type, content.refusal) == ("refusal", "no")  # type: ignore[union-attr]  # a refusal
    assert parsed.output_text == ""


@pytest.mark.parametrize(
    "body",
    [
        {"id": "bob lives here", "created_at": "bob", "usage": {"input_tokens": "bob"}, "model": ["bob"]},
        {"id": 5, "usage": ["bob"]},
        {},
    ],
)
def test_a_block_keeps_no_text_from_odd_fields(body: Json) -> None:
    blocked = DIALECT.block_answer(body, "no")
    assert "bob" not in str(blocked)
    assert blocked["id"] == "resp_blocked"
