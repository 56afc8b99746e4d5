"""Personal data with a form: addresses, numbers and dates that can be told by their look and their check digits.

Two packs. `presidio` runs Presidio's own patterns, rules and context words; `yett` (the default) goes beyond them: any
separators, exact boundaries, less credulity. `countries` and `entities` choose what is looked for in both. docs/pii.md
says what each finds and where they differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from yett.detector import Detector
from yett.hookspecs import hookimpl
from yett.strictyaml import nearest
from yett_plugins import presidio
from yett_plugins.phones import DEFAULT_REGIONS, phone_detector
from yett_plugins.pii_countries import countries, entries, wanted
from yett_plugins.pii_custom import UsersRecognizers
from yett_plugins.pii_presidio import presidio_pack
from yett_plugins.pii_yett import shared_detectors, yett_pack

SHARED = ("PHONE_NUMBER", "URL_CREDENTIALS", "DATE_OF_BIRTH")
_ALIASES = {"gb": "uk"}


class Pii:
    """Finds personal data that has a form: e-mail, phone, card, IBAN, national numbers, wallets, birth dates ..."""

    name = "pii"

    class Config(BaseModel):
        """What is looked for, with whose patterns.

        `pack`: yett or presidio; `countries`: whose national numbers are found (`us`, `de` ...); `entities`: more
        entities by name, those included that no country switches on; `exclude`: entities that are not looked for.
        `recognizers`: your own classes, as `package.module:Class`, each a PatternRecognizer of Presidio's;
        `recognizer_files`: recognisers in Presidio's YAML form. `phone_regions`: the countries whose national phone
        numbers are recognised without context. `cache_dir`: where what was read out of Presidio is kept.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        pack: Literal["yett", "presidio"] = "yett"
        countries: tuple[str, ...] = ("us",)
        entities: tuple[str, ...] = ()
        exclude: tuple[str, ...] = ()
        recognizers: tuple[str, ...] = ()
        recognizer_files: tuple[Path, ...] = ()
        phone_regions: tuple[str, ...] = Field(default=DEFAULT_REGIONS, min_length=1)
        cache_dir: Path = Path("var/cache")

        @field_validator("countries")
        @classmethod
        def _with_recognizers(cls, given: tuple[str, ...]) -> tuple[str, ...]:
            lower = tuple(_ALIASES.get(country.lower(), country.lower()) for country in given)
            unknown = sorted(set(lower) - countries())
            if unknown:
                raise ValueError(f"no recognisers for {', '.join(unknown)}; there are {', '.join(sorted(countries()))}")
            return lower

        @field_validator("entities", "exclude")
        @classmethod
        def _found_by_somebody(cls, given: tuple[str, ...]) -> tuple[str, ...]:
            known = {*SHARED, *(entry.entity for entry in entries())}
            for entity in given:
                if entity not in known:
                    raise ValueError(f"no such entity: {entity}{nearest(entity, known)}")
            return given

        @field_validator("phone_regions")
        @classmethod
        def _known(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
            import phonenumbers

            unknown = sorted(set(regions) - phonenumbers.SUPPORTED_REGIONS)
            if unknown:
                raise ValueError(f"not a region of phonenumbers: {', '.join(unknown)} (two capitals, such as US)")
            return regions

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()
        self._own = UsersRecognizers(self.config.recognizers, self.config.recognizer_files)

    @hookimpl
    def register_detectors(self) -> Iterable[Detector]:
        """All detectors that the settings ask for. Raises PluginError, without Presidio too."""
        data, more = presidio.load(self.config.cache_dir), self._own.predefined()
        chosen = wanted(self.config.countries, (*self.config.entities, *more))
        chosen = tuple(entry for entry in chosen if entry.entity not in self.config.exclude)
        pack = yett_pack if self.config.pack == "yett" else presidio_pack
        found = zip(chosen, pack(data, chosen), strict=True)
        shared = zip(SHARED, (phone_detector(self.config.phone_regions), *shared_detectors()), strict=True)
        return (
            *(replace(d, context=(*d.context, *more.get(entry.entity, ()))) for entry, d in found),
            *(detector for entity, detector in shared if entity not in self.config.exclude),
            *self._own.detectors(),
        )

    @hookimpl
    def gateway_stopping(self) -> None:
        """End the process that runs the users' own checks, if there is one."""
        self._own.close()
