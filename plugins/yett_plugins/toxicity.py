"""Toxic words by class: profanity, slurs, threats, self-harm, sexual content, violence, in ten languages.

Words alone say little about what is meant: "how do I talk to a suicidal friend" is found as well. So findings are only
recorded unless policy says more, and each class is switched on by name. Requests are read in their squashed form, in
which `f.u.c.k`, `fück` and `phvck`-like spellings with digits are plain words again; answers word by word, as they
stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from yett.detector import CallableDetector, Detector, Found, Pattern
from yett.flow import Phase, Role
from yett.hookspecs import hookimpl
from yett.verdict import Action
from yett.wire.squash import squash
from yett_plugins.onnx_text import located
from yett_plugins.word_patterns import any_of, longest, patterns_of

ToxicClass = Literal["profanity", "slur", "threat", "self_harm", "sexual", "violence"]
LanguageCode = Literal["en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru"]
_SCORE = 0.7
_ROLES = frozenset({Role.USER, Role.ASSISTANT, Role.TOOL_RESULT})


MODEL = "toxicity.model"


class Model(BaseModel):
    """A folder with an ONNX text classifier (see `yett_plugins.onnx_text`).

    `labels`: the model's classes that count, all harmful ones without it. `answers`: read answers as well, which holds
    streams back to their end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    folder: Path
    labels: tuple[str, ...] | None = None
    least_score: Annotated[float, Field(ge=0, le=1)] = 0.5
    answers: bool = False
    deadline_s: Annotated[float, Field(gt=0, le=60)] = 5.0


class Toxicity:
    """Finds toxic words and phrases by class."""

    name = "toxicity"
    optional = True

    class Config(BaseModel):
        """`classes`: what to look for; none by default. `languages`: whose words. `answers`: read answers too.

        `model`: a classifier that runs in workers, under policies with a rule about `toxicity.model`.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        classes: tuple[ToxicClass, ...] = ()
        languages: tuple[LanguageCode, ...] = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru")
        answers: bool = True
        model: Model | None = None

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[Detector | CallableDetector]:
        """One detector for requests; for answers one for each class, with the codes `toxicity.<class>`."""
        config = self.config
        if config.model is not None:
            yield _model(config.model)
        entries = toxic_entries(config.classes, config.languages)
        if not entries:
            return
        yield CallableDetector(
            name="toxicity.requests",
            make="yett_plugins.toxicity:make_scanner",
            options={"classes": config.classes, "languages": config.languages},
            finds=tuple(_finding(f"toxicity.{one}.request", one) for one in entries),
            roles=_ROLES,
            phases=frozenset({Phase.REQUEST}),
            isolation="inline",
        )
        if config.answers:
            for one, words in entries.items():
                yield _finding(f"toxicity.{one}", one, words)


def _finding(name: str, toxic: str, words: Sequence[str] = ()) -> Detector:
    """The detector of one class: with `words`, a declarative one for answers."""
    regexes = _regexes(words, toxic, accents=True) if words else ()
    return Detector(
        name=name,
        code=f"toxicity.{toxic}",
        entity="TOXIC",
        patterns=tuple(Pattern(f"{toxic} {at}", one, _SCORE, ignore_case=True) for at, one in enumerate(regexes)),
        reversible=False,
        max_len=longest(words),
        default=Action.ALLOW,
        phases=frozenset({Phase.RESPONSE}) if words else frozenset(Phase),
    )


def _model(model: Model) -> CallableDetector:
    return CallableDetector(
        name=MODEL,
        make="yett_plugins.onnx_text:make_scanner",
        options={
            "folder": located("toxicity", model.folder),
            "code": MODEL,
            "labels": None if model.labels is None else list(model.labels),
        },
        finds=(
            Detector(
                name=MODEL,
                code=MODEL,
                entity="TOXIC",
                patterns=(),
                min_score=model.least_score,
                reversible=False,
                default=Action.ALLOW,
            ),
        ),
        roles=_ROLES,
        phases=frozenset(Phase) if model.answers else frozenset({Phase.REQUEST}),
        deadline_s=model.deadline_s,
        asked_for=True,
    )


def _regexes(entries: Sequence[str], toxic: str, *, accents: bool) -> list[str]:
    stems = [one.removesuffix("*") for one in entries if one.endswith("*")]
    whole = [one for one in entries if not one.endswith("*")]
    source = f"toxicity {toxic}"
    return [
        *(patterns_of(stems, edges="start", source=source, accents=accents) if stems else ()),
        *(patterns_of(whole, edges="both", source=source, accents=accents) if whole else ()),
    ]


class ToxicScanner:
    """Reads squashed texts."""

    def __init__(self, entries: Mapping[str, Sequence[str]]) -> None:
        # What is looked for must have lost the same as what it is looked for in.
        entries = {toxic: [_squashed(word) for word in words] for toxic, words in entries.items()}
        self._classes = [
            (f"toxicity.{toxic}", [re.compile(one, re.ASCII) for one in _regexes(words, toxic, accents=False)])
            for toxic, words in entries.items()
        ]
        self._anything = any_of(word.removesuffix("*") for words in entries.values() for word in words)

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        """Each toxic word or phrase."""
        return [self._scan(text) for text in texts]

    def _scan(self, text: str) -> list[Found]:
        squashed = squash(text)
        data = squashed.text.encode("utf-8", "surrogatepass")
        if self._anything(data, 0, len(data))[0][0] < 0:
            return []
        found = []
        for code, regexes in self._classes:
            for regex in regexes:
                for place in regex.finditer(squashed.text):
                    start, end = squashed.span(*place.span())
                    found.append(Found(start, end, code, _SCORE))
        return found


def _squashed(word: str) -> str:
    return squash(word.removesuffix("*")).text + "*" * word.endswith("*")


def make_scanner(classes: Sequence[str], languages: Sequence[str]) -> ToxicScanner:
    """The scanner for these classes and languages."""
    return ToxicScanner(toxic_entries(classes, languages))


def toxic_entries(classes: Iterable[str], languages: Iterable[str]) -> dict[str, list[str]]:
    """Class to words; `*` at the end of one means that the word may go on."""
    wanted, spoken = frozenset(classes), frozenset(languages)
    entries: dict[str, list[str]] = {}
    text = files("yett_plugins").joinpath("toxicity_words.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith("##"):
            continue
        toxic, language, words = line.split(" ", 2)
        if toxic in wanted and language in spoken:
            entries.setdefault(toxic, []).extend(word.strip() for word in words.split(";"))
    return entries
