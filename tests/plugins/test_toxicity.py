"""Toxic words: classes and languages, disguises in requests, streams of answers, words that only look alike."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from helpers.asgi import chat_chunks, harness, sse
from helpers.detectors import codes, engine
from helpers.plugin_settings import called, contributed, declarative, settings_for
from helpers.tiny_classifier import write_classifier
from yett.detector import CallableDetector
from yett.errors import PluginError
from yett.flow import Phase
from yett.scan import ScanEngine
from yett.verdict import Action
from yett_plugins.toxicity import MODEL, Toxicity, make_scanner, toxic_entries

CLASSES = ("profanity", "slur", "threat", "self_harm", "sexual", "violence")
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru")


def found(text: str, *classes: str) -> dict[str, list[str]]:
    got: dict[str, list[str]] = {}
    for one in called(Toxicity, text, classes=classes or CLASSES):
        got.setdefault(one.code.removeprefix("toxicity."), []).append(text[one.start : one.end])
    return got


def test_nothing_is_looked_for_by_default() -> None:
    assert contributed(Toxicity) == []


def test_classes_are_recorded_only_and_hold_no_stream() -> None:
    first, *rest = contributed(Toxicity, classes=CLASSES)
    assert isinstance(first, CallableDetector)
    assert first.phases == {Phase.REQUEST}
    assert {one.code for one in first.finds} == {f"toxicity.{one}" for one in CLASSES}
    assert {one.default for one in (*first.finds, *declarative(Toxicity, classes=CLASSES))} == {Action.ALLOW}
    assert len(rest) == len(CLASSES)
    assert len(contributed(Toxicity, classes=CLASSES, answers=False)) == 1
    assert ScanEngine(declarative(Toxicity, classes=["threat"])).names == ("toxicity.threat",)


@pytest.mark.parametrize("config", [{"classes": ["rude"]}, {"languages": ["xx"]}, {"class": []}], ids=str)
def test_wrong_settings_are_errors(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Toxicity.Config.model_validate(config)


def test_every_class_has_words_in_every_language() -> None:
    for language in LANGUAGES:
        entries = toxic_entries(CLASSES, [language])
        assert set(entries) == set(CLASSES)
        assert all(word.strip(" *") and word.count("*") <= 1 for words in entries.values() for word in words)
        scanner = make_scanner(CLASSES, [language])
        for toxic, words in entries.items():
            for word, found_in_it in zip(words, scanner.scan([one.removesuffix("*") for one in words]), strict=True):
                assert f"toxicity.{toxic}" in {one.code for one in found_in_it}, word


DISGUISED = {
    "plain": ("what a bastard!", "profanity", "bastard"),
    "capitals": ("What a BASTARD!", "profanity", "BASTARD"),
    "digits": ("what a b4st4rd", "profanity", "b4st4rd"),
    "signs": ("what a ba$tard", "profanity", "ba$tard"),
    "dots": ("such b.a.s.t.a.r.d", "profanity", "b.a.s.t.a.r.d"),
    "gaps": ("such b a s t a r d", "profanity", "b a s t a r d"),
    "accents": ("what a bástärd", "profanity", "bástärd"),
    "full width": ("what a ｂａｓｔａｒｄ", "profanity", "ｂａｓｔａｒｄ"),
    "invisible characters": ("what a bas\u200btard", "profanity", "bas\u200btard"),
    "a look-alike": ("what a bаstard", "profanity", "bаstard"),
    "an ending": ("you bastards", "profanity", "bastards"),
    "a phrase": ("I w1ll k1ll you", "threat", "I w1ll k1ll you"),
    "german": ("So ein Arschloch", "profanity", "Arschloch"),
    "russian": ("покончить с собой", "self_harm", "покончить с собой"),
    "turkish": ("intiharı düşünüyorum", "self_harm", "intiharı"),
}


@pytest.mark.parametrize("name", DISGUISED)
def test_disguises_in_requests(name: str) -> None:
    text, toxic, word = DISGUISED[name]
    assert found(text) == {toxic: [word]}


CLEAN = (
    *("Scunthorpe United", "class assessment", "a cockatoo in the grass", "shiitake mushrooms", "assassins", "Essex"),
    *("kill the process", "the deadline kills me", "Dick Francis", "analysis", "a therapist", "pissarro", "matador"),
    *(
        "night mare",
        "niggle",
        "the snigger",
        "hello",
        "Nutte",
        "die Schlacht",
        "a cumulative sum",
        "Penistone",
        "spice",
    ),
    *("", "bast ard house", "f(u, c, k)", "raccoon", "pakistan", "dyker", "hören", "kutta"),
)


@pytest.mark.parametrize("text", CLEAN)
def test_words_that_look_alike(text: str) -> None:
    assert found(text) == {}


def test_classes_and_languages_choose() -> None:
    text = "bastard, suicide, arschloch"
    assert set(found(text, "profanity")) == {"profanity"}
    words = [text[one.start : one.end] for one in called(Toxicity, text, classes=CLASSES, languages=["de"])]
    assert words == ["arschloch"]


def test_answers_are_read_as_they_are() -> None:
    scanner = engine(declarative(Toxicity, classes=["profanity", "violence"]))
    assert codes(scanner, "A BASTARD genocide, Scheiße, ENCULÉ") == {
        "toxicity.profanity": ["BASTARD", "Scheiße", "ENCULÉ"],
        "toxicity.violence": ["genocide"],
    }


def test_a_model_runs_in_workers_where_a_rule_asks_for_it(tmp_path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    folder = write_classifier(tmp_path / "model", {"awful": (0.0, 4.0)}, ("neutral", "toxic"))
    (detector,) = contributed(Toxicity, model={"folder": str(folder), "least_score": 0.7})
    assert isinstance(detector, CallableDetector)
    assert (detector.isolation, detector.asked_for, detector.phases) == ("worker", True, {Phase.REQUEST})
    assert detector.finds[0].min_score == 0.7
    first, second = (
        called(Toxicity, "awful", model={"folder": str(folder)}),
        called(Toxicity, "nice", model={"folder": str(folder), "labels": ["toxic"], "answers": True}),
    )
    assert [(one.code, one.score > 0.9) for one in (*first, *second)] == [(MODEL, True), (MODEL, False)]


def test_a_model_folder_without_a_model_stops_the_start(tmp_path) -> None:
    with pytest.raises(PluginError):
        contributed(Toxicity, model={"folder": str(tmp_path)})


async def test_a_rule_decides_about_a_class_in_a_stream(tmp_path) -> None:
    def rules(folder) -> None:
        text = "version: 1\nname: t\nrules:\n  - {id: t, when: {finding: toxicity.profanity}, do: redact}\n"
        (folder / "t.yaml").write_text(text)

    config = settings_for(Toxicity, {"classes": ["profanity", "violence"]})
    deltas = ["You bas", "tards saw a geno", "cide."]
    async with harness(tmp_path, lambda _: sse(*chat_chunks(*deltas)), settings=config, policies=rules) as gate:
        got = await gate.chat("b.a.s.t.a.r.d", stream=True)
        assert got.text() == "You <TOXIC> saw a genocide."
        assert gate.upstream.bodies[0]["messages"][0]["content"] == "<TOXIC>"
