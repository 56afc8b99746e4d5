"""Labelled texts out of JSON-lines files. What a row is follows from its fields.

    text, spans [{start, end, label}]   places to be found; an empty list says that there are none
    text, label                         one side of a task: attack or benign, secret or clean, 1 or 0
    text, negative_for [label, ...]     a text in which nothing of these labels may be found
    text                                a text in which nothing at all may be found

`role` (who wrote the text) and `source` (where it comes from) may stand in any row; other fields are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from yett.errors import RequestError, YettError
from yett.flow import Role
from yett.wire import strictjson

EXIT_DATA = 65  # EX_DATAERR of sysexits.h
MAX_LINE_BYTES = 32 * 1024 * 1024
_MAX_PROBLEMS = 10

ATTACK, SECRET = "attack", "secret"
# label -> (task, whether something is there); `benign` alone is the other side of attacks, `clean` that of secrets.
_SIDES: Mapping[object, tuple[str, bool]] = {
    "attack": (ATTACK, True),
    "injection": (ATTACK, True),
    "jailbreak": (ATTACK, True),
    "malicious": (ATTACK, True),
    "1": (ATTACK, True),
    "benign": (ATTACK, False),
    "safe": (ATTACK, False),
    "0": (ATTACK, False),
    "secret": (SECRET, True),
    "clean": (SECRET, False),
}


class DataError(YettError):
    """Rows that cannot be used: one `file:line: what is wrong` per line, never the text itself."""


class _BadRow(Exception):
    """What is wrong with one row."""


class Kind(Enum):
    """What a row is good for."""

    SPANS = "spans"
    LABEL = "label"
    NEGATIVE = "negative"
    PLAIN = "plain"


class Gold(NamedTuple):
    """A place that is to be found: characters `start` to `end` of the text."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Case:
    """One row. `spans` of SPANS; `task` and `positive` of LABEL; `negative_for` of NEGATIVE."""

    file: str
    line: int
    source: str
    text: str
    kind: Kind
    role: Role | None = None
    spans: tuple[Gold, ...] = ()
    task: str = ""
    positive: bool = False
    negative_for: tuple[str, ...] = ()


def read_cases(paths: Sequence[Path], limit: int | None = None) -> list[Case]:
    """The rows of `paths` (files, or folders whose `*.jsonl` are meant), at most `limit` of each file.

    Raises DataError that names every bad row, up to ten of them.
    """
    cases: list[Case] = []
    problems: list[str] = []
    names = _short_names(list(_files(paths)))
    for path, name in names.items():
        read, wrong = _read_file(path, name, limit)
        cases += read
        problems += wrong
        if len(problems) >= _MAX_PROBLEMS:
            break
    if problems:
        raise DataError("\n".join(problems[:_MAX_PROBLEMS]))
    return cases


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(path.glob("*.jsonl"))
        if not inside:
            raise DataError(f"{path}: no *.jsonl file in this folder")
        yield from inside


def _short_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Path -> the shortest end of it that no other file shares: reports do not tell where data lies."""
    unique = list(dict.fromkeys(paths))
    names: dict[Path, str] = {}
    for path in unique:
        parts = path.parts
        for count in range(1, len(parts) + 1):
            name = "/".join(parts[-count:])
            if sum(other.parts[-count:] == parts[-count:] for other in unique) == 1:
                break
        names[path] = name
    return names


def _read_file(path: Path, name: str, limit: int | None) -> tuple[list[Case], list[str]]:
    cases: list[Case] = []
    problems: list[str] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if limit is not None and len(cases) >= limit:
                    break
                if not line.strip():
                    continue
                try:
                    cases.append(_case(line, name, number))
                except _BadRow as error:
                    problems.append(f"{path}:{number}: {error}")
                    if len(problems) >= _MAX_PROBLEMS:
                        break
    except OSError as error:
        return [], [f"{path}: cannot be read: {error.strerror}"]
    if not cases and not problems:
        problems.append(f"{path}: no rows")
    return cases, problems


def _case(line: bytes, file: str, number: int) -> Case:
    """One row as a case. Raises _BadRow that says what is wrong."""
    row = _row(line)
    text = row.get("text")
    if not isinstance(text, str) or not text:
        raise _BadRow("`text` must be a string that is not empty")
    source = row.get("source", "")
    if not isinstance(source, str):
        raise _BadRow("`source` must be a string")
    about: dict[str, Any] = {"file": file, "line": number, "source": source, "text": text, "role": _role(row)}
    if "negative_for" in row:
        return Case(**about, kind=Kind.NEGATIVE, negative_for=_labels(row["negative_for"]))
    if "spans" in row:
        return Case(**about, kind=Kind.SPANS, spans=_spans(row["spans"], len(text)))
    if "label" in row:
        label = row["label"]
        side = _SIDES.get(str(label).lower()) if isinstance(label, str | int) and label is not True else None
        if side is None:
            raise _BadRow(f"`label` must be one of {', '.join(map(str, _SIDES))}")
        return Case(**about, kind=Kind.LABEL, task=side[0], positive=side[1])
    return Case(**about, kind=Kind.PLAIN)


def _row(line: bytes) -> dict[str, object]:
    if len(line) > MAX_LINE_BYTES:
        raise _BadRow(f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        row = strictjson.loads(line)
    except RequestError as error:
        raise _BadRow(f"{error.code}: {error.message.partition(' (line')[0]}") from None
    if not isinstance(row, dict):
        raise _BadRow("a JSON object is expected")
    return row


def _role(row: Mapping[str, object]) -> Role | None:
    if "role" not in row:
        return None
    try:
        return Role(str(row["role"]))
    except ValueError:
        raise _BadRow(f"`role` must be one of {', '.join(Role)}") from None


def _labels(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise _BadRow("`negative_for` must be a list of labels")
    return tuple(value)


def _spans(value: object, length: int) -> tuple[Gold, ...]:
    if not isinstance(value, list):
        raise _BadRow("`spans` must be a list")
    return tuple(sorted({_span(number, one, length) for number, one in enumerate(value, 1)}))


def _span(number: int, value: object, length: int) -> Gold:
    if not isinstance(value, dict):
        raise _BadRow(f"span {number}: an object with start, end and label is expected")
    start, end, label = value.get("start"), value.get("end"), value.get("label")
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label:
        raise _BadRow(f"span {number}: `start` and `end` must be integers, `label` a string")
    if not 0 <= start < end <= length:
        raise _BadRow(f"span {number}: {start} to {end} does not lie in a text of {length} characters")
    return Gold(start, end, label)
