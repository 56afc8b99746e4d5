from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from helpers.tiny_classifier import write_classifier
from yett.detector import CallableDetector, Detector, Found
from yett.errors import PluginError
from yett.workers import WorkerPool
from yett_plugins import onnx_text
from yett_plugins.onnx_text import TextClassifier, located, make_scanner

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("tokenizers", reason="the extra `onnx` is not installed")

WORDS = {"bad": (0.0, 4.0), "worse": (0.0, 8.0), "nice": (2.0, 0.0)}
LABELS = ("BENIGN", "INJECTION")
WINDOW = 16
ROOM = WINDOW - 2  # [CLS] and [SEP]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_classifier(tmp_path / "model", WORDS, LABELS, window=WINDOW)


def probability(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


@pytest.mark.parametrize(
    ("text", "logit"),
    [("nothing here", 0), ("bad", 4), ("a nice but bad thing", 2), ("bad worse", 12), ("nice nice", -4)],
)
def test_score_is_the_models_probability(folder: Path, text: str, logit: float) -> None:
    score, start, end = TextClassifier(folder).worst(text)
    assert score == pytest.approx(probability(logit), abs=1e-5)
    assert (start, end) == (0, len(text))


@pytest.mark.parametrize("place", [0, 1, ROOM - 1, ROOM, ROOM + 1, 100, 498, 499])
def test_nothing_of_a_long_text_is_cut_off(folder: Path, place: int) -> None:
    words = ["word"] * 500
    words[place] = "worse"
    text = " ".join(words)
    score, start, end = TextClassifier(folder).worst(text)
    assert score > 0.99
    assert "worse" in text[start:end]
    assert len(text[start:end].split()) == ROOM


def test_two_words_that_belong_together_meet_in_one_window(folder: Path) -> None:
    alone = probability(4)
    for place in range(60):
        words = ["word"] * 61
        words[place : place + 2] = ["bad", "bad"]
        assert TextClassifier(folder).worst(" ".join(words))[0] > alone + 0.01, place


def test_an_empty_text_has_nothing(folder: Path) -> None:
    assert make_scanner(folder=str(folder), code="x.y").scan(["", "  "]) == [[], [Found(0, 2, "x.y", 0.0)]]


def test_each_text_gets_one_finding(folder: Path) -> None:
    found = make_scanner(folder=str(folder), code="injection.model").scan(["worse", "nice", "worse"])
    assert [[(one.code, one.score > 0.5) for one in each] for each in found] == [
        [("injection.model", True)],
        [("injection.model", False)],
        [("injection.model", True)],
    ]


def test_several_labels_count_together(tmp_path: Path) -> None:
    words = {"bad": (0.0, 1.0, 1.0)}
    write_classifier(tmp_path, words, ("benign", "injection", "jailbreak"))
    assert TextClassifier(tmp_path).worst("bad")[0] == pytest.approx(2 * math.e / (2 * math.e + 1))
    assert TextClassifier(tmp_path, ["Jailbreak"]).worst("bad")[0] == pytest.approx(math.e / (2 * math.e + 1))


def test_independent_labels_each_have_their_probability(tmp_path: Path) -> None:
    write_classifier(
        tmp_path, {"rude": (3.0, -3.0)}, ("toxic", "threat"), config={"problem_type": "multi_label_classification"}
    )
    assert TextClassifier(tmp_path, ["toxic"]).worst("rude")[0] == pytest.approx(probability(3), abs=1e-5)
    assert TextClassifier(tmp_path, ["threat"]).worst("rude")[0] == pytest.approx(probability(-3), abs=1e-5)


def test_one_output_is_one_probability(tmp_path: Path) -> None:
    write_classifier(tmp_path, {"rude": (3.0,)}, ("toxic",))
    assert TextClassifier(tmp_path).worst("rude")[0] == pytest.approx(probability(3), abs=1e-5)


def test_token_types_are_fed_where_the_model_asks(tmp_path: Path) -> None:
    write_classifier(tmp_path, WORDS, LABELS, inputs=("input_ids", "attention_mask", "token_type_ids"))
    assert TextClassifier(tmp_path).worst("bad")[0] == pytest.approx(probability(4), abs=1e-5)


def test_roberta_counts_two_positions_that_no_token_gets(tmp_path: Path) -> None:
    write_classifier(tmp_path, WORDS, LABELS, window=18, config={"model_type": "xlm-roberta"})
    text = " ".join(["word"] * 40)
    _, start, end = TextClassifier(tmp_path).worst(text)
    assert len(text[start:end].split()) == 18 - 2 - 2


@pytest.mark.parametrize(
    ("labels", "asked", "message"),
    [
        (("A", "B"), None, "say with `labels` which of A, B"),
        (("benign", "safe"), None, "say with `labels`"),
        (LABELS, ["nonsense"], "has no label nonsense; it has BENIGN, INJECTION"),
    ],
)
def test_labels_that_say_nothing_are_refused(
    tmp_path: Path, labels: tuple[str, ...], asked: list[str] | None, message: str
) -> None:
    write_classifier(tmp_path, WORDS, labels)
    with pytest.raises(ValueError, match=message):
        TextClassifier(tmp_path, asked)


@pytest.mark.parametrize(
    "config",
    [{}, [], {"id2label": {}}, {"id2label": {"1": "x"}}, {"id2label": ["benign", "bad"]}],
    ids=["empty", "list", "no labels", "gap", "labels as a list"],
)
def test_config_without_class_names_is_refused(folder: Path, config: object) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="id2label"):
        TextClassifier(folder)


def test_a_window_without_room_is_refused(tmp_path: Path) -> None:
    write_classifier(tmp_path, WORDS, LABELS, window=3)
    with pytest.raises(ValueError, match="no room"):
        TextClassifier(tmp_path)


def test_a_model_for_something_else_is_refused(tmp_path: Path) -> None:
    write_classifier(tmp_path, WORDS, LABELS, inputs=("pixels",))
    with pytest.raises(ValueError, match="input_ids"):
        TextClassifier(tmp_path)


def test_a_folder_must_have_all_files(folder: Path) -> None:
    assert located("plugin", folder) == str(folder.resolve())
    (folder / "model.onnx").unlink()
    with pytest.raises(PluginError, match=r"plugin: the model folder .* has no model\.onnx"):
        located("plugin", folder)


def test_a_missing_package_is_named_with_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_text, "NEEDS", ("onnxruntime", "no_such_package"))
    with pytest.raises(PluginError, match=r"plugin: no_such_package not installed: pip install 'yett\[onnx\]'"):
        located("plugin", folder)


async def test_it_works_in_a_worker_process(folder: Path) -> None:
    detector = CallableDetector(
        name="injection.model",
        make="yett_plugins.onnx_text:make_scanner",
        options={"folder": str(folder), "code": "injection.model", "labels": ["INJECTION"]},
        finds=(Detector("injection.model", "injection.model", "INJECTION", ()),),
    )
    async with WorkerPool([detector], processes=1) as pool:
        (bad,), (nice,) = await pool.scan("injection.model", ["worse", "nice"], 20.0)
    assert bad.score > 0.99
    assert nice.score < 0.2
