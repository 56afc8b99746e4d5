"""Words as patterns: equal to looking for each word by itself, for every kind of edge; bad lists are errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.errors import ConfigError
from yett_plugins.word_patterns import MAX_WORDS, any_of, longest, patterns_of, read_words

WORDS = st.lists(st.text(alphabet="abc", min_size=1, max_size=5), min_size=1, max_size=8)


def search(words: list[str], text: str, edges: str = "both") -> list[str]:
    flags = re.IGNORECASE | re.ASCII
    return [m.group() for one in patterns_of(words, edges=edges, source="test") for m in re.finditer(one, text, flags)]


@settings(deadline=None, derandomize=True, max_examples=200)
@given(WORDS, st.text(alphabet="abc .", max_size=30))
def test_a_trie_matches_what_its_words_match(words: list[str], text: str) -> None:
    assert search(words, text) == [word for word in re.findall("[abc]+", text) if word in words]
    assert bool(search(words, text, "none")) is any(word in text for word in words)


@pytest.mark.parametrize(
    ("edges", "text", "found"),
    [
        ("both", "art Art, heart artist art", ["art", "Art", "art"]),
        ("start", "art heart artist's", ["art", "artist"]),
        ("none", "heart", ["art"]),
        ("both", "éart arté Дart", []),
        ("both", "我art的", ["art"]),
    ],
)
def test_edges(edges: str, text: str, found: list[str]) -> None:
    assert search(["art"], text, edges) == found


def test_case_accents_and_white_space() -> None:
    words = ["Über  Alles", "a+b", "C:\\x", "привет", "(?:x)"]
    assert search(words, "ÜBER \n alles A+B c:\\X ПРИВЕТ (?:X)", "none") == [
        "ÜBER \n alles",
        "A+B",
        "c:\\X",
        "ПРИВЕТ",
        "(?:X)",
    ]


def test_many_words_become_a_few_patterns_in_which_each_is_found() -> None:
    words = [f"w{number:x}q" for number in range(6_000)]
    assert len(patterns_of(words, edges="both", source="test")) == 3
    assert search(words, "w0q w176fq w1770q") == ["w0q", "w176fq"]


@pytest.mark.parametrize(
    "words", [[], ["a", " "], ["x" * 201], ["a\x00b"], ["a\ud800"], [str(n) for n in range(MAX_WORDS + 1)]], ids=len
)
def test_bad_lists_are_errors_that_name_their_source(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="list x"):
        patterns_of(words, edges="both", source="list x")


def test_read_words(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(b"\xef\xbb\xbf# comment\r\none\r\n\r\n two words \n#x\n")
    assert read_words(path) == ("one", "two words")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"a\n" * 3_000_000], ids=["missing", "not UTF-8", "too large"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="word list"):
        read_words(path)


def test_longest_leaves_room_for_white_space() -> None:
    assert longest(["a b"]) >= len("a    b")


def test_any_of_is_literal() -> None:
    data = "x a.b é".encode()
    assert any_of(["a.b"])(data, 0, len(data))[0] == (2, 5)
    assert any_of(["é"])(data, 0, len(data))[0][0] == 6
    assert any_of(["a.c", "axb"])(data, 0, len(data))[0] == (-1, -1)
