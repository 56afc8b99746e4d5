"""Suffixes that a machine searched for (GCG and its kin): token soup that no language, code or table looks like.

A text is suspicious only around brackets that nothing closes or opens, which costs next to nothing to find. There, a
window must also read badly by the character trigrams of English, other Latin languages and code, hold many kinds of
punctuation, few function words and no lines. What an attacker writes in whole words is not found here.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from yett.detector import CallableDetector, Detector, Found
from yett.flow import Phase, Role
from yett.hookspecs import hookimpl
from yett.verdict import Action
from yett_plugins.language import function_words

CODE = "injection.gibberish"
WINDOW, STEP, SHORTEST = 96, 24, 48
_UNSEEN_BITS = 9
_LEAST_BITS = 4.0  # a character, on average; prose has 2 to 3, code and tables 3 to 5
_KINDS, _WORDS, _DIGITS, _FOREIGN = 4, 5, 12, 20
_FUNCTION_SHARE, _DIFFERENT_SHARE = 0.25, 0.8
_MOST_BRACKETS = 64
_BRACKETS = re.compile(r"[()\[\]{}]")
_OPENS = {")": "(", "]": "[", "}": "{"}
_LIST_ITEM = re.compile(r"(?:^|[\s.,;(])\w{1,3}$")
_BLANKS = re.compile(r"[ \t]+")
_DIGIT = re.compile(r"\d")
_BEYOND = re.compile(r"[^\x00-\x7f]")
_MARKS = re.compile(r"[\u0300-\u036f]")
_SPACE = re.compile(r"\s")
_WORD = re.compile(r"[^\W\d_]+")
_PUNCTUATION = re.compile(r"[^\w\s]")


class Gibberish:
    """Finds machine-made jailbreak suffixes in what users and tools say."""

    name = "gibberish"
    optional = True
    codes = (CODE,)

    class Config(BaseModel):
        """`least_score`: 0.6 finds more, 0.9 needs two brackets that nothing closes."""

        model_config = ConfigDict(extra="forbid", frozen=True)
        least_score: float = 0.6

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[CallableDetector]:
        """`injection.gibberish`, in requests only."""
        found = Detector(
            name=CODE,
            code=CODE,
            entity="GIBBERISH",
            patterns=(),
            min_score=self.config.least_score,
            reversible=False,
            default=Action.ALLOW,
        )
        yield CallableDetector(
            name="gibberish",
            make="yett_plugins.gibberish:make_scanner",
            finds=(found,),
            roles=frozenset({Role.USER, Role.TOOL_RESULT, Role.TOOL_DESCRIPTION, Role.OTHER}),
            phases=frozenset({Phase.REQUEST}),
            isolation="inline",
        )


class GibberishScanner:
    """Reads texts with one table of trigrams: `bits[three characters]` is what the third costs after the first two."""

    def __init__(self, bits: Mapping[str, int], function_words: Iterable[frozenset[str]]) -> None:
        self._bits = bits
        self._languages = tuple(function_words)

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        """One finding for each stretch of token soup."""
        return [self._scan(text) for text in texts]

    def _scan(self, text: str) -> list[Found]:
        lonely = lonely_brackets(text)
        if not lonely:
            return []
        near = (
            lonely if len(lonely) <= _MOST_BRACKETS else lonely[: _MOST_BRACKETS // 2] + lonely[-_MOST_BRACKETS // 2 :]
        )
        starts = sorted({max(0, at - back) for at in near for back in range(STEP // 2, WINDOW, STEP)})
        stretches: list[Found] = []
        for start in starts:
            end = min(len(text), start + WINDOW)
            here = bisect_left(lonely, end) - bisect_left(lonely, start)
            if here * 2 < len(_BRACKETS.findall(text, start, end)) or not self._is_soup(text[start:end]):
                continue
            score = 0.9 if here > 1 else 0.6
            if stretches and start <= stretches[-1].end:
                last = stretches.pop()
                stretches.append(Found(last.start, end, CODE, max(score, last.score)))
            else:
                stretches.append(Found(start, end, CODE, score))
        return stretches

    def _is_soup(self, window: str) -> bool:
        window = _BLANKS.sub(" ", window)
        if len(window) < SHORTEST or window.count("\n") > 1:
            return False
        if len(set(_PUNCTUATION.findall(window))) < _KINDS or len(_DIGIT.findall(window)) > _DIGITS:
            return False
        if len(_BEYOND.findall(window)) > _FOREIGN:
            return False
        words = [word.lower() for word in _WORD.findall(window)]
        different = set(words)
        if len(words) < _WORDS or len(different) <= _DIFFERENT_SHARE * len(words):
            return False
        if any(len(usual & different) > _FUNCTION_SHARE * len(words) for usual in self._languages):
            return False
        return self._bits_per_character(window) > _LEAST_BITS

    def _bits_per_character(self, window: str) -> float:
        folded = f"_{folded_for_trigrams(window)}_"
        costs = [self._bits.get(folded[at : at + 3], _UNSEEN_BITS) for at in range(len(folded) - 2)]
        return sum(costs) / len(costs)


def make_scanner() -> GibberishScanner:
    """The scanner with the table that ships beside this file."""
    table: dict[str, int] = {}
    text = files("yett_plugins").joinpath("gibberish_trigrams.txt").read_text(encoding="ascii")
    for line in text.splitlines():
        if not line.startswith("##"):
            bits, trigrams = int(line[0]), line[2:]
            table.update((trigrams[at : at + 3], bits) for at in range(0, len(trigrams), 3))
    return GibberishScanner(table, function_words().values())


def folded_for_trigrams(text: str) -> str:
    """`text` in the alphabet of the table: small letters without accents, `0`, punctuation, `_` for white space."""
    text = text.lower()
    if not text.isascii():
        text = _BEYOND.sub("?", _MARKS.sub("", unicodedata.normalize("NFD", text)))
    return _SPACE.sub("_", _DIGIT.sub("0", text))


def lonely_brackets(text: str) -> list[int]:
    """Where brackets stand that nothing closes or opens; `1)`, `a)` and smileys are none."""
    opened: list[tuple[int, str]] = []
    waiting = dict.fromkeys("([{", 0)
    lonely: list[int] = []
    for found in _BRACKETS.finditer(text):
        at, bracket = found.start(), found.group()
        if bracket in waiting:
            if text[at - 1 : at] not in {":", ";"}:
                opened.append((at, bracket))
                waiting[bracket] += 1
        elif waiting[_OPENS[bracket]]:
            while opened:
                place, last = opened.pop()
                waiting[last] -= 1
                if last == _OPENS[bracket]:
                    break
                lonely.append(place)
        elif bracket != ")" or not (text[at - 1 : at] in ":;=-" or _LIST_ITEM.search(text[max(0, at - 4) : at])):
            lonely.append(at)
    return sorted(lonely + [at for at, _ in opened])
