from __future__ import annotations

from collections.abc import Sequence

import pytest

from yett.evaluation.cases import Case, Gold, Kind
from yett.evaluation.labels import Vocabulary
from yett.evaluation.scoring import Group, LabelScore, SpanScore, f_beta, judge, rankings, score
from yett.evaluation.subject import Detection, Outcome

WORDS = Vocabulary(frozenset({"pii.email", "pii.phone", "injection.x", "secret.key"}))


def spans(text: str, *gold: Gold, file: str = "f", source: str = "") -> Case:
    return Case(file, 1, source, text, Kind.SPANS, spans=gold)


def labelled(positive: bool, *, file: str = "f", source: str = "", task: str = "attack") -> Case:
    return Case(file, 1, source, "text", Kind.LABEL, task=task, positive=positive)


def found(*detections: Detection, action: str = "", failed: bool = False) -> Outcome:
    return Outcome(detections, {}, action, failed)


def said(value: float, code: str = "injection.x", *, counts: bool = True) -> Outcome:
    return found(Detection(0, 4, code, value, counts))


def groups(cases: Sequence[Case], outcomes: Sequence[Outcome], words: Vocabulary = WORDS) -> dict[str, Group]:
    return {group.name: group for group in score(judge(cases, outcomes, words))}


def span_score(group: Group) -> SpanScore:
    assert group.spans is not None
    return group.spans


def label_score(group: Group) -> LabelScore:
    (label,) = group.labels
    return label


MAIL = Gold(0, 3, "EMAIL")
TEXT = "abc defg hi"


def test_spans_are_counted_per_entity_and_together() -> None:
    cases = [spans(TEXT, MAIL, Gold(4, 8, "PHONE")), spans(TEXT, MAIL), spans(TEXT)]
    outcomes = [
        found(Detection(0, 3, "pii.email", 0.9)),
        found(Detection(0, 3, "pii.email", 0.9), Detection(9, 11, "pii.phone", 0.5)),
        found(Detection(4, 8, "pii.phone", 0.5)),
    ]
    whole = span_score(groups(cases, outcomes)["all files"])
    mail, phone = whole.entities
    assert (mail.entity, mail.marked, mail.found, mail.right) == ("pii.email", 2, 2, 2)
    assert (phone.entity, phone.marked, phone.found, phone.right) == ("pii.phone", 1, 2, 0)
    assert (whole.overall.marked, whole.overall.found, whole.overall.right) == (3, 4, 2)
    assert whole.overall.precision is not None
    assert whole.overall.precision.value == 0.5
    assert whole.overall.f2 is not None
    assert whole.overall.f2.value == pytest.approx(5 * 2 / (4 * 3 + 4))
    assert whole.overall.f2.interval is not None
    assert (whole.empty_rows, whole.alarms and whole.alarms.hits) == (1, 1)


def test_what_a_file_does_not_mark_at_all_is_no_false_alarm() -> None:
    cases = [spans(TEXT, MAIL, file="a"), spans(TEXT, Gold(4, 8, "PHONE"), file="b")]
    outcomes = [found(Detection(0, 3, "pii.email", 1), Detection(4, 8, "pii.phone", 1)), found()]
    by_name = groups(cases, outcomes)
    assert span_score(by_name["a"]).overall.found == 1
    assert span_score(by_name["a"]).not_marked == {"pii.phone": 1}
    assert [one.entity for one in span_score(by_name["b"]).entities] == ["pii.phone"]


def test_labels_without_a_detector_are_no_misses() -> None:
    whole = span_score(groups([spans(TEXT, Gold(0, 3, "PERSON"))], [found()])["all files"])
    assert whole.entities == ()
    assert whole.overall.marked == 0
    assert whole.overall.recall is None


def test_detections_that_do_not_count_are_not_found() -> None:
    whole = span_score(groups([spans(TEXT, MAIL)], [found(Detection(0, 3, "pii.email", 0.3, False))])["all files"])
    assert whole.overall.found == 0


