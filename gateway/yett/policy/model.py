"""What a policy file says: rules of `when` and `do`, and how a rule is matched against a finding."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from yett.flow import Leaf, Phase, Role
from yett.shape import Shape
from yett.verdict import Action

_GLOB = re.compile(r"(?:\*|[a-z0-9_*]+(?:\.[a-z0-9_*]+)*)")


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Glob = Annotated[str, Field(min_length=1, max_length=100)]


class When(Shape):
    """Which findings a rule speaks about: all conditions that are given must hold."""

    finding: Annotated[tuple[Glob, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])] = Field(
        min_length=1, description="Finding codes; `*` stands for any run of characters (`pii.*`)."
    )
    direction: Literal["request", "response", "any"] = Field(default="any", description="Which way the text travels.")
    role: Annotated[tuple[Role, ...], BeforeValidator(_listed, json_schema_input_type=Role | list[Role])] | None = (
        Field(default=None, min_length=1, description="Who wrote the text; absent: anybody.")
    )
    newest: bool | None = Field(default=None, strict=True, description="Part of the newest user turn, or not.")
    score: float | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="Least score of the finding."
    )

    @field_validator("finding")
    @classmethod
    def _globs(cls, globs: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_GLOB.fullmatch(glob) for glob in globs):
            raise ValueError("a finding code such as pii.email, or a pattern such as pii.*, is expected")
        return globs

    def matches(self, code: str, leaf: Leaf, phase: Phase, score: float) -> bool:
        """Whether a finding with `code` and `score` on `leaf` is meant."""
        return (
            self.direction in {"any", phase.value}
            and (self.role is None or leaf.role in self.role)
            and (self.newest is None or leaf.newest is self.newest)
            and (self.score is None or score >= self.score)
            and any(matches_glob(glob, code) for glob in self.finding)
        )


class Rule(Shape):
    """One rule. `do: flag` records and lets pass."""

    id: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", description="Unique name.")
    when: When
    do: Literal["flag", "redact", "approve", "deny"] = Field(description="What happens to such a finding.")
    message: str = Field(default="", max_length=500, description="What the caller is told when this rule decides.")

    @property
    def action(self) -> Action:
        """`do` as an action."""
        return Action.parse(self.do)

    def describe(self) -> dict[str, Any]:
        """The rule in the words of the file, for people."""
        return {"id": self.id, "when": self.when.model_dump(mode="json", exclude_unset=True), "do": self.do}


class PolicyFile(Shape):
    """One file of rules. `active: false` keeps it in the folder without effect."""

    version: Literal[1]
    name: str = Field(default="", max_length=100, description="What this set of rules is called.")
    active: bool = Field(default=True, strict=True, description="Whether the rules apply.")
    rules: tuple[Rule, ...]


def matches_glob(glob: str, code: str) -> bool:
    """Whether `code` fits `glob`, where `*` stands for any run of characters."""
    pieces = glob.split("*")
    if len(pieces) == 1:
        return code == glob
    if not (code.startswith(pieces[0]) and code.endswith(pieces[-1])):
        return False
    at, end = len(pieces[0]), len(code) - len(pieces[-1])
    for piece in pieces[1:-1]:
        at = code.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return at <= end
