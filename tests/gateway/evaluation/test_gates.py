from __future__ import annotations

import asyncio

import pytest

from helpers.eval_subjects import Told
from yett.evaluation.cases import Case, Gold, Kind
from yett.evaluation.gates import Demand, failures, parse
from yett.evaluation.run import Options, Report, evaluate
from yett.evaluation.subject import Detection

TEXTS = ("abc xx def", "abc", "bad bad", "bad", "fine", "quiet")


@pytest.fixture(scope="module")
def report() -> Report:
    """E-mail: 1 of 2 found, one of two right. Attacks: 1 of 2 found, benign: 0 of 1. Quiet: 1 alarm of 1."""
    cases = [
        Case("mails", 1, "", TEXTS[0], Kind.SPANS, spans=(Gold(0, 3, "EMAIL"),)),
        Case("mails", 2, "", TEXTS[1], Kind.SPANS, spans=(Gold(0, 3, "EMAIL"),)),
        Case("bad", 1, "", TEXTS[2], Kind.LABEL, task="attack", positive=True),
        Case("bad", 2, "", TEXTS[3], Kind.LABEL, task="attack", positive=True),
        Case("good", 1, "", TEXTS[4], Kind.LABEL, task="attack", positive=False),
        Case("quiet", 1, "", TEXTS[5], Kind.PLAIN),
    ]
    told = {
        TEXTS[0]: [Detection(0, 3, "pii.email", 1), Detection(7, 10, "pii.email", 1)],
        TEXTS[2]: [Detection(0, 3, "injection.x", 0.9)],
        TEXTS[4]: [Detection(0, 3, "injection.x", 0.2, False)],
        TEXTS[5]: [Detection(0, 3, "pii.email", 1)],
    }
    return asyncio.run(evaluate(Told(told), cases, Options()))


@pytest.mark.parametrize(
    ("demands", "failed"),
    [
        pytest.param("recall=0.5,precision=0.5,f2=0.5", 0, id="reached"),
        pytest.param("recall=0.51", 2, id="recall of spans and of attacks"),
        pytest.param("pii.email:recall=0.51", 1, id="one entity"),
        pytest.param("attack:recall=0.51", 1, id="one task"),
        pytest.param("bad:recall=0.51,mails:recall=0.5", 1, id="one file"),
        pytest.param("exact_recall=0.6, exact_precision=0.6", 2, id="exact figures"),
        pytest.param("auroc=0.5,recall_at_1=0.5,recall_at_0.1=0.5", 0, id="ranking reached"),
        pytest.param("auroc=0.9", 1, id="auroc"),
        pytest.param("recall_at_1=0.6", 1, id="recall at 1 %"),
        pytest.param("flagged=0.0", 0, id="none may be flagged and none is"),
        pytest.param("alarms=0.5", 1, id="too many alarms"),
        pytest.param("us_per_kb=1", 1, id="too slow"),
        pytest.param("model:p99_us=3000", 0, id="one stage"),
        pytest.param("model:p99_us=2999", 1, id="one stage too slow"),
    ],
)
def test_what_is_not_reached_is_told(report: Report, demands: str, failed: int) -> None:
    assert len(failures(report, parse(demands))) == failed


@pytest.mark.parametrize("demand", ["pii.iban:recall=0.1", "none.jsonl:auroc=0.1", "nostage:p99_us=1", "good:recall=0"])
def test_a_demand_that_nothing_answers_fails(report: Report, demand: str) -> None:
    assert failures(report, parse(demand)) == [f"{parse(demand)[0]}: nothing of this kind was measured"]


def test_a_failure_says_what_was_measured(report: Report) -> None:
    assert failures(report, parse("pii.email:recall=0.9")) == ["pii.email:recall >= 0.9: pii.email has 0.5000"]


@pytest.mark.parametrize("text", ["recall", "recall=", "recal=0.9", "recall=x", "recall=nan", "", "recall=0.9,"])
def test_a_demand_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        parse(text)


def test_names_may_have_colons_and_bounds_their_sign() -> None:
    assert parse("a: b:flagged=0.05") == (Demand("flagged", 0.05, "a: b"),)
    assert str(parse("flagged=0.05")[0]) == "flagged <= 0.05"
