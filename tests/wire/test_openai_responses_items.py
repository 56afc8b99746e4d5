"""The grammar of items, parts and tools, piece by piece."""

from __future__ import annotations

from typing import Any

import pytest

from yett.flow import Role
from yett.wire.openai_responses_items import Reader, is_blob, is_user_message, kind_of, read_response

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iVBORw0KGgo=", True),
        ("data:image/png;base64,iVBORw0KGgo=", True),
        ("a_b-c", True),
        ("", True),
        ("two words", False),
        ("a@b.example", False),
        ("data:text/plain,hello", False),
        ("data:two words;base64,aaaa", False),
        ("aa=a", False),
    ],
)
def test_is_blob(text: str, expected: bool) -> None:
    assert is_blob(text) is expected


@pytest.mark.parametrize(
    ("item", "kind", "is_user"),
    [
        ({"role": "user", "content": "x"}, "message", True),
        ({"type": "message", "role": "user"}, "message", True),
        ({"type": "message", "role": "assistant"}, "message", False),
        ({"id": "x"}, "item_reference", False),
        ({"type": "function_call", "role": "user"}, "function_call", False),
        ({"type": 5, "content": "x"}, "message", False),
    ],
)
def test_kinds(item: Json, kind: str, is_user: bool) -> None:
    assert (kind_of(item), is_user_message(item)) == (kind, is_user)


@pytest.mark.parametrize(
    ("item", "place", "role"),
    [
        ({"type": "mcp_call", "arguments": '{"a":"T"}'}, "/arguments#/a", Role.TOOL_ARGUMENTS),
        ({"type": "mcp_call", "output": "T"}, "/output", Role.TOOL_RESULT),
        ({"type": "mcp_call", "error": {"message": "T"}}, "/error/message", Role.TOOL_ARGUMENTS),
        ({"type": "code_interpreter_call", "code": "T"}, "/code", Role.TOOL_ARGUMENTS),
        ({"type": "code_interpreter_call", "outputs": [{"logs": "T"}]}, "/outputs/0/logs", Role.TOOL_RESULT),
        ({"type": "local_shell_call", "action": {"command": ["ls", "T"]}}, "/action/command/1", Role.TOOL_ARGUMENTS),
        ({"type": "local_shell_call", "action": {"env": {"KEY": "T"}}}, "/action/env/KEY", Role.TOOL_ARGUMENTS),
        ({"type": "shell_call_output", "output": [{"stdout": "T"}]}, "/output/0/stdout", Role.TOOL_RESULT),
        ({"type": "file_search_call", "queries": ["T"]}, "/queries/0", Role.TOOL_ARGUMENTS),
        ({"type": "file_search_call", "results": [{"text": "T"}]}, "/results/0/text", Role.TOOL_RESULT),
        ({"type": "web_search_call", "action": {"query": "T"}}, "/action/query", Role.TOOL_ARGUMENTS),
        ({"type": "tool_search_call", "arguments": {"q": "T"}}, "/arguments/q", Role.TOOL_ARGUMENTS),
        ({"type": "computer_call", "action": {"type": "type", "text": "T"}}, "/action/text", Role.TOOL_ARGUMENTS),
        ({"type": "apply_patch_call", "operation": {"diff": "T"}}, "/operation/diff", Role.TOOL_ARGUMENTS),
        ({"type": "mcp_list_tools", "tools": [{"title": "T"}]}, "/tools/0/title", Role.TOOL_DESCRIPTION),
        ({"type": "mcp_approval_response", "reason": "T"}, "/reason", Role.OTHER),
        ({"type": "from_next_year", "deep": [{"x": ["T"]}]}, "/deep/0/x/0", Role.OTHER),
    ],
    ids=lambda value: value.get("type", "") if isinstance(value, dict) else "",
)  # fmt: skip
def test_texts_of_items(item: Json, place: str, role: Role) -> None:
    reader = Reader()
    reader.item(item, "")
    found = {leaf.pointer: leaf for leaf in reader.leaves if leaf.text == "T"}
    assert list(found) == [place]
    assert found[place].role is role


def test_listed_tools_of_a_server_are_offers() -> None:
    reader = Reader()
    schema = {"type": "object"}
    reader.item({"type": "mcp_list_tools", "tools": [{"name": "n", "input_schema": schema}]}, "/0")
    assert [(t.pointer, t.name, t.schema) for t in reader.tools] == [("/0/tools/0", "n", schema)]
    assert reader.facts == []


@pytest.mark.parametrize(
    ("name", "editable"),
    [
        *((name, True) for name in ("text", "instructions", "title", "url", "filename")),
        *((name, False) for name in ("id", "call_id", "name", "status", "image_url")),
    ],
)
def test_names_and_ids_are_not_editable(name: str, editable: bool) -> None:
    reader = Reader()
    reader.members({name: "some words"}, "", Role.OTHER)
    assert [leaf.editable for leaf in reader.leaves] == [editable]


def test_unknown_member_names_are_leaves_and_odd_ones_escaped() -> None:
    reader = Reader()
    reader.members({"a/b": {"c#d": "T"}, "": "E"}, "", Role.OTHER)
    assert [(leaf.pointer, leaf.text, leaf.part) for leaf in reader.leaves] == [
        ("/a~1b", "a/b", "key"),
        ("/a~1b/c~2d", "c#d", "key"),
        ("/a~1b/c~2d", "T", "value"),
        ("/", "E", "value"),
    ]


def test_long_numbers_are_leaves_but_clocks_are_not() -> None:
    reader = Reader()
    reader.members({"x": 4111111111111111, "created_at": 1760000000, "metadata": {"n": 123456789}}, "", Role.OTHER)
    numbers = [(leaf.pointer, leaf.text) for leaf in reader.leaves if leaf.part == "number"]
    assert numbers == [("/x", "4111111111111111"), ("/metadata/n", "123456789")]


def test_a_response_is_read_without_its_model() -> None:
    reader = Reader()
    read_response(reader, {"model": "M", "output": [{"content": "A"}, "B"], "instructions": [{"content": "C"}]}, "/r")
    assert {leaf.text for leaf in reader.leaves} == {"A", "B", "C"}


def test_shadows_are_left_out_of_answers_only() -> None:
    part = {"type": "output_text", "text": "ab", "logprobs": [{"token": "zz"}]}
    for shadows, expected in ((True, {"ab"}), (False, {"ab", "zz"})):
        reader = Reader(shadows=shadows)
        reader.item({"type": "message", "role": "assistant", "content": [part]}, "")
        assert {leaf.text for leaf in reader.leaves} == expected
    odd = Reader(shadows=True)
    odd.members({"logprobs": [{"token": "zz"}]}, "", Role.OTHER)
    assert {leaf.text for leaf in odd.leaves} == {"zz"}
