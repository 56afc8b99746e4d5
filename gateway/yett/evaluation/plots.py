"""Plots as inline SVG: no script, no network; colours come from the page's style sheet, light or dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from yett.evaluation.cost import StageCost
from yett.evaluation.curves import BINS
from yett.evaluation.intervals import Interval, Share

WIDTH = 720
LEFT = 230
_COLOURS = 6
_ROC_LEAST = 1e-4  # the false positive rate at the left edge of the logarithmic axis


class Bar(NamedTuple):
    """One bar: its colour class, its value from 0 to 1, its interval, what the mouse is told."""

    style: str
    value: float
    interval: Interval | None
    told: str


def share_bar(style: str, name: str, share: Share | None) -> Bar | None:
    """A bar for `share`; None where there is none."""
    if share is None:
        return None
    low, high = share.interval
    told = f"{name} {share.value:.3f} ({low:.3f} to {high:.3f}), {share.hits} of {share.total}"
    return Bar(style, share.value, share.interval, told)


def bars(rows: Sequence[tuple[str, Sequence[Bar | None]]], label: str) -> str:
    """Horizontal bars in groups, from 0 to 1, with their intervals as whiskers."""
    each, gap = 11, 12
    parts, y = [], 8
    span = WIDTH - LEFT - 60
    heights = [each * max(1, len(group)) for _, group in rows]
    bottom = y + sum(heights) + gap * len(rows)
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = LEFT + tick * span
        parts.append(_line(x, 4, x, bottom, "grid") + _text(x, bottom + 14, f"{tick:g}", "middle small"))
    for (name, group), height in zip(rows, heights, strict=True):
        parts.append(_text(LEFT - 10, y + height / 2 + 4, _cut(name), "end"))
        for number, bar in enumerate(group):
            if bar is not None:
                parts.append(_bar(bar, y + number * each, each - 2, span))
        y += height + gap
    return _svg(WIDTH, bottom + 22, parts, label)


def roc(curves: Sequence[tuple[str, Sequence[tuple[float, float]]]]) -> str:
    """Recall over the false positive rate, whose axis is logarithmic: what matters lies at its left."""
    left, top, wide, high = 52, 12, 620, 280
    parts = []
    for rate in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):
        x = left + _log_place(rate) * wide
        parts.append(_line(x, top, x, top + high, "mark" if rate in {1e-3, 1e-2} else "grid"))
        parts.append(_text(x, top + high + 16, f"{rate * 100:g} %", "middle small"))
    for recall in (0, 0.25, 0.5, 0.75, 1):
        y = top + (1 - recall) * high
        parts += [_line(left, y, left + wide, y, "grid"), _text(left - 8, y + 4, f"{recall:g}", "end small")]
    for number, (name, points) in enumerate(curves):
        path = " ".join(f"{left + _log_place(x) * wide:.1f},{top + (1 - y) * high:.1f}" for x, y in points)
        style = f"curve {curve_colour(number)}"
        parts.append(f'<polyline class="{style}" points="{path}"><title>{escape(name)}</title></polyline>')
    parts.append(_text(left + wide / 2, top + high + 34, "false positive rate (logarithmic)", "middle small"))
    return _svg(WIDTH, top + high + 42, parts, "ROC curve: recall over false positive rate")


def curve_colour(number: int) -> str:
    """The style sheet's colour of curve `number`: ink for the first, which is the whole; dashed from the eighth on."""
    return "c0" if number == 0 else f"c{1 + (number - 1) % _COLOURS}{' dashed' if number > _COLOURS else ''}"


def histogram(positives: Sequence[int], negatives: Sequence[int]) -> str:
    """The share of texts per score bin, what is to be found beside what is not."""
    left, top, wide, high = 52, 12, 620, 180
    total_positive, total_negative = max(1, sum(positives)), max(1, sum(negatives))
    shares = [(a / total_positive, b / total_negative) for a, b in zip(positives, negatives, strict=True)]
    most = max([0.01, *(max(pair) for pair in shares)])
    parts = []
    for part in (0, 0.5, 1):
        y = top + (1 - part) * high
        parts.append(_line(left, y, left + wide, y, "grid"))
        parts.append(_text(left - 8, y + 4, f"{most * part * 100:.0f} %", "end small"))
    step = wide / BINS
    for number, pair in enumerate(shares):
        for side, (style, value) in enumerate(zip(("recall", "alarm"), pair, strict=True)):
            tall = value / most * high
            x = left + number * step + 2 + side * (step - 4) / 2
            told = f"score {number / BINS:g} to {(number + 1) / BINS:g}: {value * 100:.1f} %"
            parts.append(_box(x, top + high - tall, (step - 4) / 2, tall, style, told))
    parts += [
        _text(left + tick * wide, top + high + 16, f"{tick:g}", "middle small") for tick in (0, 0.25, 0.5, 0.75, 1)
    ]
    return _svg(WIDTH, top + high + 24, parts, "Histogram of scores")


def cost_bars(costs: Sequence[StageCost]) -> str:
    """Microseconds per KB by stage, on a logarithmic axis."""
    most = max([10.0, *(cost.us_per_kb for cost in costs)])
    decades = math.ceil(math.log10(most))
    span, each = WIDTH - LEFT - 90, 24
    bottom = 8 + each * len(costs)
    parts = []
    for decade in range(decades + 1):
        x = LEFT + decade / decades * span
        parts += [_line(x, 4, x, bottom, "grid"), _text(x, bottom + 14, f"{10**decade:,}", "middle small")]
    for number, cost in enumerate(costs):
        long = math.log10(max(1.0, cost.us_per_kb)) / decades * span
        y = 8 + number * each
        parts.append(_text(LEFT - 10, y + 14, _cut(cost.stage), "end"))
        parts.append(_box(LEFT, y + 4, max(1.0, long), each - 10, "cost", f"{cost.us_per_kb:g} us per KB"))
        parts.append(_text(LEFT + long + 8, y + 14, f"{cost.us_per_kb:,.1f}", "small"))
    parts.append(_text(LEFT + span / 2, bottom + 30, "microseconds per KB (logarithmic)", "middle small"))
    return _svg(WIDTH, bottom + 38, parts, "Cost per stage")


def _bar(bar: Bar, y: float, high: float, span: float) -> str:
    parts = [_box(LEFT, y, max(1.0, bar.value * span), high, bar.style, bar.told)]
    if bar.interval is not None:
        low, up = (LEFT + end * span for end in bar.interval)
        middle = y + high / 2
        parts.append(_line(low, middle, up, middle, "whisker"))
        parts += [_line(x, middle - 3, x, middle + 3, "whisker") for x in (low, up)]
        end = max(up, LEFT + bar.value * span)
    else:
        end = LEFT + bar.value * span
    return "".join(parts) + _text(end + 6, y + high - 0.5, f"{bar.value:.3f}", "tiny")


def _log_place(rate: float) -> float:
    return 1 - math.log10(max(_ROC_LEAST, rate)) / math.log10(_ROC_LEAST)


def _svg(width: float, height: float, parts: Sequence[str], label: str) -> str:
    return f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _box(x: float, y: float, wide: float, high: float, style: str, told: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    return f'<rect class="{style}" {place} rx="1.5"><title>{escape(told)}</title></rect>'


def _text(x: float, y: float, words: str, style: str = "") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _cut(name: str) -> str:
    return name if len(name) <= 34 else f"…{name[-33:]}"
