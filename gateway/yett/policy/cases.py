"""Test cases of a policy folder, `tests/*.yaml` in it: an exchange, and what is expected of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from yett import strictyaml
from yett.errors import ConfigError
from yett.policy.conditions import Glob
from yett.shape import Shape, check, several

FOLDER = "tests"


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | list[str])]
Decided = Literal["allow", "redact", "approve", "deny"]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$")]


class CaseIdentity(Shape):
    """Who calls."""

    id: Label = "tester"
    tenant: Label = "default"
    agent: Label | Literal[""] = ""
    roles: tuple[Label, ...] = ("developer",)
    key: str = Field(default="testerkey", pattern=r"^[a-z0-9]{8,12}$", description="Id of the key.")


class CaseCall(Shape):
    """A tool call that the model proposes."""

    tool: str = Field(min_length=1)
    arguments: str = Field(default="{}", description="JSON, as a model writes it.")


class CaseAnswer(Shape):
    """What the provider says."""

    text: str = ""
    calls: tuple[CaseCall, ...] = ()


class Seen(Shape):
    """Texts that must, and must not, stand in what was sent."""

    has: Words = ()
    lacks: Words = ()


class ExpectedAnswer(Seen):
    """What becomes of the provider's answer."""

    decision: Decided | None = None
    by: Words | None = Field(default=None, description="The rules that decided, all of them.")
    findings: tuple[Glob, ...] | None = Field(default=None, description="The codes found, all of them.")


class Expected(Shape):
    """What becomes of the request, and of the answer to it."""

    decision: Decided | None = None
    by: Words | None = Field(default=None, description="The rules that decided, all of them.")
    findings: tuple[Glob, ...] | None = Field(default=None, description="The codes found, all of them.")
    status: int | None = Field(default=None, description="The HTTP status that the caller gets.")
    code: str | None = Field(default=None, description="The code of the error that the caller gets.")
    forwarded: Seen | Literal[False] | None = Field(default=None, description="The body sent on; false: none was.")
    shadow: Words | None = Field(default=None, description="Rules in shadow mode that would have acted, all of them.")
    answer: ExpectedAnswer | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("a test that expects nothing cannot fail: say what you expect")
        return self


class Case(Shape):
    """One exchange: `text`, `messages` or a whole `request` body in, expectations out."""

    name: str = Field(min_length=1, max_length=200)
    text: str | None = Field(default=None, description="One user message.")
    messages: tuple[dict[str, Any], ...] | None = Field(default=None, min_length=1)
    request: dict[str, Any] | None = Field(default=None, description="The whole body.")
    path: str = Field(default="/v1/chat/completions", pattern=r"^/v1/[!-~]+$")
    model: str = Field(default="", description="Absent: the first model of the configuration.")
    stream: bool = Field(default=False, strict=True)
    answer: CaseAnswer | None = Field(default=None, description="Absent: the demo model's own.")
    identity: CaseIdentity = CaseIdentity()
    at: datetime | None = Field(default=None, description="When, with its offset.")
    repeat: int = Field(default=1, ge=1, le=1000, strict=True, description="The last of so many equal requests counts.")
    expect: Expected

    @field_validator("answer", mode="before")
    @classmethod
    def _worded(cls, value: object) -> object:
        return {"text": value} if isinstance(value, str) else value

    @field_validator("at")
    @classmethod
    def _aware(cls, at: datetime | None) -> datetime | None:
        if at is not None and at.tzinfo is None:
            raise ValueError("a moment with its offset is expected, such as 2027-01-02T19:00+01:00")
        return at

    @model_validator(mode="after")
    def _one_request(self) -> Self:
        if sum(one is not None for one in (self.text, self.messages, self.request)) != 1:
            raise ValueError("one of text, messages and request is expected")
        return self

    def body(self, model: str) -> dict[str, Any]:
        """The request body; `model` is taken where the case names none."""
        if self.request is not None:
            given = dict(self.request)
        else:
            messages = self.messages or ({"role": "user", "content": self.text},)
            given = {"messages": list(messages)}
            if self.path == "/v1/responses":
                given = {"input": list(messages)}
            elif self.path != "/v1/chat/completions":
                given = (
                    {"input": self.text}
                    if self.path in {"/v1/embeddings", "/v1/moderations"}
                    else {"prompt": self.text}
                )
        head: dict[str, Any] = {"model": self.model or model}
        return head | ({"stream": True} if self.stream else {}) | given


class CaseFile(Shape):
    """One file of cases."""

    version: Literal[1]
    cases: tuple[Case, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class PlacedCase:
    """A case with where it stands."""

    case: Case
    where: str


def read_cases(folder: Path) -> Sequence[PlacedCase]:
    """All cases of the policy in `folder`, by file and place. Raises ConfigError."""
    found: list[PlacedCase] = []
    told: list[tuple[str, str]] = []
    for path in _files(folder / FOLDER):
        document = strictyaml.load(path)
        names: dict[str, str] = {}
        for index, case in enumerate(check(CaseFile, document).cases):
            where = document.where(("cases", index, "name"))
            if case.name in names:
                told.append((where, f"another case of this file has this name ({names[case.name]})"))
            names[case.name] = where
            found.append(PlacedCase(case, where))
    if told:
        raise several(told)
    return found


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    for path in folder.iterdir():
        if path.suffix == ".yml":
            raise ConfigError("name test files *.yaml: this one would be ignored", str(path))
    return sorted(path for path in folder.glob("*.yaml") if not path.name.startswith("."))
