import json

import pytest

from yett.commands.output import show, show_table


def test_json_is_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    show({"a": [1, {"b": "ü"}]}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"a": [1, {"b": "ü"}]}


def test_everything_is_shown_once_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        {
            "plain_word": "w1",
            "empty": [],
            "row": ["w2", "w3"],
            "table": [{"id": "w4", "inner": [{"name": "w5"}], "more": {"k": "w6"}, "none": None}],
            "mixed": {"one": "w7", "rows": [{"id": "w8"}]},
        },
        as_json=False,
    )
    out = capsys.readouterr().out
    for word in (f"w{n}" for n in range(1, 9)):
        assert out.count(word) == 1, word
    assert "plain word: w1" in out
    assert "empty: none" in out


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[red", "a\\b"])
def test_text_is_never_markup(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    show_table(text, [{"id": text}])
    assert capsys.readouterr().out.count(text) == 2


def test_long_names_are_not_cut_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("t", [{"id": "x" * 120}])
    assert "x" * 120 in capsys.readouterr().out
