"""The scan view is a homomorphism, folds what hides text, and finds its way back."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.wire.unicode import INVISIBLE, ScanView, folding

VIEWS = {
    "ascii stays": ("plain \x00\x7f text", "plain \x00\x7f text"),
    "letters stay": ("Stra\u00dfe \u00e9t\u00e9 \u4f60 \U0001f600", "Stra\u00dfe \u00e9t\u00e9 \u4f60 \U0001f600"),
    "zero width goes": ("a\u200bb\u200dc\ufeffd\u2060e", "abcde"),
    "soft hyphen goes": ("exa\u00admple", "example"),
    "bidi controls go": ("\u202e4111\u202c \u2066x\u2069", "4111 x"),
    "variation selectors go": ("a\ufe0fb\U000e0100c", "abc"),
    "tag characters go": ("a\U000e0041\U000e007fb", "ab"),
    "fillers go": ("a\u3164b\u115fc\uffa0d\u2800e", "abcde"),
    "fullwidth": ("\uff21\uff42\uff14\uff20", "Ab4@"),
    "mathematical": ("\U0001d41a\U0001d7ce", "a0"),
    "circled": ("\u2460\u24d0", "1a"),
    "no-break space": ("a\u00a0b", "a b"),
    "ligature becomes two": ("\ufb01x", "fix"),
    "four at most": ("\u33c2", "a.m."),
    "longer forms stay": ("\u2474\U0001f14c", "(1)SD"),
}


@pytest.mark.parametrize(("text", "expected"), VIEWS.values(), ids=VIEWS)
def test_view(text: str, expected: str) -> None:
    view = ScanView()
    assert view.add(text) == expected
    assert (view.text_length, view.view_length) == (len(text), len(expected))


def test_every_code_point_is_folded_as_defined() -> None:
    table = folding().table
    invisible = {chr(code) for first, last in INVISIBLE for code in range(first, last + 1)}
    for code in range(0x80, 0x110000):
        one = chr(code)
        if one in invisible:
            expected = ""
        elif unicodedata.is_normalized("NFKC", one) or 0xD800 <= code < 0xE000:
            expected = one
        else:
            folded = unicodedata.normalize("NFKC", one)
            expected = folded if folded.isascii() and len(folded) <= 4 else one
        assert table.get(one, one) == expected, hex(code)
        if expected != one:
            assert folding().touched.match(one), hex(code)


SAMPLE = st.text(
    st.sampled_from("ab4@ \u00e9\u200b\u200d\u00ad\uff14\uff20\ufb01\u33c2\U0001d41a\U000e0041\U0001f600\u2100"),
    max_size=30,
)


@settings(deadline=None, derandomize=True)
@given(SAMPLE, SAMPLE)
def test_view_of_a_sum_is_the_sum_of_views(left: str, right: str) -> None:
    both = ScanView()
    assert both.add(left) + both.add(right) == ScanView().add(left + right)


@settings(deadline=None, derandomize=True)
@given(st.lists(SAMPLE, max_size=4), st.integers(0, 60))
def test_every_view_position_leads_back_to_its_character(pieces: list[str], forgotten: int) -> None:
    view = ScanView()
    shown = "".join(view.add(piece) for piece in pieces)
    text = "".join(pieces)
    expected = [at for at, one in enumerate(text) for _ in folding().table.get(one, one)]
    low = min(forgotten, len(shown))
    view.forget(low)
    assert [view.origin(at) for at in range(low, len(shown))] == expected[low:]
    for at in range(low, len(shown) - 1):
        assert view.span(at, at + 2) == (expected[at], expected[at + 1] + 1)


def test_a_span_covers_the_invisible_characters_inside_it_only() -> None:
    text = "\u200bjo\u200bhn\u200b x"
    view = ScanView()
    shown = view.add(text)
    start, end = view.span(0, shown.index(" "))
    assert text[start:end] == "jo\u200bhn"


def test_forgetting_keeps_the_memory_of_a_long_folded_stream_small() -> None:
    view = ScanView()
    for _ in range(200):
        view.add("\u200b\ufb01" * 10)
        view.forget(view.view_length)
    assert len(view._views) < 50
