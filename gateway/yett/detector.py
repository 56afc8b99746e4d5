"""What a detector author writes: patterns with labels, validators, context words and examples.

A declarative detector gets the fused scan pass, caching and exact streaming for nothing. See docs/plugins.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, NamedTuple, Protocol

from yett.flow import FlowView, Phase, Role
from yett.verdict import Action

# Given the matched text: True = certain (score becomes 1.0), False = not a match, None = keep the pattern's score.
Validator = Callable[[str], bool | None]

# Given the flow and the matched text: False = in this flow the match is no finding. See `FlowView.asked`.
Concern = Callable[[FlowView, str], bool]

DEFAULT_MAX_LEN = 512


@dataclass(frozen=True, slots=True)
class Pattern:
    r"""One regular expression of a detector.

    `regex` is in the syntax of the `regex` module (which contains re's). It must be local: no back-references, no
    `\B`, no unbounded look-around. `group` is the capture group whose span is reported (0: the whole match).
    `score` is the confidence without validator and context, 0 to 1. `ignore_case` as re.IGNORECASE.
    """

    name: str
    regex: str
    score: float = 0.5
    group: int = 0
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Detector:
    """A declarative detector: its patterns run in the fused pass, over whole texts and over streams alike.

    code       stable, dotted finding code, e.g. `pii.email`
    entity     type word of the pseudonym that replaces a finding, e.g. `EMAIL`
    validator  called with each matched text (see `Validator`); must be fast and pure; raising counts as guard failure
    context    words which, within `context_chars` before the match (whole words, any case), add 0.35 to the score,
               to at least 0.4; findings below `min_score` after that are dropped
    reversible the finding may be replaced by a pseudonym that is restored for the caller; secrets are not
    max_len    longest match in characters; a stream never holds back more than this for this detector
    hit, miss  examples that run at load: each `hit` must be found, no `miss` may be
    default    the action where no policy rule matches
    phases     whether it concerns requests, answers or both
    concerns   asked for each match whether it is a finding in this flow (see `Concern`); fast, pure; raising counts as
               guard failure
    """

    name: str
    code: str
    entity: str
    patterns: tuple[Pattern, ...]
    validator: Validator | None = None
    context: tuple[str, ...] = ()
    context_chars: int = 64
    min_score: float = 0.4
    reversible: bool = True
    max_len: int = DEFAULT_MAX_LEN
    default: Action = Action.REDACT
    priority: int = 0
    hit: tuple[str, ...] = ()
    miss: tuple[str, ...] = ()
    phases: frozenset[Phase] = frozenset(Phase)
    concerns: Concern | None = None


class Span(NamedTuple):  # made for each hit of each text: a named tuple takes a third of a frozen dataclass's time
    """One place a detector found something: characters `start` to `end` of the text that was scanned."""

    start: int
    end: int
    detector: Detector
    score: float


class Found(NamedTuple):
    """One place a callable detector found something: characters `start` to `end`, one of its codes, a score 0 to 1."""

    start: int
    end: int
    code: str
    score: float


class Scanner(Protocol):
    """What a callable detector's factory makes."""

    def scan(self, texts: Sequence[str]) -> Sequence[Sequence[Found]]:
        """What stands in each of `texts`, in their order. Pure: the result is cached. Raising is a guard failure."""


class Streaming(Enum):
    """What a callable detector asks of a streamed answer."""

    HOLD_ALL = "hold_all"  # the stream is kept until its end, checked whole, then released
    DETECT_ONLY = "detect_only"  # the stream passes; what is found is recorded when it has ended


@dataclass(frozen=True, slots=True)
class CallableDetector:
    """A detector that is code: a model, a parser, statistics. Slower than patterns; results are cached per text.

    make       `package.module:factory`; called with `options` as keyword arguments it gives a `Scanner`
    finds      what it may find, one entry per code: `Detector`s without patterns, whose other fields apply
    roles      the roles of the texts it reads; None: all
    phases     whether it reads requests, answers or both
    isolation  `worker`: in a process that is killed at the deadline. `inline`: on the event loop, for pure functions
               of tens of microseconds
    deadline_s longest time for the texts of one phase; later is a guard failure
    asked_for  it runs only under a policy with a rule that names one of its codes
    """

    name: str
    make: str
    finds: tuple[Detector, ...]
    options: Mapping[str, object] = field(default_factory=dict)
    roles: frozenset[Role] | None = None
    phases: frozenset[Phase] = frozenset(Phase)
    streaming: Streaming = Streaming.HOLD_ALL
    isolation: Literal["inline", "worker"] = "worker"
    deadline_s: float = 2.0
    asked_for: bool = False
