"""Pointers lead where they were made, edits land there or fail closed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.errors import Unavailable
from yett.flow import Role
from yett.verdict import Edit
from yett.wire import pointer
from yett.wire.walk import walk_any, walk_json_text

BODY = {"m": [{"c": "x"}, "y"], "a/b": {"~": "z", "#": "h"}, "": "empty", "0": "zero"}


@pytest.mark.parametrize(
    ("at", "value"),
    [("/m/0/c", "x"), ("/m/1", "y"), ("/a~1b/~0", "z"), ("/a~1b/~2", "h"), ("/", "empty"), ("/0", "zero"), ("", BODY)],
)
def test_get(at, value):
    assert pointer.get(BODY, at) == value


NOWHERE = ["/x", "/m/2", "/m/-1", "/m/01", "/m/x", "/m/ 1", "/m/\u0661", "/m/1/c", "/m/0/c/0", "/m/"]


@pytest.mark.parametrize("at", NOWHERE)
def test_nowhere_is_an_error(at):
    with pytest.raises(LookupError):
        pointer.get(BODY, at)
    with pytest.raises(LookupError):
        pointer.set({"m": [{"c": "x"}, "y"]}, at, "new")


def test_a_pointer_starts_with_a_slash():
    with pytest.raises(ValueError, match="starts with"):
        pointer.get(BODY, "m")


def edit(at, span, replacement):
    return {at: [Edit(at, span, replacement)]}


def test_apply_edits_in_place():
    body = {"m": [{"c": "mail jane@x.com now"}, {"c": "jo"}]}
    edits = edit("/m/0/c", (5, 15), "<E>") | edit("/m/1/c", None, "all")
    assert pointer.apply(body, edits) == ["/m/0/c", "/m/1/c"]
    assert body == {"m": [{"c": "mail <E> now"}, {"c": "all"}]}


def test_apply_inside_json_text():
    body = {"f": {"arguments": '{"to": "jane\\u0040x.com", "n": 1, "k": ["a", "b"]}'}}
    edits = edit("/f/arguments#/to", (0, 10), '<"E">') | edit("/f/arguments#/k/1", None, "c")
    assert pointer.apply(body, edits) == ["/f/arguments"]
    assert body["f"]["arguments"] == '{"to":"<\\"E\\">","n":1,"k":["a","c"]}'


def test_apply_at_the_root_of_json_text():
    body = {"a": '"jane"'}
    assert pointer.apply(body, edit("/a#", (0, 4), "X")) == ["/a"]
    assert body == {"a": '"X"'}


MISFITS = {
    "absent": ({"a": "x"}, "/b"),
    "number": ({"a": 123456789}, "/a"),
    "object": ({"a": {}}, "/a"),
    "absent inside": ({"a": '{"b":"c"}'}, "/a#/x"),
    "number inside": ({"a": '{"b":1}'}, "/a#/b"),
    "not json": ({"a": "plain"}, "/a#/b"),
    "not a string outside": ({"a": 1}, "/a#/b"),
    "the root": ({"a": "x"}, ""),
    "malformed": ({"a": "x"}, "a"),
}


@pytest.mark.parametrize(("body", "at"), MISFITS.values(), ids=MISFITS)
def test_an_edit_that_fits_nothing_fails_closed(body, at):
    with pytest.raises(Unavailable) as error:
        pointer.apply(body, edit(at, None, "secret"))
    assert error.value.code == "guard_failed"


NAMES = st.text("ab/~#0é", max_size=3)
JSON = st.recursive(
    st.text("xyz", min_size=1, max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)


@given(JSON, st.booleans())
@settings(deadline=None, max_examples=300, derandomize=True)
def test_every_leaf_can_be_found_and_edited(value, nested):
    import orjson

    body = {"v": orjson.dumps(value).decode() if nested else value}
    leaves = []
    if nested:
        walk_json_text(body["v"], "/v", Role.OTHER, leaves)
    else:
        walk_any(value, "/v", Role.OTHER, leaves, known_keys=frozenset(), known_values=frozenset())
    values = [leaf for leaf in leaves if leaf.part == "value"]
    pointer.apply(body, {leaf.pointer: [Edit(leaf.pointer, None, "EDITED")] for leaf in values})
    after = orjson.loads(body["v"]) if nested and body["v"][:1] in {"[", "{", '"'} else body["v"]
    assert str(after).count("EDITED") == len(values)
    assert not any(c in str([leaf.text for leaf in values]) for c in "ab/~#")
