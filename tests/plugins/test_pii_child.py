"""The child that runs users' checks: one that fails or hangs is a failed guard, never a pass, and does not last."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.detectors import engine
from yett.detector import Detector, Pattern
from yett.errors import PluginError, Unavailable
from yett_plugins import pii_child
from yett_plugins.pii_child import RecognizerProcess

MODULE = """
import os, sys, time
from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer

class Mine(PatternRecognizer):
    def __init__(self):
        super().__init__("MINE", patterns=[Pattern("p", "m[0-9]+", 0.5)], context=["mine"])

    def validate_result(self, text):
        print("noise")
        if text == "m1":
            raise ValueError("canary " + text)
        if text == "m2":
            time.sleep(60)
        if text == "m3":
            os._exit(3)
        if text == "m4":
            return "OPENAI_API_KEY" in os.environ
        return None

    def invalidate_result(self, text):
        return text == "m5"

class Plain(PatternRecognizer):
    def __init__(self):
        super().__init__("PLAIN", deny_list=["plain"])

class Analyzes(Plain):
    def analyze(self, text, entities, nlp_artifacts=None, regex_flags=None):
        return []

class Enhances(Plain):
    def enhance_using_context(self, *args, **kwargs):
        return []

class NeedsMore(Plain):
    def __init__(self, more):
        super().__init__()

class Exits(Plain):
    def __init__(self):
        sys.exit(1)

class Names(EntityRecognizer):
    def __init__(self):
        super().__init__(["PERSON"])
    def load(self):
        pass
    def analyze(self, *args, **kwargs):
        return []

number = 7
"""
MINE = "mine_of_test:Mine"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("modules")
    (folder / "mine_of_test.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("OPENAI_API_KEY", "canary")
        yield folder


@pytest.fixture(scope="module")
def child(folder: Path) -> Iterator[RecognizerProcess]:
    assert folder.exists()
    process = RecognizerProcess([MINE], deadline_s=0.5)
    yield process
    process.close()


def ready(child: RecognizerProcess) -> bool:
    """Wait until a child that starts anew has said so."""
    return bool(child._selector.select(60))


def test_it_says_what_it_holds(child: RecognizerProcess) -> None:
    (mine,) = child.recognizers
    assert (mine.path, mine.entity, mine.validates, mine.context) == (MINE, "MINE", True, ("mine",))
    assert [(p.name, p.regex, p.score) for p in mine.patterns] == [("p", "m[0-9]+", 0.5)]


@pytest.mark.parametrize(
    ("text", "answer"), [("m7", None), ("m5", False), ("m4", False)], ids=["none", "no", "no keys"]
)
def test_answers(child: RecognizerProcess, text: str, answer: object) -> None:
    assert child.check(MINE, text) is answer


@pytest.mark.parametrize(
    ("text", "error"),
    [
        pytest.param("m1", RuntimeError, id="raises"),
        pytest.param("m2", TimeoutError, id="hangs"),
        pytest.param("m3", RuntimeError, id="ends", marks=pytest.mark.proof),
    ],
)
def test_a_check_that_fails_says_nothing_of_the_text_and_the_next_one_works(
    child: RecognizerProcess, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        child.check(MINE, text)
    assert "canary" not in str(caught.value)
    assert text not in str(caught.value)
    assert error is RuntimeError or ready(child)
    assert text != "m3" or ready(child)
    assert child.check(MINE, "m7") is None


@pytest.mark.proof
def test_until_it_is_back_every_check_fails(child: RecognizerProcess) -> None:
    for text in ("m3", "m7"):
        with pytest.raises((RuntimeError, TimeoutError)):
            child.check(MINE, text)
    assert ready(child)
    assert child.check(MINE, "m7") is None


def test_a_failed_check_closes_the_gate(child: RecognizerProcess) -> None:
    detector = Detector("mine", "pii.mine", "MINE", (Pattern("p", "m[0-9]+"),), lambda text: child.check(MINE, text))
    with pytest.raises(Unavailable, match="the validator of mine failed"):
        engine([detector]).scan("it is m1")


def test_a_long_text_is_no_trouble(child: RecognizerProcess) -> None:
    assert child.check(MINE, "m" * 4_000 + "é") is None


REFUSED = {
    "nothing:Here": "nothing:Here: ModuleNotFoundError",
    "mine_of_test:Missing": "mine_of_test:Missing: AttributeError",
    "mine_of_test": "mine_of_test: AttributeError",
    "mine_of_test:number": "not a PatternRecognizer",
    "mine_of_test:Names": "not a PatternRecognizer",
    "mine_of_test:Analyzes": "has an `analyze` of its own",
    "mine_of_test:Enhances": "has an `enhance_using_context` of its own",
    "mine_of_test:NeedsMore": "mine_of_test:NeedsMore: TypeError",
    "mine_of_test:Exits": "the child process gave RuntimeError",
}


@pytest.mark.proof
@pytest.mark.parametrize("path", REFUSED)
def test_what_cannot_be_loaded_stops_the_start(folder: Path, path: str) -> None:
    assert folder.exists()
    with pytest.raises(PluginError, match="pii: recognizers: ") as caught:
        RecognizerProcess([MINE, path])
    assert REFUSED[path] in str(caught.value)


@pytest.mark.proof
def test_a_child_without_checks_ends_at_once(folder: Path) -> None:
    assert folder.exists()
    process = RecognizerProcess(["mine_of_test:Plain"])
    assert [one.validates for one in process.recognizers] == [False]
    assert process._process.returncode is not None


def test_a_child_that_never_answers_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pii_child, "CHILD", "import threading; threading.Event().wait()")
    monkeypatch.setattr(pii_child, "CHILD_DEADLINE_S", 0.5)
    with pytest.raises(PluginError, match="the child process gave TimeoutError"):
        RecognizerProcess([MINE])
