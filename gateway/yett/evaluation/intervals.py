"""How sure a figure is: Wilson intervals for shares, a seeded bootstrap for what has no formula. All at 95 %."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Z = 1.959964
RESAMPLES = 400
SEED = 20261122
_MANY = 30  # from here on a Poisson number is drawn as a normal one

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its 95 % interval, where there is one."""

    value: float
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`, with the Wilson interval of their ratio."""

    hits: int
    total: int
    value: float
    interval: Interval


def share(hits: int, total: int) -> Share | None:
    """`hits` of `total`; None of nothing."""
    if total <= 0:
        return None
    ratio, squared = hits / total, Z * Z
    middle = (ratio + squared / (2 * total)) / (1 + squared / total)
    half = Z / (1 + squared / total) * math.sqrt(ratio * (1 - ratio) / total + squared / (4 * total * total))
    return Share(hits, total, ratio, (max(0.0, middle - half), min(1.0, middle + half)))


def bootstrap(sizes: Sequence[int], figure: Callable[[Sequence[int]], float | None]) -> Interval | None:
    """The middle 95 % of `figure` over resamples; equal input gives equal output.

    There are `sizes[i]` texts of kind i. Each resample draws a Poisson number of each kind (the Poisson bootstrap);
    `figure` gets these numbers and says None where it has no value.
    """
    draw = random.Random(SEED)  # noqa: S311  # statistics, not secrets
    values = [figure([_poisson(size, draw) for size in sizes]) for _ in range(RESAMPLES)]
    return middle([value for value in values if value is not None])


def middle(values: Sequence[float]) -> Interval | None:
    """The 2.5 % and 97.5 % points of `values`; None of fewer than twenty."""
    if len(values) < 20:
        return None
    ordered = sorted(values)
    return quantile(ordered, 0.025), quantile(ordered, 0.975)


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which `part` of the sorted `ordered` lies, linearly between neighbours."""
    place = (len(ordered) - 1) * part
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def binomial(count: int, chance: float, draw: random.Random) -> int:
    """How many of `count` independent trials succeed."""
    variance = count * chance * (1 - chance)
    if variance > _MANY:
        return min(count, max(0, round(draw.gauss(count * chance, math.sqrt(variance)))))
    return sum(draw.random() < chance for _ in range(count))


def _poisson(mean: int, draw: random.Random) -> int:
    if mean > _MANY:
        return max(0, round(draw.gauss(mean, math.sqrt(mean))))
    number, product, floor = 0, draw.random(), math.exp(-mean)
    while product > floor:
        number += 1
        product *= draw.random()
    return number
