"""Things to evaluate: a plugin with detectors of each kind, and a subject that answers what it was told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from yett.detector import CallableDetector, Detector, Found, Pattern
from yett.evaluation.subject import Detection, Outcome, Spent
from yett.flow import FlowView, Phase, Role
from yett.hookspecs import hookimpl
from yett.registry import load_builtins


def theirs(view: FlowView, text: str) -> bool:
    """Numbers of the own company, which stands in the request, are no finding."""
    return not text.startswith("+99") or not view.asked


MAIL = Detector("pii.email", "pii.email", "EMAIL", (Pattern("mail", r"[a-z.]{1,40}@[a-z]{1,20}\.(?:org|com)", 0.9),))
PHONE = Detector("pii.phone", "pii.phone", "PHONE", (Pattern("phone", r"\+\d{6,12}", 0.6),), concerns=theirs)
NAME = Detector("pii.person", "pii.person", "PERSON", ())
BAD = Detector("injection.words", "injection.words", "INJECTION", (), min_score=0.5)


class Names:
    """Finds capitalised Ada and Bob. `explode` in a text makes it fail."""

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        if any("explode" in text for text in texts):
            raise RuntimeError("as the test asked")
        return [
            [
                Found(text.index(name), text.index(name) + len(name), "pii.person", 0.8)
                for name in ("Ada", "Bob")
                if name in text
            ]
            for text in texts
        ]


class Words:
    """The share of an attack's words in a text, as its score."""

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        bad = ("ignore", "previous", "instructions", "secret")
        return [
            [Found(0, len(text), "injection.words", sum(word in text.lower() for word in bad) / len(bad))]
            for text in texts
        ]


def make_names() -> Names:
    return Names()


def make_words() -> Words:
    return Words()


NAMES = CallableDetector("names", "helpers.eval_subjects:make_names", (NAME,), isolation="inline", asked_for=True)
WORDS = CallableDetector(
    "words",
    "helpers.eval_subjects:make_words",
    (BAD,),
    isolation="inline",
    roles=frozenset({Role.USER}),
    phases=frozenset({Phase.REQUEST}),
)


class EvalPlugin:
    """What the tests of `yett eval` measure."""

    name = "eval-samples"

    @hookimpl
    def register_detectors(self) -> Sequence[Detector | CallableDetector]:
        return [MAIL, PHONE, NAMES, WORDS]


def write_config(folder: Path) -> Path:
    """A configuration whose only detectors are those of EvalPlugin."""
    settings = {
        "providers": {"demo": {"kind": "demo"}},
        "models": {"demo": {"targets": [{"provider": "demo", "model": "demo"}]}},
        "plugins": ["helpers.eval_subjects:EvalPlugin"],
        "builtins": {getattr(one, "name", ""): False for one in load_builtins()},
    }
    path = folder / "gateway.yaml"
    path.write_text(json.dumps(settings))
    return path


def write_rows(path: Path, *rows: Mapping[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


class Told:
    """A subject that answers what it was told per text."""

    def __init__(
        self, told: Mapping[str, Sequence[Detection]], *, codes: Sequence[str] = (), failing: str = ""
    ) -> None:
        self._told = told
        self._failing = failing
        self.codes = frozenset(codes) | {found.code for answer in told.values() for found in answer}
        self.roles: list[Role] = []

    async def find(self, text: str, role: Role) -> Outcome:
        self.roles.append(role)
        if text == self._failing:
            return Outcome(failed=True)
        return Outcome(tuple(self._told.get(text, ())), {"patterns": Spent(0.001, 0.001), "model": Spent(0.003, 0.002)})

    async def mask(self, text: str) -> Sequence[tuple[int, int]]:
        return [(found.start, found.end) for found in self._told.get(text, ())]

    def describe(self) -> list[dict[str, object]]:
        return [{"name": "told", "codes": sorted(self.codes), "kind": "patterns", "runs": True}]
