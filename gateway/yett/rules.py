"""Detectors compiled for scanning: one RE2 set that says which rules can match, and exact matching of each rule.

What a rule matches is defined once, for whole texts and streams alike. An attempt that starts at `p` sees the text up
to `p + max_len` and no further; attempts are made from left to right, the next one after the end of the last match. A
rule whose pattern cannot read that far by itself (most cannot) is simply searched for. Character classes and
word boundaries are ASCII, `^` and `$` are line anchors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import re2
import regex

from yett.detector import Detector, Pattern
from yett.errors import ConfigError, Unavailable
from yett.evidence import Evidence
from yett.hits import Hit
from yett.regexeffort import ways_of
from yett.regexshape import (
    NotLocal,
    Search,
    Shape,
    character_class,
    compiles,
    parsed,
    plain_pattern,
    re2_options,
    searcher,
    shape_of,
)

# A lone surrogate, which no text here can contain: `(?:R)X` never matches, so a partial match of it is exactly a place
# from which R's reading has reached the end of the text.
NEVER = "\ud800"

# What the automata are built from at the start: prose, names, numbers in their usual forms, code.
_SAMPLE = """The quick brown Fox, aged 42, jumps over "the" lazy dog; it's 10:30 on 2024-03-01 (or 5/6/1999)!
Dear Ms O'Neil, call +44 20 7946 0958, (212) 555-0175 or 030/901820; write to first.last+x@mail.example.com.
Card 4111 1111 1111 1111, account DE89 3704 0044 0532 0130 00, number 536-90-4399, host 81.2.69.142, see
https://example.com/a?b=c#d. def f(x: int) -> str: return x['key'] + "_" * 3  # SOME_NAME = 0x1F4b
| a | b |
- **bold** `code` {"k": [1.5, null]}
"""
_SAMPLE_TAIL = 48
_SURROGATE = re.compile("[\ud800-\udfff]")
_FLAGS = regex.ASCII | regex.MULTILINE | regex.VERSION0
# Processor time that one search may take per 1,024 characters. Sound patterns need a hundredth of it, quadratic ones on
# an unbroken run of max_len characters a fifth; what takes longer is running away.
_SEARCH_S = 0.02
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_MANY = 4  # candidates from which on it pays to look for the digits first
_SHORT_REACH = 640
_LONG_REACH = 4500
_FEW_WAYS = 4096  # to match at one place: a tenth of a millisecond, most of them fail at once


def timeout_s(characters: int) -> float:
    """How long a search over so many characters may take."""
    return _SEARCH_S * (1 + characters / 1024)


def too_slow() -> Unavailable:
    """The error for a pattern that ran out of time: the text was not vouched for, so nothing passes."""
    return Unavailable("a detector ran out of time", code="guard_failed")


class Rule:
    """One pattern of one detector, compiled. `order` is its place in the configuration.

    Rules of one detector may share its `evidence`, so that what one has validated the others know.
    """

    __slots__ = (
        "_alone",
        "_breaker",
        "_covering",
        "_evidence",
        "_exact",
        "_fresh_run",
        "_group",
        "_match",
        "_needed",
        "detector",
        "holds_words",
        "max_len",
        "order",
        "pattern",
        "reach",
        "shape",
        "windowed",
    )

    def __init__(self, detector: Detector, pattern: Pattern, order: int, evidence: Evidence | None = None) -> None:
        where = f"detector {detector.name}, pattern {pattern.name}"
        try:
            shape = shape_of(pattern.regex, ignore_case=pattern.ignore_case, group=pattern.group)
            self._exact = regex.compile(f"(?{shape.flags}:{shape.body})", _FLAGS)
            self._alone = regex.compile(waiting(shape) + NEVER, _FLAGS)
        except (NotLocal, regex.error) as error:
            raise ConfigError(f"{where}: {error}") from None
        if max(shape.ahead, shape.behind) > detector.max_len:
            raise ConfigError(f"{where}: a look-around in it is wider than max_len")
        self.detector, self.pattern, self.order, self.shape = detector, pattern, order, shape
        self.max_len = detector.max_len
        self._group = pattern.group
        self.windowed = shape.high is None or shape.high > detector.max_len
        self.reach = detector.max_len if self.windowed or shape.reach is None else shape.reach
        self._fresh_run = _run_of(shape, detector.max_len) if self.windowed else None
        self._breaker = _breaker_of(shape) if self.windowed else ""
        # The rarest of them: punctuation is rarer than digits and letters in any text.
        self._needed = min(shape.needed, key=lambda c: (c.isalnum(), c in " .,-", c), default="")
        self.holds_words = self._alone.match("word", partial=True) is not None
        self._evidence = evidence or Evidence(detector)
        self._covering = searcher(shape.superset)
        self._match = self._matcher()

    def matches(
        self, text: str, data: bytes, base: int, low: int, high: int, *, final: bool
    ) -> Iterable[re.Match[str]]:
        """Matches that start in [low, high). `data` is `text` from `base` on, as `flat` gives it.

        Unless `final`, the text may go on; then attempts below `high` must not be able to read beyond its end.
        """
        end = len(text)
        if self.windowed and end - low > self.max_len and self._overlong(text, low, min(end, high + self.max_len)):
            return self._windows(text, low, high, end, final=final)
        return self._searched(text, data, base, low, high)

    def _searched(self, text: str, data: bytes, base: int, low: int, high: int) -> list[re.Match[str]]:
        """`matches` where no attempt reads further than it may.

        RE2 finds where to look, which is many times faster than letting the exact pattern look everywhere, and mostly
        that matches just there.
        """
        found: list[re.Match[str]] = []
        end, size, missed = len(text), min(len(data), high + self.reach - base), False
        while low < high:
            start, stop = self._covering(data, low - base, size)[0]
            if start < 0 or start + base >= high:
                break
            start, stop = start + base, stop + base
            until = min(end, stop + self.reach)
            if not missed:
                exact = self._match(text, start, until)
            else:  # the second place in a row that may be in vain: do not ask RE2 at each character of a long one
                exact = self._exact.search(text, start, until, timeout=timeout_s(until - start))
            if exact is None or exact.start() >= stop:
                low, missed = stop if missed else start + 1, not missed
                continue
            if exact.start() >= high:
                break
            found.append(exact)
            low, missed = exact.end(), False
        return found

    def _matcher(self) -> Callable[[str, int, int], re.Match[str] | None]:
        """The exact pattern at one place.

        Where no text can make that slow, it needs no clock, which costs a system call, and may run in the standard
        library's engine, which has none and starts three times as fast.
        """
        body, flags = self.shape.body, self.shape.flags
        if ways_of(parsed(body, flags), self.max_len) <= _FEW_WAYS and (plain := plain_pattern(body, flags)):
            return plain.match
        limit = timeout_s(self.reach)
        return lambda text, start, until: self._exact.match(text, start, until, timeout=limit)

    def hit(self, text: str, found: re.Match[str], shift: int) -> Hit | None:
        """Judge a match: validator, context words, least score. `shift` is added to its positions."""
        start, end = found.span(self._group)
        if start >= end:
            return None
        score = self._evidence.score(self.pattern.score, text, start, end, found.start())
        return None if score is None else Hit(start + shift, end + shift, score, self)

    def hits(self, rules: RuleSet, text: str, found: re.Match[str], shift: int, depth: int) -> Sequence[Hit]:
        """What a match of this rule, one of `rules`, comes to. `depth`: in so many encodings `text` was found."""
        del rules, depth
        hit = self.hit(text, found, shift)
        return () if hit is None else (hit,)

    def covers(self, data: bytes) -> bool:
        """Whether the rule may match somewhere in `data`."""
        return self._covering(data, 0, len(data))[0][0] >= 0

    def _overlong(self, text: str, low: int, high: int) -> bool:
        """Whether an attempt in this stretch might read more than max_len characters."""
        if self._breaker:
            at = low
            while 0 <= at < high - self.max_len + 1:
                at = text.rfind(self._breaker, at + 1, at + self.max_len - 1)
            if at >= 0:
                return False
        return self._fresh_run is None or self._fresh_run.search(text[low:high]) is not None

    def _windows(self, text: str, at: int, high: int, end: int, *, final: bool) -> Iterator[re.Match[str]]:
        """`matches`, by the definition: each attempt sees max_len characters."""
        while at < high:
            if self._needed:
                place = text.find(self._needed, at, end)
                if place < 0:
                    return
                at = max(at, place + 1 - self.max_len)
            stop = min(end, at + self.max_len)
            if final and stop == end:
                found, after = self._exact.search(text, at, end, timeout=timeout_s(end - at)), end
            else:
                found, after = self._window(text, at, stop)
            if found is not None and found.start() < high:
                yield found
                after = found.end()
            elif after == at:  # undecided: the text so far ends here
                return
            at = after

    def _window(self, text: str, at: int, stop: int) -> tuple[re.Match[str] | None, int]:
        """The first match of an attempt from `at` on that [at, stop) decides; the first attempt that it does not."""
        limit = timeout_s(stop - at)
        viable = self._alone.search(text, at, stop, partial=True, timeout=limit)
        undecided = stop if viable is None else viable.start()
        if undecided == at:
            if stop < at + self.max_len:
                return None, at
            return self._exact.match(text, at, stop, timeout=limit), at + 1
        found = self._exact.search(text, at, stop, timeout=limit)
        return (found if found is not None and found.start() < undecided else None), undecided


def _run_of(shape: Shape, max_len: int) -> re.Pattern[str] | None:
    if not shape.alphabet:
        return None
    inside = character_class(shape.alphabet)
    return re.compile(rf"(?<![{inside}])[{inside}]{{{max_len - 1}}}", re.ASCII | re.IGNORECASE)


def _breaker_of(shape: Shape) -> str:
    """A common character that no attempt can step over: where it stands often enough, no attempt is overlong."""
    if not shape.alphabet:
        return ""
    outside = [c for c in " \n,;" if not any(low <= ord(c) <= high for low, high in shape.alphabet)]
    return outside[0] if outside else ""


class RuleSet:
    """All rules together: the prefilter over whole texts and the fused search for what a stream must hold back."""

    __slots__ = ("_holds", "_set", "behind", "reach", "rules")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self.reach = max((rule.reach for rule in rules), default=1)
        self.behind = max((max(rule.shape.behind, rule.detector.context_chars) for rule in rules), default=0)
        self._set = _prefilter(self.rules)
        self._holds = _holds(self.rules)

    def candidates(self, data: bytes) -> list[Rule]:
        """The rules that may match somewhere in `data` (see `flat`): all that do, and now and then one more."""
        found = self._set.Match(data)
        # The first entry of the set matches every text. Its absence means that RE2 gave up (out of memory), which
        # its Python interface would report as "nothing matched".
        if not found or 0 not in found:
            raise Unavailable("the pattern prefilter failed", code="guard_failed")
        if len(found) == 1:
            return []
        return [self.rules[index - 1] for index in sorted(found) if index]

    def warm_up(self) -> None:
        """Let RE2 build its automata for common text, which it else does while somebody waits. No match is judged."""
        data = flat(_SAMPLE)
        self.candidates(data)
        for rule in self.rules:
            rule.covers(data)
        for end in range(0, len(_SAMPLE), 3):
            self.undecided(_SAMPLE[:end], max(0, end - _SAMPLE_TAIL))
            self.candidates(data[max(0, end - _SAMPLE_TAIL) : end])

    def find(
        self,
        text: str,
        low: int,
        high: int,
        resume: dict[int, int],
        *,
        shift: int = 0,
        final: bool = True,
        without: Detector | None = None,
        depth: int = 0,
    ) -> list[Hit]:
        """Hits of all rules (`without` those of one detector) whose match starts in [low, high).

        `resume` keeps, per rule, the absolute end of its last match, where the next attempt starts. `shift` makes
        positions absolute. `final` as for `Rule.matches`, `depth` as for `Rule.hits`.
        """
        base = max(0, low - 1)  # one character more, for word boundaries
        data = flat(text[base : high + self.reach])
        hits: list[Hit] = []
        try:
            candidates = self.candidates(data)
            first, last = _digits(data, base) if len(candidates) >= _MANY else (low, high)
            for rule in candidates:
                if rule.detector is without:
                    continue
                start, stop = max(low, resume.get(rule.order, 0) - shift), high
                if rule.shape.digit:
                    start, stop = max(start, first - rule.reach), min(stop, last)
                for found in rule.matches(text, data, base, start, stop, final=final):
                    resume[rule.order] = found.end() + shift
                    hits += rule.hits(self, text, found, shift, depth)
        except TimeoutError:
            raise too_slow() from None
        return hits

    def undecided(self, text: str, low: int) -> int:
        """The first place at or after `low` from which more text could still make or change a match."""
        first = end = len(text)
        base = max(0, low - 1)
        data = flat(text[base:])
        for hold in self._holds:
            start = max(low, end - hold.reach + 1)
            opened = hold.opening(data, start - base, len(data))[0][0]
            if opened < 0 or (at := opened + base) >= first:
                continue
            try:
                found = hold.fused.search(text, at, partial=True, timeout=timeout_s(end - at))
            except TimeoutError:
                raise too_slow() from None
            if found is not None:
                first = min(first, found.start())
            if first == low:
                break
        return first


class _Hold(NamedTuple):
    """The hold-back search for rules of similar reach: RE2 says from where on, `fused` says exactly where."""

    reach: int
    opening: Search
    fused: regex.Pattern[str]


def _digits(data: bytes, base: int) -> tuple[int, int]:
    """Where the first digit in `data` stands, and where the last one ends."""
    marked = data.translate(_DIGITS)
    return marked.find(b"0") + base, marked.rfind(b"0") + 1 + base


def flat(text: str) -> bytes:
    """`text` for the RE2 patterns: one byte per character, all beyond ASCII the same. See `yett.regexshape`."""
    if not text.isascii() and _SURROGATE.search(text):
        raise Unavailable("a text holds a lone surrogate", code="guard_failed")
    return text.encode("ascii", "replace")


def waiting(shape: Shape) -> str:
    """The pattern for partial matching, with its own flags and nobody else's, to stand inside a larger one."""
    return f"(?{shape.flags}:{shape.waiting})"


