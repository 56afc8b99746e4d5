"""Every string, member name and long number becomes a leaf, unless it is the API's own word."""

import pytest

from yett.errors import RequestError
from yett.flow import Leaf, Role
from yett.wire.walk import walk_any, walk_json_text, walk_schema

KEYS, VALUES = frozenset({"type", "role", "created", "modes"}), frozenset({"function", "user"})


def walked(value, **more):
    out = []
    walk_any(value, "/v", Role.OTHER, out, known_keys=KEYS, known_values=VALUES, **more)
    return [(leaf.pointer, leaf.text, leaf.part) for leaf in out]


WALKS = {
    "string": ("x", [("/v", "x", "value")]),
    "empty string": ("", []),
    "nothing": ([None, True, False, {}, [], 1, -2.5], []),
    "known value at known key": ({"type": "function", "modes": ["user", "other"]}, [("/v/modes/1", "other", "value")]),
    "known value elsewhere": ({"x": "function"}, [("/v/x", "x", "key"), ("/v/x", "function", "value")]),
    "unknown value at known key": ({"type": "jane"}, [("/v/type", "jane", "value")]),
    "known word inside an unknown object": (
        {"type": {"x": "user"}},
        [("/v/type/x", "x", "key"), ("/v/type/x", "user", "value")],
    ),
    "name to escape": ({"a/b#": 1}, [("/v/a~1b~2", "a/b#", "key")]),
    "nine digits": (
        [99999999, 100000000, -123456789],
        [("/v/1", "100000000", "number"), ("/v/2", "-123456789", "number")],
    ),
    "card number": (4111111111111111, [("/v", "4111111111111111", "number")]),
    "long fraction": ([0.4111111111111111, 0.5], [("/v/0", "0.4111111111111111", "number")]),
    "clock": ({"created": 1700000000}, []),
    "number list at known clock": ({"created": [1700000000]}, []),
    "clock of a name not known": (
        {"seed": 1700000000},
        [("/v/seed", "seed", "key"), ("/v/seed", "1700000000", "number")],
    ),
    "nested": ([[{"x": [["deep"]]}]], [("/v/0/0/x", "x", "key"), ("/v/0/0/x/0/0", "deep", "value")]),
}


@pytest.mark.parametrize(("value", "leaves"), WALKS.values(), ids=WALKS)
def test_walk_any(value, leaves):
    assert walked(value) == leaves


def test_only_values_are_editable():
    out = []
    walk_any({"k": ["v", 123456789]}, "", Role.USER, out, known_keys=KEYS, known_values=VALUES, newest=True)
    assert [(x.part, x.editable, x.newest, x.role) for x in out] == [
        ("key", False, True, Role.USER),
        ("value", True, True, Role.USER),
        ("number", False, True, Role.USER),
    ]
    out = []
    walk_any("v", "", Role.USER, out, known_keys=KEYS, known_values=VALUES, editable=False)
    assert not out[0].editable


def test_key_names_where_a_value_stands():
    assert walked("user", key="role") == []
    assert walked("user", key="x") == [("/v", "user", "value")]


def json_leaves(text):
    out = []
    walk_json_text(text, "/a/arguments", Role.TOOL_ARGUMENTS, out)
    return out


def test_json_in_a_string_is_walked_unescaped():
    leaves = json_leaves('{"to": "jane\\u0040x.com", "n": [4111111111111111]}')
    assert [(x.pointer, x.text, x.part, x.format, x.editable) for x in leaves] == [
        ("/a/arguments#/to", "to", "key", "json", False),
        ("/a/arguments#/to", "jane@x.com", "value", "json", True),
        ("/a/arguments#/n", "n", "key", "json", False),
        ("/a/arguments#/n/0", "4111111111111111", "number", "json", False),
    ]


def test_a_json_string_is_walked():
    assert [(x.pointer, x.text) for x in json_leaves(' "jane\\u0040x.com"')] == [("/a/arguments#", "jane@x.com")]


@pytest.mark.parametrize(
    "text", ["plain text", '{"cut": "of', "4111111111111111", "[not json]", "true", "NaN", "\ufeff{}"]
)
def test_text_that_is_not_json_is_one_plain_leaf(text):
    assert json_leaves(text) == [Leaf("/a/arguments", text, Role.TOOL_ARGUMENTS)]


def test_empty_text_has_no_leaf():
    assert json_leaves("") == []


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ('{"a":1,"a":2}', "duplicate_key", "/a/arguments#/a"),
        ('{"a":NaN}', "not_finite", "/a/arguments#"),
        ('["\\ud800"]', "lone_surrogate", "/a/arguments#"),
        ("[1e999]", "number_out_of_range", "/a/arguments#"),
        ("[" * 70 + "]" * 70, "too_deep", "/a/arguments#" + "/0" * 64),
        ('{"a":"\ud800"}', "not_utf8", "/a/arguments#"),
    ],
)
def test_ambiguous_json_is_refused(text, code, pointer):
    with pytest.raises(RequestError) as error:
        json_leaves(text)
    assert (error.value.code, error.value.pointer) == (code, pointer)


def test_schema_prose_is_editable_and_names_are_not():
    schema = {
        "type": "object",
        "description": "d",
        "properties": {"mail": {"type": "string", "enum": ["e"], "default": "f", "examples": ["g"]}},
        "required": ["mail"],
        "x-note": "n",
    }
    out = []
    walk_schema(schema, "", Role.TOOL_DESCRIPTION, out)
    assert [(x.text, x.part, x.editable) for x in out] == [
        ("d", "value", True),
        ("mail", "key", False),
        ("e", "value", False),
        ("f", "value", True),
        ("g", "value", True),
        ("mail", "value", False),
        ("x-note", "key", False),
        ("n", "value", False),
    ]
