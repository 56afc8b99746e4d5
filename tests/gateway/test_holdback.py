"""What must wait, and what need not."""

from __future__ import annotations

import random

import pytest

from helpers.sample_detectors import ALL, chunks_of, detector, text_of
from yett.detector import Detector
from yett.errors import Unavailable
from yett.holdback import HoldBack
from yett.rules import Rule, RuleSet


def rules(*detectors: Detector) -> RuleSet:
    return RuleSet([Rule(d, p, i) for i, (d, p) in enumerate((d, p) for d in detectors for p in d.patterns)])


RULES = rules(*ALL)

WAITS = {
    "nothing can begin": (r"\d{3}", "abc ", ""),
    "a beginning": (r"\d{3}", "abc 12", "12"),
    "may still grow": (r"\d{2,4}", "x 12", "12"),
    "cannot grow": (
        r"\d{2}",
        "x 12",
        "12",
    ),  # the next attempt could not start before it, but it is not yet seen to end
    "decided": (r"\d{2}", "x 12 ", ""),
    "look-ahead": (r"ab(?!cd)", "xabc", "abc"),
    "look-ahead decided": (r"ab(?!cd)", "xabcx", ""),
    "boundary after a non-word character": (r"#\bx", "a#", "#"),
    "boundary after a word character": (r"a\b-x", "ba", "a"),
    "look-behind fails": (r"(?<![a-z])\d+", "x1", ""),
    "literal": (r"\bAKIA\d", "an AKI", "AKI"),
    "literal inside a word": (r"\bAKIA\d", "anAKI", ""),
    "end of line": (r"^a$", "x\na", "a"),
    "possessive": (r"a++b", "xaa", "aa"),
    "atomic": (r"(?>ab|a)c", "xab", "ab"),
    "case": (r"(?i)key=\d", "a KE", "KE"),
}


@pytest.mark.parametrize(("source", "text", "waits"), WAITS.values(), ids=WAITS)
def test_what_waits(source: str, text: str, waits: str) -> None:
    hold = HoldBack(rules(detector("d", source)))
    hold.feed(text)
    assert text[hold.decided :] == waits
    hold.feed("", final=True)
    assert hold.decided == len(text)


def test_an_unbounded_beginning_waits_for_max_len_characters_at_most() -> None:
    hold = HoldBack(rules(detector("d", r"a+@b", max_len=50)))
    for _ in range(300):
        hold.feed("a")
    assert hold.decided == 300 - 49  # the attempt 50 characters back has seen all that it may see
    assert [(h.start, h.end) for h in hold.feed("@b ")] == [(300 - 48, 302)]


@pytest.mark.parametrize("seed", range(60))
def test_hits_are_those_of_the_whole_text_and_never_start_below_what_was_decided(seed: int) -> None:
    rng = random.Random(seed)
    text = text_of(rng, rng.choice((2, 8, 40)))
    hold, hits = HoldBack(RULES), []
    for chunk in (*chunks_of(rng, text), None):
        decided = hold.decided
        new = hold.feed("", final=True) if chunk is None else hold.feed(chunk)
        assert all(hit.start >= decided for hit in new)
        hits += new
    assert sorted(hits, key=lambda h: (h.rule.order, h.start)) == sorted(
        RULES.find(text, 0, len(text), {}), key=lambda h: (h.rule.order, h.start)
    )


def test_one_huge_chunk_is_as_many_small_ones() -> None:
    text = ("It was a bright cold day in April. a@b.co 4111 1111 1111 1111 " * 40 + "x" * 700) * 10
    at_once, in_pieces = HoldBack(RULES), HoldBack(RULES)
    hits = at_once.feed(text) + at_once.feed("", final=True)
    small = [hit for at in range(0, len(text), 11) for hit in in_pieces.feed(text[at : at + 11])]
    small += in_pieces.feed("", final=True)
    assert sorted(small, key=lambda h: (h.rule.order, h.start)) == sorted(hits, key=lambda h: (h.rule.order, h.start))


def test_the_buffer_does_not_grow_with_the_stream() -> None:
    hold = HoldBack(RULES)
    for _ in range(2000):
        hold.feed("some plain words, ")
    assert len(hold._text) < 2500


def test_a_pattern_that_runs_away_is_a_guard_failure() -> None:
    hold = HoldBack(rules(detector("d", r"(?:a|aa|a{2,3})+(?=b)(?!bc)")))
    with pytest.raises(Unavailable, match="time"):
        [hold.feed(c) for c in "a" * 60 + "bc"]


def test_a_fork_goes_on_alone_and_agrees_again_when_nothing_differs_any_more() -> None:
    plain = HoldBack(RULES)
    plain.feed("some words and 4111 ")
    fork = plain.fork(without=None)
    plain.feed("1111 1111 1112 here. ")
    hits = fork.feed("1111 1111 1111 here. ")
    assert "card" in {hit.rule.detector.name for hit in hits}
    assert not plain.agrees(fork)
    for _ in range(40):
        plain.feed("plain words, ")
        fork.feed("plain words, ")
    assert plain.agrees(fork)


def test_a_long_wait_is_not_looked_at_for_each_character() -> None:
    hold = HoldBack(rules(detector("d", r"[a-z]{600,800}!", max_len=801)))
    for _ in range(500):
        hold.feed("a")
    seen, looks = hold.decided, 0
    for _ in range(2000):
        hold.feed("a")
        looks += hold.decided != seen
        seen = hold.decided
    assert 0 < looks < 30
    hits = hold.feed("!", final=True)
    assert [(hit.start, hit.end) for hit in hits] == [(2500 - 800, 2501)]
