"""The detectors that ship, over many random chunkings of made-up and of real texts."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from helpers.sample_detectors import assert_same, text_of
from yett.scan import ScanEngine

CHUNKINGS = int(os.environ.get("YETT_CHUNKINGS", "20000"))
DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


@cache
def built_in() -> ScanEngine:
    from yett_plugins import BUILTINS

    contributions = [getattr(plugin(), "register_detectors", tuple) for plugin in BUILTINS]
    return ScanEngine([detector for register in contributions for detector in register()])


def run(count: int, make: Callable[[random.Random], str]) -> int:
    engine, blocked = built_in(), 0
    for number in range(count):
        rng = random.Random(number)
        blocked += assert_same(engine, rng, make(rng))
    return blocked


def made_up(rng: random.Random) -> str:
    return text_of(rng, rng.choice((1, 2, 3, 6, 12)))


def test_chunkings_of_made_up_texts() -> None:
    assert run(300, made_up) > 0


@pytest.mark.proof
def test_very_many_chunkings_of_made_up_texts() -> None:
    assert run(CHUNKINGS // 2, made_up) > 0


@pytest.mark.proof
def test_very_many_chunkings_of_real_texts() -> None:
    files = [DATA / "pii" / "presidio_v2.jsonl", DATA / "secrets" / "detect_secrets_lines.jsonl"]
    if not all(file.exists() for file in files):
        pytest.skip(f"the external data is not there: {[file.name for file in files]}")
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    texts = [json.JSONDecoder().decode(line)["text"] for line in lines]
    assert run(CHUNKINGS // 2, lambda rng: " ".join(rng.choices(texts, k=rng.choice((1, 1, 2, 4))))) > 0
