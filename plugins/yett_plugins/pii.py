"""Personal data with a form: e-mail, phone, card, IBAN, IP, US SSN, wallets, credentials in URLs, dates of birth.

Two packs. `presidio` runs Presidio's own patterns and context words; `yett` (the default) takes its context words and
its weak SSN patterns and goes beyond the rest: any separators, all issuers, exact boundaries. docs/detectors.md says
what each finds and where they differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from yett.detector import Detector
from yett.hookspecs import hookimpl
from yett_plugins import presidio
from yett_plugins.phones import DEFAULT_REGIONS, phone_detector
from yett_plugins.pii_presidio import presidio_pack
from yett_plugins.pii_yett import shared_detectors, yett_pack


class Pii:
    """Finds personal data that has a form: e-mail, phone, card, IBAN, IP, SSN, wallet, URL credentials, birth date."""

    name = "pii"

    class Config(BaseModel):
        """Whose patterns, and how they are read.

        `pack`: yett or presidio; `cache_dir`: where what was read out of Presidio is kept (relative to the working
        folder); `phone_regions`: the countries whose national phone numbers are recognised without context.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        pack: Literal["yett", "presidio"] = "yett"
        cache_dir: Path = Path("var/cache")
        phone_regions: tuple[str, ...] = Field(default=DEFAULT_REGIONS, min_length=1)

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

    @hookimpl
    def register_detectors(self) -> Iterable[Detector]:
        """All detectors of the chosen pack, then those that both packs share. Raises PluginError without Presidio."""
        data = presidio.load(self.config.cache_dir)
        pack = yett_pack(data) if self.config.pack == "yett" else presidio_pack(data)
        return (*pack, phone_detector(self.config.phone_regions), *shared_detectors())
