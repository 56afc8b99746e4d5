"""The scan view is the same for every way to cut a text, folds what hides text, and finds its way back."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.wire.confusables import LETTERS, MARKS
from yett.wire.lookalikes import BEYOND
from yett.wire.unicode import COMBINING, INVISIBLE, ScanView, folding

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
    "combining marks go": ("a\u0301b\u0336c\u20dd", "abc"),
    "marks of single scripts stay": ("\u05d1\u05b0 \u0915\u094d \u064e", "\u05d1\u05b0 \u0915\u094d \u064e"),
    "digits of all scripts": ("\u0664\u06f1\u0967\U0001d7d9\u2776\u24f5", "411111"),
    "white on black": ("\U0001f150\U0001f171", "AB"),
    "dashes and quotes": ("10\u201312\u2010x\u2212y \u2019", "10-12-x-y '"),
    "dead scripts": ("\U00010410 \U00010302 \U000118a0", "\U00010410 C V"),
    "look-alikes in a mixed word": ("j\u043ehn", "john"),
    "look-alikes in an address": ("j@\u0441\u043e.\u0441\u043e", "j@co.co"),
    "cyrillic words stay": ("\u0441\u043e\u0440 \u0430", "\u0441\u043e\u0440 \u0430"),
}


@pytest.mark.parametrize(("text", "expected"), VIEWS.values(), ids=VIEWS)
def test_view(text: str, expected: str) -> None:
    view = ScanView()
    assert view.add(text, final=True) == expected
    assert (view.text_length, view.view_length) == (len(text), len(expected))


READS = {
    "percent": ("a%40b %e2%82%ac", "a@b \u20ac"),
    "what is read is folded": ("\\uff21&#8203;&#xfb01;", "Afi"),
    "terminal colours": ("\x1b[1;31ma\x1b[0mb", "ab"),
    "no sequence": ("100% &c \\q %zz", "100% &c \\q %zz"),
    "unfinished": ("a%4", "a%4"),
}


@pytest.mark.parametrize(("text", "expected"), READS.values(), ids=READS)
def test_a_view_that_reads(text: str, expected: str) -> None:
    assert ScanView(reads=True).add(text, final=True) == expected
    assert ScanView().add(text, final=True) == (text if text.isascii() else ScanView().add(text, final=True))


def expected_fold(one: str) -> str:
    """What the table should have for one character, by definition."""
    if one in UNSEEN:
        return ""
    if not unicodedata.is_normalized("NFKC", one):
        folded = unicodedata.normalize("NFKC", one)
        if folded.isascii() and len(folded) <= 4:
            return folded
    return str(unicodedata.decimal(one)) if unicodedata.decimal(one, -1) >= 0 else GENERATED.get(one, one)


UNSEEN = {chr(code) for first, last in (*INVISIBLE, *COMBINING) for code in range(first, last + 1)}
GENERATED = {c: shown for shown, ones in MARKS.items() for c in ones} | {
    c: shown for shown, ones in LETTERS.items() for c in ones if c >= BEYOND
}


def test_every_code_point_is_folded_as_defined() -> None:
    table = folding().table
    for code in (*range(0x80, 0xD800), *range(0xE000, 0x110000)):
        one = chr(code)
        expected = expected_fold(one)
        assert table.get(one, one) == expected, hex(code)
        if expected != one:
            assert folding().touched.match(one), hex(code)
            assert len(expected) == 1 or folding().uneven.match(one), hex(code)


PIECES = st.sampled_from(
    (
        *"ab4@. -_%&\\", "\u00e9", "\u200b", "\u00ad", "\uff14", "\ufb01", "\u33c2", "\U0001d41a", "\U000e0041",
        "\U0001f600", "\u0301", "\u043e", "\u0441\u043e", "\u0434", "\u043e" * 70, "a" * 66, "%4", "%40", "%25",
        "u0040", "\\n", "#64;", "&amp;", "\x1b", "[3", "m", "\x1b]8;;x", "\x07", "\\ud83d", "\\ude00",
    )
)  # fmt: skip
SAMPLE = st.lists(PIECES, max_size=12).map("".join)


@settings(deadline=None, derandomize=True, max_examples=400)
@given(SAMPLE, st.lists(st.integers(0, 200), max_size=6), st.booleans())
def test_the_views_of_all_pieces_are_the_view_of_the_whole(text: str, cuts: list[int], reads: bool) -> None:
    whole, pieced = ScanView(reads=reads), ScanView(reads=reads)
    expected = whole.add(text, final=True)
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    shown = "".join(pieced.add(text[low:high]) for low, high in pairwise(edges))
    assert expected.startswith(shown)
    assert shown + pieced.add("", final=True) == expected
    assert [pieced.span(at, at + 1) for at in range(len(expected))] == [
        whole.span(at, at + 1) for at in range(len(expected))
    ]


@settings(deadline=None, derandomize=True)
@given(SAMPLE, st.integers(0, 60))
def test_every_view_position_leads_back_to_its_character(text: str, forgotten: int) -> None:
    view = ScanView()
    shown = view.add(text, final=True)
    expected = [at for at, one in enumerate(text) for _ in folding().table.get(one, one)]
    low = min(forgotten, len(shown))
    view.forget(low)
    assert [view.origin(at) for at in range(low, len(shown))] == expected[low:]
    for at in range(low, len(shown) - 1):
        assert view.span(at, at + 2) == (expected[at], expected[at + 1] + 1)


def test_a_span_covers_the_sequences_that_it_was_read_from() -> None:
    text = "x j%6fhn%40corp.exampl&#101; y"
    view = ScanView(reads=True)
    shown = view.add(text, final=True)
    start = shown.index("john")
    low, high = view.span(start, start + len("john@corp.example"))
    assert text[low:high] == "j%6fhn%40corp.exampl&#101;"


def test_only_a_word_that_may_still_mix_scripts_waits() -> None:
    view = ScanView()
    assert view.add("\u0434\u043e\u043c \u0441\u043e") == "\u0434\u043e\u043c "
    assert view.add("\u0440") == ""
    assert view.add(" ") == "\u0441\u043e\u0440 "
    assert view.add("a\u043e") == "ao"
    assert len(view.add(" " + "\u043e" * 100)) > 30


def test_a_fork_goes_on_from_where_it_was() -> None:
    plain = ScanView()
    before = plain.add("\u200bab\u043e")
    fork = plain.fork()
    assert before + fork.add("%40", final=True) == ScanView(reads=True).add("\u200bab\u043e%40", final=True)
    assert fork.has_read
    assert not plain.goes_on_like(fork)
    assert before + plain.add("%40", final=True) == "abo%40"


def test_a_span_covers_the_invisible_characters_inside_it_only() -> None:
    text = "\u200bjo\u200bhn\u200b x"
    view = ScanView()
    shown = view.add(text, final=True)
    start, end = view.span(0, shown.index(" "))
    assert text[start:end] == "jo\u200bhn"


def test_forgetting_keeps_the_memory_of_a_long_folded_stream_small() -> None:
    view = ScanView()
    for _ in range(200):
        view.add("\u200b\ufb01" * 10)
        view.forget(view.view_length)
    assert len(view._views) < 50
