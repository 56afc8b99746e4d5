"""Matches of rules, and the spans that stand once their overlaps are settled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple, Protocol, TypeVar

from yett.detector import Detector, Span
from yett.wire.offsets import Offsets

Placed = TypeVar("Placed", "Hit", Span)


class Finder(Protocol):
    """What found a hit: in most cases a `yett.rules.Rule`. `order` decides between equals."""

    @property
    def detector(self) -> Detector:
        """The detector whose finding the hit becomes."""

    @property
    def order(self) -> int:
        """Its place in the configuration."""


class Hit(NamedTuple):
    """One match before overlaps are settled; positions are those of the text (or view) that was searched."""

    start: int
    end: int
    score: float
    rule: Finder


class ReadHit(Hit):
    """A hit on the text with its sequences read (see `yett.wire.sequences`)."""

    __slots__ = ()


def place(hit: Hit, view: Offsets) -> Hit:
    """`hit`, found on a scan view, in positions of the original text."""
    start, end = view.span(hit.start, hit.end)
    return hit if (start, end) == (hit.start, hit.end) else Hit(start, end, hit.score, hit.rule)


def whole_escapes(hits: Sequence[Hit], view: Offsets) -> list[Hit]:
    r"""`hits` in a JSON text without those that an edit could not stand for: they would cut an escape in two.

    Those begin in the middle of an escape (with the `n` of `\n`) and give way to a hit on the read text (`view`) that
    they overlap.
    """
    read = [hit for hit in hits if isinstance(hit, ReadHit)]
    return [
        hit
        for hit in hits
        if not view.inside_unit(hit.start) or not any(r.start < hit.end and hit.start < r.end for r in read)
    ]


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
    found: list[list[Hit]] = []  # hits of one detector that overlap, directly or through others
    last: dict[str, tuple[int, list[Hit]]] = {}
    for hit in sorted(hits, key=_by_place):
        start, end, _, rule = hit
        name = rule.detector.name
        reached, cluster = last.get(name, _NOTHING)
        if start < reached:
            cluster.append(hit)
            last[name] = max(reached, end), cluster
        else:
            cluster = [hit]
            found.append(cluster)
            last[name] = end, cluster
    spans: list[Span] = []
    for cluster in found:
        if len(cluster) == 1:
            spans.append(_span(cluster[0]))
        elif len(cluster) == 2:  # they overlap one another
            spans.append(_span(min(cluster, key=_rank)))
        else:
            spans += _best(cluster)
    if len(spans) > 1:
        spans.sort(key=_by_place_and_name)
    return tuple(spans)


_NOTHING: tuple[int, list[Hit]] = (-1, [])
_by_place = itemgetter(0, 1)


def _by_place_and_name(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.detector.name


def _rank(hit: Hit) -> tuple[float, int, int, int]:
    start, end, score, rule = hit
    return -score, start - end, start, rule.order


def _span(hit: Hit) -> Span:
    start, end, score, rule = hit
    return Span(start, end, rule.detector, score)


def _best(cluster: list[Hit]) -> list[Span]:
    taken: list[Hit] = []
    for hit in sorted(cluster, key=_rank):
        start, end = hit.start, hit.end
        if all(end <= other.start or start >= other.end for other in taken):
            taken.append(hit)
    return [_span(hit) for hit in taken]
