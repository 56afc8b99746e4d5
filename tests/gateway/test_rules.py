"""Rules against their definition: slow and obvious on one side, RE2 and windows on the other."""

from __future__ import annotations

import random

import pytest

from helpers.detectors import pii, secrets
from helpers.sample_detectors import ALL, detector, text_of
from yett.detector import Detector
from yett.errors import ConfigError, Unavailable
from yett.hits import Hit, settle
from yett.rules import Rule, RuleSet, flat

RULES = RuleSet([Rule(d, p, i) for i, (d, p) in enumerate((d, p) for d in ALL for p in d.patterns)])

BUILT_IN = RuleSet([Rule(d, p, i) for i, (d, p) in enumerate((d, p) for d in (*pii(), *secrets()) for p in d.patterns)])


def by_definition(rule: Rule, text: str) -> list[tuple[int, int]]:
    """Attempts from left to right, each seeing max_len characters."""
    out, at = [], 0
    while at < len(text):
        found = (
            rule._exact.match(text, at, min(len(text), at + rule.max_len))
            if rule.windowed
            else rule._exact.match(text, at)
        )
        if found:
            out.append(found.span())
        at = found.end() if found else at + 1
    return out


def spans(rule: Rule, text: str) -> list[tuple[int, int]]:
    data = flat(text)
    return [m.span() for m in rule.matches(text, data, 0, 0, len(text), final=True)]


@pytest.mark.parametrize("seed", range(40))
def test_matches_are_those_of_the_definition(seed: int) -> None:
    rng = random.Random(seed)
    text = text_of(rng, rng.choice((5, 20, 60)))
    for rule in RULES.rules:
        assert spans(rule, text) == by_definition(rule, text), rule.pattern.name


@pytest.mark.parametrize("seed", range(10))
def test_both_engines_match_alike_at_every_place(seed: int) -> None:
    text = text_of(random.Random(seed), 12)
    for rule in (*RULES.rules, *BUILT_IN.rules):
        for at in range(len(text)):
            until = min(len(text), at + rule.reach)
            one, other = rule._match(text, at, until), rule._exact.match(text, at, until)
            assert (one and (one.span(), one.groups())) == (other and (other.span(), other.groups())), rule.pattern.name


@pytest.mark.parametrize("seed", range(20))
def test_looking_only_where_digits_are_misses_nothing(seed: int) -> None:
    text = text_of(random.Random(seed), 20)
    alone = [hit for rule in BUILT_IN.rules for hit in _hits(rule, text)]
    together = BUILT_IN.find(text, 0, len(text), {})
    assert [(h.rule.order, h.start, h.end, h.score) for h in together] == [
        (h.rule.order, h.start, h.end, h.score) for h in alone
    ]


def _hits(rule: Rule, text: str) -> list[Hit]:
    matches = rule.matches(text, flat(text), 0, 0, len(text), final=True)
    return [hit for match in matches if (hit := rule.hit(text, match, 0))]


@pytest.mark.parametrize("text", ["", "no digits", "1", "a1", "1a", "\u0661", "a@b.co 1 " * 40 + "x" * 300])
def test_digits_at_the_edges(text: str) -> None:
    number = detector("d", r"\d", r"[a-z ]{0,9}\d(?!x)", r"\w", r"[a-z]@[a-z]", r"c[ao]", score=0.9)
    rules = RuleSet([Rule(number, pattern, order) for order, pattern in enumerate(number.patterns)])
    expected = [(order, span) for order, rule in enumerate(rules.rules) for span in by_definition(rule, text)]
    found = rules.find(text, 0, len(text), {})
    assert sorted((hit.rule.order, (hit.start, hit.end)) for hit in found) == sorted(expected)


def test_warming_up_asks_no_validator() -> None:
    strict = detector("d", r"\w+", validator=lambda text: pytest.fail("asked"))
    rules = RuleSet([Rule(strict, strict.patterns[0], 0)])
    rules.warm_up()
    assert rules.rules[0].covers(flat("a word"))


