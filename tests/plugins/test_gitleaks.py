"""gitleaks rules as detectors: entropy, stop words, allow-lists, keywords, groups, on whole texts and on streams."""

from __future__ import annotations

import math
import random
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import re2

from helpers.detectors import DATA, codes, engine
from yett.detector import Detector
from yett.errors import ConfigError
from yett.scan import ScanEngine
from yett_plugins.gitleaks import detectors, entropy, filled
from yett_plugins.gitleaks_file import load
from yett_plugins.secret_checks import checks

# Two rules from gitleaks' own file (https://github.com/gitleaks/gitleaks, config/gitleaks.toml, MIT licence, copyright
# 2019 Zachary Rice) show its usual forms; the others are made up in the same form.
SAMPLE = r"""
title = "sample"
[allowlist]
regexes = ['''^\$(?:[A-Z_]+|[a-z_]+)$''']
stopwords = ["abcdefghijklmnopqrstuvwxyz"]

[[rules]]
id = "adafruit-api-key"
description = "Identified a potential Adafruit API Key"
regex = '''(?i)[\w.-]{0,50}?(?:adafruit)(?:[ \t\w.-]{0,20})[\s'"]{0,3}(?:=|>|:{1,3}=|\|\||:|=>|\?=|,)[\x60'"\s=]{0,5}([a-z0-9_-]{32})(?:[\x60'"\s;]|\\[nr]|$)'''
keywords = ["adafruit"]

[[rules]]
id = "clojars-api-token"
regex = '''(?i)CLOJARS_[a-z0-9]{60}'''
entropy = 2
keywords = ["clojars_"]

[[rules]]
id = "house-token"
regex = '''\bhouse_([a-z0-9]{16})\b'''
entropy = 3.0
keywords = ["house_"]
[[rules.allowlists]]
regexes = ['''^0000''']
stopwords = ["test"]
[[rules.allowlists]]
condition = "AND"
regexes = ['''9$''']
stopwords = ["demo"]

[[rules]]
id = "either"
regex = '''\b(?:left=([a-f0-9]{12})|right=([a-f0-9]{14}))\b'''

[[rules]]
id = "assigned"
regex = '''(?i)[\w.-]{0,50}?(?:key)[ =]{1,3}([a-z0-9]{10})\b'''
keywords = ["key"]
[[rules.allowlists]]
regexTarget = "match"
regexes = ['''(?i)monkey''']

[[rules]]
id = "near"
regex = '''\b[a-f0-9]{40}\b'''
keywords = ["forge"]
"""  # noqa: E501  # the rule is as it is


def sample(folder: Path, text: str = SAMPLE) -> list[Detector]:
    path = folder / "sample.toml"
    path.write_text(text)
    return detectors(load(path), checks(), prefix="sample")


@pytest.fixture(scope="module")
def scanner(tmp_path_factory: pytest.TempPathFactory) -> ScanEngine:
    return engine(sample(tmp_path_factory.mktemp("rules")))


RANDOM_32 = "0a1b2c3d4e5f6g7h8i9jklmnopqrstuv"
FORTY = "0123456789abcdef" * 2 + "fedcba98"

FOUND = {
    "group is reported": (f"my_adafruit_token = '{RANDOM_32}'", {"secret.adafruit_api_key": [RANDOM_32]}),
    "any case": (f"ADAFRUIT: {RANDOM_32.upper()}\n", {"secret.adafruit_api_key": [RANDOM_32.upper()]}),
    "whole match without group": (
        "clojars_" + "a1b2c3" * 10,
        {"secret.clojars_api_token": ["clojars_" + "a1b2c3" * 10]},
    ),
    "enough entropy": ("house_0a1b2c3d4e5f6g7h", {"secret.house_token": ["0a1b2c3d4e5f6g7h"]}),
    "too little entropy": ("house_" + "ab" * 8, {}),
    "allowed by regex": ("house_00001b2c3d4e5f6g", {}),
    "allowed by stop word": ("house_testb2c3d4e5f6g7", {}),
    "not allowed where both conditions are asked for": (
        "house_demo1b2c3d4e5f6g",
        {"secret.house_token": ["demo1b2c3d4e5f6g"]},
    ),
    "allowed by both conditions": ("house_demo1b2c3d4e5f69", {}),
    "allowed by the file": (
        f"house_0a1b2c3d4e5f6g7h adafruit={'$' + 'A' * 31} ",
        {"secret.house_token": ["0a1b2c3d4e5f6g7h"]},
    ),
    "first group": ("left=0a1b2c3d4e5f", {"secret.either": ["0a1b2c3d4e5f"]}),
    "second group": ("right=0a1b2c3d4e5f00", {"secret.either": ["0a1b2c3d4e5f00"]}),
    "whole match where a list looks at it": ("api.key = 0a1b2c3d4e", {"secret.assigned": ["api.key = 0a1b2c3d4e"]}),
    "match allowed": ("monkey = 0a1b2c3d4e", {}),
    "keyword before": (f"from the Forge: {FORTY}.", {"secret.near": [FORTY]}),
    "keyword in a word before": (f"MY_FORGE_HASH={FORTY}", {"secret.near": [FORTY]}),
    "no keyword": (f"commit {FORTY}", {}),
    "keyword too far": (f"forge{' ' * 300}{FORTY}", {}),
    "keyword behind": (f"{FORTY} forge", {}),
}


