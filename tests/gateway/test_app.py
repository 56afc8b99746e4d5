"""What a configuration leaves out; the gateway as a whole is tested in test_endpoints.py."""

from pathlib import Path
from typing import Any

import pytest

from yett.app import absent_codes
from yett.config import Settings

OPTIONAL = {"leak.system_prompt", "injection.gibberish", "language.not_allowed", "size.too_long"}


@pytest.mark.parametrize(
    ("builtins", "absent"),
    [
        pytest.param({}, OPTIONAL, id="nothing is named"),
        pytest.param({"canary": {}}, OPTIONAL - {"leak.system_prompt"}, id="one is named"),
        pytest.param({"canary": False}, OPTIONAL, id="one is named and off"),
        pytest.param({"pii": False}, OPTIONAL, id="one that says nothing of its codes"),
    ],
)
def test_what_is_switched_off_is_told_by_its_codes(tmp_path: Path, builtins: dict[str, Any], absent: set[str]) -> None:
    plain = {
        "providers": {"demo": {"kind": "demo"}},
        "models": {"demo": {"targets": [{"provider": "demo", "model": "demo"}]}},
        "builtins": builtins,
    }
    assert absent_codes(Settings.model_validate(plain, context={"root": tmp_path})) == absent
