"""Languages: finds texts in a language that is not on the operator's list.

Most scripts name the language; where several languages share one (Latin, Cyrillic, Arabic, Devanagari), the commonest
function words decide. What is too short or too mixed to tell is unknown and never found: code, tables, names.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from string import ascii_letters
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from yett.detector import CallableDetector, Detector, Found
from yett.flow import Phase, Role
from yett.hookspecs import hookimpl
from yett.verdict import Action

CODE = "language.not_allowed"
Code = Annotated[str, StringConstraints(pattern="^[a-z]{2}$")]

# First and last code point of a script, and the language that alone writes in it; empty: function words decide.
_SCRIPTS: tuple[tuple[int, int, str], ...] = (
    (0x41, 0x24F, ""), (0x1E00, 0x1EFF, ""), (0x370, 0x3FF, "el"), (0x1F00, 0x1FFF, "el"), (0x400, 0x52F, ""),
    (0x530, 0x58F, "hy"), (0x590, 0x5FF, "he"), (0x600, 0x6FF, ""), (0x750, 0x77F, ""), (0x900, 0x97F, ""),
    (0x980, 0x9FF, "bn"), (0xA00, 0xA7F, "pa"), (0xA80, 0xAFF, "gu"), (0xB00, 0xB7F, "or"), (0xB80, 0xBFF, "ta"),
    (0xC00, 0xC7F, "te"), (0xC80, 0xCFF, "kn"), (0xD00, 0xD7F, "ml"), (0xD80, 0xDFF, "si"), (0xE00, 0xE7F, "th"),
    (0xE80, 0xEFF, "lo"), (0x1000, 0x109F, "my"), (0x10A0, 0x10FF, "ka"), (0x1100, 0x11FF, "ko"),
    (0x1200, 0x137F, "am"), (0x1780, 0x17FF, "km"), (0x3040, 0x30FF, "ja"), (0x3400, 0x9FFF, "zh"),
    (0xAC00, 0xD7A3, "ko"),
)  # fmt: skip
_DENSE = frozenset({"zh", "ja", "ko", "th", "lo", "my", "km"})  # say in 10 characters what others say in 25
_WORD = re.compile(r"[a-z\u00aa-\u1fff]+")  # of scripts that languages share; vowel signs are no letters to Python
_LETTERS = ascii_letters.encode()
_PARAGRAPH = re.compile(r"\n\s*\n")
_NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|https?://\S+|\S+@\S+|\S*[_/\\<>{}=]\S*", re.DOTALL)
_SIGNS = re.compile(r"[`_/\\<>{}=@]")
_MOST_CHARACTERS = 4_000
_LEAST_SHARE, _LEAST_WORDS, _LEAD, _CLEAR_SHARE = 0.2, 4, 1.35, 0.3


class Language:
    """Finds texts in languages that are not allowed."""

    name = "language"
    optional = True
    codes = (CODE,)

    class Config(BaseModel):
        """`requests`, `answers`: languages (ISO 639-1) that may be used there; empty: any.

        Reading answers holds streams back to their end. `least_letters`: shorter texts are never found (in scripts such
        as Chinese a third of it).
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        requests: tuple[Code, ...] = ()
        answers: tuple[Code, ...] = ()
        least_letters: Annotated[int, Field(ge=20, le=1000)] = 40
        do: Literal["flag", "approve", "deny"] = "deny"

        @model_validator(mode="after")
        def _are_known(self) -> Language.Config:
            for code in (*self.requests, *self.answers):
                if code not in known_languages():
                    raise ValueError(f"language {code!r} is not one that can be told apart")
            return self

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[CallableDetector]:
        """One detector for each direction that has a list."""
        for phase, allowed in ((Phase.REQUEST, self.config.requests), (Phase.RESPONSE, self.config.answers)):
            if allowed:
                yield self._detector(phase, allowed)

    def _detector(self, phase: Phase, allowed: Sequence[str]) -> CallableDetector:
        default = Action.parse(self.config.do)
        return CallableDetector(
            name=f"language.{phase.value}",
            make="yett_plugins.language:make_scanner",
            options={"allowed": tuple(allowed), "least_letters": self.config.least_letters},
            finds=(Detector(f"{CODE}.{phase.value}", CODE, "TEXT", (), reversible=False, default=default),),
            roles=frozenset({Role.USER, Role.ASSISTANT, Role.TOOL_RESULT}),
            phases=frozenset({phase}),
            isolation="inline",
        )


