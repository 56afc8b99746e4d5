"""Matches of rules, and the spans that stand once their overlaps are settled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from yett.detector import Span
from yett.wire.unicode import ScanView

if TYPE_CHECKING:
    from yett.rules import Rule

Placed = TypeVar("Placed", "Hit", Span)


class Hit(NamedTuple):
    """One match before overlaps are settled; positions are those of the text (or view) that was searched."""

    start: int
    end: int
    score: float
    rule: Rule


def place(hit: Hit, view: ScanView) -> Hit:
    """`hit`, found on a scan view, in positions of the original text."""
    start, end = view.span(hit.start, hit.end)
    return hit if (start, end) == (hit.start, hit.end) else Hit(start, end, hit.score, hit.rule)


def clusters(items: Iterable[Placed]) -> Iterator[list[Placed]]:
    """Groups of items that overlap, directly or through others; `items` are sorted by start."""
    group: list[Placed] = []
    end = 0
    for item in items:
        if group and item.start >= end:
            yield group
            group = []
        group.append(item)
        end = max(end, item.end)
    if group:
        yield group


def settle(hits: Sequence[Hit]) -> tuple[Span, ...]:
    """The spans that stand, by position; different detectors may overlap, their edits are merged later.

    Of overlapping hits of one detector the highest score stands, then the longest, then the leftmost.
    """
    by_detector: dict[str, list[Hit]] = {}
    for hit in sorted(hits, key=_by_place):
        by_detector.setdefault(hit.rule.detector.name, []).append(hit)
    spans = []
    for group in by_detector.values():
        for cluster in clusters(group):
            if len(cluster) == 1:
                hit = cluster[0]
                spans.append(Span(hit.start, hit.end, hit.rule.detector, hit.score))
            else:
                spans += _best(cluster)
    spans.sort(key=lambda s: (s.start, s.end, s.detector.name))
    return tuple(spans)


_by_place = itemgetter(0, 1)


def _best(cluster: list[Hit]) -> list[Span]:
    taken: list[Hit] = []
    for hit in sorted(cluster, key=lambda h: (-h.score, h.start - h.end, h.start, h.rule.order)):
        if all(hit.end <= other.start or hit.start >= other.end for other in taken):
            taken.append(hit)
    return [Span(hit.start, hit.end, hit.rule.detector, hit.score) for hit in taken]
