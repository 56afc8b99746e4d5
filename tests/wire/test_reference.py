"""Reference tokens are written and read back, and shown in public only where they are plain words."""

import pytest

from yett.wire.reference import escape, public, tokens


@pytest.mark.parametrize(
    ("token", "escaped"), [("a", "a"), ("a/b", "a~1b"), ("a~b", "a~0b"), ("a#b", "a~2b"), ("~1", "~01"), ("", "")]
)
def test_escape_is_undone_by_tokens(token, escaped):
    assert escape(token) == escaped
    assert tokens("/" + escaped) == [token]


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("/messages/0/content", "/messages/0/content"),
        ("/messages/2/tool_calls/0/function/arguments#/to", "/messages/2/tool_calls/0/function/arguments#/to"),
        ("/metadata/jane@example.com", "/metadata/*"),
        ("/metadata/4111111111111111", "/metadata/*"),
        ("/metadata/sk-abcDEF123/x", "/metadata/*/x"),
        ("/metadata/a~1b", "/metadata/*"),
        ("", ""),
    ],
)
def test_public_hides_names_that_could_be_private(at, shown):
    assert public(at) == shown


@pytest.mark.parametrize("text", ["m", "x/y", " /"])
def test_a_pointer_starts_with_a_slash(text):
    with pytest.raises(ValueError, match="starts with"):
        tokens(text)
