"""Overlaps of hits: what joins, what stands."""

from __future__ import annotations

import itertools

import pytest

from helpers.sample_detectors import CARD, EMAIL
from yett.hits import Hit, ReadHit, clusters, place, settle, whole_escapes
from yett.rules import Rule
from yett.wire.unicode import ScanView

MAIL, OTHER_MAIL = Rule(EMAIL, EMAIL.patterns[0], 0), Rule(EMAIL, EMAIL.patterns[0], 1)
NUMBER = Rule(CARD, CARD.patterns[0], 2)


def test_clusters_join_through_others_but_not_by_touching() -> None:
    hits = [Hit(start, end, 0.5, MAIL) for start, end in ((0, 4), (2, 6), (5, 9), (9, 12), (14, 15))]
    groups = [[(hit.start, hit.end) for hit in group] for group in clusters(hits)]
    assert groups == [[(0, 4), (2, 6), (5, 9)], [(9, 12)], [(14, 15)]]


STANDS = {
    "nothing": ([], []),
    "highest score": ([Hit(0, 9, 0.5, MAIL), Hit(2, 4, 0.9, MAIL)], [(2, 4)]),
    "then the longest": ([Hit(0, 3, 0.5, MAIL), Hit(2, 9, 0.5, MAIL)], [(2, 9)]),
    "then the leftmost": ([Hit(2, 5, 0.5, MAIL), Hit(0, 3, 0.5, MAIL)], [(0, 3)]),
    "twice the same": ([Hit(0, 3, 0.5, MAIL), Hit(0, 3, 0.5, OTHER_MAIL)], [(0, 3)]),
    "what the loser hid": ([Hit(0, 4, 0.4, MAIL), Hit(3, 8, 0.5, MAIL), Hit(7, 9, 0.4, MAIL)], [(3, 8)]),
    "both ends of the loser": ([Hit(0, 4, 0.6, MAIL), Hit(3, 8, 0.5, MAIL), Hit(7, 9, 0.6, MAIL)], [(0, 4), (7, 9)]),
    "two detectors overlap": ([Hit(0, 4, 0.6, MAIL), Hit(0, 8, 0.5, NUMBER)], [(0, 4), (0, 8)]),
}


@pytest.mark.parametrize(("hits", "expected"), STANDS.values(), ids=STANDS)
def test_what_stands_whatever_the_order(hits: list[Hit], expected: list[tuple[int, int]]) -> None:
    for order in itertools.permutations(hits):
        assert [(span.start, span.end) for span in settle(order)] == expected


def test_place_leads_back_to_the_original_text() -> None:
    view = ScanView()
    view.add("\u200bab\u200bcd")
    assert place(Hit(1, 3, 0.5, MAIL), view)[:2] == (2, 5)
    same = Hit(0, 1, 0.5, MAIL)
    plain = ScanView()
    plain.add("ab")
    assert place(same, plain) is same


def test_a_hit_that_cuts_an_escape_gives_way_to_one_on_the_read_text() -> None:
    view = ScanView(reads=True)
    view.add("x\\nab@c \\tyz", final=True)
    cut, read, alone = Hit(2, 7, 0.5, MAIL), ReadHit(3, 7, 0.5, MAIL), Hit(9, 12, 0.5, MAIL)
    assert whole_escapes([cut, read, alone], view) == [read, alone]
    assert whole_escapes([cut, alone], view) == [cut, alone]
