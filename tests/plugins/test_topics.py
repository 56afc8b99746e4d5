"""Topics: words with weights reach a threshold together, each counting once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from helpers.asgi import harness
from helpers.plugin_settings import called, contributed, settings_for
from yett.detector import CallableDetector, Found
from yett.errors import ConfigError
from yett.flow import Phase
from yett.verdict import Action
from yett_plugins.topics import Topics

TOPICS = {
    "law": {"words": {"lawyer": 2, "sue": 1, "court of appeal": 1.5, "Прокурор": 3}, "threshold": 3, "do": "deny"},
    "health": {"words": {"doctor": 1, "pill": 1, "court of appeal": 0.5}, "threshold": 2},
}


def found(text: str) -> list[Found]:
    return called(Topics, text, topics=TOPICS)


def test_no_topics_by_default() -> None:
    assert contributed(Topics) == []


def test_one_detector_for_all_topics() -> None:
    (detector,) = contributed(Topics, topics=TOPICS)
    assert isinstance(detector, CallableDetector)
    assert [(d.code, d.default) for d in detector.finds] == [("topic.law", Action.DENY), ("topic.health", Action.ALLOW)]
    assert detector.phases == {Phase.REQUEST}
    (detector,) = contributed(Topics, topics=TOPICS, answers=True)
    assert isinstance(detector, CallableDetector)
    assert detector.phases == set(Phase)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("My lawyer will sue.", {"topic.law": 0.5}),
        ("LAWYER, Sue!, court  of\nappeal", {"topic.law": 0.75}),
        ("lawyer lawyer lawyer", {}),
        ("the lawyers will ensue", {}),
        ("прокурор", {"topic.law": 0.5}),
        ("a pill from the doctor, says my lawyer to the court of appeal", {"topic.law": 7 / 12, "topic.health": 0.625}),
        ("", {}),
    ],
)
def test_what_reaches_a_threshold(text: str, codes: dict[str, float]) -> None:
    assert {one.code: one.score for one in found(text)} == pytest.approx(codes)


def test_the_place_is_from_the_first_word_to_the_last() -> None:
    text = "Well, sue them, lawyer, now"
    (one,) = found(text)
    assert text[one.start : one.end] == "sue them, lawyer"


def test_decomposed_text_keeps_its_places_in_the_text() -> None:
    text = "e\u0301" * 50 + " lawyer sue"
    (one,) = found(text)
    assert 0 <= one.start < one.end <= len(text)


def test_words_of_files_weigh_one(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("alpha\nbeta\n")
    topics = {"x": {"files": [str(path)], "words": {"gamma": 1}, "threshold": 3}}
    assert called(Topics, "alpha beta", topics=topics) == []
    assert [one.code for one in called(Topics, "alpha beta gamma", topics=topics)] == ["topic.x"]


@pytest.mark.parametrize(
    "topics",
    [{"x": {}}, {"X-y": {"words": {"a": 1}}}, {"x": {"words": {"a": 0}}}, {"x": {"words": {"a": 1}, "threshold": -1}}],
    ids=str,
)
def test_wrong_settings_are_errors(topics: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Topics.Config.model_validate({"topics": topics})


@pytest.mark.parametrize("topic", [{"words": {" ": 1}}, {"files": ["no/such/file"]}], ids=str)
def test_bad_words_and_files_stop_the_start(topic: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        contributed(Topics, topics={"x": topic})


async def test_a_topic_is_refused(tmp_path) -> None:
    async with harness(tmp_path, settings=settings_for(Topics, {"topics": TOPICS})) as gate:
        assert (await gate.chat("shall my lawyer sue?")).status == 400
        assert (await gate.chat("shall my lawyer rest?")).status == 200
