"""JSON escapes inside a text are read, and what is found there is placed in the text as it stands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.detector import Detector, Pattern, Span
from yett.escapes import unescape, united

FOUND = Detector("d", "x.d", "D", (Pattern("p", "x"),))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param(r"line\n4111", "line\n4111", id="newline"),
        pytest.param(r"ada\u0040corp", "ada@corp", id="unicode"),
        pytest.param(r"a\\nb", r"a\nb", id="one level only"),
        pytest.param(r"\"q\"\/\t\b\f\r", '"q"/\t\b\f\r', id="all short ones"),
        pytest.param(r"\ud83d\ude00!", "??!", id="surrogates"),
    ],
)
def test_escapes_are_read_once(text, read):
    view = unescape(text)
    assert view is not None
    assert view.text == read
    assert len(view.starts) == len(read) + 1


@pytest.mark.parametrize("text", ["plain", "", r"C:\dir", "\\", r"\u12"])
def test_a_text_without_escapes_has_no_second_reading(text):
    assert unescape(text) is None


@given(st.text(alphabet=st.characters(codec="ascii"), min_size=1))
def test_reading_undoes_what_json_wrote(value):
    written = json.dumps(value)[1:-1]
    view = unescape(written)
    assert (view.text if view else written) == value


def test_spans_are_placed_in_the_original():
    text = r"to ada\u0040corp now"
    view = unescape(text)
    placed = view.place(Span(3, 11, FOUND, 1.0))
    assert text[placed.start : placed.end] == r"ada\u0040corp"


def test_in_json_a_span_that_begins_inside_an_escape_gives_way():
    text = '{"t": "a\\nbob@x.example"}'
    view = unescape(text)
    at = text.index("nbob")
    raw = [Span(at, at + 14, FOUND, 1.0)]
    read_at = view.text.index("bob")
    spans = united(text, raw, [Span(read_at, read_at + 13, FOUND, 1.0)], view)
    assert [text[s.start : s.end] for s in spans] == ["bob@x.example"]


def test_elsewhere_both_readings_count():
    text = r"C:\nbob@x.example"
    view = unescape(text)
    raw = [Span(3, 17, FOUND, 1.0)]
    spans = united(text, raw, [Span(3, 16, FOUND, 1.0)], view)
    assert [text[s.start : s.end] for s in spans] == ["nbob@x.example", "bob@x.example"]
