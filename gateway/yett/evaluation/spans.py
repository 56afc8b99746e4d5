"""Places found against places marked, by the rules of presidio-research's SpanEvaluator (0.3), on characters.

1. Punctuation and white space at the ends of a span do not count, and spans of one entity with nothing but these
   between them are one span. (presidio-research also drops stop words such as "the" and "street"; we do not.)
2. For each marked span, the found spans that overlap it are grouped by entity; each group counts as one found span.
   The group of the same entity is right where the intersection over union (IoU) of its characters with the marked span
   reaches the threshold; every other group is wrong. A found span that overlaps nothing is wrong.
3. precision = right / found, recall = right / marked. "PII or not": the same with all entities taken as one.

(presidio-research adds a character to each piece when it takes several together; we do not.)

`exact` counts spans as they stand, before rule 1: same start, same end, same entity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

DEFAULT_IOU = 0.9  # presidio-research's own default; its documents' examples use 0.75
PII = "pii or not"


class Place(NamedTuple):
    """Characters `start` to `end` that are said to be an `entity`."""

    start: int
    end: int
    entity: str


@dataclass(slots=True)
class Counts:
    """Spans of one entity: marked in the data, found, right by overlap; and the same for exact spans."""

    marked: int = 0
    found: int = 0
    right: int = 0
    exact_marked: int = 0
    exact_found: int = 0
    exact_right: int = 0

    def add(self, other: Counts, times: int = 1) -> None:
        """Add `other`, `times` over."""
        self.marked += other.marked * times
        self.found += other.found * times
        self.right += other.right * times
        self.exact_marked += other.exact_marked * times
        self.exact_found += other.exact_found * times
        self.exact_right += other.exact_right * times


@dataclass(slots=True)
class Compared:
    """One text: counts per entity and for PII; `missed` and `wrong` as they are told, with the best IoU of each."""

    counts: dict[str, Counts] = field(default_factory=dict)
    missed: list[tuple[Place, float]] = field(default_factory=list)
    wrong: list[Place] = field(default_factory=list)


def compare(text: str, marked: Sequence[Place], found: Sequence[Place], iou: float = DEFAULT_IOU) -> Compared:
    """What `found` is worth against `marked`; `iou` 0: any overlap will do."""
    result = Compared()
    _count_overlaps(text, marked, found, iou, result)
    _count_exact(marked, found, result.counts)
    as_one = Compared()
    bare_marked, bare_found = [_bare(place) for place in marked], [_bare(place) for place in found]
    _count_overlaps(text, bare_marked, bare_found, iou, as_one)
    _count_exact(bare_marked, bare_found, as_one.counts)
    result.counts[PII] = as_one.counts.get(PII, Counts())
    return result


def united(text: str, places: Iterable[Place]) -> list[Place]:
    """Rule 1: spans without punctuation at their ends, those of one entity joined over nothing but punctuation."""
    by_entity: dict[str, list[Place]] = {}
    for place in sorted(places):
        trimmed = _trimmed(text, place)
        if trimmed is None:
            continue
        spans = by_entity.setdefault(place.entity, [])
        if spans and not _has_word(text, spans[-1].end, trimmed.start):
            spans[-1] = spans[-1]._replace(end=max(spans[-1].end, trimmed.end))
        else:
            spans.append(trimmed)
    return sorted(place for spans in by_entity.values() for place in spans)


def overlap(marked: Place, found: Sequence[Place]) -> float:
    """The IoU of `marked` with all of `found` (which do not overlap each other) taken together."""
    common = sum(max(0, min(marked.end, one.end) - max(marked.start, one.start)) for one in found)
    union = marked.end - marked.start + sum(one.end - one.start for one in found) - common
    return common / union if union else 0.0


def _count_overlaps(text: str, marked: Sequence[Place], found: Sequence[Place], iou: float, into: Compared) -> None:
    """Rules 2 and 3."""
    there, said = united(text, marked), united(text, found)
    touched: set[Place] = set()
    for place in there:
        _of(into.counts, place.entity).marked += 1
        groups = _overlapping(place, said)
        best = overlap(place, groups[place.entity]) if place.entity in groups else 0.0
        for entity, group in groups.items():
            touched.update(group)
            counts = _of(into.counts, entity)
            counts.found += 1
            if entity == place.entity and best >= iou:
                counts.right += 1
            else:
                into.wrong.extend(group)
        if place.entity not in groups or best < iou:
            into.missed.append((place, best))
    for place in said:
        if place not in touched:
            _of(into.counts, place.entity).found += 1
            into.wrong.append(place)


def _count_exact(marked: Sequence[Place], found: Sequence[Place], counts: dict[str, Counts]) -> None:
    there, said = set(marked), set(found)
    for place in there:
        _of(counts, place.entity).exact_marked += 1
    for place in said:
        one = _of(counts, place.entity)
        one.exact_found += 1
        one.exact_right += place in there


def _overlapping(place: Place, found: Sequence[Place]) -> Mapping[str, list[Place]]:
    groups: dict[str, list[Place]] = {}
    for one in found:
        if one.start < place.end and place.start < one.end:
            groups.setdefault(one.entity, []).append(one)
    return groups


def _of(counts: dict[str, Counts], entity: str) -> Counts:
    return counts.setdefault(entity, Counts())


def _bare(place: Place) -> Place:
    return place._replace(entity=PII)


def _trimmed(text: str, place: Place) -> Place | None:
    start, end = place.start, place.end
    while start < end and not text[start].isalnum():
        start += 1
    while start < end and not text[end - 1].isalnum():
        end -= 1
    return place._replace(start=start, end=end) if start < end else None


def _has_word(text: str, start: int, end: int) -> bool:
    return any(character.isalnum() for character in text[start:end])
