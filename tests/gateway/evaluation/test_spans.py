"""The cases of presidio-research's documents and tests (span_matching_strategies.md, test_span_evaluator.py)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.evaluation.spans import PII, Counts, Place, compare, overlap, united


def tagged(tokens: Sequence[str], tags: Sequence[str]) -> list[Place]:
    """Places of the tagged tokens in `" ".join(tokens)`; neighbours of one tag are one place."""
    places: list[Place] = []
    start, before = 0, "O"
    for token, tag in zip(tokens, tags, strict=True):
        end = start + len(token)
        if tag != "O":
            if tag == before:
                places[-1] = places[-1]._replace(end=end)
            else:
                places.append(Place(start, end, tag))
        start, before = end + 1, tag
    return places


P, L, G, T, A = "PERSON", "LOCATION", "ORGANIZATION", "TITLE", "ADDRESS"

# tokens, marked, found, (right, wrong, missed) over all entities, at IoU 0.75
THEIRS = {
    "1 same type": ("The John Smith visited", "O P P O", "O P P O", (1, 0, 0)),
    "2 nothing found": ("The John Smith visited", "O P P O", "O O O O", (0, 0, 1)),
    "3 nothing marked": ("The John Smith visited", "O O O O", "O P P O", (0, 1, 0)),
    "4 another type": ("The New York visited", "O L L O", "O P P O", (0, 1, 1)),
    "5a same type, too little": ("The John Smith Johnson visited", "O P P P O", "O P O O O", (0, 1, 1)),
    "5b another type, too little": ("The New York Mets visited", "O G G G O", "O P O O O", (0, 1, 1)),
    "6a a little too much": ("The New York Mets visited", "O G G G O", "G G G G O", (1, 0, 0)),
    "6b two pieces, too little": ("The New York Mets visited", "O G G G O", "O G O G O", (0, 1, 1)),
    "7a pieces of two types": ("The John Smith Johnson visited", "O P P P O", "O P L L O", (0, 2, 1)),
    "7b another type and beside it": ("The John Smith Johnson visited", "O P P P O", "O O L O P", (0, 2, 1)),
    "address, street name missed": (
        "Alice lives at 123 Main Circle downtown",
        "P O O A A A O",
        "P O O A O A O",
        (1, 1, 1),
    ),
    "a place taken for a person": ("Bob Davis went to Chicago yesterday", "P P O O L O", "P P O O P O", (1, 1, 1)),
}
WORDS = {"P": P, "L": L, "G": G, "T": T, "A": A, "O": "O"}


@pytest.mark.parametrize(("text", "marked", "found", "expected"), THEIRS.values(), ids=THEIRS)
def test_counts_are_those_of_presidio_research(
    text: str, marked: str, found: str, expected: tuple[int, int, int]
) -> None:
    tokens = text.split()
    there = tagged(tokens, [WORDS[tag] for tag in marked.split()])
    said = tagged(tokens, [WORDS[tag] for tag in found.split()])
    counts = [one for entity, one in compare(text, there, said, 0.75).counts.items() if entity != PII]
    right, all_found = sum(one.right for one in counts), sum(one.found for one in counts)
    assert (right, all_found - right, sum(one.marked for one in counts) - right) == expected


def test_one_difference_pieces_have_their_own_length() -> None:
    """SpanEvaluator counts a character more for each piece: 13 of 17 here, a match at 0.75; we count 11 of 16."""
    tokens = ["The", "John", "C", "B", "Johnson", "visited"]
    there, said = tagged(tokens, ["O", P, P, P, P, "O"]), tagged(tokens, ["O", P, "O", L, P, "O"])
    assert overlap(there[0], [place for place in said if place.entity == P]) == pytest.approx(11 / 16)
    counts = compare(" ".join(tokens), there, said, 0.68).counts
    assert (counts[P].right, counts[P].found, counts[L].right, counts[L].found) == (1, 1, 0, 1)


# tokens, marked, found, (right, found, marked) as one type, at IoU 0.75
THEIRS_GLOBAL = {
    "types do not matter": ("The John Smith visited", "O P P O", "O L P O", (1, 1, 1)),
    "one of two": ("The John Smith visited", "O P O G", "O P O O", (1, 1, 2)),
    "too little": ("The John Smith Johnson visited", "O P P P O", "O L O O O", (0, 1, 1)),
    "pieces of two types are one": ("The John Smith Johnson visited", "O P P P O", "O L L G O", (1, 1, 1)),
    "pieces of three types": ("The John Smith Jr Doe visited", "O P P P P O", "O L G O P O", (1, 1, 1)),
    "nothing marked": ("The quick brown fox jumped", "O O O O O", "O P L O O", (0, 1, 0)),
}


@pytest.mark.parametrize(("text", "marked", "found", "expected"), THEIRS_GLOBAL.values(), ids=THEIRS_GLOBAL)
def test_pii_or_not_is_that_of_presidio_research(
    text: str, marked: str, found: str, expected: tuple[int, int, int]
) -> None:
    tokens = text.split()
    there = tagged(tokens, [WORDS[tag] for tag in marked.split()])
    said = tagged(tokens, [WORDS[tag] for tag in found.split()])
    one = compare(text, there, said, 0.75).counts[PII]
    assert (one.right, one.found, one.marked) == expected


def test_pieces_are_taken_together_as_in_their_document() -> None:
    text = "New York Mets"
    whole, pieces = [Place(0, 13, G)], [Place(0, 3, G), Place(9, 13, G)]
    assert overlap(whole[0], pieces) == pytest.approx(7 / 13)
    assert compare(text, whole, pieces, 0.5).counts[G].right == 1
    assert compare(text, whole, pieces, 0.75).counts[G].right == 0
    assert compare(text, whole, pieces, 0.75).counts[G].found == 1


def test_a_miss_says_how_near_it_was() -> None:
    compared = compare("call 555 1234 now", [Place(5, 13, "pii.phone")], [Place(5, 8, "pii.phone")])
    assert compared.missed == [(Place(5, 13, "pii.phone"), pytest.approx(3 / 8))]
    assert compared.wrong == [Place(5, 8, "pii.phone")]


def test_punctuation_at_the_ends_does_not_count() -> None:
    text = "call (+49) 30 123456."
    compared = compare(text, [Place(5, 20, "x")], [Place(6, 21, "x")], 1.0)
    assert compared.counts["x"].right == 1
    assert compared.counts["x"].exact_right == 0


def test_neighbours_with_only_punctuation_between_are_one_span() -> None:
    text = "Ada, Bob and Cy"
    places = [Place(0, 3, P), Place(5, 8, P), Place(13, 15, P)]
    assert united(text, places) == [Place(0, 8, P), Place(13, 15, P)]
    assert united(text, [places[0], Place(5, 8, L)]) == [places[0], Place(5, 8, L)]


def test_nothing_but_punctuation_is_no_span() -> None:
    assert compare("a -- b", [Place(2, 4, P)], [Place(2, 4, P)]).counts[P] == Counts(0, 0, 0, 1, 1, 1)


def test_any_overlap_is_enough_at_iou_zero() -> None:
    assert compare("abcdefgh", [Place(0, 8, P)], [Place(0, 1, P)], 0.0).counts[P].right == 1
    assert compare("abcd efgh", [Place(0, 4, P)], [Place(5, 9, L)], 0.0).counts[P].right == 0


def test_no_marks_and_no_finds_are_no_counts() -> None:
    assert compare("abc", [], []).counts == {PII: Counts()}


spans = st.lists(
    st.builds(
        lambda a, n, e: Place(a, min(30, a + n), e), st.integers(0, 28), st.integers(1, 9), st.sampled_from("xy")
    ),
    max_size=6,
)
texts = st.text("ab ,", min_size=30, max_size=30)


@given(texts, spans)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_finding_exactly_what_is_marked_is_perfect(text: str, marked: list[Place]) -> None:
    compared = compare(text, marked, marked, 1.0)
    assert compared.missed == []
    for entity, counts in compared.counts.items():
        assert counts.right == counts.marked, entity
        assert counts.exact_right == counts.exact_marked == counts.exact_found


@given(texts, spans, spans, st.sampled_from([0.0, 0.5, 0.9, 1.0]))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_counts_add_up(text: str, marked: list[Place], found: list[Place], iou: float) -> None:
    compared = compare(text, marked, found, iou)
    for counts in compared.counts.values():
        assert 0 <= counts.right <= min(counts.marked, counts.found)
        assert 0 <= counts.exact_right <= min(counts.exact_marked, counts.exact_found)
    entities = [counts for entity, counts in compared.counts.items() if entity != PII]
    assert len(compared.missed) == sum(counts.marked - counts.right for counts in entities)


def test_counts_add() -> None:
    total = Counts(1, 1, 1, 1, 1, 1)
    total.add(Counts(1, 2, 0, 3, 4, 5), 2)
    assert total == Counts(3, 5, 1, 7, 9, 11)
