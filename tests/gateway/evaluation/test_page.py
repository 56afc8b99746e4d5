from __future__ import annotations

import asyncio
from collections.abc import Sequence
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from helpers.eval_subjects import Told
from yett.evaluation.cases import Case, Gold, Kind
from yett.evaluation.page import render
from yett.evaluation.run import Options, Report, evaluate
from yett.evaluation.subject import Detection

EVIL = "<script>alert('x')</script>&\"$title"
VOID = {"meta", "br", "hr"}


class Page(HTMLParser):
    """What a browser sees: tags in balance, words, addresses."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in {"src", "href", "xlink:href", "action"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def report(cases: Sequence[Case], told: dict[str, Sequence[Detection]], codes: Sequence[str] = ()) -> Report:
    return asyncio.run(evaluate(Told(told, codes=codes), cases, Options(facts={"policy": EVIL})))


def everything() -> Report:
    text = f"mail ada@x.org {EVIL} now"
    cases = [
        Case(f"{EVIL}.jsonl", 1, EVIL, text, Kind.SPANS, spans=(Gold(5, 14, "EMAIL"), Gold(0, 4, EVIL))),
        Case("b", 1, "x", f"{EVIL} one", Kind.LABEL, task="attack", positive=True),
        Case("b", 2, "y", f"{EVIL} two", Kind.LABEL, task="attack", positive=True),
        Case("c", 1, "", f"{EVIL} three", Kind.LABEL, task="attack", positive=False),
        Case("d", 1, "", text, Kind.PLAIN),
    ]
    told = {
        text: [Detection(5, 12, "pii.email", 1.0), Detection(0, 4, "pii.phone", 0.5)],
        f"{EVIL} one": [Detection(0, 9, "injection.x", 0.7)],
        f"{EVIL} three": [Detection(0, 9, "injection.x", 0.3)],
    }
    return report(cases, told)


@pytest.fixture(scope="module")
def html() -> str:
    return render(everything(), title=f"Title {EVIL}")


def test_the_page_is_whole_and_needs_nothing_else(html: str) -> None:
    page = Page(html)
    assert page.open == []
    assert page.links == []
    assert "script" not in page.tags
    assert "http" not in html
    assert "@import" not in html
    assert page.tags.count("svg") == 5


def test_words_of_the_data_are_shown_and_never_markup(html: str) -> None:
    assert "<script" not in html
    assert EVIL in Page(html).words


def test_every_section_is_there(html: str) -> None:
    words = Page(html).words
    for title in (
        "Places in texts",
        "Classes: attack",
        "Texts with nothing to find",
        "Cost",
        "Worst misses and false alarms",
        "How it was measured",
    ):
        assert title in words


def test_plots_are_well_formed(html: str) -> None:
    pictures = [part.split("</svg>")[0] for part in html.split("<svg")[1:]]
    for picture in pictures:
        root = ET.fromstring(f"<svg{picture}</svg>")
        for element in root.iter():
            for name in ("x", "y", "width", "height", "x1", "x2", "y1", "y2"):
                assert float(element.get(name, "0")) >= 0


def test_light_and_dark_are_both_there(html: str) -> None:
    assert "prefers-color-scheme: dark" in html


def test_few_benign_texts_are_told(html: str) -> None:
    assert "Too few benign texts for a rate of 1.0% and 0.1%" in Page(html).words


@pytest.mark.parametrize(
    ("cases", "codes"),
    [
        pytest.param([Case("f", 1, "", "a", Kind.PLAIN)], (), id="quiet only"),
        pytest.param([Case("f", 1, "", "a", Kind.SPANS, spans=(Gold(0, 1, "PERSON"),))], (), id="nothing scored"),
        pytest.param([Case("f", 1, "", "a", Kind.LABEL, task="attack", positive=True)], (), id="no rows left"),
        pytest.param(
            [Case("f", 1, "", "a", Kind.LABEL, task="attack", positive=False)], ("injection.x",), id="benign only"
        ),
    ],
)
def test_a_report_of_little_has_a_page_too(cases: list[Case], codes: Sequence[str]) -> None:
    page = Page(render(report(cases, {}, codes)))
    assert page.open == []
    assert "How it was measured" in page.words
