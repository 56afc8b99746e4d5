"""The `pii` plugin's configuration: typos and unknown countries are errors, each setting has an effect."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from helpers.detectors import CACHE, codes, engine, pii
from yett.registry import Registry
from yett_plugins import BUILTINS, Pii, Secrets, presidio


def test_the_builtins_in_order() -> None:
    assert (Pii, Secrets) == BUILTINS


def test_the_registry_takes_them_with_their_settings() -> None:
    registry = Registry()
    registry.add(Pii, {"pack": "presidio", "cache_dir": str(CACHE)})
    registry.add(Secrets)
    names = [d.name for d in registry.detectors()]
    assert len(names) == len(set(names)) > 30


@pytest.mark.parametrize(
    "config",
    [{"pak": "yett"}, {"pack": "other"}, {"phone_regions": []}, {"phone_regions": ["USA"]}, {"phone_regions": ["us"]}],
    ids=str,
)
def test_wrong_settings_are_errors(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Pii.Config.model_validate(config)


def test_pack_chooses_whose_patterns() -> None:
    text = "NL91.ABNA.0417.1643.00"
    assert codes(engine(pii("yett")), text)["pii.iban"] == [text]
    assert "pii.iban" not in codes(engine(pii("presidio")), text)


def test_phone_regions_choose_what_is_valid_without_context() -> None:
    text = "(0351) 4910"
    assert codes(engine(pii(phone_regions=("US",))), text) == {}
    assert codes(engine(pii(phone_regions=("US", "DE"))), text) == {"pii.phone": [text]}


def test_cache_dir_is_where_the_dump_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = next(CACHE.glob("presidio-*.json"), None)
    if dump is None:
        presidio.load(CACHE)
        dump = next(CACHE.glob("presidio-*.json"))
    monkeypatch.setattr(presidio, "_run_child", lambda *_: dump.read_bytes())
    tuple(Pii(Pii.Config(cache_dir=tmp_path / "new")).register_detectors())
    assert (tmp_path / "new" / dump.name).exists()
