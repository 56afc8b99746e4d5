from __future__ import annotations

import pytest

from yett.evaluation.html import cards, code_table, details, number, panel, section, table
from yett.evaluation.intervals import Figure, share


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (None, "–"),
        ("", "–"),
        ("a", "a"),
        (1234, "1,234"),
        (1234.56, "1,234.6"),
        (share(1, 3), "0.333"),
        (Figure(0.5), "0.500"),
    ],
)
def test_numbers_are_for_people(cell: object, words: str) -> None:
    assert number(cell) == words  # type: ignore[arg-type]


def test_a_share_has_its_interval_beside_it() -> None:
    assert "<td>0.500 <small>0.237–0.763</small></td>" in table(("a", "b"), [("x", share(5, 10))])


def test_rows_can_stand_out() -> None:
    made = table(("a",), [("x",), ("y",)], bold=["y"])
    assert made.count("class=whole") == 1
    assert "<tr class=whole><td>y" in made


@pytest.mark.parametrize(
    "made",
    [
        table(("<a>",), [("<a>",)]),
        code_table(("<a>",), [(("<a>",), "<a>")]),
        section("<a>", "<a>"),
        details("<a>", ""),
        cards([("<a>", "<a>")]),
        panel([("c0", "<a>")], ""),
    ],
    ids=["table", "code_table", "section", "details", "cards", "panel"],
)
def test_every_word_is_escaped(made: str) -> None:
    assert "<a>" not in made
    assert "&lt;a&gt;" in made


def test_a_table_without_a_head_has_none() -> None:
    assert "<thead>" not in code_table(("", ""), [(("a",), "b")])
