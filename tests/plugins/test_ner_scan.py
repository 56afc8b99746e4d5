"""The scanner of the `ner` detector with each of its back ends, for real."""

import random
import warnings
from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest

from helpers.onnx_models import token_classifier
from yett.detector import Found
from yett_plugins.ner_scan import RAMPART, WARM_UP, Names, _pieces, make_scanner

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
ALL = ("person", "location", "address", "organization")

needs_rampart = pytest.mark.skipif(find_spec(RAMPART) is None, reason="the extra `ner` is not installed")


def make(backend="rampart", model="", entities=ALL, required=False, threshold=0.5, labels=None):
    return make_scanner(
        backend=backend,
        model=str(model),
        entities=entities,
        required=required,
        threshold=threshold,
        labels=labels or {},
    )


def said(scanner, text):
    return {text[one.start : one.end]: one.code for one in scanner.scan([text])[0]}


class Counting:
    """A back end that marks `ada` and counts what it reads."""

    kinds = ("person",)

    def __init__(self):
        self.read = []

    def mentions(self, text, threshold):
        from yett_plugins.ner_mentions import Mention

        self.read.append(text)
        at = text.find("ada")
        return [Mention(at, at + 3, "person", 0.75), Mention(at, at + 3, "location", 0.7)] if at >= 0 else []


def test_only_the_entities_asked_for_are_found_and_each_text_is_read_once():
    model = Counting()
    names = Names(model, ["person"], 0.5)
    found = [Found(2, 5, "pii.person", 0.75)]
    assert names.scan(["x ada", "", "x ada", "none"]) == [found, [], found, []]
    assert model.read == [WARM_UP, "x ada", "", "none"]


# Rampart


@pytest.fixture(scope="module")
def rampart():
    return make()


@needs_rampart
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Ada Lovelace.", {"Ada Lovelace": "pii.person"}),
        ("please call john smith tomorrow", {"john smith": "pii.person"}),
        ("Dear Mrs. Gonzalez, thank you", {"Gonzalez": "pii.person"}),
        ("I live at 12 Elm Street, Springfield, IL 62704", {"12 Elm Street, Springfield, IL 62704": "pii.address"}),
        ("Ich heiße Jürgen Müller und wohne in Hamburg", {"Jürgen Müller": "pii.person", "Hamburg": "pii.location"}),
    ],
)
def test_rampart_finds_names_and_addresses(rampart, text, expected):
    assert said(rampart, text) == expected


@needs_rampart
@pytest.mark.parametrize(
    "text",
    [
        "The function returns a list of integers sorted in ascending order.",
        "How do I undo the last commit without losing my changes?",
        "SELECT id, total FROM orders WHERE total > 100;",
        "",
        "   ",
        "12345",
    ],
)
def test_rampart_finds_nothing_in_plain_texts(rampart, text):
    assert rampart.scan([text]) == [[]]


@needs_rampart
def test_rampart_reads_a_text_to_its_end(rampart):
    text = "The report covers the third quarter in detail. " * 120 + "Ask Ada Lovelace about it."
    assert list(said(rampart, text)) == ["Ada Lovelace"]


@needs_rampart
def test_a_text_has_the_same_findings_whatever_stands_beside_it(rampart):
    texts = ["Call Ada Lovelace", "x", "I live at 12 Elm Street " * 9, "Zoë", "Mr. Smith and Mrs. Jones"]
    alone = [rampart.scan([text])[0] for text in texts]
    for seed in range(3):
        order = random.Random(seed).sample(range(len(texts)), len(texts))
        assert rampart.scan([texts[at] for at in order]) == [alone[at] for at in order]


@needs_rampart
def test_rampart_has_no_organisations_and_says_so_when_asked():
    with pytest.raises(ValueError, match="no label for organization"):
        make(required=True)
    with pytest.raises(ValueError, match="no label for organization"):
        make(entities=("organization",))


@needs_rampart
@pytest.mark.proof
def test_rampart_finds_people_as_well_as_promised():
    files = sorted((DATA / "pii").glob("presidio_*.jsonl"))
    if not files:
        pytest.skip("shared/data/pii is not there")
    rows = [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()][::2]
    scanner = make(entities=("person",))
    true = people = right = named = 0
    for row, found in zip(rows, scanner.scan([row["text"] for row in rows]), strict=True):
        gold = [(span["start"], span["end"]) for span in row["spans"] if span["label"] == "PERSON"]
        true += sum(any(one.start < end and start < one.end for one in found) for start, end in gold)
        right += sum(any(one.start < end and start < one.end for start, end in gold) for one in found)
        people, named = people + len(gold), named + len(found)
    assert true / people >= 0.83
    assert right / named >= 0.80


# ONNX


@pytest.fixture
def folder(tmp_path):
    labels = ["O", "B-PER", "I-PER", "B-LOC", "B-ORG", "B-STREET", "B-ZIP", "B-KIND"]
    words = {"ada": "B-PER", "lovelace": "I-PER", "london": "B-LOC", "acme": "B-ORG", "elm": "B-STREET", "99": "B-ZIP"}
    return token_classifier(tmp_path / "model", labels, words | {"friday": "B-KIND"})