def _prefilter(rules: Sequence[Rule]) -> re2.Set:
    union = re2.Set.SearchSet(re2_options())
    union.Add(b"")
    for rule in rules:
        union.Add(rule.shape.superset.encode())
    try:
        union.Compile()
    except re2.error:
        raise ConfigError(f"the {len(rules)} patterns together are too large for one RE2 set") from None
    return union


def _holds(rules: Sequence[Rule]) -> tuple[_Hold, ...]:
    """Rules of long reach apart, so that large chunks stay cheap."""
    groups = [
        [rule for rule in rules if low < rule.reach <= high]
        for low, high in ((_LONG_REACH, 1 << 30), (_SHORT_REACH, _LONG_REACH), (0, _SHORT_REACH))
    ]
    return tuple(_hold(group) for group in groups if group)


def _hold(rules: Sequence[Rule]) -> _Hold:
    # Rules that any word may begin are tried first: they hold most of what is held. One \b in front of all others
    # that begin with it settles most other positions (the insides of words) at once.
    rest = [rule for rule in rules if not rule.holds_words]
    words = [waiting(rule.shape) for rule in rest if rule.shape.boundary]
    others = [waiting(rule.shape) for rule in rules if rule.holds_words]
    if words:
        others.append(rf"\b(?:{'|'.join(words)})")
    others += [waiting(rule.shape) for rule in rest if not rule.shape.boundary]
    together = rf"(?:{'|'.join(rule.shape.opening for rule in rules)})\z"
    return _Hold(
        max(rule.reach for rule in rules),
        # All of them together may be too large; the empty pattern then leaves the whole work to `fused`.
        searcher(together if compiles(together) else ""),
        regex.compile(f"(?:{'|'.join(others)}){NEVER}", _FLAGS),
    )
