"""The worst misses and the worst false alarms, masked so that a report can be shared.

A value is shown by its shape (`d***@***.org`, `99-99-9999`); around it stand thirty characters of context, in which
everything that any detector finds or the data marks is masked too, and every digit is a 9. What neither finds, such as
a name in an unmarked sentence, stays readable. Of a text with a secret that was missed, only the outline is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from yett.errors import Unavailable
from yett.evaluation.cases import SECRET, Kind
from yett.evaluation.scoring import Judged
from yett.evaluation.subject import Subject

CONTEXT_CHARS = 30
BEGINNING_CHARS = 120
_VALUE_CODES = ("pii.", "secret.")
_WORD = re.compile(r"[^\W_]+")
_SUFFIX = re.compile(r"(?<=\.)[A-Za-z]{2,6}$")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Example:
    """One error: `about` is the entity or task, `score` how far off it was, `shown` the masked text."""

    error: str  # missed | false alarm
    about: str
    file: str
    line: int
    score: float
    shown: str


@dataclass(frozen=True, slots=True)
class _Error:
    judged: Judged
    error: str
    about: str
    score: float
    place: tuple[int, int] | None

    @property
    def rank(self) -> tuple[float, str, int, tuple[int, int]]:
        """Smaller is worse: misses by how little was seen, false alarms by how sure we were; then by place."""
        sign = -1 if self.error == "false alarm" else 1
        return sign * self.score, self.judged.case.file, self.judged.case.line, self.place or (0, 0)


async def worst(judged: Sequence[Judged], subject: Subject, each: int) -> list[Example]:
    """The `each` worst misses and false alarms of every entity and task and file."""
    chosen: list[_Error] = []
    kinds: dict[tuple[str, str, str], list[_Error]] = {}
    for error in _errors(judged):
        kinds.setdefault((error.about, error.error, error.judged.case.file), []).append(error)
    for key in sorted(kinds):
        chosen += sorted(kinds[key], key=lambda one: one.rank)[:each]
    return [await _example(error, subject) for error in chosen]


def _errors(judged: Iterable[Judged]) -> Iterable[_Error]:
    for one in judged:
        case = one.case
        if one.compared is not None:
            for place, iou in one.compared.missed:
                yield _Error(one, "missed", place.entity, round(iou, 3), (place.start, place.end))
            for place in dict.fromkeys(one.compared.wrong):
                score = max((f.score for f in one.counted if f.start < place.end and place.start < f.end), default=0.0)
                yield _Error(one, "false alarm", place.entity, round(score, 3), (place.start, place.end))
        elif case.kind is Kind.LABEL and case.positive and not one.counted:
            yield _Error(one, "missed", case.task, round(one.score, 3), None)
        elif one.counted and not case.positive:
            best = max(one.counted, key=lambda found: (found.score, -found.start))
            about = case.task if case.kind is Kind.LABEL else best.code
            yield _Error(one, "false alarm", about, round(best.score, 3), (best.start, best.end))


async def _example(error: _Error, subject: Subject) -> Example:
    case = error.judged.case
    shown = await _shown(error, subject)
    return Example(error.error, error.about, case.file, case.line, error.score, shown)


async def _shown(error: _Error, subject: Subject) -> str:
    one, text = error.judged, error.judged.case.text
    if error.place is None and error.about == SECRET:  # nobody knows where in the text it is
        return outline(text[:BEGINNING_CHARS])
    try:
        hidden = list(await subject.mask(text))
    except Unavailable:
        return outline(text[:BEGINNING_CHARS])
    hidden += [(gold.start, gold.end) for gold in one.case.spans]
    hidden += [(f.start, f.end) for f in one.outcome.detections if f.code.startswith(_VALUE_CODES)]
    if error.place is not None and error.about.startswith(_VALUE_CODES):
        hidden.append(error.place)
    return excerpt(text, error.place, hidden)


def excerpt(text: str, place: tuple[int, int] | None, hidden: Iterable[tuple[int, int]]) -> str:
    """`place` of `text` between » and «, with its context, or the beginning of `text`; `hidden` places are masked."""
    start, end = place or (0, min(len(text), BEGINNING_CHARS))
    low, high = (max(0, start - CONTEXT_CHARS), min(len(text), end + CONTEXT_CHARS)) if place else (start, end)
    if end > start + 2 * BEGINNING_CHARS:  # a whole document was found: its beginning will do
        end = high = start + 2 * BEGINNING_CHARS
    joined = _joined(hidden)
    before, inside, after = (_masked(text, a, b, joined) for a, b in ((low, start), (start, end), (end, high)))
    shown = f"{before}»{inside}«{after}" if place else inside
    return f"{'…' if low else ''}{_SPACE.sub(' ', shown).strip()}{'…' if high < len(text) else ''}"


def shape(value: str) -> str:
    """`value` by its shape: the first letter and a mail domain's ending stay, other letters are ***, digits are 9."""
    suffix = _SUFFIX.search(value) if "@" in value else None
    head = value[: suffix.start()] if suffix else value
    words = _WORD.sub(_hider(), head)
    return words + (suffix.group() if suffix else "")


def outline(text: str) -> str:
    """`text` with every letter as x or X and every digit as 9."""
    letters = ("9" if c.isdigit() else "X" if c.isupper() else "x" if c.isalnum() else c for c in text)
    return _SPACE.sub(" ", "".join(letters)).strip()


def _hider() -> Callable[[re.Match[str]], str]:
    first = True

    def hide(word: re.Match[str]) -> str:
        nonlocal first
        text, beginning = word.group(), first
        first = False
        if text.isdigit():
            return "9" * len(text)
        keeps = beginning and len(text) > 3 and text[0].isalpha()
        return (text[0] if keeps else "") + "***"

    return hide


def _joined(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _masked(text: str, low: int, high: int, hidden: Sequence[tuple[int, int]]) -> str:
    pieces, done = [], low
    for place in hidden:
        start, end = max(place[0], low), min(place[1], high)
        if start < end:
            pieces += [_digitless(text[done:start]), shape(text[start:end])]
            done = end
    return "".join([*pieces, _digitless(text[done:high])])


def _digitless(text: str) -> str:
    return "".join("9" if character.isdigit() else character for character in text)