def test_an_onnx_folder_finds_by_its_own_labels(folder):
    text = "Ada Lovelace of Acme, Elm 99, London. Friday in London."
    expected = {
        "Ada Lovelace": "pii.person",
        "Acme": "pii.organization",
        "Elm 99, London": "pii.address",
        "London": "pii.location",
    }
    assert said(make("onnx", folder, required=True), text) == expected


def test_the_operators_labels_are_used(folder):
    scanner = make("onnx", folder, labels={"kind": "person"})
    assert said(scanner, "on friday") == {"friday": "pii.person"}


def test_a_postal_code_alone_is_an_address(folder):
    labels = ["O", "B-POSTCODE"]
    only = token_classifier(folder / "codes", labels, {"sw1a": "B-POSTCODE"})
    assert said(make("onnx", only, entities=("address",), required=True), "in SW1A and Ada") == {"SW1A": "pii.address"}


@pytest.mark.parametrize("entities", [("person",), ("person", "organization")])
def test_a_model_without_the_labels_is_refused(tmp_path, entities):
    folder = token_classifier(tmp_path, ["O", "LABEL_1"], {"ada": "LABEL_1"})
    with pytest.raises(ValueError, match=r"no label for .*person"):
        make("onnx", folder, entities=entities)
    assert said(make("onnx", folder, entities=entities, labels={"label_1": "person"}), "Ada") == {"Ada": "pii.person"}


# spaCy: no pipeline can be downloaded everywhere, so a small one is trained here on sentences of the right form.


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    pytest.importorskip("spacy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import spacy
        from spacy.training import Example

        people, towns = ["Ada", "Grace Hopper", "Alan Turing"], ["London", "Paris", "Oslo"]
        firms = ["Acme", "Initech", "Umbrella Corp"]
        nlp = spacy.blank("en")
        nlp.add_pipe("ner")
        examples = []
        for person in people:
            for town in towns:
                for firm in firms:
                    text = f"{person} went to {town} for {firm} on Monday ."
                    at = [
                        (text.index(one), one, label)
                        for one, label in ((person, "PERSON"), (town, "GPE"), (firm, "ORG"))
                    ]
                    marks = [(start, start + len(one), label) for start, one, label in at] + [
                        (len(text) - 8, len(text) - 2, "DATE")
                    ]
                    examples.append(Example.from_dict(nlp.make_doc(text), {"entities": marks}))
        spacy.util.fix_random_seed(1)
        nlp.initialize(lambda: examples)
        for _ in range(10):
            for at in range(0, len(examples), 8):
                nlp.update(examples[at : at + 8], drop=0.1)
        folder = tmp_path_factory.mktemp("spacy") / "pipeline"
        nlp.to_disk(folder)
    return folder


@pytest.mark.filterwarnings("ignore")
def test_a_spacy_pipeline_finds_what_it_was_trained_for(pipeline, monkeypatch):
    monkeypatch.setattr("yett_plugins.ner_scan.SPACY_MAX_CHARS", 500)
    scanner = make("spacy", pipeline, entities=("person", "location", "organization"), required=True)
    text = "Grace Hopper went to Paris for Initech on Monday ."
    assert said(scanner, text) == {
        "Grace Hopper": "pii.person",
        "Paris": "pii.location",
        "Initech": "pii.organization",
    }
    assert all(one.score == 1.0 for one in scanner.scan([text])[0])
    long = "Nothing happened here . " * 100 + text
    assert [long[one.start : one.end] for one in scanner.scan([long])[0]][-3:] == ["Grace Hopper", "Paris", "Initech"]
    with pytest.raises(ValueError, match="no label for address"):
        make("spacy", pipeline, entities=("address",))
    dates = make("spacy", pipeline, entities=("person",), labels={"date": "person"})
    assert "Monday" in said(dates, text)


@pytest.mark.filterwarnings("ignore")
def test_a_spacy_pipeline_that_is_not_there_or_has_no_names_is_refused(tmp_path):
    spacy = pytest.importorskip("spacy")
    with pytest.raises(OSError, match="no_such_pipeline"):
        make("spacy", "no_such_pipeline")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match="no component `ner`"):
        make("spacy", tmp_path / "blank")


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("", 10, [""]),
        ("short", 10, ["short"]),
        ("one line\ntwo lines", 12, ["one line\n", "two lines"]),
        ("a word. another one", 12, ["a word. ", "another one"]),
        ("some words here", 10, ["some words", " here"]),
        ("some long words", 10, ["some long ", "words"]),
        ("x" * 25, 10, ["x" * 10, "x" * 10, "x" * 5]),
    ],
)
def test_long_texts_are_cut_where_they_may_be(text, size, expected):
    pieces = _pieces(text, size)
    assert "".join(pieces) == text
    assert max(map(len, pieces)) <= size
    assert len(pieces) == len(expected)
