"""Token classifiers in ONNX: every token of every text is labelled, where it stands."""

import warnings

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("onnxruntime")
pytest.importorskip("tokenizers")

from helpers.onnx_models import token_classifier
from yett_plugins.ner_mentions import Mention
from yett_plugins.ner_tokens import TokenClassifier, _words, windows

BIO = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-MISC"]
WORDS = {"ada": "B-PER", "lovelace": "I-PER", "london": "B-LOC", "friday": "B-MISC", "and": "O"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return token_classifier(tmp_path_factory.mktemp("model"), BIO, WORDS)


@pytest.fixture(scope="module")
def model(folder):
    return TokenClassifier(folder, labels={})


def said(model, text, threshold=0.5):
    return [(text[one.start : one.end], one.kind) for one in model.mentions(text, threshold)]


def test_words_are_found_where_they_stand(model):
    text = "Ada Lovelace and london on Friday, and ADA."
    expected = [("Ada", "person"), ("Lovelace", "person"), ("london", "location"), ("ADA", "person")]
    assert said(model, text) == expected
    assert model.kinds == ("O", "location", "other", "person")


@pytest.mark.parametrize("text", ["", " ", "\n\n", "and", "Friday", "🙂 and 🙂"])
def test_nothing_is_found_in_nothing(model, text):
    assert model.mentions(text, 0.5) == []


def test_offsets_are_characters_of_the_text(model):
    for text in ("🙂🙂 Ada 🙂", "é e\u0301 Ada", "\u200bÅ Ada", "a" * 300 + " Ada"):
        assert said(model, text)[-1] == ("Ada", "person")


@pytest.mark.parametrize("filler", ["and ", "and. ", "and\n", "and-", "and"], ids=repr)
@pytest.mark.parametrize("count", [1, 30, 60, 61, 62, 200, 5000])
def test_long_texts_are_read_to_their_end(model, filler, count):
    text = "Ada " + filler * count + " Lovelace"
    assert [said(model, text)[at] for at in (0, -1)] == [("Ada", "person"), ("Lovelace", "person")]
    assert len(said(model, text)) == 2


def test_every_word_of_a_long_text_is_found_once(model):
    text = "Ada and london. " * 900 + "Lovelace " * 900
    found = model.mentions(text, 0.5)
    assert len(found) == 2700
    assert len({one.start for one in found}) == 2700
    assert found == sorted(found)


def test_the_threshold_is_the_least_probability(folder):
    unsure = TokenClassifier(token_classifier(folder / "unsure", ["O", "B-PER"], {"ada": "B-PER"}, 1.0), labels={})
    (one,) = unsure.mentions("ada", 0.5)
    assert one.score == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-3)
    assert unsure.mentions("ada", 0.74) == []


def test_labels_mean_what_the_operator_says(folder):
    model = TokenClassifier(folder, labels={"misc": "organization"})
    assert said(model, "friday") == [("friday", "organization")]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["O", "S-PER", "B-PER", "I-PER", "E-PER"], {"ada": "B-PER", "lovelace": "E-PER", "jane": "S-PER"}),
        (["O", "U-PER", "B-PER", "I-PER", "L-PER"], {"ada": "B-PER", "lovelace": "L-PER", "jane": "U-PER"}),
        (["O", "PER"], {"ada": "PER", "lovelace": "PER", "jane": "PER"}),
        (["PER", "O"], {"ada": "PER", "lovelace": "PER", "jane": "PER"}),
        (["O", "I-PER"], {"ada": "I-PER", "lovelace": "I-PER", "jane": "I-PER"}),
    ],
    ids=["BIOES", "BILOU", "plain", "O is not first", "IO"],
)
def test_all_ways_to_label_are_read(tmp_path, labels, words):
    model = TokenClassifier(token_classifier(tmp_path, labels, words), labels={})
    assert said(model, "jane x ada lovelace") == [("jane", "person"), ("ada", "person"), ("lovelace", "person")]


def test_a_word_is_what_its_first_token_is_or_what_they_are_on_average():
    class Pieces:
        """An encoding of one word in three tokens, of which the first is a name."""

        ids, offsets, word_ids = [1, 2, 3], [(0, 2), (2, 4), (4, 6)], [0, 0, 0]

    kinds = np.array([[0.1, 0.9], [0.9, 0.1], [0.9, 0.1]], np.float32)
    (one,) = _words(Pieces, kinds, True, ["O", "person"], 0.5)
    assert one == Mention(0, 6, "person", pytest.approx(0.9))
    assert _words(Pieces, kinds, False, ["O", "person"], 0.5) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", b"{}"),
        ("config.json", b"[]"),
        ("config.json", b"not json"),
        ("config.json", orjson.dumps({"id2label": {"0": "O", "2": "B-PER"}})),
        ("config.json", orjson.dumps({"id2label": {}})),
        ("config.json", None),
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", None),
        ("model.onnx", b"no model"),
        ("model.onnx", b""),
        ("model.onnx", None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_folder_with_something_else_is_refused(tmp_path, name, content):
    folder = token_classifier(tmp_path, BIO, WORDS)
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    with pytest.raises(Exception, match=r"."):  # the libraries have errors of their own
        TokenClassifier(folder, labels={})


def test_a_model_that_does_not_label_each_token_is_refused(tmp_path):
    folder = token_classifier(tmp_path, BIO, WORDS)
    config = orjson.loads((folder / "config.json").read_bytes())
    config["id2label"] |= {str(len(BIO)): "B-ORG"}
    (folder / "config.json").write_bytes(orjson.dumps(config))
    with pytest.raises(ValueError, match="does not label each token"):
        TokenClassifier(folder, labels={}).mentions("ada", 0.5)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(st.booleans(), min_size=1, max_size=150), st.integers(4, 40))
def test_windows_label_every_token_exactly_once_and_fit(breaks, size):
    found = windows(len(breaks), np.array(breaks), size)
    assert [at for _, _, first, last in found for at in range(first, last)] == list(range(len(breaks)))
    assert all(start <= first < last <= end <= start + size for start, end, first, last in found)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(2, 500), st.integers(8, 64))
def test_without_breaks_a_token_stands_away_from_the_edge_of_its_window(tokens, size):
    margin = min(16, size // 4) // 2
    for start, end, first, last in windows(tokens, np.zeros(tokens, bool), size):
        assert first - start >= margin or start == 0
        assert end - last >= margin or end == tokens


def test_loading_warns_of_nothing(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TokenClassifier(folder, labels={})
