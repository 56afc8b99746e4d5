"""The context words: whole words in many languages, none of them a word of every sentence."""

from __future__ import annotations

import pytest

from yett_plugins.pii_words import BIRTH_WORDS, PHONE_WORDS


@pytest.mark.parametrize("words", [PHONE_WORDS, BIRTH_WORDS], ids=["phone", "birth"])
def test_words_are_lower_case_and_stripped(words: tuple[str, ...]) -> None:
    assert [word for word in words if word != word.lower().strip() or not word] == []


@pytest.mark.parametrize("common", ["number", "the", "order", "id", "номер", "date", "name", "a"])
def test_words_that_announce_any_number_are_not_among_them(common: str) -> None:
    assert common not in PHONE_WORDS
    assert common not in BIRTH_WORDS
