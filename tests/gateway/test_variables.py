from pathlib import Path

import pytest

from yett.errors import ConfigError
from yett.strictyaml import parse
from yett.variables import MAX_SECRET_BYTES, expand


def expanded(text: str, env: dict[str, str], root: Path) -> object:
    return expand(parse(text.encode(), "f.yaml"), env, root).value


def test_replaces_references_everywhere_in_values(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    text = "a: {b: ${X}, c: ['<${X}|${Y}>']}\nd: ${file:key}\ne: ${file:" + str(tmp_path / "key") + "}\nf: 1"
    assert expanded(text, {"X": "1", "Y": ""}, tmp_path) == {
        "a": {"b": "1", "c": ["<1|>"]},
        "d": "from-file",
        "e": "from-file",
        "f": 1,
    }


def test_what_a_variable_holds_is_not_expanded_again(tmp_path: Path) -> None:
    assert expanded("a: ${X}", {"X": "${Y} {b: 1}"}, tmp_path) == {"a": "${Y} {b: 1}"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a: 1\nb: ${NONE}", "f.yaml:2: the environment variable NONE is not set", id="variable"),
        pytest.param("a: ${file:none}", "f.yaml:1: cannot read", id="file"),
        pytest.param("a: ${file:.}", "f.yaml:1: cannot read", id="folder"),
        pytest.param("a: ${file:binary}", "is not UTF-8", id="binary file"),
        pytest.param("a: ${file:large}", "larger than", id="large file"),
        pytest.param("a: '${X'", "f.yaml:1: a `${` without its `}`", id="unclosed"),
        pytest.param("a: '${X-default}'", "f.yaml:1: not a reference", id="default value"),
        pytest.param("a: '${}'", "f.yaml:1: not a reference", id="nothing"),
        pytest.param("a: 1\n${X}: 1", "f.yaml:2: a key cannot hold a reference", id="in a key"),
    ],
)
def test_refuses(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    with pytest.raises(ConfigError) as caught:
        expanded(text, {"X": "canary"}, tmp_path)
    assert told in str(caught.value)
    assert "canary" not in str(caught.value)


def test_all_missing_variables_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        expanded("a: ${A}\nb: ${B}", {}, tmp_path)
    assert len(str(caught.value).splitlines()) == 2
