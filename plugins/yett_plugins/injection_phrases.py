"""Reads `injection_phrases.toml`: the phrases that give an injection away, in fifteen languages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

OVERRIDE = "injection.override"
ROLE_MARKER = "injection.role_marker"
EXTRACTION = "injection.extraction"
INSTRUCTION = "injection.instruction"
ENCODED = "injection.encoded"
PERSONA = "jailbreak.persona"
SIGNALS = (OVERRIDE, ROLE_MARKER, EXTRACTION, INSTRUCTION, ENCODED, PERSONA)
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "zh", "ja", "ko", "tr", "ar", "hi")

_MACRO = re.compile(r"%([a-z]+)%")
_GAP = r"[^.!?]{0,40}"
_BEYOND_ASCII = r"\x80-\xff"


class Phrase(NamedTuple):
    """One pattern: RE2, over the bytes of UTF-8."""

    code: str
    score: float
    pattern: str


def phrases(languages: tuple[str, ...]) -> Iterator[Phrase]:
    """The patterns for squashed text: English always, and those of `languages`."""
    data = _read()
    for one in data["phrase"]:
        yield _phrase(one, data["macros"])
    for language in languages:
        if language != "en":
            yield from _of_language(data["languages"][language])


def markers() -> Iterator[Phrase]:
    """The patterns for the text itself: forged roles, whatever the language."""
    data = _read()
    return (_phrase(one, data["macros"]) for one in data["marker"])


@cache
def _read() -> Mapping[str, Any]:
    text = files("yett_plugins").joinpath("injection_phrases.toml").read_text("utf-8")
    return MappingProxyType(tomllib.loads(text))


def _phrase(entry: Mapping[str, Any], macros: Mapping[str, str]) -> Phrase:
    pattern = entry["pattern"]
    while _MACRO.search(pattern):
        pattern = _MACRO.sub(lambda found: macros[found[1]], pattern)
    return Phrase(entry["code"], entry["score"], pattern)


def _of_language(words: Mapping[str, Any]) -> Iterator[Phrase]:
    spaced = words["spaced"]
    drop, rules, prior, show, prompt = (
        _whole(words[name]) if spaced else f"(?:{words[name]})" for name in ("drop", "rules", "prior", "show", "prompt")
    )
    if words["noun_first"]:
        yield Phrase(OVERRIDE, 0.9, rf"{prior}{_GAP}{rules}{_GAP}{drop}")
        yield Phrase(EXTRACTION, 0.8, rf"{prompt}{_GAP}{show}")
        return
    yield Phrase(OVERRIDE, 0.9, rf"{drop}{_GAP}(?:{prior}{_GAP}{rules}|{rules}{_GAP}{prior})")
    yield Phrase(EXTRACTION, 0.8, rf"{show}{_GAP}{prompt}")


def _whole(words: str) -> str:
    r"""`words` with `\w` of their script, not in the middle of a word (RE2 knows ASCII letters only)."""
    if words.isascii():
        return rf"\b(?:{words})".replace(r"\w", "[a-z]")
    return rf"(?:^|[^{_BEYOND_ASCII}])(?:{words})".replace(r"\w", f"[{_BEYOND_ASCII}]")
