"""Lists of words and phrases as few regular expressions, in the form of a trie: thousands cost as much as a handful."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from yett.errors import ConfigError
from yett.regexshape import Search, searcher
from yett.wire.unicode import ScanView

Edges = Literal["both", "start", "none"]

MAX_WORDS = 50_000
MAX_WORD_CHARACTERS = 200
_MAX_FILE_BYTES = 4 << 20
_ACCENTED = {
    "a": "àáâãäåą", "c": "çćč", "d": "ď", "e": "èéêëęě", "g": "ğ", "i": "ìíîïı", "l": "ł", "n": "ñńň", "o": "òóôõöø",
    "r": "ř", "s": "śşš", "t": "ťţ", "u": "ùúûüů", "y": "ýÿ", "z": "źżž",
}  # fmt: skip
_ENDING = 24  # characters that may follow a stem
_PER_PATTERN = 2_500  # words; RE2 compiles larger ones, but not beside hundreds of other rules

# Letters that make a neighbour part of the word. Scripts that write without spaces are left out: there, a word may
# stand against any character.
LETTERS = r"\w\u00aa-\u00ba\u00c0-\u0e00\u0f00-\u0fff\u10a0-\u10ff\u1200-\u139f\u1e00-\u1fff\u2c00-\u2dff"


def read_words(path: Path) -> tuple[str, ...]:
    """The words of a file, one a line; blank lines and lines that begin with `#` are skipped. Raises ConfigError."""
    try:
        data = path.read_bytes()
        if len(data) > _MAX_FILE_BYTES:
            raise ConfigError(f"word list {path}: larger than {_MAX_FILE_BYTES} bytes")
        lines = data.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise ConfigError(f"word list {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"word list {path} is not UTF-8") from None
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


def any_of(words: Iterable[str]) -> Search:
    """A search for any of `words`, literally, in UTF-8: to say in one quick pass that none is there."""
    return searcher("|".join(sorted({re.escape(word) for word in words})))


def patterns_of(words: Iterable[str], *, edges: Edges, source: str, accents: bool = False) -> list[str]:
    """Regular expressions that together match each of `words`, any case, any white space in it. Raises ConfigError.

    `edges`: where a word must begin and end: `both`; only at its `start`, then the match goes on to the end of the word
    in the text; or `none`. `accents`: letters without accents match those with them.
    """
    cleaned = sorted({form for word in words for form in _forms(word, source)})
    if not cleaned:
        raise ConfigError(f"{source}: no words")
    if len(cleaned) > MAX_WORDS:
        raise ConfigError(f"{source}: more than {MAX_WORDS} words")
    return [
        _bounded(_trie(cleaned[at : at + _PER_PATTERN], accents=accents), edges=edges)
        for at in range(0, len(cleaned), _PER_PATTERN)
    ]


def longest(words: Iterable[str]) -> int:
    """Characters that the longest match may take, with white space and the ending of a stem."""
    return max((len(unicodedata.normalize("NFD", word)) + 4 * word.count(" ") for word in words), default=1) + _ENDING


def _bounded(regex: str, *, edges: Edges) -> str:
    before = "" if edges == "none" else f"(?<![{LETTERS}])"
    after = {"both": f"(?![{LETTERS}])", "start": f"[{LETTERS}]{{0,{_ENDING}}}", "none": ""}[edges]
    return rf"{before}(?:{regex}){after}"


def _forms(word: str, source: str) -> set[str]:
    """What the scan view shows for `word`, whether its accents are written in one character or in two."""
    plain = " ".join(unicodedata.normalize("NFKC", word).lower().split())
    if not plain:
        raise ConfigError(f"{source}: a word is empty")
    if len(plain) > MAX_WORD_CHARACTERS:
        raise ConfigError(f"{source}: a word is longer than {MAX_WORD_CHARACTERS} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs", "Cn"} for character in plain):
        raise ConfigError(f"{source}: a word holds a control character")
    views = (ScanView().add(unicodedata.normalize(form, plain), final=True).lower() for form in ("NFC", "NFD"))
    return {view for view in views if view.strip()}


def _trie(words: Sequence[str], *, accents: bool) -> str:
    root: dict[str, Any] = {}
    for word in words:
        node = root
        for character in word:
            node = node.setdefault(character, {})
        node[""] = {}
    return _regex(root, accents=accents)


def _regex(node: dict[str, Any], *, accents: bool) -> str:
    """The alternation below `node`; runs of single children are joined, so that it is only as deep as words branch."""
    branches = []
    for character, child in node.items():
        if not character:
            continue
        run = [character]
        while len(child) == 1 and "" not in child:
            character, child = next(iter(child.items()))  # noqa: PLW2901  # walking down the run
            run.append(character)
        rest = _regex(child, accents=accents)
        branches.append("".join(_literal(one, accents=accents) for one in run) + rest)
    if not branches:
        return ""
    joined = branches[0] if len(branches) == 1 and "" not in node else f"(?:{'|'.join(branches)})"
    return joined + ("?" if "" in node else "")


def _literal(character: str, *, accents: bool) -> str:
    if character == " ":
        return r"\s{1,4}"
    if accents and character in _ACCENTED:
        return f"[{character}{_ACCENTED[character]}{_ACCENTED[character].upper()}]"
    upper = character.upper()
    if not character.isascii() and upper != character and len(upper) == 1:
        return f"[{character}{upper}]"  # patterns fold the case of ASCII letters only
    return re.escape(character)
