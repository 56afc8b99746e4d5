"""The `secrets` plugin: one-way, one detector for each format, `generic` only where asked for."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from helpers.detectors import codes, engine, secrets
from yett.verdict import Action
from yett_plugins import Secrets


def test_every_format_is_one_way_and_redacted_by_default() -> None:
    detectors = secrets()
    assert len({d.code for d in detectors}) == len(detectors) >= 20
    assert all(d.code.startswith("secret.") and d.name == d.code for d in detectors)
    assert not any(d.reversible for d in detectors)
    assert {(d.entity, d.default) for d in detectors} == {("SECRET", Action.REDACT)}


def test_generic_assignments_are_off_unless_asked_for() -> None:
    text = 'password = "Tr0ub4dor&3x"'
    assert codes(engine(secrets()), text) == {}
    assert codes(engine(secrets(generic=True)), text) == {"secret.generic": ["Tr0ub4dor&3x"]}


def test_a_misspelt_setting_is_an_error() -> None:
    with pytest.raises(ValidationError):
        Secrets.Config.model_validate({"generics": True})
