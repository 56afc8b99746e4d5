"""The `pii` plugin's configuration: typos and unknown countries are errors, each setting has an effect."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from helpers.detectors import CACHE, codes, engine, pii
from yett.errors import PluginError
from yett.registry import Registry
from yett_plugins import BUILTINS, Pii, Secrets, presidio


def test_it_is_the_first_of_the_builtins() -> None:
    assert BUILTINS[0] is Pii


def test_the_registry_takes_them_with_their_settings() -> None:
    registry = Registry()
    registry.add(Pii, {"pack": "presidio", "cache_dir": str(CACHE)})
    registry.add(Secrets)
    names = [d.name for d in registry.detectors()]
    assert len(names) == len(set(names)) > 30


@pytest.mark.parametrize(
    "config",
    [
        *({"pak": "yett"}, {"pack": "other"}, {"phone_regions": []}, {"phone_regions": ["USA"]}),
        *({"phone_regions": ["us"]}, {"countries": ["xx"]}, {"countries": "de"}, {"entities": ["de_tax_id"]}),
        *({"entities": ["PERSON"]}, {"exclude": ["DE_TAXID"]}, {"recognizers": "a:b"}),
    ],
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


def test_a_typo_is_told_the_nearest_name() -> None:
    with pytest.raises(ValidationError, match="did you mean 'DE_TAX_ID'"):
        Pii.Config(entities=("DE_TAXID",))


@pytest.mark.parametrize("pack", ["yett", "presidio"])
def test_countries_entities_and_exclude_choose_what_is_looked_for(pack: str) -> None:
    def chosen(**more: object) -> set[str]:
        return {detector.code for detector in pii(pack, **more)}

    default = chosen()
    assert {"pii.us_ssn", "pii.email", "pii.phone", "pii.date_of_birth"} <= default
    assert chosen(countries=("us", "PL", "gb")) - default >= {"pii.pl_pesel", "pii.uk_nhs"}
    assert chosen(entities=("UK_POSTCODE",)) - default == {"pii.uk_postcode"}
    assert default - chosen(countries=()) == {
        *("pii.us_ssn", "pii.us_itin", "pii.us_driver_license", "pii.us_passport", "pii.us_bank_number")
    }
    assert default - chosen(exclude=("PHONE_NUMBER", "US_ITIN", "CRYPTO")) == {"pii.phone", "pii.us_itin", "pii.crypto"}


def test_recognizers_and_files_are_added(tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text("recognizers: [{name: x, supported_entity: VIP, deny_list: [Ada]}]")
    assert codes(engine(pii(recognizer_files=(file,))), "hi ada") == {"pii.vip": ["ada"]}


def test_a_recogniser_that_the_installed_presidio_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = presidio.load(CACHE)
    fewer = {name: one for name, one in data.recognizers.items() if name != "PlPeselRecognizer"}
    monkeypatch.setattr(presidio, "load", lambda _: data.model_copy(update={"recognizers": fewer}))
    assert pii(countries=("us",))
    with pytest.raises(PluginError, match=r"PL_PESEL: presidio .* has no PlPeselRecognizer"):
        pii(countries=("pl",))


def test_cache_dir_is_where_the_dump_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dump = next(CACHE.glob("presidio-*.json"), None)
    if dump is None:
        presidio.load(CACHE)
        dump = next(CACHE.glob("presidio-*.json"))
    monkeypatch.setattr(presidio, "_run_child", lambda *_: dump.read_bytes())
    tuple(Pii(Pii.Config(cache_dir=tmp_path / "new")).register_detectors())
    assert (tmp_path / "new" / dump.name).exists()
