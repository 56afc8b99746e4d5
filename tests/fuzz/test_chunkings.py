"""The detectors that ship, over many random chunkings of made-up and of real texts."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from helpers.disguises import DISGUISES, KEYWORD_DISGUISES, LETTER_DISGUISES
from helpers.sample_detectors import PIECES, assert_same, text_of
from yett.detector import Detector
from yett.scan import ScanEngine

CHUNKINGS = int(os.environ.get("YETT_CHUNKINGS", "20000"))
DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


@cache
def built_in() -> ScanEngine:
    from yett_plugins import BUILTINS

    contributions = [getattr(plugin(), "register_detectors", tuple) for plugin in BUILTINS]
    found = [detector for register in contributions for detector in register()]
    return ScanEngine([one for one in found if isinstance(one, Detector)])


def run(count: int, make: Callable[[random.Random], str]) -> int:
    engine, blocked = built_in(), 0
    for number in range(count):
        rng = random.Random(number)
        blocked += assert_same(engine, rng, make(rng))
    return blocked


def made_up(rng: random.Random) -> str:
    return text_of(rng, rng.choice((1, 2, 3, 6, 12)))


WRITINGS = tuple({**DISGUISES, **LETTER_DISGUISES, **KEYWORD_DISGUISES}.values())
# Halves and neighbours of what is folded, read or decoded.
FRAGMENTS = (
    "%", "%4", "%2540", "\\", "\\u00", "\\u0040", "\\n", "\\ud83d", "&", "&#6", "&#64;", "&amp;", "\x1b[3", "\x1b]8;;x",
    "\x07", "\u0430", "\u043e\u0441", "\u0434\u043e\u043c", "\u0131", "\u0301", "\u202e", "\u2067ab", "\u2069",
    "\u202c", "\n", "\u05d0", "\U0001f3f4", "\U000e0067\U000e0062\U000e007f", "\U000e0041\U000e0042",
    "\ufe0f\ufe01\ufe0e\ufe0f", "\u200b\u200c" * 8, "a" * 70, "\u043e" * 70, "QUJD" * 1030, "YUBiLmNv" * 520,
    "41 42 ", "0x41,", "=", "-", "/", '{"a": "', "[", " ", " ",
)  # fmt: skip


def disguised(rng: random.Random) -> str:
    """Pieces of text in other writings, one sometimes in another, between fragments of them."""
    out = []
    for _ in range(rng.choice((1, 2, 3, 6))):
        piece = rng.choice(PIECES) if rng.random() < 0.8 else text_of(rng, 2)
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            piece = rng.choice(WRITINGS)(piece)
        if rng.random() < 0.15:
            piece = piece[: rng.randrange(len(piece) + 1)]
        out += (piece[:3000], rng.choice(FRAGMENTS) if rng.random() < 0.4 else rng.choice((" ", "", "\n", "x")))
    return "".join(out)


def test_chunkings_of_disguised_texts() -> None:
    assert run(100, disguised) > 0


@pytest.mark.proof
def test_very_many_chunkings_of_disguised_texts() -> None:
    assert run(CHUNKINGS // 20, disguised) > 0


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
