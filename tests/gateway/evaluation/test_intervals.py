from __future__ import annotations

import random

import pytest

from yett.evaluation.intervals import binomial, bootstrap, middle, quantile, share


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        # Newcombe 1998, table I: the score method without continuity correction
        pytest.param(81, 263, 0.2553, 0.3662, id="81 of 263"),
        pytest.param(15, 148, 0.0624, 0.1605, id="15 of 148"),
        pytest.param(0, 20, 0.0, 0.1611, id="none of 20"),
        pytest.param(1, 29, 0.0061, 0.1718, id="1 of 29"),
        pytest.param(29, 29, 0.8830, 1.0, id="all of 29"),
    ],
)
def test_wilson_is_the_published_one(hits: int, total: int, low: float, high: float) -> None:
    found = share(hits, total)
    assert found is not None
    assert found.value == hits / total
    assert found.interval == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_a_share_of_nothing_is_none() -> None:
    assert share(0, 0) is None


def test_quantiles_lie_between_neighbours() -> None:
    assert [quantile([0, 10, 20], part) for part in (0, 0.25, 0.5, 1)] == [0, 5, 10, 20]
    assert quantile([7], 0.99) == 7


def test_middle_needs_enough_values() -> None:
    assert middle([1.0] * 19) is None
    assert middle([float(n) for n in range(1001)]) == (25, 975)


def test_the_bootstrap_of_a_share_agrees_with_its_formula() -> None:
    """200 texts right, 100 wrong: 0.667, and Wilson says 0.611 to 0.718."""
    interval = bootstrap([200, 100], lambda times: times[0] / sum(times))
    assert interval is not None
    assert interval == (pytest.approx(0.611, abs=0.015), pytest.approx(0.718, abs=0.015))


def test_the_bootstrap_gives_the_same_again() -> None:
    assert bootstrap([3, 40], sum) == bootstrap([3, 40], sum)


def test_resamples_without_a_value_are_left_out() -> None:
    assert bootstrap([5], lambda times: None) is None


@pytest.mark.parametrize(("count", "chance"), [(10, 0.3), (5000, 0.4)], ids=["few", "many"])
def test_binomial_numbers_have_their_mean_and_stay_in_bounds(count: int, chance: float) -> None:
    draw = random.Random(1)
    drawn = [binomial(count, chance, draw) for _ in range(2000)]
    assert sum(drawn) / 2000 == pytest.approx(count * chance, rel=0.02)
    assert min(drawn) >= 0
    assert max(drawn) <= count
    assert binomial(9, 1.0, draw) == 9
    assert binomial(9, 0.0, draw) == 0
