"""Topics: what a text is about, by weighted words. A topic is found where its words together reach a threshold.

Each word counts once however often it stands there, so that one repeated word is no topic. For refusing legal or
medical advice, or questions about competitors; a model does this better, this does it in microseconds.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from yett.detector import CallableDetector, Detector, Found
from yett.flow import Phase, Role
from yett.hookspecs import hookimpl
from yett.verdict import Action
from yett_plugins.word_patterns import patterns_of, read_words

TopicName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
Weight = Annotated[float, Field(gt=0, le=100)]
_SPACES = re.compile(r"\s+")


class Topic(BaseModel):
    """One topic: `words` with weights, `files` of words that weigh 1, and the `threshold` that their sum must reach."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    words: dict[str, Weight] = Field(default_factory=dict)
    files: tuple[Path, ...] = ()
    threshold: Weight = 3.0
    do: Literal["flag", "approve", "deny"] = "flag"

    @model_validator(mode="after")
    def _has_words(self) -> Topic:
        if not self.words and not self.files:
            raise ValueError("a topic needs words or files")
        return self


class Topics:
    """Finds texts about the operator's topics."""

    name = "topics"
    optional = True

    class Config(BaseModel):
        """`topics`: name to topic. `answers`: read answers too, which holds streams back to their end."""

        model_config = ConfigDict(extra="forbid", frozen=True)
        topics: dict[TopicName, Topic] = Field(default_factory=dict)
        answers: bool = False

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[CallableDetector]:
        """One detector for all topics, with the codes `topic.<name>`. Raises ConfigError for a bad word or file."""
        if not self.config.topics:
            return
        weights = {name: _weights(topic) for name, topic in self.config.topics.items()}
        thresholds = {name: topic.threshold for name, topic in self.config.topics.items()}
        for name, words in weights.items():
            patterns_of(words, edges="both", source=f"topic {name}")
        yield CallableDetector(
            name="topics",
            make="yett_plugins.topics:make_scanner",
            options={"weights": weights, "thresholds": thresholds},
            finds=tuple(_found(name, topic) for name, topic in self.config.topics.items()),
            roles=frozenset({Role.USER, Role.ASSISTANT, Role.TOOL_RESULT}),
            phases=frozenset(Phase) if self.config.answers else frozenset({Phase.REQUEST}),
            isolation="inline",
        )


def _weights(topic: Topic) -> dict[str, float]:
    return {word: 1.0 for path in topic.files for word in read_words(path)} | topic.words


def _found(name: str, topic: Topic) -> Detector:
    code = f"topic.{name}"
    return Detector(code, code, "TOPIC", (), reversible=False, min_score=0.5, default=Action.parse(topic.do))


class TopicScanner:
    """Weighs the words of a text, all topics in one pass."""

    def __init__(self, weights: Mapping[str, Mapping[str, float]], thresholds: Mapping[str, float]) -> None:
        self._thresholds = dict(thresholds)
        self._topics: dict[str, list[tuple[str, float]]] = {}
        for topic, words in weights.items():
            for word, weight in words.items():
                self._topics.setdefault(_plain(word), []).append((topic, weight))
        regexes = patterns_of(self._topics, edges="both", source="topics")
        self._words = [re.compile(regex, re.IGNORECASE | re.ASCII) for regex in regexes]

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        """For each text the topics whose words reach the threshold, from the first of these words to the last."""
        return [self._scan(unicodedata.normalize("NFC", text), len(text)) for text in texts]

    def _scan(self, text: str, limit: int) -> list[Found]:
        sums = dict.fromkeys(self._thresholds, 0.0)
        spans: dict[str, tuple[int, int]] = {}
        seen: set[str] = set()
        for place in (found for words in self._words for found in words.finditer(text)):
            word = _plain(place.group())
            for topic, weight in self._topics.get(word, ()):
                low, high = spans.get(topic, place.span())
                spans[topic] = min(low, place.start()), max(high, place.end())
                sums[topic] += 0.0 if word in seen else weight
            seen.add(word)
        return [
            # The text may have been longer before it was normalised; a place in it is a place in the shorter one.
            Found(min(low, limit - 1), min(high, limit), f"topic.{topic}", self._score(topic, sums[topic]))
            for topic, (low, high) in spans.items()
            if sums[topic] >= self._thresholds[topic]
        ]

    def _score(self, topic: str, total: float) -> float:
        """0.5 at the threshold, 1 at twice the threshold."""
        return min(1.0, total / self._thresholds[topic] / 2)


def make_scanner(weights: Mapping[str, Mapping[str, float]], thresholds: Mapping[str, float]) -> TopicScanner:
    """The scanner for these topics. Raises ConfigError."""
    return TopicScanner(weights, thresholds)


def _plain(word: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", word)).lower().strip()
