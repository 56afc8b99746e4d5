"""Whose words are whose: the labels of the data sets, the finding codes of the detectors, and what is scored of them.

An entity is what both sides are compared as: the finding code that a label means, or a pattern of codes
(`pii.phone`, `secret.*`). Labels for which no chosen detector has a code are not scored, and listed as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from yett.evaluation.cases import ATTACK, SECRET, Case, Kind
from yett.policy.conditions import matches_glob

# label -> finding code. A label that is not here means `pii.<label in small letters>`.
LABELS: Mapping[str, str] = {
    "EMAIL_ADDRESS": "pii.email",
    "EMAIL": "pii.email",
    "PHONE_NUMBER": "pii.phone",
    "PHONE": "pii.phone",
    "US_SSN": "pii.us_ssn",
    "SSN": "pii.us_ssn",
    "CREDIT_CARD": "pii.credit_card",
    "IBAN_CODE": "pii.iban",
    "IBAN": "pii.iban",
    "IP_ADDRESS": "pii.ip",
    "CRYPTO": "pii.crypto",
    "DATE_OF_BIRTH": "pii.date_of_birth",
    "PERSON": "pii.person",
    "PER": "pii.person",
    "NAME": "pii.person",
    "LOCATION": "pii.location",
    "LOC": "pii.location",
    "GPE": "pii.location",
    "STREET_ADDRESS": "pii.address",
    "ADDRESS": "pii.address",
    "ORGANIZATION": "pii.organization",
    "ORG": "pii.organization",
}
# task -> patterns of the codes that say "something is there".
TASKS: Mapping[str, tuple[str, ...]] = {
    ATTACK: ("injection.*", "jailbreak.*", "obfuscation.*"),
    SECRET: ("secret.*",),
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What is scored: `codes` are those of the chosen detectors, `more` what the user said beyond LABELS and TASKS."""

    codes: frozenset[str]
    more: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def entity(self, label: str) -> str | None:
        """The entity that `label` means, or None where no chosen detector can find it."""
        meant = self.more[label] if label in self.more else (LABELS.get(label, f"pii.{label.lower()}"),)
        return " ".join(meant) if any(fits(meant, code) for code in self.codes) else None

    def task_codes(self, task: str) -> tuple[str, ...]:
        """The chosen detectors' codes that count for `task`, sorted; none: the task is not scored."""
        meant = self.more.get(task, TASKS.get(task, ()))
        return tuple(sorted(code for code in self.codes if fits(meant, code)))

    def of_codes(self, labels: Iterable[str]) -> dict[str, str]:
        """Code -> entity, for the codes that `labels` mean; a code written out goes before a pattern."""
        entities = sorted({one for one in map(self.entity, labels) if one}, key=lambda one: ("*" in one, one))
        return {
            code: entity for entity in reversed(entities) for code in self.codes if fits(tuple(entity.split()), code)
        }

    def not_scored(self, cases: Sequence[Case]) -> dict[str, int]:
        """Label or task -> how many spans or rows of it are not scored."""
        counts: dict[str, int] = {}
        for case in cases:
            missing = [span.label for span in case.spans if self.entity(span.label) is None]
            missing += [label for label in case.negative_for if self.entity(label) is None]
            if case.kind is Kind.LABEL and not self.task_codes(case.task):
                missing.append(case.task)
            for label in missing:
                counts[label] = counts.get(label, 0) + 1
        return dict(sorted(counts.items()))


def fits(patterns: Iterable[str], code: str) -> bool:
    """Whether `code` fits one of `patterns`."""
    return any(matches_glob(pattern, code) for pattern in patterns)


def parse_map(entries: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`LABEL=code` entries, as the command line gives them; entries of one label add up. Raises ValueError."""
    more: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        label, equals, code = entry.partition("=")
        if not (label and equals and code) or any(character.isspace() for character in code):
            raise ValueError(f"{entry!r} is not LABEL=code")
        more[label] = (*more.get(label, ()), code)
    return more