@pytest.mark.parametrize("name", FOUND)
def test_found(scanner: ScanEngine, name: str) -> None:
    text, expected = FOUND[name]
    assert codes(scanner, text) == expected


@pytest.mark.parametrize("name", FOUND)
def test_found_alike_on_a_stream(scanner: ScanEngine, name: str) -> None:
    text, _ = FOUND[name]
    assert scanner._stream(text) == scanner.scan(text)


def test_detectors_are_like_ours(tmp_path: Path) -> None:
    made = sample(tmp_path)
    assert {d.entity for d in made} == {"SECRET"}
    assert not any(d.reversible for d in made)
    assert len({d.name for d in made}) == len(made)
    assert [d.name for d in made if d.code == "secret.near"] == ["sample.near", "sample.near+keyword"]


def test_validators_that_judge_differently_are_named_differently(tmp_path: Path) -> None:
    """The engine's digest names validators; two files that differ in an entropy only must not share results."""
    one, other = sample(tmp_path), sample(tmp_path, SAMPLE.replace("entropy = 3.0", "entropy = 3.1"))
    assert ScanEngine(one).digest == ScanEngine(sample(tmp_path, SAMPLE)).digest
    assert ScanEngine(one).digest != ScanEngine(other).digest


EXTRA = "[[rules]]\nid = 'own'\nregex = 'own-[a-z0-9]{8}'\n[rules.yett]\n"


def test_examples_of_a_file_run_at_load(tmp_path: Path) -> None:
    made = sample(tmp_path, EXTRA + "hit = ['own-<lower:8>']\nmiss = ['own-<digit:3>']\nmax_len = 40\n")
    assert ScanEngine(made).names == ("sample.own",)
    assert made[0].max_len == 40
    with pytest.raises(ConfigError, match=r"sample\.own, hit example 1 is not found"):
        ScanEngine(sample(tmp_path, EXTRA + "hit = ['own-<digit:3>']\n"))


