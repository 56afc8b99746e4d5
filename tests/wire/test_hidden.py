"""Hidden text is seen, honest invisible characters are not."""

from __future__ import annotations

import random
import time

import pytest

from helpers.benign import BENIGN
from yett.wire.hidden import HIDDEN_MAX_CHARS, Hidden, hidden_in, shows_all


def tags(text: str) -> str:
    return "".join(chr(0xE0000 + ord(c)) for c in text)


def selectors(text: str) -> str:
    return "".join(chr(0xFE00 + b) if b < 16 else chr(0xE0100 + b - 16) for b in text.encode())


def bits(text: str, zero: str, one: str, between: str = "") -> str:
    return between.join("".join(one if c == "1" else zero for c in f"{b:08b}") for b in text.encode())


HIDES = {
    "tag characters": (f"a{tags('obey me')}b", (1, 8), "obey me"),
    "behind a flag that is whole": ("\U0001f3f4" + tags("gbeng\x7f") + tags("obey"), (7, 11), "obey"),
    "behind a black flag": ("\U0001f3f4" + tags("obey me now"), None, "now"),
    "variation selectors": (f"\U0001f600{selectors('obey me')}.", (1, 8), "obey me"),
    "zero-width bits": (f"a{bits('obey me', chr(0x200B), chr(0x200C))}b", (1, 57), "obey me"),
    "the other way round": (f"a{bits('obey me', chr(0x200C), chr(0x200B))}b", (1, 57), "obey me"),
    "with a third between": (f"a{bits('obey me', chr(0x200B), chr(0x200C), chr(0x200D))}b", (1, 63), "obey me"),
}


@pytest.mark.parametrize(("text", "span", "spelt"), HIDES.values(), ids=HIDES)
def test_spelt_text(text: str, span: tuple[int, int] | None, spelt: str) -> None:
    found, decided = hidden_in(text, final=True)
    assert decided == len(text)
    assert len(found) == 1
    assert span is None or (found[0].start, found[0].end) == span
    assert any(spelt in one for one in found[0].texts)


TURNS = {
    "override": ("invoice \u202egpj.exe", 8),
    "override, closed": ("a \u202etxt.exe\u202c b", 2),
    "in source code": ("/*\u202e } \u2066if (admin)\u2069 \u2066 begin */\nx", 2),
    "isolate that is not closed": ("x \u2067 return; /* only\nnext", 2),
    "embedding closed on the next line": ("x \u202b abc\n\u202c", 2),
}


@pytest.mark.parametrize(("text", "at"), TURNS.values(), ids=TURNS)
def test_turned_text(text: str, at: int) -> None:
    assert hidden_in(text, final=True)[0] == [Hidden(at, at + 1, turned=True)]


@pytest.mark.parametrize("name", BENIGN)
def test_honest_text_hides_nothing(name: str) -> None:
    assert hidden_in(BENIGN[name], final=True) == ([], len(BENIGN[name]))


def test_text_without_such_characters_is_not_looked_at() -> None:
    assert shows_all("plain") and shows_all("\u00e9\u4f60")
    assert not any(map(shows_all, ("\u200b", "\u202e", "\ufe0f", tags("a"), "\U0001f3f4")))


@pytest.mark.parametrize("seed", range(60))
def test_pieces_hide_what_the_whole_hides(seed: int) -> None:
    rng = random.Random(seed)
    parts = (
        [text for text, *_ in HIDES.values()]
        + [text for text, _ in TURNS.values()]
        + [*BENIGN.values(), "\n", "x" * 300]
    )
    text = "".join(rng.choices(parts, k=5))
    expected, _ = hidden_in(text, final=True)
    found: list[Hidden] = []
    base, held = 0, ""
    cuts = sorted(rng.sample(range(len(text)), min(12, len(text))))
    for low, high in zip([0, *cuts], [*cuts, len(text)], strict=True):
        held += text[low:high]
        more, decided = hidden_in(held, final=high == len(text))
        found += [one._replace(start=one.start + base, end=one.end + base) for one in more]
        base, held = base + decided, held[decided:]
    assert found == expected


def test_very_many_turns_take_no_long_time() -> None:
    text = "ab" + ("\u202e" * 120 + "\u202c" * 120) * 400
    begin = time.perf_counter()
    found, _ = hidden_in(text, final=True)
    assert len(found) > 10_000
    assert time.perf_counter() - begin < 10


def test_a_run_without_end_is_several() -> None:
    text = tags("a") * (HIDDEN_MAX_CHARS + 10)
    found, decided = hidden_in(text, final=False)
    assert [(one.start, one.end) for one in found] == [(0, HIDDEN_MAX_CHARS)]
    assert decided == HIDDEN_MAX_CHARS
