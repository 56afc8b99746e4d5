"""The example repository in docs/examples/policy-repo: its policy passes, its hook refuses a bad commit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from helpers.asgi import shared_engine
from helpers.detectors import CACHE, CHECKOUT
from yett.cli import make_app

EXAMPLE = CHECKOUT / "docs/examples/policy-repo"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example beside the shipped policy, as `yett init` leaves it."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    for path in (CHECKOUT / "policies").iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path / "policies")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/gateway.yaml").write_text(
        "providers: {demo: {kind: demo}}\nmodels: {demo: {targets: [{provider: demo, model: demo}]}}\n"
        f"builtins: {{pii: {{cache_dir: {CACHE}}}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_passes_strictly(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yett.app.ScanEngine", shared_engine)
    monkeypatch.setattr("yett.policy_report.ScanEngine", shared_engine)
    result = CliRunner().invoke(make_app(), ["test", "--strict"])
    assert result.exit_code == 0, result.output
    assert "11 rules" in result.stdout
    assert "5 cases" in result.stdout


def test_the_hook_tries_what_would_be_committed(repo: Path) -> None:
    tools = repo / "var/bin"
    tools.mkdir(parents=True)
    code = "from yett.cli import main; main()"
    (tools / "yett").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    (tools / "yett").chmod(0o755)
    (repo / ".gitignore").write_text("var/\n")
    env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": "/dev/null"}
    env |= {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}

    def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(["git", *arguments], cwd=repo, env=env, capture_output=True, text=True, check=False)

    assert git("init", "-q").returncode == 0
    assert git("config", "core.hooksPath", "hooks").returncode == 0
    assert git("add", "-A").returncode == 0
    first = git("commit", "-qm", "policy")
    assert first.returncode == 0, first.stdout + first.stderr
    file = repo / "policies/acme.yaml"
    good = file.read_text()
    file.write_text(good.replace("Wayne Enterprises", "DE89 3704 0044 0532 0130 00"))
    assert git("add", "-A").returncode == 0
    file.write_text(good)  # the working folder is fine, the index is not
    refused = git("commit", "-qm", "worse")
    assert refused.returncode != 0
    assert "rule acme-no-ibans: examples.allow[0]: expected allow, got deny" in refused.stdout + refused.stderr


def test_the_workflow_is_yaml_that_runs_the_test() -> None:
    workflow = yaml.safe_load((EXAMPLE / ".github/workflows/policy.yml").read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    assert any(step.startswith("yett test --strict --junit ") for step in steps)
