from __future__ import annotations

import asyncio

from helpers.eval_subjects import Told
from yett.evaluation.cases import Case, Gold, Kind
from yett.evaluation.run import Options, Report, evaluate
from yett.evaluation.subject import Detection
from yett.evaluation.tables import tables


def report(*cases: Case) -> Report:
    told = {"mail ada@x.org": [Detection(5, 14, "pii.email", 1.0)], "bad": [Detection(0, 3, "injection.x", 0.9)]}
    return asyncio.run(evaluate(Told(told), cases, Options()))


MAIL = Case("a", 1, "", "mail ada@x.org", Kind.SPANS, spans=(Gold(5, 14, "EMAIL"),))
BAD = Case("b", 1, "", "bad", Kind.LABEL, task="attack", positive=True)
GOOD = Case("c", 1, "", "good", Kind.LABEL, task="attack", positive=False)
QUIET = Case("d", 1, "", "mail ada@x.org", Kind.PLAIN)


def test_each_kind_of_data_has_its_table() -> None:
    found = {title: rows for title, rows in tables(report(MAIL, BAD, GOOD, QUIET)) if rows}
    assert list(found) == [
        "places, all files",
        "places per file",
        "classes: attack",
        "texts with nothing to find",
        "cost",
        "worst errors",
    ]
    assert [row["entity"] for row in found["places, all files"]] == ["pii.email", "all entities", "pii or not"]
    assert found["places, all files"][0]["recall"] == "1.000 (0.207–1.000)"
    assert [row["file"] for row in found["classes: attack"]] == ["b", "c", "all files"]
    assert found["classes: attack"][0]["AUROC"] == "1.000 (1.000–1.000)"
    assert found["texts with nothing to find"][0]["alarms per 1,000"] == "1000.0"


def test_one_file_has_no_line_for_all() -> None:
    found = dict(tables(report(QUIET)))
    assert [row["file"] for row in found["texts with nothing to find"]] == ["d"]
