"""Users' own recognisers: Presidio's classes by dotted path, and its YAML files. They become detectors like any other.

What cannot be run exactly, or would never find anything, is a load error that names file and recogniser.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from yett import strictyaml
from yett.detector import DEFAULT_MAX_LEN, Detector, Pattern, Validator
from yett.errors import ConfigError, PluginError
from yett.rules import Rule
from yett_plugins.pii_child import RecognizerProcess
from yett_plugins.pii_countries import entries
from yett_plugins.pii_presidio import expanded
from yett_plugins.presidio import PresidioPattern

_WORD = re.compile(r"[A-Z][A-Z0-9_]{1,30}")
_NOT_WORD = re.compile(r"[^A-Z0-9]+")
_ALWAYS_ON = frozenset({"PhoneRecognizer"})
_IGNORE_CASE = int(re.IGNORECASE)


class _Language(BaseModel):
    """A language of a recogniser, and its context words in it. Yett looks for the words of all languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    language: str
    context: tuple[str, ...] | None = None


class _Entry(BaseModel):
    """One entry under `recognizers:`, as Presidio's documentation has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)
    type: Literal["custom", "predefined"] = "custom"
    enabled: bool = True
    class_name: str | None = None
    supported_entity: str | None = None
    supported_entities: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=1)
    supported_language: str | None = None
    supported_languages: tuple[str | _Language, ...] | None = None
    country_code: str | None = None
    version: str | None = None
    patterns: tuple[PresidioPattern, ...] | None = None
    deny_list: tuple[str, ...] | None = None
    deny_list_score: float = Field(default=1.0, ge=0, le=1)
    context: tuple[str, ...] | None = None
    global_regex_flags: int | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Its context words, those of all its languages."""
        languages = (one for one in self.supported_languages or () if isinstance(one, _Language))
        return tuple(dict.fromkeys((*(self.context or ()), *(w for one in languages for w in one.context or ()))))

    @property
    def entity(self) -> str:
        """What it finds; empty where it does not say."""
        return self.supported_entity or (self.supported_entities or ("",))[0]


class UsersRecognizers:
    """The recognisers that the settings name. Files are read and classes loaded by `detectors` and `predefined`."""

    def __init__(self, paths: Sequence[str], files: Sequence[Path]) -> None:
        self._paths, self._files = tuple(paths), tuple(files)
        self._process: RecognizerProcess | None = None
        self._read: list[tuple[str, _Entry, int]] | None = None

    def predefined(self) -> dict[str, tuple[str, ...]]:
        """The entities of the predefined recognisers that the files switch on, with more context words for each."""
        known = {entry.recognizer: entry.entity for entry in entries()}
        found: dict[str, tuple[str, ...]] = {}
        for where, entry, _ in self._entries():
            name = entry.class_name or entry.name
            if entry.type != "predefined" or not entry.enabled or name in _ALWAYS_ON:
                continue
            if name not in known:
                raise PluginError(f"{where}: not one of Presidio's pattern recognisers; set `enabled: false`")
            found[known[name]] = entry.words
        return found

    def detectors(self) -> tuple[Detector, ...]:
        """A detector for each custom recogniser of the files, and for each class. Raises PluginError."""
        custom = [one for one in self._entries() if one[1].type == "custom" and one[1].enabled]
        named = Counter(entry.name for _, entry, _ in custom)
        for where, entry, _ in custom:
            if named[entry.name] > 1:
                raise PluginError(f"{where}: two recognisers are named {entry.name!r}")
        return (*(_from_file(*one) for one in custom), *self._from_classes())

    def close(self) -> None:
        """End the process that runs the checks of the users' classes, if there is one."""
        if self._process is not None:
            self._process.close()

    def _from_classes(self) -> Iterable[Detector]:
        if not self._paths:
            return ()
        self.close()
        self._process = process = RecognizerProcess(self._paths)
        return [
            _detector(
                f"pii: recognizers: {own.path}",
                own.name,
                own.entity,
                tuple(p for pattern in own.patterns for p in _patterns(pattern, ignore_case=own.ignore_case)),
                own.words,
                partial(process.check, own.path) if own.validates else None,
            )
            for own in process.recognizers
        ]

    def _entries(self) -> list[tuple[str, _Entry, int]]:
        """Each entry of all files: where it stands, its data, the flags of its file."""
        if self._read is None:
            self._read = [entry for file in self._files for entry in _read(file)]
        return self._read


