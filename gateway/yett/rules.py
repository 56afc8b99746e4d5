"""Detectors compiled for scanning: one RE2 set that says which rules can match, and exact matching of each rule.

What a rule matches is defined once, for whole texts and streams alike. An attempt that starts at `p` sees the text up
to `p + max_len` and no further; attempts are made from left to right, the next one after the end of the last match. A
rule whose pattern cannot read that far by itself (most cannot) is simply searched for. Character classes and
word boundaries are ASCII, `^` and `$` are line anchors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import re2
import regex

from yett.detector import Detector, Pattern
from yett.errors import ConfigError, Unavailable
from yett.hits import Hit
from yett.regexshape import NotLocal, Shape, character_class, compiles, re2_options, shape_of

# A lone surrogate, which no text here can contain: `(?:R)X` never matches, so a partial match of it is exactly a place
# from which R's reading has reached the end of the text.
NEVER = "\ud800"

CONTEXT_BOOST = 0.35
CONTEXT_FLOOR = 0.4

_SURROGATE = re.compile("[\ud800-\udfff]")
_FLAGS = regex.ASCII | regex.MULTILINE | regex.VERSION0
# Processor time that one search may take per 1,024 characters. Sound patterns need a hundredth of it, quadratic ones on
# an unbroken run of max_len characters a fifth; what takes longer is running away.
_SEARCH_S = 0.02
_SHORT_REACH = 640


def timeout_s(characters: int) -> float:
    """How long a search over so many characters may take."""
    return _SEARCH_S * (1 + characters / 1024)


def too_slow() -> Unavailable:
    """The error for a pattern that ran out of time: the text was not vouched for, so nothing passes."""
    return Unavailable("a detector ran out of time", code="guard_failed")


class Rule:
    """One pattern of one detector, compiled. `order` is its place in the configuration."""

    __slots__ = (
        "_alone",
        "_breaker",
        "_context",
        "_covering",
        "_exact",
        "_fresh_run",
        "_group",
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

    def __init__(self, detector: Detector, pattern: Pattern, order: int) -> None:
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
        self._context = _context_of(detector)
        self._covering = re2.compile(shape.superset.encode(), re2_options())

    def matches(
        self, text: str, data: bytes, base: int, low: int, high: int, *, final: bool
    ) -> Iterator[regex.Match[str]]:
        """Matches that start in [low, high). `data` is `text` from `base` on, as `flat` gives it.

        Unless `final`, the text may go on; then attempts below `high` must not be able to read beyond its end.
        """
        end = len(text)
        if self.windowed and end - low > self.max_len and self._overlong(text, low, min(end, high + self.max_len)):
            yield from self._windows(text, low, high, end, final=final)
            return
        limit = timeout_s(min(end, high + self.reach) - low)
        while low < high:
            # RE2 finds where to look, which is many times faster than letting the exact pattern look everywhere.
            found = self._covering.search(data, low - base)
            if found is None:
                return
            start, stop = found.span()
            start, stop = start + base, stop + base
            exact = self._exact.search(text, start, min(end, stop + self.reach), timeout=limit)
            if exact is None or exact.start() >= stop:
                low = stop
                continue
            if exact.start() >= high:
                return
            yield exact
            low = exact.end()

    def hit(self, text: str, found: regex.Match[str], shift: int) -> Hit | None:
        """Judge a match: validator, context words, least score. `shift` is added to its positions."""
        start, end = found.span(self._group)
        if start >= end:
            return None
        detector = self.detector
        score, certain = self.pattern.score, None
        if detector.validator is not None:
            certain = _validate(detector, text[start:end])
            if certain is False:
                return None
        if certain:
            score = 1.0
        elif self._context is not None:
            at = found.start()
            if self._context.search(text, max(0, at - detector.context_chars), at):
                score = min(1.0, max(CONTEXT_FLOOR, score + CONTEXT_BOOST))
        return Hit(start + shift, end + shift, score, self) if score >= detector.min_score else None

    def _overlong(self, text: str, low: int, high: int) -> bool:
        """Whether an attempt in this stretch might read more than max_len characters."""
        if self._breaker:
            at = low
            while 0 <= at < high - self.max_len + 1:
                at = text.rfind(self._breaker, at + 1, at + self.max_len - 1)
            if at >= 0:
                return False
        return self._fresh_run is None or self._fresh_run.search(text[low:high]) is not None

    def _windows(self, text: str, at: int, high: int, end: int, *, final: bool) -> Iterator[regex.Match[str]]:
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

    def _window(self, text: str, at: int, stop: int) -> tuple[regex.Match[str] | None, int]:
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


def _validate(detector: Detector, text: str) -> bool | None:
    assert detector.validator is not None  # noqa: S101  # for the type checker: asked by the caller
    try:
        return detector.validator(text)
    except Exception:  # noqa: BLE001  # foreign code; its message may carry the text, so the chain is cut
        raise Unavailable(f"the validator of {detector.name} failed", code="guard_failed") from None


def _context_of(detector: Detector) -> re.Pattern[str] | None:
    if not detector.context:
        return None
    words = "|".join(re.escape(word) for word in sorted(detector.context, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)


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
    ) -> list[Hit]:
        """Hits of all rules (`without` those of one detector) whose match starts in [low, high).

        `resume` keeps, per rule, the absolute end of its last match, where the next attempt starts. `shift` makes
        positions absolute. `final` as for `Rule.matches`.
        """
        base = max(0, low - 1)  # one character more, for word boundaries
        data = flat(text[base : high + self.reach])
        hits = []
        try:
            for rule in self.candidates(data):
                if rule.detector is without:
                    continue
                start = max(low, resume.get(rule.order, 0) - shift)
                for found in rule.matches(text, data, base, start, high, final=final):
                    resume[rule.order] = found.end() + shift
                    hit = rule.hit(text, found, shift)
                    if hit is not None:
                        hits.append(hit)
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
            opened = hold.opening.search(data, start - base)
            if opened is None or (at := opened.start() + base) >= first:
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
    opening: re2._Regexp
    fused: regex.Pattern[str]


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
    long = [rule for rule in rules if rule.reach > _SHORT_REACH]
    short = [rule for rule in rules if rule.reach <= _SHORT_REACH]
    return tuple(_hold(group) for group in (long, short) if group)


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
        re2.compile(together.encode() if compiles(together) else b"", re2_options()),
        regex.compile(f"(?:{'|'.join(others)}){NEVER}", _FLAGS),
    )
