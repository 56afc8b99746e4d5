"""Presidio's recognisers as our detectors: its own patterns, scores and context words, its rules as our checks.

The `presidio` pack is these as they are. Where the engine cannot match a pattern exactly on a stream, a form that it
can takes its place (`local_forms`); docs/pii.md names each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from yett.detector import Detector, Pattern, Validator
from yett.errors import PluginError
from yett_plugins import pii_checks as checks
from yett_plugins import pii_numbers as numbers
from yett_plugins.pii_countries import Entry
from yett_plugins.presidio import Pack, Recognizer

# Presidio adds a recogniser's own code for this one: capitals only, and groups dropped from the end until one fits.
IBAN = "IbanRecognizer"
_LOOK_AROUND = re.compile(r"\(\?<?[=!]")
_ENDLESS_STAR, _ENDLESS_PLUS = re.compile(r"(?<!\\)\*"), re.compile(r"(?<!\\)\+")
_AHEAD, _BEHIND = 20, 4
_DOT = re.compile(r"(?<!\\)\.")
_SET_GROUP = re.compile(r"\(\[([^\[\]\\^]{2,4})\]\)")


def presidio_pack(data: Pack, entries: Iterable[Entry]) -> tuple[Detector, ...]:
    """One detector for each of `entries`. Raises PluginError where the installed Presidio has no such recogniser."""
    return tuple(checked(data, entry) for entry in entries)


def checked(data: Pack, entry: Entry) -> Detector:
    """Presidio's recogniser with Presidio's rule. Raises PluginError where the installed Presidio does not have it."""
    recognizer = data.recognizers.get(entry.recognizer)
    if recognizer is None:
        raise PluginError(f"pii: {entry.entity}: presidio {data.version} has no {entry.recognizer}")
    return Detector(
        name=entry.code,
        code=entry.code,
        entity=entry.word,
        patterns=patterns_of(recognizer) if entry.recognizer != IBAN else _iban_patterns(recognizer),
        validator=_check(data, entry),
        context=recognizer.words,
        max_len=entry.max_len,
    )


def patterns_of(recognizer: Recognizer) -> tuple[Pattern, ...]:
    """The patterns of `recognizer`, each in the form or forms that the engine can match."""
    return tuple(
        Pattern(f"{pattern.name} {number}" if number else pattern.name, form, pattern.score, 0, recognizer.ignore_case)
        for pattern in recognizer.patterns
        for number, form in enumerate(local_forms(pattern.regex))
    )


def local_forms(regex: str) -> tuple[str, ...]:
    """Patterns that together match what `regex` does, without what is not local.

    As `expanded`; and endless repeats in look-arounds end: after 20 characters ahead, 4 behind.
    """
    return expanded(_bounded(regex), ignore_case=True)


def expanded(regex: str, *, ignore_case: bool) -> tuple[str, ...]:
    r"""Patterns that together match exactly what `regex` does under Presidio's flags, in the engine's syntax.

    A reference back to a group of one small set gives a form for each character of the set: `([- ])x\1` becomes
    `(-)x-` and `( )x `. A dot is any character. `(?i)` inside is dropped where case is ignored anyway.
    """
    if ignore_case:
        regex = regex.replace("(?i)", "")
    if _DOT.search(regex):
        regex = f"(?s){regex}"
    found = _SET_GROUP.search(regex)
    if found is None or r"\1" not in regex:
        return (regex,)
    before, after = regex[: found.start()], regex[found.end() :]
    return tuple(before + f"({c})" + after.replace(r"\1", c) for c in map(re.escape, found[1]))


def leading_groups(regex: str) -> tuple[str, ...]:
    """`regex`, and a form of it for each top-level group but the last, whose first group ends where that one does.

    `a(b)(c)d` gives `a(b)(c)d` and `a((b))(c)d`: what the group reports grows shorter from form to form.
    """
    groups = [(start, end) for start, end in _groups(regex) if regex[start + 1] != "?"]
    first = groups[0][0] if groups else 0
    ends = reversed([end for _, end in groups[:-1]])
    return (regex, *(f"{regex[:first]}({regex[first:end]}){regex[end:]}" for end in ends))


def _groups(regex: str) -> list[tuple[int, int]]:
    """Where the groups of `regex` begin and end that stand inside no other."""
    found: list[tuple[int, int]] = []
    start = depth = index = 0
    while index < len(regex):
        if regex[index] == "(":
            start = start if depth else index
            depth += 1
        elif regex[index] == ")":
            depth -= 1
            if depth == 0:
                found.append((start, index + 1))
        index += 2 if regex[index] == "\\" else 1
    return found


def _bounded(regex: str) -> str:
    bounded, at = "", 0
    while (found := _LOOK_AROUND.search(regex, at)) is not None:
        end = found.start() + _groups(regex[found.start() :])[0][1]
        most = _BEHIND if "<" in found[0] else _AHEAD
        inside = regex[found.end() : end]
        inside = _ENDLESS_PLUS.sub(rf"{{1,{most}}}", _ENDLESS_STAR.sub(rf"{{0,{most}}}", inside))
        bounded += regex[at : found.end()] + inside
        at = end
    return bounded + regex[at:]


def _check(data: Pack, entry: Entry) -> Validator | None:
    if entry.recognizer == "EmailRecognizer":
        return checks.email_of_presidio(data.tlds)
    if entry.recognizer == "InVehicleRegistrationRecognizer":
        return numbers.indian_vehicle(data.districts)
    return entry.check


def _iban_patterns(recognizer: Recognizer) -> tuple[Pattern, ...]:
    return tuple(
        Pattern(f"{pattern.name} {number}", form, pattern.score, group=min(number, 1))
        for pattern in recognizer.patterns
        for number, form in enumerate(leading_groups(pattern.regex))
    )
