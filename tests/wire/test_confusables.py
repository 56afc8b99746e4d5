"""The generated table is what the generator makes of Unicode's data, and holds nothing that it should not."""

from __future__ import annotations

import importlib.util
import unicodedata

import pytest

from helpers.make_confusables import TARGET, module
from yett.wire.confusables import LETTERS, MARKS, ZEROS


def test_the_table_is_what_the_generator_makes() -> None:
    if importlib.util.find_spec("confusable_homoglyphs") is None:
        pytest.skip("confusable-homoglyphs is not installed: the table cannot be made again")
    assert module() == TARGET.read_text(encoding="utf-8")


def test_letters_stand_for_letters_and_digits() -> None:
    found = [(shown, one) for shown, ones in LETTERS.items() for one in ones]
    assert len(found) == len({one for _, one in found}) > 350
    assert all(shown.isascii() and shown.isalnum() and len(shown) == 1 for shown, _ in found)
    assert all(one.isalpha() and not one.isascii() for _, one in found)


def test_no_letter_of_a_script_that_stands_beside_latin_in_honest_text() -> None:
    named = " ".join(unicodedata.name(one) for ones in LETTERS.values() for one in ones)
    assert not [script for script in ("ARABIC", "HEBREW", "DEVANAGARI", "CJK", "KATAKANA", "HANGUL") if script in named]


def test_punctuation_stands_for_punctuation() -> None:
    assert {"\u2013", "\u2212"} <= set(MARKS["-"])
    assert "\u2014" not in MARKS["-"]
    assert all(unicodedata.decimal(zero) == 0 for zero in ZEROS)
