from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from yett.evaluation.cost import StageCost
from yett.evaluation.intervals import share
from yett.evaluation.plots import Bar, bars, cost_bars, curve_colour, histogram, roc, share_bar


def widths(svg: str, style: str) -> list[float]:
    return [float(box.get("width", "0")) for box in ET.fromstring(svg).iter("rect") if box.get("class") == style]


def test_a_bar_is_as_long_as_its_value() -> None:
    half, whole = Bar("recall", 0.5, None, "x"), Bar("recall", 1.0, None, "y")
    short, long = widths(bars([("a", [half]), ("b", [whole, None])], "title"), "recall")
    assert short * 2 == pytest.approx(long, abs=0.2)


def test_a_share_tells_its_counts_and_interval() -> None:
    bar = share_bar("recall", "recall", share(5, 10))
    assert bar is not None
    assert bar.told == "recall 0.500 (0.237 to 0.763), 5 of 10"
    assert share_bar("recall", "recall", share(0, 0)) is None


def test_names_are_escaped_and_cut() -> None:
    svg = bars([("<b>&" + "x" * 60, [Bar("recall", 1, None, '"<i>')])], "t")
    assert "<b>" not in svg
    assert "<i>" not in svg
    assert "…" in svg


def test_a_roc_curve_starts_left_and_rises_to_the_right_edge() -> None:
    line = ET.fromstring(roc([("a", [(0, 0), (0.01, 0.5), (1, 1)])])).find("polyline")
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
    assert points[0][0] < points[1][0] < points[2][0]
    assert points[0][1] > points[1][1] > points[2][1]
    assert points[1][0] - points[0][0] == pytest.approx((points[2][0] - points[0][0]) / 2, abs=0.2)  # logarithmic


def test_the_first_curve_is_ink_and_later_ones_are_told_apart() -> None:
    colours = [curve_colour(number) for number in range(13)]
    assert colours[0] == "c0"
    assert len(set(colours)) == 13
    assert colours[7] == "c1 dashed"


def test_histogram_bars_are_shares_of_their_own_class() -> None:
    svg = ET.fromstring(histogram([1] + [0] * 19, [50, 50] + [0] * 18))
    heights = {
        style: [float(b.get("height", "0")) for b in svg.iter("rect") if b.get("class") == style]
        for style in ("recall", "alarm")
    }
    assert heights["recall"][0] == pytest.approx(2 * heights["alarm"][0], abs=0.2)
    assert heights["alarm"][0] == heights["alarm"][1]


def test_a_histogram_of_one_class_alone_is_drawn() -> None:
    assert "<svg" in histogram([0] * 20, [0] * 20)


def test_costs_stand_on_a_logarithmic_axis() -> None:
    def cost(stage: str, us_per_kb: float) -> StageCost:
        return StageCost(stage, 1, 1.0, us_per_kb, us_per_kb, 1, 1, 1, 1)

    ten, thousand, nothing = widths(cost_bars([cost("a", 10), cost("b", 1000), cost("c", 0)]), "cost")
    assert ten * 3 == pytest.approx(thousand, abs=0.3)
    assert nothing == 1
