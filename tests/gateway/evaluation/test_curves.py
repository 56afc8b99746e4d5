from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.evaluation.curves import BINS, auroc, histogram, recall_at, roc_points, threshold_at

scores = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]), min_size=1, max_size=30)


def flagged(values: list[float], threshold: float) -> float:
    return sum(value >= threshold for value in values) / len(values)


@pytest.mark.parametrize(
    ("positives", "negatives", "area"),
    [
        pytest.param([0.9, 0.8], [0.1, 0.2], 1.0, id="all above"),
        pytest.param([0.1], [0.9], 0.0, id="all below"),
        pytest.param([0.5, 0.5], [0.5], 0.5, id="ties count half"),
        pytest.param([0.35, 0.8], [0.1, 0.4], 0.75, id="scikit-learn's own example"),
        pytest.param([0.0, 0.9], [0.0, 0.0], 0.75, id="nothing found ties with nothing found"),
    ],
)
def test_auroc(positives: list[float], negatives: list[float], area: float) -> None:
    found = auroc(positives, negatives)
    assert found is not None
    assert found.value == pytest.approx(area)


def test_delong_is_the_variance_of_the_placements() -> None:
    """Placements of [1, 2, 4] above [0, 2, 3] are 1/3, 1/2, 1; by hand: var 0.12037 / 3 + 0.12037 / 3 = 0.28328**2."""
    found = auroc([0.1, 0.2, 0.4], [0.0, 0.2, 0.3])
    assert found is not None
    assert found.value == pytest.approx(11 / 18)
    assert found.interval == (pytest.approx(11 / 18 - 1.959964 * 0.283279, abs=1e-4), 1.0)


def test_there_is_no_curve_of_one_side() -> None:
    assert auroc([], [0.1]) is None
    assert auroc([0.1], []) is None
    assert recall_at([], [0.1], 0.01) is None
    assert recall_at([0.1], [], 0.01) is None


@given(scores, scores)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_auroc_is_the_share_of_pairs_in_order(positives: list[float], negatives: list[float]) -> None:
    pairs = [(p > n) + 0.5 * (p == n) for p in positives for n in negatives]
    found = auroc(positives, negatives)
    assert found is not None
    assert found.value == pytest.approx(sum(pairs) / len(pairs))
    assert found.interval is not None
    assert found.interval[0] <= found.value <= found.interval[1]


@given(scores, st.sampled_from([0.001, 0.01, 0.1, 0.5, 1.0]))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_the_threshold_is_the_least_that_flags_no_more_than_the_rate(negatives: list[float], rate: float) -> None:
    threshold = threshold_at(negatives, rate)
    assert flagged(negatives, threshold) <= rate
    lower = [value for value in negatives if 0 < value < threshold]
    assert all(flagged(negatives, value) > rate for value in lower)
    assert threshold > 0


@given(scores, scores, st.sampled_from([0.01, 0.1, 0.5]))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_recall_is_what_the_threshold_finds(positives: list[float], negatives: list[float], rate: float) -> None:
    found = recall_at(positives, negatives, rate)
    assert found is not None
    assert found.value == flagged(positives, threshold_at(negatives, rate))


def test_one_percent_of_a_thousand_is_ten() -> None:
    negatives = [n / 1000 for n in range(1000)]
    assert flagged(negatives, threshold_at(negatives, 0.01)) == 0.01
    assert flagged(negatives, threshold_at(negatives, 0.001)) == 0.001


def test_too_few_negatives_for_a_rate_mean_that_none_may_be_flagged() -> None:
    found = recall_at([0.9, 0.6], [0.0] * 50 + [0.7], 0.01)
    assert found is not None
    assert found.value == 0.5


def test_the_interval_holds_the_truth_most_of_the_time() -> None:
    """Scores 0 to 1 for negatives, 0.5 to 1.5 for positives: recall at 1 % is 0.51 in truth."""
    draw, held = random.Random(3), 0
    for _ in range(40):
        found = recall_at([draw.random() + 0.5 for _ in range(150)], [draw.random() for _ in range(300)], 0.01)
        assert found is not None
        assert found.interval is not None
        held += found.interval[0] <= 0.51 <= found.interval[1]
    assert held >= 32


def test_recall_at_gives_the_same_again() -> None:
    assert recall_at([0.2, 0.9, 0.4], [0.1, 0.5], 0.1) == recall_at([0.2, 0.9, 0.4], [0.1, 0.5], 0.1)


def test_a_roc_curve_goes_from_corner_to_corner() -> None:
    assert roc_points([0.9, 0.5], [0.5, 0.1]) == [(0, 0), (0, 0.5), (0.5, 1), (1, 1)]


def test_a_roc_curve_is_thinned_and_keeps_its_ends() -> None:
    values = [n / 5000 for n in range(5000)]
    points = roc_points(values, values, most=50)
    assert len(points) == 50
    assert (points[0], points[-1]) == ((0, 0), (1, 1))
    assert points == sorted(points)


def test_a_histogram_counts_everything_once() -> None:
    counts = histogram([0.0, 0.049, 0.05, 0.999, 1.0])
    assert (counts[0], counts[1], counts[-1]) == (2, 1, 2)
    assert sum(counts) == 5
    assert len(counts) == BINS
