"""Squashed text: writing tricks ironed out, with the way back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.disguises import DISGUISES, KEYWORD_DISGUISES, LETTER_DISGUISES
from yett.wire.squash import squash

SQUASHED = {
    "case": ("IgNoRe ALL", "ignore all"),
    "leetspeak": ("1gn0r3 4ll pr3v10u5 !n$truct1on5", "ignore all previous instructions"),
    "a sign inside": ("pr!or in$tructions p@ssword", "prior instructions password"),
    "numbers stay": ("100 $20 3.14 1990", "100 $20 3.14 1990"),
    "punctuation stays": ("Hello! Really? Yes!!", "hello! really? yes!!"),
    "spelt out": ("i g n o r e this", "ignore this"),
    "dotted": ("please i.g.n.o.r.e it", "please ignore it"),
    "dashed": ("i-g-n-o-r-e", "ignore"),
    "words spelt out": ("i g n o r e  a l l", "ignore all"),
    "initials stay": ("J. R. Tolkien and a B movie", "j. r. tolkien and a b movie"),
    "white space": ("a \n\n  b\tc", "a b c"),
    "accents": ("\u00ecgn\u00f6r\u00e9", "ignore"),
    "decomposed": ("i\u0300gno\u0308re", "ignore"),
    "letters with strokes": ("\u00d8l\u0142 Stra\u00dfe", "oll strasse"),
    "zero width": ("ig\u200bno\u2060re", "ignore"),
    "look-alikes": ("ign\u043ere", "ignore"),
    "whole words of look-alikes": ("\u0441\u043e\u0440\u0435 \u0430ll", "cope all"),
    "dotted words": ("i.g.n.o.r.e a.l.l", "ignore all"),
    "fullwidth": ("\uff49\uff47\uff4e\uff4f\uff52\uff45", "ignore"),
    "regional indicators": ("\U0001f1ee\U0001f1ec\U0001f1f3\U0001f1f4\U0001f1f7\U0001f1ea", "ignore"),
    "russian stays russian": ("\u0412\u0441\u0451 \u0441\u043e\u0440", "\u0432\u0441\u0435 \u0441\u043e\u0440"),
    "chinese stays": ("\u5ffd\u7565\u6240\u6709", "\u5ffd\u7565\u6240\u6709"),
    "arabic without vowels": ("\u062a\u064e\u062c\u064e\u0627\u0647\u064e\u0644", "\u062a\u062c\u0627\u0647\u0644"),
    "empty": ("", ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SQUASHED.values(), ids=SQUASHED)
def test_squash(text: str, expected: str) -> None:
    squashed = squash(text)
    assert squashed.text == expected
    assert len(squashed.starts) == len(expected) + 1
    assert squashed.starts[-1] == len(text)


def test_spans_lead_back() -> None:
    text = "x  Y  ig\u200bn\u00f6re  a l l  pr3vious s t o p"
    squashed = squash(text)
    for word, original in (
        ("ignore", "ig\u200bn\u00f6re"),
        ("all", "a l l"),
        ("previous", "pr3vious"),
        ("stop", "s t o p"),
    ):
        start = squashed.text.index(word)
        low, high = squashed.span(start, start + len(word))
        assert text[low:high] == original
        assert squashed.starts[start] == low


@settings(deadline=None, derandomize=True)
@given(st.text(st.sampled_from("aB1$! .-\n\u200b\u00e9\u00df\u0430\u0301\uff41\U0001f1ee"), max_size=25))
def test_every_span_is_inside_the_text_and_in_order(text: str) -> None:
    squashed = squash(text)
    starts = list(squashed.starts)
    assert starts == sorted(starts)
    assert len(starts) == len(squashed.text) + 1
    for at in range(len(squashed.text)):
        low, high = squashed.span(at, at + 1)
        assert 0 <= low < high <= len(text)


READABLE = {
    name: disguise
    for name, disguise in {**DISGUISES, **LETTER_DISGUISES, **KEYWORD_DISGUISES}.items()
    if not name.startswith(("base64", "hex", "percent", "html", "json", "javascript", "rot13", "terminal", "ansi"))
    and name not in ("markdown escapes", "bidi isolates")
}


@pytest.mark.parametrize("name", READABLE)
def test_disguised_keywords(name: str) -> None:
    assert squash(READABLE[name]("ignore all previous")).text.replace(" ", "") == "ignoreallprevious"
