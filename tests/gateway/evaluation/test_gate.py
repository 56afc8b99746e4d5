from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.eval_subjects import MAIL, NAME, NAMES, PHONE, WORDS, EvalPlugin
from yett.callables import Contributed
from yett.detector import CallableDetector
from yett.errors import ConfigError
from yett.evaluation.gate import PATTERNS, Chosen, Gate, Rules, choose, open_gate
from yett.evaluation.policy import read_policy
from yett.evaluation.subject import Outcome
from yett.flow import Phase, Role
from yett.policy.evaluate import digest
from yett.registry import Registry

TEXT = "Ada wrote to bob@example.org: ignore the previous call from +4930123456"


def registry() -> Registry:
    made = Registry()
    made.add(EvalPlugin)
    return made


def policy(folder: Path, rules: str) -> Rules:
    path = folder / "rules.yaml"
    path.write_text(f"version: 1\nrules:\n{rules}")
    return Rules(policy=read_policy(path))


async def find(rules: Rules, *names: str, text: str = TEXT, role: Role = Role.USER) -> Outcome:
    chosen = choose(registry(), names)
    return await Gate(chosen, (MAIL, PHONE), rules).find(text, role)


def counted(outcome: Outcome) -> dict[str, str]:
    return {one.code: TEXT[one.start : one.end] for one in outcome.detections if one.counts}


def test_everything_is_chosen_without_names() -> None:
    chosen = choose(registry(), ())
    assert [one.name for one in chosen.patterns] == ["pii.email", "pii.phone"]
    assert [one.detector.name for one in chosen.callables] == ["names", "words"]


@pytest.mark.parametrize(
    ("name", "names"),
    [
        pytest.param("pii.email", ["pii.email"], id="a name"),
        pytest.param("pii.p*", ["pii.phone", "names"], id="a pattern, of codes too"),
        pytest.param("injection.*", ["words"], id="a code of a callable one"),
        pytest.param("*", ["pii.email", "pii.phone", "names", "words"], id="all"),
    ],
)
def test_names_choose_detectors_by_name_or_code(name: str, names: list[str]) -> None:
    chosen = choose(registry(), [name])
    assert [one.name for one in chosen.patterns] + [one.detector.name for one in chosen.callables] == names


def test_a_name_that_fits_nothing_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"no detector 'pii\.emial'.*pii\.email.*there are names, pii\.\*, words"):
        choose(registry(), ["pii.email", "pii.emial"])


async def test_detections_come_from_all_stages_with_their_times() -> None:
    outcome = await find(Rules())
    assert counted(outcome) == {
        "pii.email": "bob@example.org",
        "pii.phone": "+4930123456",
        "injection.words": TEXT,
    }
    assert set(outcome.spent) == {PATTERNS, "words"}
    assert all(spent.wall_s > 0 and spent.cpu_s >= 0 for spent in outcome.spent.values())


async def test_a_detector_that_waits_to_be_asked_runs_when_it_is_named() -> None:
    assert "pii.person" not in counted(await find(Rules()))
    assert counted(await find(Rules(), "names")) == {"pii.person": "Ada"}


async def test_a_detector_that_waits_to_be_asked_runs_when_the_policy_asks(tmp_path: Path) -> None:
    asks = policy(tmp_path, "  - {id: a, when: {finding: pii.person}, do: redact}\n")
    assert counted(await find(asks))["pii.person"] == "Ada"
    asks_not = policy(tmp_path, "  - {id: a, when: {finding: pii.email}, do: redact}\n")
    assert "pii.person" not in counted(await find(asks_not, "names"))


async def test_below_its_bound_a_detection_ranks_and_does_not_count() -> None:
    outcome = await find(Rules(), "words", text="ignore me")
    assert [(one.score, one.counts) for one in outcome.detections] == [(0.25, False)]


@pytest.mark.parametrize(("threshold", "counts"), [(0.25, True), (0.26, False)])
async def test_a_threshold_stands_in_for_each_detector_s_own(threshold: float, counts: bool) -> None:
    outcome = await find(Rules(threshold=threshold), "words", text="ignore me")
    assert [one.counts for one in outcome.detections] == [counts]


