"""Keys and tokens of well-known services, and whatever rules in gitleaks' form an operator adds.

Our own formats stand in `secrets.toml`. A secret is replaced one-way (`reversible=False`): nobody gets it back. Entropy
alone finds nothing here, because the traffic of language models is full of hashes, UUIDs and encoded images.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict

from yett.detector import Detector
from yett.errors import ConfigError
from yett.hookspecs import hookimpl
from yett_plugins import gitleaks, gitleaks_file
from yett_plugins.gitleaks_file import RuleFile
from yett_plugins.secret_checks import checks

OWN_RULES = Path(__file__).with_name("secrets.toml")
GENERIC = "generic"  # the rule for `password = "..."`: useful on code, too broad for prose

log = structlog.get_logger("yett.plugins.secrets")


def own_detectors(file: RuleFile) -> list[Detector]:
    """The detectors of our own rules, with their examples."""
    return gitleaks.detectors(file, checks(), prefix="secret", check="not_filled")


class Secrets:
    """Finds API keys, tokens, private keys and passwords in connection strings."""

    name = "secrets"

    class Config(BaseModel):
        """Which rules.

        `files`: rule files in gitleaks' TOML form, relative to the working folder; `disable`: ids or codes of rules,
        ours or theirs, that are left out; `generic`: add `password = "..."` assignments in quotes.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        files: tuple[Path, ...] = ()
        disable: frozenset[str] = frozenset()
        generic: bool = False

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[Detector]:
        """One detector for each rule. Raises ConfigError for a rule that cannot be used, naming file and rule."""
        left_out = self.config.disable if self.config.generic else self.config.disable | {GENERIC}
        own = gitleaks_file.load(OWN_RULES, left_out)
        # The examples of our own rules run in the tests: at each start they would take a second.
        detectors = [replace(detector, hit=(), miss=()) for detector in own_detectors(own)]
        known = own.names
        for path in self.config.files:
            file = gitleaks_file.load(path, self.config.disable)
            detectors += gitleaks.detectors(file, checks(), prefix=path.stem)
            known |= file.names
            for note in file.notes:
                log.warning("secret_rules_note", file=str(path), note=note)
            log.info("secret_rules_read", file=str(path), rules=len(file.rules))
        if unknown := sorted(self.config.disable - known):
            raise ConfigError(f"secrets: `disable` names rules that do not exist: {', '.join(unknown)}")
        return detectors
