from __future__ import annotations

import pytest

from yett.evaluation.cases import Case, Kind
from yett.evaluation.cost import TOTAL, costs, machine
from yett.evaluation.subject import Outcome, Spent


def case(text: str) -> Case:
    return Case("f", 1, "", text, Kind.PLAIN)


def spent(**seconds: float) -> Outcome:
    """Each stage waited half of its time."""
    return Outcome(spent={stage: Spent(wall_s, wall_s / 2) for stage, wall_s in seconds.items()})


def test_times_are_per_stage_per_kb_and_per_text() -> None:
    texts = [case("é" * 512), case("b" * 1024)]
    outcomes = [spent(a=0.001, b=0.002), spent(a=0.003, b=0.002)]
    first, second, total = costs(texts, outcomes)
    assert (first.stage, first.texts, first.kb, first.us_per_kb) == ("a", 2, 2.0, 2000)
    assert (first.p50_us, first.texts_per_s) == (2000, 500)
    assert first.p99_us == pytest.approx(2980)
    assert (second.us_per_kb, second.cpu_us_per_kb) == (2000, 1000)
    assert (total.stage, total.us_per_kb) == (TOTAL, 4000)


def test_one_stage_is_its_own_total() -> None:
    assert [one.stage for one in costs([case("a")], [spent(a=1)])] == ["a"]


def test_a_text_seen_before_and_a_failed_one_are_not_timed() -> None:
    outcomes = [spent(a=0.001), spent(a=9.0), Outcome(failed=True)]
    (one,) = costs([case("x" * 1024), case("x" * 1024), case("y")], outcomes)
    assert (one.texts, one.us_per_kb) == (1, 1000)


def test_nothing_costs_nothing() -> None:
    assert costs([case("a")], [Outcome()]) == []


def test_the_machine_is_named() -> None:
    facts = machine()
    assert facts["python"]
    assert isinstance(facts["cores"], int)
    assert facts["cores"] >= 1