def _read(file: Path) -> list[tuple[str, _Entry, int]]:
    try:
        document = strictyaml.load(file)
    except ConfigError as error:
        raise PluginError(f"pii: recognizer_files: {error}") from None
    value = document.value
    given = value.get("recognizers") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(given, list):
        raise PluginError(f"pii: recognizer_files: {document.where()}: has no list `recognizers:`")
    unknown = value.keys() - {"recognizers", "supported_languages", "global_regex_flags"}
    if unknown:
        raise PluginError(f"pii: recognizer_files: {document.where()}: unknown key {min(unknown)!r}")
    flags = value.get("global_regex_flags", _IGNORE_CASE)
    if type(flags) is not int:
        raise PluginError(f"pii: recognizer_files: {document.where()}: global_regex_flags is not a number")
    return [(*_entry(document, index, one), flags) for index, one in enumerate(given)]


def _entry(document: strictyaml.Document, index: int, given: object) -> tuple[str, _Entry]:
    where = f"pii: recognizer_files: {document.where(('recognizers', index))}"
    if isinstance(given, dict):
        where += f": recogniser {given.get('name', '(no name)')!r}"
    try:
        return where, _Entry.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise PluginError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _from_file(where: str, entry: _Entry, flags: int) -> Detector:
    if not entry.entity:
        raise PluginError(f"{where}: has no supported_entity")
    own_flags = flags if entry.global_regex_flags is None else entry.global_regex_flags
    ignore_case = bool(own_flags & _IGNORE_CASE)
    patterns = [p for pattern in entry.patterns or () for p in _patterns(pattern, ignore_case=ignore_case)]
    if entry.deny_list:
        words = "|".join(map(re.escape, sorted(entry.deny_list, key=len, reverse=True)))
        patterns.append(Pattern("deny_list", rf"(?<!\w)(?:{words})(?!\w)", entry.deny_list_score, 0, ignore_case))
    if not patterns:
        raise PluginError(f"{where}: has neither patterns nor a deny_list")
    longest = max(map(len, entry.deny_list or ("",)))
    return _detector(where, entry.name, entry.entity, tuple(patterns), entry.words, None, longest)


def _patterns(pattern: PresidioPattern, *, ignore_case: bool) -> Iterable[Pattern]:
    for number, form in enumerate(expanded(pattern.regex, ignore_case=ignore_case)):
        yield Pattern(f"{pattern.name} {number}" if number else pattern.name, form, pattern.score, 0, ignore_case)


def _detector(
    where: str,
    name: str,
    entity: str,
    patterns: tuple[Pattern, ...],
    context: tuple[str, ...],
    validator: Validator | None,
    longest: int = 0,
) -> Detector:
    known = next((entry for entry in entries() if entry.entity == entity), None)
    word = known.word if known else _NOT_WORD.sub("_", entity.upper()).strip("_")
    if not _WORD.fullmatch(word):
        raise PluginError(f"{where}: the entity must be a word of 2 to 31 letters, digits and underscores")
    detector = Detector(
        name=f"pii.own.{_NOT_WORD.sub('_', name.upper()).strip('_').lower()}",
        code=f"pii.{word.lower()}",
        entity=word,
        patterns=patterns,
        validator=validator,
        context=tuple(stripped for stripped in map(str.strip, context) if stripped),
        max_len=max(DEFAULT_MAX_LEN, longest + 2),
    )
    _try(where, detector)
    return detector


def _try(where: str, detector: Detector) -> None:
    """Refuse here, with its place, what the engine would refuse later, and what would never be reported."""
    for number, pattern in enumerate(detector.patterns):
        try:
            Rule(detector, replace(pattern, name=pattern.name or str(number)), number)
        except ConfigError as error:
            raise PluginError(f"{where}: {error}") from None
        if pattern.score < detector.min_score and not detector.context and detector.validator is None:
            raise PluginError(
                f"{where}: pattern {pattern.name}: a score below {detector.min_score} needs context words or a check, "
                "else nothing is ever found"
            )
