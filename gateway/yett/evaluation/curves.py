"""Scores against classes: AUROC, recall at a false positive rate, points of a ROC curve, histograms. Sans-IO."""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from yett.evaluation.intervals import RESAMPLES, SEED, Figure, Z, binomial, middle

BINS = 20


def auroc(positives: Sequence[float], negatives: Sequence[float]) -> Figure | None:
    """The chance that a positive scores above a negative, ties counting half; the interval is DeLong's."""
    if not positives or not negatives:
        return None
    above, below = sorted(positives), sorted(negatives)
    placed = [_share_below(score, below) for score in positives]
    outranked = [1 - _share_below(score, above) for score in negatives]
    area = math.fsum(placed) / len(placed)
    variance = _variance(placed) / len(placed) + _variance(outranked) / len(outranked)
    half = Z * math.sqrt(variance)
    return Figure(area, (max(0.0, area - half), min(1.0, area + half)))


def threshold_at(negatives: Sequence[float], rate: float) -> float:
    """The least threshold that at most `rate` of `negatives` reach; a text is flagged at `score >= threshold`."""
    ordered, allowed = sorted(negatives), _allowed(len(negatives), rate)
    if allowed >= len(ordered):
        return math.nextafter(0.0, 1.0)  # a score of 0 is no finding, whatever the rate
    return math.nextafter(ordered[len(ordered) - 1 - allowed], math.inf)


def recall_at(positives: Sequence[float], negatives: Sequence[float], rate: float) -> Figure | None:
    """The share of `positives` found while at most `rate` of `negatives` are flagged; bootstrapped over both."""
    if not positives or not negatives:
        return None
    ordered = sorted(positives)
    value = _reached(ordered, threshold_at(negatives, rate))
    draw = random.Random(SEED)  # noqa: S311  # statistics, not secrets
    tail = sorted(negatives, reverse=True)
    values = []
    for _ in range(RESAMPLES):
        threshold = _resampled_threshold(tail, _allowed(len(tail), rate), draw)
        hits = binomial(len(ordered), _reached(ordered, threshold), draw)
        values.append(hits / len(ordered))
    return Figure(value, middle(values))


def roc_points(positives: Sequence[float], negatives: Sequence[float], most: int = 100) -> list[tuple[float, float]]:
    """(false positive rate, recall) from (0, 0) to (1, 1), at most `most` points of the curve."""
    above, below = sorted(positives), sorted(negatives)
    points = [(0.0, 0.0)]
    thresholds = sorted({*positives, *negatives}, reverse=True)
    points += [(_reached(below, threshold), _reached(above, threshold)) for threshold in thresholds]
    if len(points) > most:
        step = (len(points) - 1) / (most - 1)
        points = [points[round(number * step)] for number in range(most)]
    return points


def histogram(scores: Sequence[float]) -> list[int]:
    """How many of `scores` lie in each of BINS equal parts of 0 to 1; 1 belongs to the last."""
    counts = [0] * BINS
    for score in scores:
        counts[min(BINS - 1, int(score * BINS))] += 1
    return counts


def _allowed(count: int, rate: float) -> int:
    return math.floor(count * rate + 1e-9)


def _resampled_threshold(tail: Sequence[float], allowed: int, draw: random.Random) -> float:
    """The threshold of one resample of `tail` (sorted downwards): the score of the `allowed` + 1st largest drawn.

    Drawn directly: the ranks of n uniform draws, from the top, without making all n of them.
    """
    count, place = len(tail), 1.0
    for number in range(min(allowed + 1, count)):
        place *= draw.random() ** (1 / (count - number))
    return math.nextafter(tail[min(count - 1, int((1 - place) * count))], math.inf)


def _reached(ordered: Sequence[float], threshold: float) -> float:
    return (len(ordered) - bisect_left(ordered, threshold)) / len(ordered) if ordered else 0.0


def _share_below(score: float, ordered: Sequence[float]) -> float:
    """The share of `ordered` below `score`, equal ones counting half."""
    return (bisect_left(ordered, score) + bisect_right(ordered, score)) / (2 * len(ordered))


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
