"""The documents name what there is: every hook, setting, command and dependency, and only tests that exist."""

from __future__ import annotations

import re
import tomllib

import pytest
from typer.main import get_command

from helpers.gateway import ROOT
from yett.cli import make_app
from yett.config import Settings
from yett.registry import HOOK_NAMES

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def text(name):
    return (ROOT / name).read_text()


def commands(group, prefix="yett"):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if not command.hidden:
            yield from commands(command, f"{prefix} {name}") if hasattr(command, "list_commands") else [(prefix, name)]


@pytest.mark.parametrize("hook", sorted(HOOK_NAMES))
def test_every_hook_is_documented(hook):
    assert f"`{hook}`" in text("docs/plugins.md")


@pytest.mark.parametrize("setting", list(Settings.model_fields))
def test_every_setting_is_documented(setting):
    assert f"`{setting}`" in text("docs/config.md")
    assert re.search(rf"^{setting}:", text("config/gateway.yaml"), re.MULTILINE)


@pytest.mark.parametrize(("prefix", "name"), list(commands(get_command(make_app()))))
def test_every_command_is_documented(prefix, name):
    line = re.search(rf"^\| `{prefix}\b.*\b{name}\b", text("README.md"), re.MULTILINE)
    assert line, f"README.md has no row for {prefix} {name}"


@pytest.mark.parametrize("requirement", PYPROJECT["project"]["dependencies"])
def test_every_dependency_has_a_reason(requirement):
    assert re.search(
        rf"^\| .*\b{re.split('[^A-Za-z0-9-]', requirement)[0]}\b", text("docs/architecture.md"), re.MULTILINE
    )


@pytest.mark.parametrize("requirement", PYPROJECT["project"]["dependencies"])
def test_every_dependency_is_locked_with_hashes(requirement):
    name = re.split("[^A-Za-z0-9-]", requirement)[0]
    assert re.search(rf"^{name}==\S+ \\\n    --hash=sha256:", text("requirements.lock"), re.MULTILINE)


def test_promises_name_tests_that_exist():
    named = set(re.findall(r"tests/[\w/]+\.py", text("docs/promises.md")))
    assert named
    assert sorted(path for path in named if not (ROOT / path).is_file()) == []


def test_links_lead_somewhere():
    broken = [
        (document.name, link)
        for document in DOCUMENTS
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
        if not (document.parent / link).exists()
    ]
    assert broken == []
