"""`--fail-under recall=0.9,pii.phone:precision=0.95,flagged=0.05`: figures that a build must reach.

A bare metric is that of the whole run: all entities, every task, every text with nothing to find. `NAME:metric` is that
of one entity, task, file or stage. `flagged`, `alarms`, `us_per_kb` and `p99_us` must not be above the number, all
others not below it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from yett.evaluation.intervals import Figure, Share
from yett.evaluation.run import Report
from yett.evaluation.scoring import Group, LabelScore

COSTS = frozenset({"us_per_kb", "p99_us"})
AT_MOST = frozenset({"flagged", "alarms"}) | COSTS
RECALLS_AT = {"recall_at_1": 0.01, "recall_at_0.1": 0.001}  # metric -> false positive rate
AT_LEAST = frozenset({"recall", "precision", "f2", "exact_recall", "exact_precision", "auroc", *RECALLS_AT})


@dataclass(frozen=True, slots=True)
class Demand:
    """One figure and its bound; `name` is an entity, a task, a file or a stage, or empty for the whole run."""

    metric: str
    bound: float
    name: str = ""

    def __str__(self) -> str:
        sign = "<=" if self.metric in AT_MOST else ">="
        return f"{self.name}{':' if self.name else ''}{self.metric} {sign} {self.bound:g}"

    def holds(self, value: float) -> bool:
        """Whether `value` is as demanded."""
        return value <= self.bound if self.metric in AT_MOST else value >= self.bound


def parse(text: str) -> tuple[Demand, ...]:
    """The demands in `text`. Raises ValueError."""
    return tuple(_demand(part.strip()) for part in text.split(","))


def failures(report: Report, demands: Sequence[Demand]) -> list[str]:
    """What is not as demanded, one line each. A demand that no figure answers is a failure too."""
    told = []
    for demand in demands:
        found = list(_figures(report, demand))
        if not found:
            told.append(f"{demand}: nothing of this kind was measured")
        told += [f"{demand}: {what} has {value:.4f}" for what, value in found if not demand.holds(value)]
    return told


def _demand(part: str) -> Demand:
    left, equals, bound = part.partition("=")
    name, _, metric = left.rpartition(":")
    if not equals or metric not in AT_MOST | AT_LEAST:
        raise ValueError(f"{part!r} is not METRIC=NUMBER with a metric of {', '.join(sorted(AT_MOST | AT_LEAST))}")
    try:
        number = float(bound)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{part!r}: {bound!r} is not a number")
    return Demand(metric, number, name)


def _figures(report: Report, demand: Demand) -> Iterator[tuple[str, float]]:
    """(what, value) of every figure that `demand` speaks about."""
    if demand.metric in COSTS:
        stages = [one for one in report.costs if one.stage == demand.name] if demand.name else report.costs[-1:]
        yield from ((one.stage, float(getattr(one, demand.metric))) for one in stages)
        return
    for group in report.groups:
        for what, name, score in _scores(group):
            if demand.name == name and (value := _value(score, demand.metric)) is not None:
                yield what, value


def _scores(group: Group) -> Iterator[tuple[str, str, object]]:
    """(what it is, the name that a demand has for it, the score) of everything in `group`."""
    if group.kind == "source":
        return
    whole = group.kind == "all"
    name = "" if whole else group.name
    if group.spans is not None:
        yield f"{group.name}, all entities", name, group.spans.overall
        yield f"{group.name}, texts with nothing to find", name, group.spans
        yield from ((one.entity, one.entity, one) for one in group.spans.entities if whole)
    for label in group.labels:
        yield f"{group.name}, {label.task}", name, label
        if whole:
            yield label.task, label.task, label
    if group.quiet is not None:
        yield f"{group.name}, texts with nothing to find", name, group.quiet


def _value(score: object, metric: str) -> float | None:
    if metric in RECALLS_AT:
        figure = score.recall_at.get(RECALLS_AT[metric]) if isinstance(score, LabelScore) else None
    else:
        figure = getattr(score, metric, None)
    return figure.value if isinstance(figure, Figure | Share) else None
