"""The `secrets` plugin: one-way, one detector for each rule, files of the operator's, nothing generic unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from helpers.detectors import codes, engine, secrets
from yett.errors import ConfigError
from yett.verdict import Action
from yett_plugins import Secrets

# Named by policies and tests of others: these may not change.
STABLE = {
    *("secret.age_key", "secret.anthropic_key", "secret.aws_key", "secret.azure_key", "secret.databricks_token"),
    *("secret.digitalocean_token", "secret.discord_token", "secret.escaped_key", "secret.github_token"),
    *("secret.gitlab_token", "secret.google_key", "secret.huggingface_token", "secret.jwt", "secret.mail_service_key"),
    *("secret.model_provider_key", "secret.npm_token", "secret.openai_key", "secret.private_key", "secret.pypi_token"),
    *("secret.sendgrid_key", "secret.slack_token", "secret.stripe_key", "secret.telegram_token", "secret.twilio_key"),
    "secret.yett_key",
}


def test_every_format_is_one_way_and_redacted_by_default() -> None:
    detectors = secrets()
    assert len({d.name for d in detectors}) == len(detectors) >= 100
    assert all(d.name == d.code or d.name.startswith(d.code + ".") for d in detectors)
    assert not any(d.reversible for d in detectors)
    assert {(d.entity, d.default) for d in detectors} == {("SECRET", Action.REDACT)}


def test_codes_are_stable() -> None:
    assert {d.code for d in secrets()} >= STABLE


def test_generic_assignments_are_off_unless_asked_for() -> None:
    text = 'password = "Tr0ub4dor&3x"'
    assert codes(engine(secrets()), text) == {}
    assert codes(engine(secrets(generic=True)), text) == {"secret.generic": ["Tr0ub4dor&3x"]}
    assert "secret.generic" not in {d.code for d in secrets(generic=True, disable={"generic"})}


@pytest.mark.parametrize(
    ("name", "left"),
    [("jwt", set()), ("secret.jwt", set()), ("jwt.encrypted", {"secret.jwt"})],
)
def test_rules_are_disabled_by_id_or_code(name: str, left: set[str]) -> None:
    names = {d.name for d in secrets()}
    now = {d.name for d in secrets(disable={name})}
    assert now < names
    assert {d for d in now if d.startswith("secret.jwt")} == left


def test_a_name_that_disables_nothing_is_an_error() -> None:
    with pytest.raises(ConfigError, match="jvt"):
        secrets(disable={"jvt"})


def test_a_misspelt_setting_is_an_error() -> None:
    with pytest.raises(ValidationError):
        Secrets.Config.model_validate({"generics": True})


def test_an_operators_file_is_added(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text(
        "[[rules]]\nid = 'house-key'\nregex = 'house-([a-z0-9]{8})'\n[[rules]]\nid = 'jwt'\nregex = 'jot[0-9]{9}'\n"
    )
    detectors = secrets(files=[path])
    scanner = engine(detectors)
    assert codes(scanner, "house-0a1b2c3d") == {"secret.house_key": ["0a1b2c3d"]}
    assert codes(scanner, "jot123456789") == {"secret.jwt": ["jot123456789"]}
    assert {d.name for d in detectors} > {"house.house-key", "house.jwt", "secret.jwt"}
    names = {d.name for d in secrets(files=[path], disable={"house-key"})}
    assert "house.house-key" not in names
    assert "house.jwt" in names


def test_an_operators_file_that_is_wrong_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text("[[rules]]\nid = 'house-key'\nregex = '(a)\\1'\n")
    with pytest.raises(ConfigError, match=r"house\.toml: rule house-key"):
        secrets(files=[path])
    assert "secret.jwt" in {d.name for d in secrets(files=[path], disable={"house-key"})}


def test_what_a_file_says_in_vain_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "house.toml"
    path.write_text("[[rules]]\nid = 'file'\npath = 'p12$'\n")
    secrets(files=[path])
    assert "rule file is left out" in "".join(capsys.readouterr())  # where to depends on who configured the log
