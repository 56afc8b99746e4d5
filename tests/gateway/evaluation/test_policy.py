from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from yett.errors import ConfigError
from yett.evaluation.policy import read_policy
from yett.flow import Leaf, Phase, Role
from yett.paths import POLICIES, shipped
from yett.verdict import Action, Finding

MAIL = Finding("pii.email", "/text", (0, 1), 0.9, "pii.email", Action.ALLOW)


def verdict(path: Path, phase: Phase) -> Action:
    return read_policy(path).judge(MAIL, Leaf("/text", "x", Role.USER), phase).action


def test_a_folder_is_read_as_the_gateway_reads_it() -> None:
    assert verdict(shipped(POLICIES), Phase.REQUEST) is Action.REDACT
    assert verdict(shipped(POLICIES), Phase.RESPONSE) is Action.ALLOW


def test_a_file_that_is_named_counts_even_if_it_is_not_active(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("version: 1\nactive: false\nrules:\n  - {id: a, when: {finding: 'pii.*'}, do: deny}\n")
    assert verdict(path, Phase.RESPONSE) is Action.DENY


def test_bound_rules_count_where_their_file_is_named_and_not_within_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(shipped(POLICIES), folder)
    path = folder / "own.yaml"
    path.write_text("version: 1\nbind: {tenant: acme}\nrules:\n  - {id: a, when: {finding: 'pii.*'}, do: deny}\n")
    assert verdict(path, Phase.RESPONSE) is Action.DENY
    assert verdict(folder, Phase.RESPONSE) is Action.ALLOW


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "version: 1\nrules:\n  - {id: a, when: {finding: 'pii.*'}, do: explode}\n", r"own.yaml:3", id="do"
        ),
        pytest.param(
            "version: 1\nrules:\n  - {id: a, when: {finding: x}, do: deny}\n"
            "  - {id: a, when: {finding: y}, do: flag}\n",
            r"own.yaml:4: the rule id 'a' is taken",
            id="taken id",
        ),
        pytest.param("rules: [", r"own.yaml", id="not yaml"),
    ],
)
def test_a_bad_file_is_told_by_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=told):
        read_policy(path)


def test_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_policy(tmp_path / "none.yaml")
