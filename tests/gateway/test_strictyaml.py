from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.errors import ConfigError
from yett.strictyaml import MAX_BYTES, load, nearest, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("# only a comment\n", None, id="comment"),
        pytest.param("a: 1", {"a": 1}, id="int"),
        pytest.param("a: -2.5e3", {"a": -2500.0}, id="float"),
        pytest.param("a: true\nb: False", {"a": True, "b": False}, id="booleans"),
        pytest.param("a: ~\nb:\nc: null", {"a": None, "b": None, "c": None}, id="nothing"),
        pytest.param("a: no\nb: on\nc: y", {"a": "no", "b": "on", "c": "y"}, id="words that YAML 1.1 turns"),
        pytest.param("a: 010\nb: 0x1f\nc: 1_000", {"a": 10, "b": "0x1f", "c": "1_000"}, id="numbers"),
        pytest.param("a: 12:30:00\nb: 2026-01-01", {"a": "12:30:00", "b": "2026-01-01"}, id="times stay words"),
        pytest.param("a: '1'\nb: \"true\"\nc: |\n  2\n", {"a": "1", "b": "true", "c": "2\n"}, id="quoted stays text"),
        pytest.param("a: {b: ${X}, c: [${Y}]}", {"a": {"b": "${X}", "c": ["${Y}"]}}, id="reference in flow style"),
        pytest.param("a: {b: ${file:/run/key}}", {"a": {"b": "${file:/run/key}"}}, id="file reference"),
        pytest.param('a: "x ${X} y"', {"a": "x ${X} y"}, id="reference in quotes"),
        pytest.param("a: &x [1]\nb: *x", {"a": [1], "b": [1]}, id="an alias"),
        pytest.param("\ufeffa: 1", {"a": 1}, id="byte order mark"),
        pytest.param("a: " + "9" * 40, {"a": "9" * 40}, id="too long for a number"),
    ],
)
def test_reads(text: str, value: object) -> None:
    assert parse(text.encode(), "f.yaml").value == value


@pytest.mark.parametrize(
    ("raw", "where", "told"),
    [
        pytest.param(b"a: 1\nb: 2\na: 3", "f.yaml:3", "twice", id="duplicate key"),
        pytest.param(b"x:\n  - a: 1\n    a: 2", "f.yaml:3", "twice", id="duplicate key inside"),
        pytest.param(b"a: 1\n1: 2", "f.yaml:2", "key must be a string", id="number as key"),
        pytest.param(b"a: 1\ntrue: 2", "f.yaml:2", "key must be a string", id="boolean as key"),
        pytest.param(b"? [a]\n: 1", "f.yaml:1", "key must be a string", id="list as key"),
        pytest.param(b"a: &x {b: 1}\nc:\n  <<: *x", "f.yaml:3", "merge", id="merge key"),
        pytest.param(b"a: !!python/object:os.system x", "f.yaml:1", "tags", id="python tag"),
        pytest.param(b"a: !secret x", "f.yaml:1", "tags", id="own tag"),
        pytest.param(b"a: *nowhere", "f.yaml:1", "undefined alias", id="undefined alias"),
        pytest.param(b"a: &x [*x]", "f.yaml:1", "expand", id="alias to its own parent"),
        pytest.param(b"a: 1\n---\nb: 2", "f.yaml:2", "second document", id="two documents"),
        pytest.param(b"[" * 100_000, "f.yaml:1", "nested", id="deep nesting"),
        pytest.param(b"a: [1, 2\nb: 3", "f.yaml:2", "not valid YAML", id="unclosed"),
        pytest.param(b"a: 1\n\tb: 2", "f.yaml:2", "not valid YAML", id="tab"),
        pytest.param(b"a: 1\nb: \xff", "f.yaml:2", "UTF-8", id="not UTF-8"),
        pytest.param("a: 1\nb: \ue000".encode(), "f.yaml:2", "private-use", id="private use"),
        pytest.param(b"a: '\x00'", "f.yaml", "not valid YAML", id="NUL"),
        pytest.param(b"#" * (MAX_BYTES + 1), "f.yaml", "larger", id="too large"),
    ],
)
def test_refuses(raw: bytes, where: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        parse(raw, "f.yaml")
    assert caught.value.where == where


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 9) + "]\n" for n in range(1, 8))
    with pytest.raises(ConfigError, match=r"aliases|expand"):
        parse(bomb.encode(), "f.yaml")


def test_messages_never_quote_the_line() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(b"api_key: sk-canary-1234: oops", "f.yaml")
    assert "canary" not in str(caught.value)


def test_lines_are_known_for_every_place() -> None:
    document = parse(b"a:\n  b:\n    - x\n    - {c: 1,\n       d: 2}\n", "f.yaml")
    assert document.where(("a", "b", 1, "d")) == "f.yaml:5"
    assert document.where(("a", "b", 0)) == "f.yaml:3"
    assert document.where(("a", "b", 7, "nowhere")) == "f.yaml:2", "the nearest ancestor stands in"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "none.yaml")


def test_nearest() -> None:
    assert nearest("prot", ["port", "host"]) == " (did you mean 'port'?)"
    assert nearest("zzz", ["port", "host"]) == ""


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes_give_plain_data_or_a_config_error(raw: bytes) -> None:
    try:
        document = parse(raw, "f.yaml")
    except ConfigError as error:
        assert str(error).startswith("f.yaml")
    else:
        assert document.value is None or isinstance(document.value, dict | list | str | int | float)
