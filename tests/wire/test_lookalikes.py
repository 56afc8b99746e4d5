"""Which look-alikes are folded, and when that is known."""

from __future__ import annotations

import random
import time

import pytest

from yett.wire.lookalikes import REACH, look_alikes

# c = Cyrillic letter with a Latin twin, D = one without; spelt so that the cases can be read.
SPELT = str.maketrans({"c": "\u0441", "D": "\u0434"})

FOLDS = {
    "alone": ("c", "\u0441"),
    "all of them, nothing else": ("cc cc", "\u0441\u0441 \u0441\u0441"),
    "beside a letter": ("cx", "cx"),
    "beside a digit": ("c5", "c5"),
    "far from it": ("cccx", "cccx"),
    "after a letter": ("xcD", "xc\u0434"),
    "a word of both kinds": ("cDc", "\u0441\u0434\u0441"),
    "an address": ("cc@cc.cc", "cc@cc.cc"),
    "an address, not all alike": ("cD@cc", "\u0441\u0434@cc"),
    "a file name": ("cDc.txt", "\u0441\u0434\u0441.txt"),
    "a file name, all alike": ("cc.txt", "cc.txt"),
    "a dash and a digit are not enough": ("2-c", "2-\u0441"),
    "a slash ends the word": ("cc/x", "\u0441\u0441/x"),
    "underscore is no letter": ("c_D", "\u0441_\u0434"),
    "another script": ("\u4e00c", "\u4e00\u0441"),
}


@pytest.mark.parametrize(("text", "expected"), FOLDS.values(), ids=FOLDS)
def test_what_is_folded(text: str, expected: str) -> None:
    text = text.translate(SPELT)
    assert look_alikes().fold(text, 0, final=True) == (expected, len(text))


WAITS = {
    "may become mixed": ("a cc", 2),
    "is mixed": ("acc", 3),
    "cannot be mixed": ("cD cc ", 6),
    "piece decided, word open": ("cc.", 0),
    "a word of both kinds, still open": ("cD.", 0),
    "address": ("cc@", 3),
    "word too long to wait": ("c" * 100, 100 - REACH),
}


@pytest.mark.parametrize(("text", "decided"), WAITS.values(), ids=WAITS)
def test_what_waits(text: str, decided: int) -> None:
    assert look_alikes().fold(text.translate(SPELT), 0, final=False)[1] == decided


@pytest.mark.parametrize("seed", range(40))
def test_pieces_are_folded_like_the_whole(seed: int) -> None:
    rng = random.Random(seed)
    text = "".join(rng.choice(["c", "D", "x", ".", "@", " ", "c" * 63, "c" * 66, "x" * 64]) for _ in range(12))
    text = text.translate(SPELT)
    expected, _ = look_alikes().fold(text, 0, final=True)
    out, at = "", 0
    for end in (*sorted(rng.sample(range(len(text)), min(6, len(text)))), len(text)):
        low = max(0, at - REACH)
        shown, decided = look_alikes().fold(text[low:end], at - low, final=end == len(text))
        out, at = out + shown, low + decided
    assert out == expected


def test_a_long_mixed_word_takes_no_long_time() -> None:
    text = ("\u0441" * 70 + "x") * 3000
    begin = time.perf_counter()
    look_alikes().fold(text, 0, final=True)
    assert time.perf_counter() - begin < 10
