"""Prompt injection and jailbreaks: phrases, forged roles, a small classifier, and an optional model of your own.

What each code means, and what no text classifier can see, stands in docs/injection.md. Nothing is decided here: a user
may write "ignore the previous paragraph" and a tool result may not, which is for the policy's rules to say.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from yett.detector import CallableDetector, Detector
from yett.flow import Phase, Role
from yett.hookspecs import hookimpl
from yett.verdict import Action
from yett_plugins.injection_phrases import LANGUAGES, SIGNALS
from yett_plugins.onnx_text import located

CLASSIFIER = "injection.classifier"
MODEL = "injection.model"
THRESHOLDS = dict.fromkeys(SIGNALS, 0.5) | {CLASSIFIER: 0.83, MODEL: 0.5}
# The operator's own system prompt is full of instructions, and rightly so; what the model wrote is checked elsewhere.
ROLES = (Role.USER, Role.TOOL_DESCRIPTION, Role.TOOL_RESULT, Role.OTHER)


class Injection:
    """Finds prompt injection and jailbreaks: overrides, forged roles, prompt extraction, personas, and a classifier."""

    name = "injection"

    class Onnx(BaseModel):
        """A text classifier in a local folder: `model.onnx`, `tokenizer.json`, `config.json` with `id2label`.

        `labels`: which of its labels mean an attack; unset: all but `benign`, `safe`, `legit`, `label_0`. `deadline_s`:
        for all texts of one request.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        folder: Path
        labels: tuple[str, ...] | None = Field(default=None, min_length=1)
        deadline_s: float = Field(default=5.0, gt=0, le=120)

    class Config(BaseModel):
        """What is looked for, and where.

        `classifier`: the small model that ships with Yett. `languages`: of the phrases; English is always among them.
        `thresholds`: the least score per code, where it shall not be the usual one. `roles`: whose texts are read.
        `onnx`: a model of your own beside it, in a worker process.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        classifier: bool = True
        languages: tuple[str, ...] = LANGUAGES
        thresholds: dict[str, float] = Field(default_factory=dict)
        roles: tuple[Role, ...] = Field(default=ROLES, min_length=1)
        onnx: Injection.Onnx | None = None

        @field_validator("languages")
        @classmethod
        def _known_languages(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
            if unknown := sorted(set(languages) - set(LANGUAGES)):
                raise ValueError(f"no phrases for {', '.join(unknown)}; there are {', '.join(LANGUAGES)}")
            return languages

        @field_validator("thresholds")
        @classmethod
        def _known_codes(cls, thresholds: dict[str, float]) -> dict[str, float]:
            if unknown := sorted(set(thresholds) - set(THRESHOLDS)):
                raise ValueError(f"no such code: {', '.join(unknown)}; there are {', '.join(THRESHOLDS)}")
            if wrong := [code for code, least in thresholds.items() if not 0 < least <= 1]:
                raise ValueError(f"not above 0 and at most 1: {', '.join(wrong)}")
            return thresholds

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()
        self._thresholds = THRESHOLDS | self.config.thresholds

    @hookimpl
    def register_detectors(self) -> Iterable[CallableDetector]:
        """The inline detector, and that of `onnx` if there is one. Raises PluginError for a model that is not there."""
        config = self.config
        codes = (*SIGNALS, CLASSIFIER) if config.classifier else SIGNALS
        inline = CallableDetector(
            name="injection",
            make="yett_plugins.injection_scan:make_scanner",
            options={
                "languages": list(config.languages),
                "codes": list(SIGNALS),
                "classifier": config.classifier,
                "exact_from": self._thresholds[CLASSIFIER],
            },
            finds=tuple(map(self._finds, codes)),
            roles=frozenset(config.roles),
            phases=frozenset({Phase.REQUEST}),
            isolation="inline",
        )
        return (inline,) if config.onnx is None else (inline, self._model(config.onnx))

    def _model(self, onnx: Onnx) -> CallableDetector:
        return CallableDetector(
            name="injection.model",
            make="yett_plugins.onnx_text:make_scanner",
            options={
                "folder": located("injection", onnx.folder),
                "code": MODEL,
                "labels": None if onnx.labels is None else list(onnx.labels),
            },
            finds=(self._finds(MODEL),),
            roles=frozenset(self.config.roles),
            phases=frozenset({Phase.REQUEST}),
            isolation="worker",
            deadline_s=onnx.deadline_s,
        )

    def _finds(self, code: str) -> Detector:
        return Detector(
            name=code,
            code=code,
            entity="INJECTION",
            patterns=(),
            min_score=self._thresholds[code],
            reversible=False,
            default=Action.ALLOW,
        )
