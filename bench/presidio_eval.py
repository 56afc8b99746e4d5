"""Presidio and Yett on the same texts, scored by the same rules: a table in Markdown.

    python bench/presidio_eval.py --data pii/presidio_v2.jsonl --data pii/benign_numbers.jsonl

Presidio runs as it comes for English without a language model: `AnalyzerEngine`, all its predefined recognisers, the
NoOp NLP engine (hence no names, no places, no context words), score threshold 0.4. Yett runs with its built-in
detectors as they come. Scores are those of `yett eval` (docs/evaluation.md).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from yett.app import build_registry
from yett.config import load_settings
from yett.evaluation.cases import Case, read_cases
from yett.evaluation.gate import WARM_UP, Rules, choose, open_gate
from yett.evaluation.intervals import Share
from yett.evaluation.labels import LABELS
from yett.evaluation.run import Options, Report, evaluate
from yett.evaluation.scoring import EntityScore
from yett.evaluation.spans import DEFAULT_IOU
from yett.evaluation.subject import Detection, Outcome, Spent, timed
from yett.flow import Role
from yett.paths import shipped

THRESHOLD = 0.4
WARM_UP_TEXTS = 500


class Presidio:
    """Presidio's analyzer as a subject of `yett.evaluation`."""

    def __init__(self, threshold: float) -> None:
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NoOpNlpEngine

        nlp = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": ""}])
        registry = RecognizerRegistry(supported_languages=["en"])
        registry.load_predefined_recognizers(languages=["en"], nlp_engine=nlp)
        self._engine: Any = AnalyzerEngine(
            registry=registry, nlp_engine=nlp, supported_languages=["en"], default_score_threshold=threshold
        )
        self._recognizers: list[Any] = list(registry.recognizers)
        self.codes = frozenset(code_of(entity) for entity in registry.get_supported_entities(["en"]))

    async def find(self, text: str, role: Role) -> Outcome:
        """What the analyzer finds in `text`."""
        del role
        spent: dict[str, Spent] = {}
        with timed(spent, "presidio"):
            results = self._engine.analyze(text, language="en")
        found = sorted(Detection(one.start, one.end, code_of(one.entity_type), one.score) for one in results)
        return Outcome(tuple(found), spent)

    async def mask(self, text: str) -> Sequence[tuple[int, int]]:
        """All places that it finds."""
        return [(one.start, one.end) for one in self._engine.analyze(text, language="en", score_threshold=0.0)]

    def describe(self) -> list[dict[str, object]]:
        """Its recognisers."""
        return [
            {"name": one.name, "codes": [code_of(entity) for entity in one.supported_entities], "kind": "presidio"}
            for one in self._recognizers
        ]


def code_of(entity: str) -> str:
    """The finding code of one of Presidio's entities."""
    return LABELS.get(entity, f"pii.{entity.lower()}")


async def measure(cases: Sequence[Case], threshold: float, iou: float) -> tuple[Report, Report]:
    """Presidio's report and Yett's."""
    options = Options(iou=iou, examples_each=0)
    presidio = Presidio(threshold)
    warm_up = [WARM_UP, *(case.text for case in cases[:WARM_UP_TEXTS])]
    for text in warm_up:
        await presidio.find(text, Role.USER)
    theirs = await evaluate(presidio, cases, options)
    registry = build_registry(load_settings(shipped("dev.yaml"), root=Path.cwd()))
    async with open_gate(choose(registry, ["pii.*"]), registry.detectors(), Rules(), warm_up) as gate:
        return theirs, await evaluate(gate, cases, options)


def table(theirs: Report, ours: Report) -> Iterator[str]:
    """The lines of the comparison: every entity that both have a detector for, false alarms, cost."""
    yield f"| what | marked | Presidio {version('presidio-analyzer')} | Yett |"
    yield "|---|---|---|---|"
    scores = {one.entity: one for one in _entities(ours)}
    for one in _entities(theirs):
        if one.entity in scores and one.marked:
            mine = scores[one.entity]
            yield f"| `{one.entity}` precision / recall / F2 | {one.marked} | {_scores(one)} | {_scores(mine)} |"
    yield f"| false alarms per 1,000 texts with nothing to find | | {_alarms(theirs)} | {_alarms(ours)} |"
    for what, name in (
        ("us per KB", "us_per_kb"),
        ("CPU us per KB", "cpu_us_per_kb"),
        ("p50 us per text", "p50_us"),
        ("p99 us per text", "p99_us"),
    ):
        yield f"| {what} | | {getattr(theirs.costs[-1], name):,.0f} | {getattr(ours.costs[-1], name):,.0f} |"


def _entities(report: Report) -> Sequence[EntityScore]:
    spans = report.groups[0].spans
    return spans.entities if spans is not None else ()


def _scores(one: EntityScore) -> str:
    f2 = one.f2.value if one.f2 is not None else 0.0
    return f"{_share(one.precision)} / {_share(one.recall)} / {f2:.3f}"


def _share(share: Share | None) -> str:
    return "–" if share is None else f"{share.value:.3f}"


def _alarms(report: Report) -> str:
    """Of texts that are marked as having none of these entities; codes that both know."""
    quiet = report.groups[0].quiet
    return "–" if quiet is None or quiet.alarms is None else f"{quiet.alarms.value * 1000:.1f} of {quiet.rows:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Presidio and Yett on the same texts, by the same rules.")
    parser.add_argument("--data", action="append", required=True, type=Path, help="a JSON-lines file, or a folder")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="Presidio's score threshold")
    parser.add_argument("--iou", type=float, default=DEFAULT_IOU)
    parser.add_argument("--limit", type=int, help="only the first rows of each file")
    asked = parser.parse_args()
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    cases = read_cases(asked.data, asked.limit)
    theirs, ours = asyncio.run(measure(cases, asked.threshold, asked.iou))
    print("\n".join(table(theirs, ours)))


if __name__ == "__main__":
    main()
