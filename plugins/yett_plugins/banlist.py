"""Ban lists: words and phrases that an operator never wants to see, from the configuration or from files.

A list is one detector with the code `ban.<name>`. Its words become a trie, so a list of thousands costs a clean text as
good as nothing, and streams are held back by no more than the part of a word that might still become a banned one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from yett.detector import Detector, Pattern
from yett.hookspecs import hookimpl
from yett.verdict import Action
from yett_plugins.word_patterns import longest, patterns_of, read_words

ListName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


class BanList(BaseModel):
    """One list.

    `words` and the lines of `files` (relative to the working folder) are literal: no wildcards. `match`: as whole words
    or `anywhere`, inside words too. Case never counts. `do` is what happens where no policy rule names the code.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    words: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    match: Literal["words", "anywhere"] = "words"
    do: Literal["flag", "redact", "approve", "deny"] = "deny"

    @model_validator(mode="after")
    def _has_words(self) -> BanList:
        if not self.words and not self.files:
            raise ValueError("a list needs words or files")
        return self


class Banlist:
    """Finds the words and phrases of the operator's lists."""

    name = "banlist"
    optional = True

    class Config(BaseModel):
        """`lists`: name to list; without any, nothing is looked for."""

        model_config = ConfigDict(extra="forbid", frozen=True)
        lists: dict[ListName, BanList] = Field(default_factory=dict)

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[Detector]:
        """One detector for each list. Raises ConfigError for a file that cannot be read or a word that is none."""
        for name, banned in self.config.lists.items():
            yield _detector(name, banned)


def _detector(name: str, banned: BanList) -> Detector:
    source = f"ban list {name}"
    words = (*banned.words, *(word for path in banned.files for word in read_words(path)))
    regexes = patterns_of(words, edges="both" if banned.match == "words" else "none", source=source)
    return Detector(
        name=f"ban.{name}",
        code=f"ban.{name}",
        entity="BANNED",
        patterns=tuple(Pattern(f"{name} {at}", regex, 1.0, ignore_case=True) for at, regex in enumerate(regexes)),
        reversible=False,
        max_len=longest(words),
        default=Action.parse(banned.do),
        hit=(" ".join(words[0].split()),),
    )
