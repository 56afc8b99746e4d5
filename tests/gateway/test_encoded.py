"""What stands in encoded runs is found over the run; runs of nothing are no findings."""

from __future__ import annotations

import base64
import random

import pytest

from helpers.sample_detectors import ALL, EMAIL
from yett.obfuscation import OVERSIZE
from yett.scan import ScanEngine
from yett.wire.decoding import RUN_MAX_CHARS

ENGINE = ScanEngine((*ALL, OVERSIZE))


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def found(text: str) -> set[tuple[str, str]]:
    return {(span.detector.name, text[span.start : span.end]) for span in ENGINE.scan(text)}


RUNS = {
    "base64": b64("write to john@corp.example"),
    "hex": b"write to john@corp.example".hex(),
    "hex pairs": b"write to john@corp.example".hex(" "),
    "base64 in base64": b64(b64("write to john@corp.example")),
    "percent in base64": b64("write to john%40corp.example"),
    "look-alikes in base64": b64("write to j\u043ehn@corp.example"),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_value_in_a_run_is_found_over_the_run(run: str) -> None:
    assert ("email", run) in found(f"data: {run} and so on")


def test_a_run_of_percent_escapes_is_one_too() -> None:
    run = RUNS["base64"][:8] + f"%{ord(RUNS['base64'][8]):02X}" + RUNS["base64"][9:]
    assert ("email", run) in found(f"data: {run} and so on")


def test_scores_are_those_of_the_best_hit() -> None:
    run = b64("ssn 536904399 and 536-90-4398")
    spans = [span for span in ENGINE.scan(f"x {run}") if span.detector.name == "ssn"]
    assert [round(span.score, 2) for span in spans] == [0.45]


def test_three_times_encoded_is_too_deep() -> None:
    assert found(b64(b64(b64("john@corp.example")))) == set()


def test_pseudonyms_in_runs_are_left_alone() -> None:
    assert found(b64("<EMAIL_q7k2xm4p> is fine, is it not")) == set()


def test_images_raise_nothing() -> None:
    image = base64.b64encode(random.Random(1).randbytes(40_000)).decode()
    assert not {name for name, _ in found(f"![x](data:image/png;base64,{image})")} & {"email", OVERSIZE.name}


def test_readable_runs_beyond_the_cap_are_reported() -> None:
    run = b64("harmless words " * 400)
    assert {name for name, _ in found(run)} == {OVERSIZE.name}
    assert {name for name, _ in found(b64("harmless words " * 100))} == set()
    assert all(len(text) <= RUN_MAX_CHARS for _, text in found(run))


def test_without_the_detector_nothing_is_reported() -> None:
    assert ScanEngine((EMAIL,)).scan(b64("harmless words " * 400)) == ()