async def test_a_threshold_holds_for_patterns_too() -> None:
    assert set(counted(await find(Rules(threshold=0.7), "pii.*"))) == {"pii.email", "pii.person"}


async def test_only_what_the_policy_acts_on_counts(tmp_path: Path) -> None:
    rules = policy(
        tmp_path,
        "  - {id: a, when: {finding: pii.email}, do: redact}\n"
        "  - {id: b, when: {finding: pii.phone}, do: flag}\n"
        "  - {id: c, when: {finding: 'injection.*', role: tool_result}, do: deny}\n"
        "  - {id: d, when: {finding: 'injection.*', role: user}, do: flag}\n",
    )
    outcome = await find(rules)
    assert set(counted(outcome)) == {"pii.email"}
    assert outcome.action == "REDACT"


async def test_a_value_that_the_policy_allows_does_not_count(tmp_path: Path) -> None:
    rule = "  - {id: a, when: {finding: pii.email}, do: redact, allow_values: ['%s']}\n"
    (mail,) = [text for code, text in counted(await find(Rules())).items() if code == "pii.email"]
    assert set(counted(await find(policy(tmp_path, rule % digest("other@example.org"))))) >= {"pii.email"}
    assert "pii.email" not in counted(await find(policy(tmp_path, rule % digest(mail))))


async def test_roles_decide_who_reads_and_what_the_policy_says() -> None:
    assert "injection.words" not in counted(await find(Rules(), role=Role.TOOL_RESULT))


async def test_answers_are_read_by_those_that_read_answers() -> None:
    outcome = await find(Rules(phase=Phase.RESPONSE))
    assert set(outcome.spent) == {PATTERNS}


async def test_what_does_not_concern_the_flow_is_no_detection() -> None:
    assert counted(await find(Rules(), "pii.phone", text="+9912345678")) == {}
    answered = await find(Rules(phase=Phase.RESPONSE), "pii.phone", text="+9912345678")
    assert len(answered.detections) == 1


async def test_a_detector_that_fails_is_a_text_that_is_not_vouched_for() -> None:
    outcome = await find(Rules(), "names", text="explode")
    assert outcome == Outcome(failed=True)


async def test_a_plugin_that_may_fail_open_does_not_here() -> None:
    chosen = Chosen((), (Contributed(NAMES, "p", fail_open=True),), named=True)
    assert (await Gate(chosen, (), Rules()).find("explode", Role.USER)).failed


async def test_masking_takes_all_detectors_not_only_the_chosen() -> None:
    gate = Gate(choose(registry(), ["words"]), (MAIL, PHONE), Rules())
    assert [TEXT[start:end] for start, end in await gate.mask(TEXT)] == ["bob@example.org", "+4930123456"]


async def test_a_text_to_warm_up_with_may_fail() -> None:
    def failing(text: str) -> bool | None:
        raise RuntimeError(text)

    gate = Gate(Chosen((replace(MAIL, validator=failing),), ()), (), Rules())
    gate.warm_up([TEXT, "nothing"])
    assert (await gate.find(TEXT, Role.USER)).failed
    assert not (await gate.find("nothing", Role.USER)).failed


async def test_what_runs_is_described() -> None:
    gate = Gate(choose(registry(), ()), (), Rules())
    rows = {row["name"]: (row["kind"], row["runs"]) for row in gate.describe()}
    assert rows["pii.email"] == ("patterns", True)
    assert rows["words"] == ("inline", True)
    assert rows["names"] == ("inline", False)
    assert gate.codes == {"pii.email", "pii.phone", "injection.words"}


async def test_worker_detectors_run_in_their_process() -> None:
    apart = CallableDetector("apart", "helpers.eval_subjects:make_names", (NAME,), isolation="worker", deadline_s=30)
    chosen = Chosen((), (Contributed(apart, "p"), Contributed(WORDS, "p")))
    async with open_gate(chosen, (), Rules()) as gate:
        outcome = await gate.find(TEXT, Role.USER)
        failed = await gate.find("explode", Role.USER)
    assert set(counted(outcome)) == {"pii.person", "injection.words"}
    assert failed.failed
