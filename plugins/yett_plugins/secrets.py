"""Keys and tokens of well-known services, by their published formats. The formats stand in `secret_rules`.

A secret is replaced one-way (`reversible=False`): nobody gets it back. Entropy alone finds nothing here, because the
traffic of language models is full of hashes, UUIDs and encoded images.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from yett.detector import Detector, Pattern
from yett.hookspecs import hookimpl
from yett.verdict import Action
from yett_plugins.secret_rules import SecretRule, generic_rule, not_filled, rules


class Secrets:
    """Finds API keys, tokens and private keys of well-known services."""

    name = "secrets"

    class Config(BaseModel):
        """`generic` adds `password = "..."` assignments in quotes."""

        model_config = ConfigDict(extra="forbid", frozen=True)
        generic: bool = False

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def register_detectors(self) -> Iterable[Detector]:
        """One detector for each key format."""
        wanted = (*rules(), generic_rule()) if self.config.generic else rules()
        return tuple(_detector(rule) for rule in wanted)


def _detector(rule: SecretRule) -> Detector:
    patterns = tuple(
        Pattern(f"{rule.code} {number}", regex, 0.9, group, rule.ignore_case)
        for number, (regex, group) in enumerate(rule.patterns)
    )
    return Detector(
        name=rule.code,
        code=rule.code,
        entity="SECRET",
        patterns=patterns,
        validator=rule.check or not_filled,
        reversible=False,
        max_len=rule.max_len,
        default=Action.REDACT,
        priority=10,
        hit=rule.hit,
        miss=rule.miss,
    )
