"""Sizes: how long the texts of a request may be, and how many messages it may have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from yett.flow import FlowView, Leaf, Role
from yett.hookspecs import hookimpl
from yett.verdict import Action, Finding

CODE = "size.too_long"
Limit = Annotated[int, Field(ge=1)]
_MESSAGE = re.compile(r"/(?:messages|input)/\d+")
_WORD = re.compile(r"\S+")


class RoleSizes(BaseModel):
    """Most characters, words (runs without white space) and lines of all texts of one role together; None: any."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    characters: Limit | None = None
    words: Limit | None = None
    lines: Limit | None = None


class Sizes:
    """Finds requests whose texts are too long or too many."""

    name = "sizes"
    optional = True
    codes = (CODE,)

    class Config(BaseModel):
        """`roles`: limits by role. `newest_only`: count the newest turn only, not resent history.

        `messages`: most messages. `do`: what happens where no policy rule names `size.too_long`.
        """

        model_config = ConfigDict(extra="forbid", frozen=True)
        roles: dict[Role, RoleSizes] = Field(default_factory=dict)
        newest_only: bool = False
        messages: Limit | None = None
        do: Literal["flag", "approve", "deny"] = "deny"

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or self.Config()

    @hookimpl
    def check_request(self, flow: FlowView) -> Iterable[Finding]:
        """One finding for each limit that is passed, at the first text that counts towards it."""
        config = self.config
        leaves = [leaf for leaf in flow.leaves if leaf.part == "value"]
        found = [
            self._finding(counted[0].pointer, f"{role.value} {what}: {count}, at most {most}")
            for role, limits in config.roles.items()
            if (counted := [x for x in leaves if x.role is role and (x.newest or not config.newest_only)])
            for what, count, most in _passed(limits, counted)
        ]
        if config.messages is not None and (count := messages_in(leaves)) > config.messages:
            found.append(self._finding(leaves[0].pointer, f"messages: {count}, at most {config.messages}"))
        return found

    def _finding(self, pointer: str, message: str) -> Finding:
        default = Action.parse(self.config.do)
        return Finding(CODE, pointer, detector=self.name, default=default, entity="LONG", message=message)


def _passed(limits: RoleSizes, leaves: list[Leaf]) -> Iterable[tuple[str, int, int]]:
    """Name, count and limit of each limit that `leaves` together pass. What has no limit is not counted."""
    counts: Mapping[str, int] = Counter(
        characters=sum(len(leaf.text) for leaf in leaves) if limits.characters else 0,
        words=sum(1 for leaf in leaves for _ in _WORD.finditer(leaf.text)) if limits.words else 0,
        lines=sum(leaf.text.count("\n") + 1 for leaf in leaves) if limits.lines else 0,
    )
    for what, count in counts.items():
        most = getattr(limits, what)
        if most is not None and count > most:
            yield what, count, most


def messages_in(leaves: Iterable[Leaf]) -> int:
    """How many messages (chat) or input items (responses) `leaves` come from."""
    return len({found.group() for leaf in leaves if (found := _MESSAGE.match(leaf.pointer))})
