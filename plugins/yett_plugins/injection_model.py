"""The injection classifier that ships with Yett: a linear model over words and ideas, in plain Python.

A text is cut into words. Each word has a weight, so has each pair of neighbours. Words of one idea (`ignore`,
`vergiss`, `忽略`) share a number, and ideas that follow each other within a few words have weights too:
`DROP PRIOR RULES` is the same phrase in any wording. The sum over the worst window of 64 words, turned into a
probability, is the score; so a sentence inside a long document counts as much as one alone.
`bench/train_injection.py` makes the weights.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import accumulate
from operator import sub
from typing import Any, NamedTuple

import orjson

WINDOW_WORDS = 64
STRIDE_WORDS = 16
FEWEST_WORDS = 12  # a shorter text counts as if it had so many: two words are little evidence
NEAR_WORDS = 6  # how far an idea may be from the one before it
NEXT_NEAR_WORDS = 8  # and from the one before that
BIGRAM_BASE = 1 << 17
BEFORE_FIRST = BIGRAM_BASE * BIGRAM_BASE  # no word has this number
RECENT_MAX = 8192
RECENT_MAX_CHARS = 24
MODEL_FILE = "injection_model.json.gz"

_UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD_FORMS = (
    rf"[a-z][a-z0-9]*(?:'[a-z]+)?|[0-9]+|[{_UNSPACED}]|[\u0900-\u0dff]+|(?:(?![{_UNSPACED}])[^\W\d_])+|[^\w\s]+"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]+")


class Worst(NamedTuple):
    """The most suspicious window of a text, in words, with its score from 0 to 1."""

    score: float
    first: int
    last: int


class Words:
    """How a squashed text is cut into words; `known` are words of scripts that put no spaces between them."""

    __slots__ = ("find", "pattern")

    def __init__(self, known: Sequence[str] = ()) -> None:
        whole = sorted({word for word in known if _IS_UNSPACED.fullmatch(word)}, key=lambda w: (-len(w), w))
        ahead = rf"(?=[{_UNSPACED}])(?:{'|'.join(whole)})|" if whole else ""
        self.pattern = re.compile(_WORD_FORMS.replace(rf"[{_UNSPACED}]|", rf"{ahead}[{_UNSPACED}]|", 1))
        self.find = self.pattern.findall


Entry = tuple[int, int, float]  # a word's number, its idea or 0, its weight


class Model:
    """The weights, and the score of a text under them. Nothing but a memory of recent words ever changes.

    words    word -> its entry
    bigrams  first number * BIGRAM_BASE + second number -> weight
    pairs    [idea][next idea] -> weight; `skips` the same with one idea between them
    odd      the entry of a run of punctuation that is no word of the model; `number` of digits, `unknown` of any other
    recent   what stood between blanks lately -> the entries of its words; most of a text is found here
    slope, offset  how the sum becomes a probability
    """

    __slots__ = (
        "_bigrams",
        "_number",
        "_odd",
        "_offset",
        "_pairs",
        "_recent",
        "_skips",
        "_slope",
        "_unknown",
        "_words",
        "cut",
    )

    def __init__(self, data: Mapping[str, Any]) -> None:
        """Read what the training script wrote. Raises KeyError, TypeError or ValueError for anything else."""
        scale = float(data["scale"])
        ideas = int(data["ideas"])
        words: dict[str, Entry] = {}
        for number, (word, idea, weight) in enumerate(
            zip(data["words"], data["word_ideas"], data["word_weights"], strict=True)
        ):
            words[word] = (number, idea, weight / scale)
        self._words = words
        self._bigrams = {
            key: weight / scale for key, weight in zip(data["bigrams"], data["bigram_weights"], strict=True)
        }
        self._pairs = _square(data["pairs"], ideas, scale)
        self._skips = _square(data["skips"], ideas, scale)
        self._odd, self._number, self._unknown = words["\x00odd"], words["\x00number"], words["\x00unknown"]
        self._slope, self._offset = float(data["slope"]), float(data["offset"])
        self.cut = Words(tuple(words))
        self._recent: dict[str, tuple[Entry, ...]] = {}

    def knows(self, word: str) -> bool:
        """Whether `word` is one of the model's."""
        return word in self._words

    def worst(self, text: str) -> Worst:
        """The most suspicious window of the squashed `text`."""
        sums = [0.0, *accumulate(self._weights(text))]
        size = len(sums) - 1
        if size <= WINDOW_WORDS:
            first, total = 0, sums[size] / math.sqrt(max(size, FEWEST_WORDS))
            last = size
        else:
            starts = [*range(0, size - WINDOW_WORDS, STRIDE_WORDS), size - WINDOW_WORDS]
            found = list(
                map(sub, map(sums.__getitem__, (at + WINDOW_WORDS for at in starts)), map(sums.__getitem__, starts))
            )
            total = max(found)
            first = starts[found.index(total)]
            last, total = first + WINDOW_WORDS, total / math.sqrt(WINDOW_WORDS)
        return Worst(_logistic(self._slope * total + self._offset), first, last)

    def span(self, text: str, worst: Worst) -> tuple[int, int]:
        """Where in `text` that window stands, in characters."""
        start = end = 0
        for at, found in enumerate(self.cut.pattern.finditer(text)):
            if at == worst.first:
                start = found.start()
            if at < worst.last:
                end = found.end()
        return start, end

    def _weights(self, text: str) -> list[float]:
        """What each word adds: its own weight, with its neighbour's, and that of the ideas which it completes."""
        recent, bigram, pairs, skips = self._recent.get, self._bigrams.get, self._pairs, self._skips
        out: list[float] = []
        before = BEFORE_FIRST
        at = idea_1 = idea_2 = 0
        at_1 = at_2 = -NEXT_NEAR_WORDS - 1
        for raw in text.split():
            for number, idea, own in recent(raw) or self._entries(raw):
                weight = own + bigram(before + number, 0.0)
                before = number * BIGRAM_BASE
                if idea:
                    if at - at_1 <= NEAR_WORDS:
                        weight += pairs[idea_1][idea]
                        if at - at_2 <= NEXT_NEAR_WORDS:
                            weight += skips[idea_2][idea]
                    idea_2, at_2 = idea_1, at_1
                    idea_1, at_1 = idea, at
                at += 1
                out.append(weight)
        return out

    def _entries(self, raw: str) -> tuple[Entry, ...]:
        """The entries of the words in `raw`, which has no blanks."""
        known = self._words.get
        entries = tuple(known(word) or self._strange(word) for word in self.cut.find(raw))
        if len(raw) <= RECENT_MAX_CHARS:
            if len(self._recent) >= RECENT_MAX:
                self._recent.clear()
            self._recent[raw] = entries
        return entries

    def _strange(self, word: str) -> Entry:
        first = word[0]
        if first.isdigit():
            return self._number
        if len(word) > 1 and not first.isalpha() and word.count(first) < len(word):
            return self._odd
        return self._unknown


def _square(weights: Sequence[int], side: int, scale: float) -> list[list[float]]:
    if len(weights) != side * side:
        raise ValueError("a table of ideas has the wrong size")
    return [[weight / scale for weight in weights[row * side : (row + 1) * side]] for row in range(side)]


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


@cache
def load_model() -> Model:
    """The model that ships with Yett (a constant of this process, read on first use)."""
    return Model(orjson.loads(gzip.decompress(files(__package__ or "yett_plugins").joinpath(MODEL_FILE).read_bytes())))
