"""What follows a text of the Responses API when the gate changes it: annotation indices and logprobs.

Positions are in characters of what the provider wrote; a `Change` says which of them were replaced and by how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from yett.verdict import Edit
from yett.wire.guard import Released, TextChannel

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Characters `start` to `end` of the provider's text became `length` other characters."""

    start: int
    end: int
    length: int


def changes_of(edits: Iterable[Edit]) -> list[Change] | None:
    """The changes that merged `edits` make to a text; None where they replace all of it, whatever its length was."""
    changes = []
    for edit in edits:
        if edit.span is None:
            return None
        changes.append(Change(*edit.span, len(edit.replacement)))
    return changes


def moved(index: int, changes: Sequence[Change], *, is_end: bool) -> int:
    """Where character `index` of the provider's text stands in the changed one; inside a change, at its border."""
    shift = 0
    for change in changes:
        if index >= change.end and (index > change.start or (index == change.end and not is_end)):
            shift += change.length - (change.end - change.start)
        elif index > change.start:
            return change.start + shift + (change.length if is_end else 0)
        else:
            break
    return index + shift


def remap_annotations(annotations: object, changes: Sequence[Change]) -> None:
    """Move `start_index` and `end_index` of every annotation, in place."""
    if not changes or not isinstance(annotations, list):
        return
    for annotation in annotations:
        if isinstance(annotation, dict):
            remap_annotation(annotation, changes)


def remap_annotation(annotation: JsonObject, changes: Sequence[Change]) -> None:
    """Move `start_index` and `end_index` of one annotation, in place."""
    for name, is_end in (("start_index", False), ("end_index", True)):
        if annotation.get(name).__class__ is int:
            annotation[name] = moved(annotation[name], changes, is_end=is_end)


def without_positions(annotations: object) -> list[Any]:
    """The annotations that do not point into the text: what is left when nobody knows how the text changed."""
    entries = annotations if isinstance(annotations, list) else []
    return [a for a in entries if not (isinstance(a, dict) and ("start_index" in a or "end_index" in a))]


def keep_logprobs(entries: object, changes: Sequence[Change], text: str) -> list[Any]:
    """The logprob entries over what `changes` left as it was in `text`; none at all if they spell anything else."""
    if not isinstance(entries, list):
        return []
    kept, position = [], 0
    for entry in entries:
        token = entry.get("token") if isinstance(entry, dict) else None
        if not isinstance(token, str):
            return []
        start, position = position, position + len(token)
        if _touches(start, position, changes):
            continue
        at = moved(start, changes, is_end=False)
        if text[at : at + len(token)] != token:
            return []
        kept.append(entry)
    grown = sum(change.length - (change.end - change.start) for change in changes)
    return kept if position + grown == len(text) else []


def follow(part: JsonObject, changes: Sequence[Change] | None) -> None:
    """Bring annotations and logprobs of a text part in line with its `text`, in which `changes` were made, in place."""
    text = part.get("text")
    if "logprobs" in part and part["logprobs"] is not None:
        part["logprobs"] = [] if changes is None else keep_logprobs(part["logprobs"], changes, _string(text))
    if changes is None:
        if "annotations" in part:
            part["annotations"] = without_positions(part["annotations"])
    else:
        remap_annotations(part.get("annotations"), changes)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _touches(start: int, end: int, changes: Sequence[Change]) -> bool:
    return any(start < change.end and change.start < end for change in changes)


@dataclass(slots=True)
class StreamedText:
    """One growing text of a stream: what the provider sent, what the client was given, and what waits in between.

    `name` is the member of the delta event that carries it; `template` is that event without the text.
    """

    channel: TextChannel
    template: JsonObject
    name: str = "delta"
    finished: bool = False
    covered: int = 0
    fed: int = 0
    changes: list[Change] = field(default_factory=list)
    annotations: list[JsonObject] = field(default_factory=list)
    _raw: list[str] = field(default_factory=list)
    _sent: list[str] = field(default_factory=list)
    _logprobs: list[tuple[int, int, Any]] = field(default_factory=list)
    _logprobs_fit: bool = True

    @property
    def raw(self) -> str:
        """All that the provider sent so far."""
        return "".join(self._raw)

    @property
    def text(self) -> str:
        """All that the client was given so far."""
        return "".join(self._sent)

    def add(self, delta: str, logprobs: object) -> None:
        """Note what the provider sent, before the channel is fed with it."""
        start = self.fed
        self._raw.append(delta)
        self.fed += len(delta)
        if logprobs:
            self._add_logprobs(logprobs, delta, start)

    def take(self, released: Released) -> tuple[str, list[Any]]:
        """Note what may leave; return it with the logprob entries that go with it."""
        if released.text:
            self._sent.append(released.text)
        self.covered = max(self.covered, released.end)
        if released.edits:
            start, end = released.edits[0][0], released.edits[-1][1]
            length = len(released.text) - (released.end - released.start) + (end - start)
            self.changes.append(Change(start, end, length))
        return released.text, self._due_logprobs() if self._logprobs else []

    def due_annotations(self) -> list[JsonObject]:
        """The annotation events whose text the client has by now, their indices moved."""
        if not self.annotations:
            return []
        ready = [e for e in self.annotations if self.finished or _end_index(e) <= self.covered]
        self.annotations = [e for e in self.annotations if not any(e is r for r in ready)]
        for event in ready:
            remap_annotation(event["annotation"], self.changes)
        return ready

    def _add_logprobs(self, entries: object, delta: str, start: int) -> None:
        """Entries must spell their delta exactly; from the first that do not, the text has no logprobs."""
        kept = keep_logprobs(entries, (), delta)
        self._logprobs_fit = self._logprobs_fit and bool(kept)
        if not self._logprobs_fit:
            self._logprobs.clear()
            return
        for entry in kept:
            end = start + len(entry["token"])
            self._logprobs.append((start, end, entry))
            start = end

    def _due_logprobs(self) -> list[Any]:
        due = [entry for start, end, entry in self._logprobs if end <= self.covered and not self._changed(start, end)]
        self._logprobs = [one for one in self._logprobs if one[1] > self.covered]
        return due

    def _changed(self, start: int, end: int) -> bool:
        return _touches(start, end, self.changes)


def _end_index(event: JsonObject) -> int:
    end = event["annotation"].get("end_index")
    return end if isinstance(end, int) else 0
