"""What a rule may ask about a text, a tool call or a whole request: the fields of `when` and of `except.match`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, time
from typing import Annotated, Any, Literal, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, field_validator, model_validator

from yett.flow import Leaf, Phase, Role
from yett.shape import Shape

_CODE = re.compile(r"(?:\*|[a-z0-9_*]+(?:\.[a-z0-9_*]+)*)")
_NAME = re.compile(r"[^\s\x00-\x1f]+")
_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_COUNT = 1000
MAX_WINDOW_S = 7 * 24 * 3600.0


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _name_globs(globs: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_NAME.fullmatch(glob) for glob in globs):
        raise ValueError("a name without blanks is expected, or a pattern such as mail_*")
    return globs


Glob = Annotated[str, Field(min_length=1, max_length=200)]
Globs = Annotated[
    tuple[Glob, ...], Field(min_length=1), BeforeValidator(_listed, json_schema_input_type=str | list[str])
]
Roles = Annotated[
    tuple[Role, ...], Field(min_length=1), BeforeValidator(_listed, json_schema_input_type=Role | list[Role])
]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Days = Annotated[tuple[Day, ...], Field(min_length=1), BeforeValidator(_listed, json_schema_input_type=Day | list[Day])]


class Circumstances(NamedTuple):
    """What is known beside a finding when a rule is asked about it.

    `tool` is the tool whose offer, call or result the text belongs to: "" for any other text, None where it cannot be
    known. `characters` is the length of the text, `matched` what was found in it.
    """

    now: datetime
    tenant: str = ""
    principal: str = ""
    agent: str = ""
    key: str = ""
    model: str = ""
    session: str = ""
    tool: str | None = ""
    characters: int = 0
    matched: str = ""


class Size(Shape):
    """How long a text is."""

    at_least: int = Field(ge=1, strict=True, description="Characters.")


class Time(Shape):
    """When it happens. `after` later than `before` spans midnight; `days` are those of the moment itself."""

    after: str | None = Field(default=None, description="HH:MM, from this minute on.")
    before: str | None = Field(default=None, description="HH:MM, up to this minute.")
    days: Days | None = Field(default=None, description="mon tue wed thu fri sat sun; absent: every day.")
    zone: str = Field(default="UTC", max_length=64, description="A time zone such as Europe/Berlin.")

    @field_validator("after", "before")
    @classmethod
    def _clock(cls, word: str | None) -> str | None:
        if word is not None and not _CLOCK.fullmatch(word):
            raise ValueError('a time such as "18:00" is expected, in quotes')
        return word

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # an unknown name, a path, a folder
            raise ValueError("a time zone such as Europe/Berlin is expected") from None
        return name

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.after is None and self.before is None and self.days is None:
            raise ValueError("after, before or days is expected")
        if self.after is not None and self.after == self.before:
            raise ValueError("after and before are the same minute: no time lies between them")
        return self

    def holds(self, now: datetime) -> bool:
        """Whether `now`, an aware moment, lies within."""
        local = now.astimezone(ZoneInfo(self.zone))
        if self.days is not None and DAYS[local.weekday()] not in self.days:
            return False
        after = time.fromisoformat(self.after) if self.after else time.min
        before = time.fromisoformat(self.before) if self.before else None
        at = local.time()
        if before is None:
            return at >= after
        return after <= at < before if after <= before else at >= after or at < before


class Count(Shape):
    """How often it happened to one principal lately: true from the `at_least`th time within `window_s` seconds on."""

    at_least: int = Field(ge=2, le=MAX_COUNT, strict=True)
    window_s: float = Field(gt=0, le=MAX_WINDOW_S, allow_inf_nan=False)


class Match(Shape):
    """Conditions on one finding, or, without `finding`, on a request, an answer or a tool call as a whole."""

    finding: Globs | None = Field(
        default=None, description="Finding codes; `*` stands for any run of characters (`pii.*`)."
    )
    direction: Literal["request", "response", "any"] = Field(default="any", description="Which way the text travels.")
    role: Roles | None = Field(default=None, description="Who wrote the text; absent: anybody.")
    newest: bool | None = Field(default=None, strict=True, description="Part of the newest user turn, or not.")
    score: float | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="Least score of the finding."
    )
    tool: Globs | None = Field(default=None, description="Tools whose offer, call or result it is.")
    model: Globs | None = Field(default=None, description="Models, by the name that callers use.")
    size: Size | None = Field(default=None, description="Length of the text, or of everything together.")
    time: Time | None = Field(default=None, description="Time of day and days of the week.")

    @field_validator("finding")
    @classmethod
    def _codes(cls, globs: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if globs is not None and not all(_CODE.fullmatch(glob) for glob in globs):
            raise ValueError("a finding code such as pii.email, or a pattern such as pii.*, is expected")
        return globs

    @field_validator("tool", "model")
    @classmethod
    def _names(cls, globs: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return globs and _name_globs(globs)

    def matches(self, code: str, leaf: Leaf, phase: Phase, score: float) -> bool:
        """Whether what never changes about a finding fits: its code and score, the role and turn of its text."""
        return (
            self.direction in {"any", phase.value}
            and (self.role is None or leaf.role in self.role)
            and (self.newest is None or leaf.newest is self.newest)
            and (self.score is None or score >= self.score)
            and (self.finding is None or any_glob(self.finding, code))
        )

    @property
    def depends(self) -> bool:
        """Whether `holds` may change from case to case. The model does not: policy is bound to it."""
        return not (self.tool is None and self.size is None and self.time is None)

    def holds(self, given: Circumstances, *, unknown_tool: bool) -> bool:
        """Whether the rest fits; `unknown_tool` is the answer where the tool cannot be known."""
        return (
            (self.tool is None or (unknown_tool if given.tool is None else any_glob(self.tool, given.tool)))
            and (self.model is None or any_glob(self.model, given.model))
            and (self.size is None or given.characters >= self.size.at_least)
            and (self.time is None or self.time.holds(given.now))
        )


class When(Match):
    """Which findings, or which requests, answers and tool calls, a rule speaks about: all that is given must hold."""

    count: Count | None = Field(default=None, description="Only from the n-th such time of a principal on.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        given = self.model_fields_set
        if self.finding is None:
            if not given - {"direction"}:
                raise ValueError("finding, or what else the rule speaks about (tool, model, size, time, count)")
            for name in ("score", "newest"):
                if getattr(self, name) is not None:
                    raise ValueError(f"{name} says something about findings: add finding")
            if self.role is not None and self.tool is None:
                raise ValueError("role says something about findings or tools: add finding or tool")
        elif self.size is not None and self.direction != "request":
            raise ValueError("the size of a text is known in requests only: add direction: request, or drop finding")
        return self


class ExemptMatch(Match):
    """What an exception lets pass: conditions as in `when`, and who is calling."""

    tenant: Globs | None = None
    agent: Globs | None = None
    key: Globs | None = Field(default=None, description="Ids of API keys.")

    @field_validator("tenant", "agent", "key")
    @classmethod
    def _callers(cls, globs: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return globs and _name_globs(globs)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("an exception from everything is no rule: say from what")
        return self

    def covers(self, code: str, leaf: Leaf, phase: Phase, score: float, given: Circumstances) -> bool:
        """Whether the exception speaks about this case. A tool that is not known is never excepted."""
        callers = ((self.tenant, given.tenant), (self.agent, given.agent), (self.key, given.key))
        return (
            self.matches(code, leaf, phase, score)
            and self.holds(given, unknown_tool=False)
            and all(globs is None or any_glob(globs, name) for globs, name in callers)
        )


class Bind(Shape):
    """Whom a file of rules concerns, as the gateway knows them; absent: everybody."""

    tenant: Globs | None = None
    agent: Globs | None = None
    role: Globs | None = Field(default=None, description="Roles of the caller; one of them is enough.")
    key: Globs | None = Field(default=None, description="Ids of API keys.")
    route: Globs | None = Field(default=None, description="Paths, such as /v1/chat/*.")
    model: Globs | None = Field(default=None, description="Models, by the name that callers use.")

    @field_validator("*")
    @classmethod
    def _names(cls, globs: Any) -> Any:  # every field has the same type
        return globs and _name_globs(globs)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("one of tenant, agent, role, key, route, model is expected; for everybody, drop bind")
        return self

    @property
    def level(self) -> int:
        """1 routes and models, 2 tenants, 3 agents, 4 roles, 5 keys: the narrowest that is named. 0 is the floor."""
        order = (None, self.route or self.model, self.tenant, self.agent, self.role, self.key)
        return max(at for at, globs in enumerate(order) if at == 0 or globs is not None)

    def fits(self, identity: Identity) -> bool:
        """Whether `identity` is meant."""
        pairs: Iterable[tuple[tuple[str, ...] | None, tuple[str, ...]]] = (
            (self.tenant, (identity.tenant,)),
            (self.agent, (identity.agent,)),
            (self.role, identity.roles),
            (self.key, (identity.key,)),
            (self.route, (identity.route,)),
            (self.model, (identity.model,)),
        )
        return all(globs is None or any(any_glob(globs, name) for name in names) for globs, names in pairs)


class Identity(NamedTuple):
    """Who calls what, as the server knows it: never what the request says of itself."""

    tenant: str = ""
    agent: str = ""
    roles: tuple[str, ...] = ()
    key: str = ""
    route: str = ""
    model: str = ""


def any_glob(globs: Iterable[str], name: str) -> bool:
    """Whether `name` fits one of `globs`."""
    return any(matches_glob(glob, name) for glob in globs)


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