LONG = {
    "unbroken letters": "a" * 1500 + "@b.co",
    "letters before and after": "a" * 700 + "@" + "b" * 700 + ".co.uk" + "c" * 600,
    "many at signs": ("a" * 300 + "@") * 6 + "b.co",
    "exactly 512": "a" * 507 + "@b.co",
    "exactly 513": "a" * 508 + "@b.co",
    "never": "a" * 3000,
    "digits": "4" * 1400 + " 536-90-4399",
    "token": "bearer " + "x" * 900 + " bearer " + "y" * 292 + " bearer " + "z" * 293,
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_long_runs_follow_the_definition(text: str) -> None:
    for rule in RULES.rules:
        assert spans(rule, text) == by_definition(rule, text), rule.pattern.name


@pytest.mark.parametrize("seed", range(60))
def test_the_prefilter_and_the_hold_back_miss_nothing(seed: int) -> None:
    rng = random.Random(seed)
    text = text_of(rng, rng.choice((1, 3, 8)))
    possible = RULES.candidates(flat(text))
    for rule in RULES.rules:
        assert rule in possible or rule._exact.search(text) is None, rule.pattern.name
    low = rng.randrange(len(text) + 1)
    viable = (hold.fused.search(text, max(low, len(text) - hold.reach + 1), partial=True) for hold in RULES._holds)
    assert RULES.undecided(text, low) == min((m.start() for m in viable if m), default=len(text))


def one(found: Detector, text: str) -> list[tuple[str, float]]:
    rules = RuleSet([Rule(found, p, i) for i, p in enumerate(found.patterns)])
    return [(text[s.start : s.end], round(s.score, 2)) for s in settle(rules.find(text, 0, len(text), {}))]


JUDGED = {
    "plain": (detector("d", r"\d{3}"), "a 123 b 456", [("123", 0.6), ("456", 0.6)]),
    "too weak": (detector("d", r"\d{3}", score=0.3), "a 123", []),
    "context lifts": (detector("d", r"\d{3}", score=0.3, context=("pin",)), "my PIN is 123", [("123", 0.65)]),
    "context lifts to the floor": (detector("d", r"\d{3}", score=0.01, context=("pin",)), "pin 123", [("123", 0.4)]),
    "context is capped": (detector("d", r"\d{3}", score=0.9, context=("pin",)), "pin 123", [("123", 1.0)]),
    "context is whole words": (detector("d", r"\d{3}", score=0.3, context=("pin",)), "spin pins 123", []),
    "context is before": (detector("d", r"\d{3}", score=0.3, context=("pin",)), "123 pin", []),
    "context is near": (detector("d", r"\d{3}", score=0.3, context=("pin",), context_chars=5), "pin ... 123", []),
    "context cut by its edge": (detector("d", r"\d{3}", score=0.3, context=("pin",), context_chars=4), "spin 123", []),
    "context of two words": (
        detector("d", r"\d{3}", score=0.3, context=("pin code",)),
        "Pin Code 123",
        [("123", 0.65)],
    ),
    "valid": (detector("d", r"\d{3}", validator=lambda t: True), "123", [("123", 1.0)]),
    "invalid": (detector("d", r"\d{3}", validator=lambda t: False, context=("pin",)), "pin 123", []),
    "undecided": (detector("d", r"\d{3}", validator=lambda t: None), "123", [("123", 0.6)]),
    "group": (detector("d", r"pin (\d{3})", group=1), "pin 123", [("123", 0.6)]),
    "group that took no part": (detector("d", r"pin(?: (\d{3}))?", group=1), "pin!", []),
    "longest of equals": (detector("d", r"\d{3}", r"\d{3}-\d"), "123-4", [("123-4", 0.6)]),
    "leftmost of equals": (detector("d", r"ab", r"bc"), "abc", [("ab", 0.6)]),
    "no overlap, both": (detector("d", r"ab", r"cd"), "abcd", [("ab", 0.6), ("cd", 0.6)]),
    "a lower one beside a higher": (detector("d", r"ab", r"bcd", r"de"), "abcde", [("bcd", 0.6)]),
    "case": (detector("d", "key", ignore_case=True), "KEY", [("KEY", 0.6)]),
    "lines": (detector("d", "^k.y$"), "a\nkey\nb", [("key", 0.6)]),
}


@pytest.mark.parametrize(("found", "text", "expected"), JUDGED.values(), ids=JUDGED)
def test_judging_and_settling(found: Detector, text: str, expected: list[tuple[str, float]]) -> None:
    assert one(found, text) == expected


def test_the_highest_score_wins_over_the_longest() -> None:
    def check(text: str) -> bool | None:
        return True if text == "123" else None

    assert one(detector("d", r"\d{3}", r"\d{3}-\d", validator=check), "123-4") == [("123", 1.0)]


def test_a_failing_validator_is_a_guard_failure_without_the_text() -> None:
    def fail(text: str) -> bool:
        raise ValueError(text)

    with pytest.raises(Unavailable, match="validator of d") as caught:
        one(detector("d", r"\d{3}", validator=fail), "999")
    assert caught.value.code == "guard_failed"
    assert "999" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_pattern_that_runs_away_is_a_guard_failure() -> None:
    with pytest.raises(Unavailable, match="time"):
        one(detector("d", r"(?:a|aa|a{2,3})+(?=b)(?!bc)"), "a" * 60 + "bc")


def test_a_lone_surrogate_is_a_guard_failure() -> None:
    with pytest.raises(Unavailable, match="surrogate"):
        one(detector("d", "abc"), "abc \ud800")


def test_a_prefilter_that_gives_up_is_a_guard_failure() -> None:
    class GaveUp:
        def Match(self, data: bytes) -> None:  # noqa: N802  # the name RE2 gives it
            return None

    rules = RuleSet([Rule(ALL[0], ALL[0].patterns[0], 0)])
    rules._set = GaveUp()
    with pytest.raises(Unavailable, match="prefilter"):
        rules.find("a@b.co", 0, 6, {})


def test_look_arounds_wider_than_the_longest_match_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"detector d, pattern d0: a look-around"):
        one(detector("d", r"a(?!b{50})", max_len=20), "a")
