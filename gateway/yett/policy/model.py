"""What a policy file says: whom it binds, and its rules of `when` and `do`."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from yett.flow import Role
from yett.policy.conditions import Bind, ExemptMatch, When, any_glob, matches_glob
from yett.shape import Shape
from yett.verdict import Action

__all__ = ["Bind", "Example", "Exemption", "PolicyFile", "Rule", "When", "any_glob", "matches_glob", "schema_json"]

_DIGEST = re.compile(r"(?:sha256|hmac):[0-9a-f]{64}")


class Exemption(Shape):
    """A dated, owned hole in the rule it stands in; the day after `until` it is closed."""

    match: ExemptMatch
    until: date = Field(description="The last day, UTC, such as 2027-01-31.")
    reason: str = Field(min_length=1, max_length=500)
    owner: str = Field(min_length=1, max_length=200, description="Who answers for it.")


class Example(Shape):
    """A text a rule is tried on, and where it stands."""

    text: str = Field(max_length=20_000)
    role: Role | None = Field(default=None, description="Absent: the rule's first role, else user or assistant.")
    direction: Literal["request", "response"] | None = Field(default=None, description="Absent: the rule's own.")
    newest: bool | None = Field(default=None, strict=True, description="Absent: as the rule has it, else true.")
    tool: str = Field(default="", max_length=200)
    model: str = Field(default="", max_length=200)
    at: datetime | None = Field(default=None, description="When, with its offset: 2027-01-02T19:00+01:00.")

    @field_validator("at")
    @classmethod
    def _aware(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("a moment with its offset is expected, such as 2027-01-02T19:00+01:00")
        return at


def _worded(value: object) -> object:
    return [{"text": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value


Examples = Annotated[tuple[Example, ...], BeforeValidator(_worded, json_schema_input_type=list[str | Example])]


class RuleExamples(Shape):
    """Texts that the rule must act on, under its own `do`, and texts that it must leave alone."""

    flag: Examples = ()
    redact: Examples = ()
    approve: Examples = ()
    deny: Examples = ()
    allow: Examples = Field(default=(), description="Texts that the rule must not act on.")


class Rule(Shape):
    """One rule. `do: flag` records and lets pass."""

    id: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", description="Unique name.")
    when: When
    do: Literal["flag", "redact", "approve", "deny"] = Field(description="What happens to such a finding.")
    message: str = Field(default="", max_length=500, description="What the caller is told when this rule decides.")
    severity: Literal["low", "medium", "high", "critical"] = "medium"
    tags: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = Field(
        default=(), max_length=20, description='Names in other catalogues, such as "OWASP LLM01:2025".'
    )
    mode: Literal["enforce", "shadow"] = Field(
        default="enforce", description="shadow: record what the rule would do, and do nothing."
    )
    sample: float | None = Field(
        default=None, gt=0, lt=1, allow_inf_nan=False, description="Share of sessions; with flag or shadow only."
    )
    restore: Literal["caller", "never"] = Field(
        default="caller", description="never: what is redacted does not come back for the caller."
    )
    exceptions: tuple[Exemption, ...] = Field(default=(), alias="except", description="Dated, owned holes.")
    allow_values: tuple[str, ...] = Field(
        default=(), max_length=10_000, description="Digests of values that are no finding: yett policy digest."
    )
    examples: RuleExamples = RuleExamples()

    @field_validator("allow_values")
    @classmethod
    def _digests(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_DIGEST.fullmatch(value) for value in values):
            raise ValueError("sha256: or hmac: and 64 hex digits are expected: yett policy digest prints them")
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.sample is not None and self.do != "flag" and self.mode != "shadow":
            raise ValueError("sample: a rule that acts acts always; sample goes with do: flag or mode: shadow")
        if self.restore == "never" and self.do not in {"redact", "approve"}:
            raise ValueError("restore says something about do: redact and do: approve")
        if self.when.finding is None:
            if self.do == "redact":
                raise ValueError("do: redact needs a finding: a whole request or tool call is not redacted")
            if self.allow_values:
                raise ValueError("allow_values says something about findings: add finding to when")
        foreign = self.examples.model_fields_set - {self.do, "allow"}
        if foreign:
            raise ValueError(f"examples: those of this rule stand under {self.do} and allow, not {min(foreign)}")
        return self

    @property
    def action(self) -> Action:
        """`do` as an action."""
        return Action.parse(self.do)

    @property
    def shadow(self) -> bool:
        """Whether the rule only rehearses."""
        return self.mode == "shadow"

    @property
    def plain(self) -> bool:
        """Whether `when.matches` says all there is to say: no condition on circumstances, no exception, no share."""
        return not (
            self.when.depends or self.when.count or self.sample is not None or self.exceptions or self.allow_values
        )

    def describe(self) -> dict[str, Any]:
        """The rule in the words of the file, for people; what stands at its default is left out."""
        more = self.model_dump(
            mode="json", exclude_defaults=True, by_alias=True, include={"severity", "tags", "mode", "sample", "restore"}
        )
        return {"id": self.id, "when": self.when.model_dump(mode="json", exclude_unset=True), "do": self.do} | more


class PolicyFile(Shape):
    """One file of rules. `active: false` keeps it in the folder without effect."""

    version: Literal[1]
    name: str = Field(default="", max_length=100, description="What this set of rules is called.")
    active: bool = Field(default=True, strict=True, description="Whether the rules apply.")
    bind: Bind | None = Field(default=None, description="Whom the rules concern; absent: everybody.")
    rules: tuple[Rule, ...]


def schema_json() -> str:
    """The JSON Schema of policy files, for editors: config/policy.schema.json."""
    schema = PolicyFile.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Yett policy"
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