class LanguageScanner:
    """Tells languages apart; finds paragraphs in one that is not among `allowed`."""

    def __init__(self, words: Mapping[str, frozenset[str]], allowed: Sequence[str], least_letters: int) -> None:
        self._allowed = frozenset(allowed)
        self._least = least_letters
        # Most texts are in the first language of the list, which shows without looking at all others.
        self._first_allowed = next((language for language in allowed if language in words), "")
        self._usual = words.get(self._first_allowed, frozenset())
        self._languages: dict[str, list[str]] = defaultdict(list)
        for language, function_words in words.items():
            for word in function_words:
                self._languages[word].append(language)

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        """One finding for each paragraph, or for the whole text where its paragraphs are too short to tell."""
        return [self._scan(text) for text in texts]

    def _scan(self, text: str) -> list[Found]:
        told = [(start, end, self.language(text[start:end])) for start, end in _paragraphs(text)]
        if not any(language for *_, language in told):
            told = [(0, len(text), self.language(text))]
        return [
            Found(start, end, CODE, 0.9) for start, end, language in told if language and language not in self._allowed
        ]

    def language(self, text: str) -> str:
        """The language of `text`, empty if it cannot be told."""
        text = text[:_MOST_CHARACTERS]
        if _SIGNS.search(text):
            text = _NOT_PROSE.sub(" ", text)
        scripts = _scripts(text)
        letters = sum(scripts.values())
        if letters == 0:
            return ""
        script, share = max(scripts.items(), key=lambda item: item[1])
        if scripts["ja"] * 8 > letters:  # Japanese is written with Chinese characters as well
            script, share = "ja", scripts["ja"] + scripts["zh"]
        if share * 2 < letters or letters < (self._least // 3 if script in _DENSE else self._least):
            return ""
        return script or self._by_words(text)

    def _by_words(self, text: str) -> str:
        words = _WORD.findall(text.lower())
        if sum(map(self._usual.__contains__, words)) > _CLEAR_SHARE * len(words):
            return self._first_allowed
        hits: Counter[str] = Counter()
        weights: dict[str, float] = defaultdict(float)
        for word in words:
            languages = self._languages.get(word, ())
            for language in languages:
                hits[language] += 1
                weights[language] += 1 / len(languages) ** 0.5
        if not hits:
            return ""
        ranked = sorted(weights, key=lambda language: -weights[language])
        best, second = ranked[0], weights[ranked[1]] if len(ranked) > 1 else 0.0
        if any(language in self._allowed and weights[language] * _LEAD > weights[best] for language in ranked):
            return next(language for language in ranked if language in self._allowed)
        sure = hits[best] >= max(_LEAST_WORDS, _LEAST_SHARE * len(words)) and weights[best] >= 1.05 * second
        return best if sure else ""


def make_scanner(allowed: Sequence[str], least_letters: int) -> LanguageScanner:
    """The scanner with the function words that ship beside this file."""
    return LanguageScanner(function_words(), allowed, least_letters)


def known_languages() -> frozenset[str]:
    """Every language that can be told."""
    return frozenset(function_words()) | {language for *_, language in _SCRIPTS if language}


def function_words() -> dict[str, frozenset[str]]:
    """The commonest function words of each language that needs them to be told, by ISO 639-1 code."""
    text = files("yett_plugins").joinpath("language_words.txt").read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines() if not line.startswith("##"))
    return {language: frozenset(words) for language, *words in lines}


def _scripts(text: str) -> Counter[str]:
    """How many letters of `text` each language's own script has; the empty key for shared scripts."""
    if text.isascii():
        return Counter({"": len(text) - len(text.encode().translate(None, _LETTERS))})
    found: Counter[str] = Counter()
    for character, count in Counter(text).items():
        code = ord(character)
        if character.isalpha() or 0x900 <= code < 0xE50:
            found[next((language for low, high, language in _SCRIPTS if low <= code <= high), "")] += count
    return found


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for gap in _PARAGRAPH.finditer(text):
        if gap.start() > start:
            yield start, gap.start()
        start = gap.end()
    if start < len(text):
        yield start, len(text)