def test_a_file_s_attacks_are_ranked_against_all_benign_texts() -> None:
    cases = [labelled(True, file="a"), labelled(True, file="a"), labelled(False, file="b"), labelled(False, file="c")]
    outcomes = [said(0.9), said(0.2), said(0.5), found()]
    by_name = groups(cases, outcomes)
    attacks = label_score(by_name["a"])
    assert attacks.auroc is not None
    assert attacks.auroc.value == pytest.approx((1 + 1 + 0 + 1) / 4)
    assert attacks.recall_at[0.01].value == 0.5
    assert attacks.recall is not None
    assert attacks.recall.value == 1
    assert attacks.precision is None
    assert attacks.flagged is None
    benign = label_score(by_name["b"])
    assert benign.auroc is None
    assert benign.recall is None
    assert benign.flagged is not None
    assert benign.flagged.value == 1
    whole = label_score(by_name["all files"])
    assert whole.precision is not None
    assert whole.precision.value == pytest.approx(2 / 3)


def test_what_does_not_count_still_ranks() -> None:
    cases = [labelled(True), labelled(False)]
    whole = label_score(groups(cases, [said(0.4, counts=False), found()])["all files"])
    assert whole.recall is not None
    assert whole.recall.hits == 0
    assert whole.auroc is not None
    assert whole.auroc.value == 1


def test_findings_of_other_families_do_not_make_an_attack() -> None:
    cases = [labelled(True), labelled(False)]
    whole = label_score(groups(cases, [said(1.0, "pii.email"), said(1.0, "secret.key")])["all files"])
    assert whole.recall is not None
    assert whole.recall.hits == 0
    assert whole.flagged is not None
    assert whole.flagged.hits == 0


def test_tasks_are_scored_apart_and_only_with_a_detector() -> None:
    cases = [labelled(True), labelled(True, task="secret"), labelled(False, task="secret")]
    outcomes = [said(1.0), said(1.0, "secret.key"), found()]
    assert [one.task for one in groups(cases, outcomes)["all files"].labels] == ["attack", "secret"]
    only = Vocabulary(frozenset({"secret.key"}))
    judged = judge(cases, outcomes, only)
    assert [one.case.task for one in judged] == ["secret", "secret"]
    assert [one.task for one in rankings(judged, only)] == ["secret"]


def test_sources_are_told_where_a_file_has_several() -> None:
    cases = [labelled(True, source="x"), labelled(True, source="y"), labelled(False, file="g", source="z")]
    names = list(groups(cases, [said(1), found(), found()]))
    assert names == ["all files", "f", "f: x", "f: y", "g"]


def test_quiet_texts_count_alarms_per_text_and_code() -> None:
    cases = [
        Case("f", 1, "", TEXT, Kind.PLAIN),
        Case("f", 2, "", TEXT, Kind.PLAIN),
        Case("f", 3, "", TEXT, Kind.NEGATIVE, negative_for=("EMAIL",)),
    ]
    two_mails = found(Detection(0, 3, "pii.email", 1), Detection(4, 8, "pii.email", 1))
    outcomes = [two_mails, found(), found(Detection(0, 3, "pii.phone", 1))]
    quiet = groups(cases, outcomes)["all files"].quiet
    assert quiet is not None
    assert quiet.alarms is not None
    assert (quiet.rows, quiet.alarms.hits, quiet.per_code) == (3, 1, {"pii.email": 1})


def test_verdicts_and_failures_are_counted() -> None:
    cases = [labelled(True), labelled(True), labelled(False)]
    outcomes = [found(action="DENY"), found(action="ALLOW"), found(failed=True)]
    whole = groups(cases, outcomes)["all files"]
    assert whole.actions == {"ALLOW": 1, "DENY": 1}
    assert whole.failed == 1


def test_nothing_gives_an_empty_group() -> None:
    (whole,) = score([])
    assert (whole.rows, whole.spans, whole.labels, whole.quiet) == (0, None, (), None)


def test_f_beta_weighs_recall_four_times() -> None:
    precision, recall = 3 / 5, 3 / 4
    assert f_beta(4, 5, 3) == pytest.approx(5 * precision * recall / (4 * precision + recall))
    assert f_beta(4, 0, 0) == 0
    assert f_beta(0, 3, 0) is None
