from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from helpers.eval_subjects import Told
from yett.evaluation.cases import Case, Gold, Kind
from yett.evaluation.run import Options, Report, evaluate
from yett.evaluation.subject import Detection
from yett.flow import Role

TEXT = "mail ada@x.org now"
CASES = [
    Case("d/a.jsonl", 1, "s", TEXT, Kind.SPANS, spans=(Gold(5, 14, "EMAIL"), Gold(0, 4, "VERB"))),
    Case("d/b.jsonl", 1, "s", "all that", Kind.LABEL, task="attack", positive=True, role=Role.ASSISTANT),
    Case("d/b.jsonl", 2, "s", "is well", Kind.LABEL, task="attack", positive=False),
]
TOLD = {TEXT: [Detection(5, 14, "pii.email", 1.0)], "all that": [Detection(0, 3, "injection.x", 0.625)]}


def run(options: Options, subject: Told | None = None) -> Report:
    return asyncio.run(evaluate(subject or Told(TOLD), CASES, options))


def test_a_report_is_plain_json_with_its_format_named() -> None:
    report = run(Options(facts={"policy": "strict.yaml"}))
    plain = json.loads(json.dumps(report.as_json()))
    assert plain["format"] == "yett-eval-1"
    assert plain["facts"] == {"iou": 0.9, "policy": "strict.yaml"}
    assert plain["not_scored"] == {"VERB": 1}
    assert plain["groups"][0]["spans"]["overall"]["recall"]["value"] == 1
    assert plain["groups"][0]["labels"][0]["recall_at"]["0.01"]["value"] == 1
    assert plain["rankings"][0]["thresholds"]["0.001"] == 0
    assert [cost["stage"] for cost in plain["costs"]] == ["patterns", "model", "all together"]


def test_equal_input_gives_an_equal_report() -> None:
    def facts() -> dict[str, object]:
        return {k: v for k, v in run(Options()).as_json().items() if k != "machine"}

    assert facts() == facts()


def test_progress_is_told_after_each_text() -> None:
    told: list[int] = []
    asyncio.run(evaluate(Told(TOLD), CASES, Options(), told.append))
    assert told == [1, 2, 3]


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        pytest.param((), [Role.USER, Role.ASSISTANT, Role.USER], id="user unless the row says"),
        pytest.param((("*", Role.SYSTEM),), [Role.SYSTEM, Role.ASSISTANT, Role.SYSTEM], id="for all"),
        pytest.param((("*", Role.SYSTEM), ("b*", Role.OTHER)), [Role.SYSTEM, Role.ASSISTANT, Role.OTHER], id="by name"),
        pytest.param((("d/a*", Role.OTHER),), [Role.OTHER, Role.ASSISTANT, Role.USER], id="by folder and name"),
    ],
)
def test_roles_follow_the_file(roles: tuple[tuple[str, Role], ...], expected: list[Role]) -> None:
    subject = Told(TOLD)
    run(Options(roles=roles), subject)
    assert subject.roles == expected


def test_failures_are_counted_and_found_nothing() -> None:
    report = run(Options(), Told(TOLD, failing=TEXT))
    assert report.failed == 1
    assert report.groups[0].spans is not None
    assert report.groups[0].spans.overall.right == 0


def test_examples_are_made_only_when_asked() -> None:
    told = {TEXT: [replace_end(TOLD[TEXT][0])], "all that": TOLD["all that"]}
    assert run(Options(examples_each=0), Told(told)).examples == ()
    assert [one.error for one in run(Options(examples_each=2), Told(told)).examples] == ["false alarm", "missed"]


def replace_end(detection: Detection) -> Detection:
    return detection._replace(end=detection.end - 4)


def test_labels_can_be_mapped() -> None:
    report = run(Options(more_labels={"VERB": ("injection.x",)}))
    assert report.not_scored == {}
    assert report.groups[0].spans is not None
    assert [one.entity for one in report.groups[0].spans.entities] == ["injection.x", "pii.email"]


def test_options_are_values() -> None:
    assert replace(Options(), iou=0.5).iou == 0.5