def test_a_value_by_the_name_it_is_assigned_to(tmp_path: Path) -> None:
    made = sample(tmp_path, "[[rules]]\nid = 'acme'\nregex = '[0-9a-f]{12}'\n[rules.yett]\nnamed = 'acme'\n")
    scanner, value = engine(made), "0a1b2c3d4e5f"
    texts = [
        f"ACME_API_KEY={value}",
        f'"acmeToken": "{value}"',
        f'{{\\"acme_secret\\": \\"{value}\\"}}',
        f"Acme.connect(password='{value}')",
        f"X-Acme-Auth: {value}",
        f"my acme token is {value}.",
        f'setenv("ACME_KEY", "{value}")',
    ]
    assert [codes(scanner, text) for text in texts] == [{"secret.acme": [value]}] * len(texts)
    for text in (f"acme commit {value}", f"acme id = {value}", f"key = {value}", f"acme tokenizer = {value}"):
        assert codes(scanner, text) == {}


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("regex = '(a)\\1'", "rule x: the escape"),
        ("regex = 'a(b)'\nsecretGroup = 2", "rule x: it has no group 2"),
        (
            "regex = 'a'\n[[rules.allowlists]]\nregexes = ['(']",
            "rule x: an expression in it is refused by RE2: missing",
        ),
        ("regex = 'a'\n[rules.yett]\ncheck = 'nothing'", "rule x: there is no check nothing"),
    ],
    ids=["back-reference", "group", "allow-list", "check"],
)
def test_what_cannot_be_used_names_file_and_rule(tmp_path: Path, rule: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sample(tmp_path, f"[[rules]]\nid = 'x'\n{rule}\n")
    assert why in str(caught.value)
    assert "sample.toml" in str(caught.value)


def test_a_long_match_ends_at_the_limit_of_the_engine(tmp_path: Path) -> None:
    made = sample(tmp_path, "[[rules]]\nid = 'a'\nregex = 'x[a-z]{20000}'\n[[rules]]\nid = 'b'\nregex = 'y[a-z]+'\n")
    assert [d.max_len for d in made] == [16 * 1024, 4096]


def test_entropy() -> None:
    assert entropy("aaaa") == 0.0
    assert entropy("abab") == 1.0
    assert math.isclose(entropy("0123456789abcdef"), 4.0)


def test_examples_are_filled() -> None:
    assert filled("a<3>-<hex:18>-<digit:2>") == "a0a1-0123456789abcdef01-10"
    assert len(filled("<700>")) == 700
    assert filled("<b> <x:y>") == "<b> <x:y>"


# ------------------------------------------------------------------------------------------ against gitleaks' own way


def as_gitleaks(rules: list[dict[str, Any]], shared: dict[str, Any], text: str) -> set[tuple[str, str]]:
    """(rule, secret) as gitleaks 8 finds them, by its source: RE2 over the text, group, entropy, allow-lists."""
    found = set()
    for rule in rules:
        words = [word.lower() for word in rule.get("keywords", [])]
        if "regex" not in rule or (words and not any(word in text.lower() for word in words)):
            continue
        for match in re2.finditer(rule["regex"], text):
            secret = match[rule.get("secretGroup", 0)]
            if not rule.get("secretGroup"):
                secret = next((group for group in match.groups() if group), secret)
            counts = Counter(secret)
            bits = -sum(n / len(secret) * math.log2(n / len(secret)) for n in counts.values())
            lists = [*rule.get("allowlists", []), shared]
            if (not rule.get("entropy") or bits > rule["entropy"]) and not any(
                allows(one, secret, match[0]) for one in lists
            ):
                found.add((rule["id"], secret))
    return found


def allows(one: dict[str, Any], secret: str, match: str) -> bool:
    target = secret if one.get("regexTarget", "secret") == "secret" else match
    answers = []
    if "regexes" in one:
        answers.append(any(re2.search(regex, target) for regex in one["regexes"]))
    if "stopwords" in one:
        answers.append(any(word.lower() in secret.lower() for word in one["stopwords"]))
    return bool(answers) and (all(answers) if one.get("condition") == "AND" else any(answers))


def test_findings_are_those_of_gitleaks(scanner: ScanEngine) -> None:
    """On lines put together at random. `near` is left out: where keywords count is ours, by design."""
    table = tomllib.loads(SAMPLE)
    rules = [rule for rule in table["rules"] if rule["id"] != "near"]
    rng = random.Random(20261122)
    names = {
        "adafruit": 32,
        "ADAFRUIT_KEY": 32,
        "house_": 16,
        "clojars_": 60,
        "left": 12,
        "right": 14,
        "key": 10,
        "monkey": 10,
    }
    alphabets = ["0123456789abcdef", "ab", "0a1b2c3d4e5f6g7h8i9j", "demotst09"]
    found = 0
    for _ in range(3_000):
        name, length = rng.choice(list(names.items()))
        length = rng.choice([length, length, length, 16])
        value = "".join(rng.choices(rng.choice(alphabets), k=length))
        marks = [""] if name.endswith("_") else ["=", " = ", ": ", ' = "', "|", "\n"]
        text = name + rng.choice(marks) + value + rng.choice(["", '"', " ", ";", "\n", "z"])
        expected = as_gitleaks(rules, table["allowlist"], text)
        ours = {
            (span.detector.name.removeprefix("sample."), text[span.start : span.end]) for span in scanner.scan(text)
        }
        # Where a list looks at the match, we redact all of it.
        narrowed = {(rule, secret[-10:] if rule == "assigned" else secret) for rule, secret in ours}
        assert narrowed == expected, repr(text)
        found += len(expected)
    assert found > 500


UPSTREAM = DATA / "secrets" / "gitleaks.toml"


@pytest.mark.proof
def test_gitleaks_own_file_loads() -> None:
    """All of its rules for texts become detectors, and each compiles; the file is MIT-licensed and not ours to ship."""
    if not UPSTREAM.exists():
        pytest.skip(f"gitleaks' own rule file is not there: {UPSTREAM}")
    file = load(UPSTREAM)
    made = detectors(file, checks(), prefix="gitleaks")
    assert len(file.rules) > 200
    assert len(made) >= len(file.rules)
    scanner = ScanEngine(made)
    value = "0a1B2c3D4e5F6g7H8i9JkLmNoPqRsTuV"
    assert codes(scanner, f"discord_client_secret = '{value}'\n")["secret.discord_client_secret"] == [value]
