"""The scan engine: texts in, spans out, for all declarative detectors at once.

A text is folded into its scan view, one RE2 pass says which rules can match at all, and only those run. Results are
cached, because agents send their whole history again at every turn.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

from yett.detector import Detector, Pattern, Span
from yett.errors import ConfigError, HttpError
from yett.evidence import Evidence
from yett.hits import Hit, place, settle
from yett.holdback import HoldBack
from yett.rules import Rule, RuleSet, flat
from yett.vault import TAG_MAX_LEN, TAG_PATTERN
from yett.wire.unicode import ScanView

_SLICE = 16 * 1024
_SEPARATOR = "\x00\n\x00"
_MAX_LEN = 16 * 1024
_KEY_MAX = 2048  # longer texts are cached under their digest
_CACHE_CHARACTERS = 8 << 20


# Pseudonyms are found like everything else, so that a stream holds back half of one; they are no findings.
TAG = Detector(
    name="yett.tag",
    code="yett.tag",
    entity="TAG",
    patterns=(Pattern("tag", TAG_PATTERN, 1.0),),
    max_len=TAG_MAX_LEN,
    priority=-(1 << 30),
)


class ScanEngine:
    """All declarative detectors, compiled. Immutable but for its cache; one per policy revision or longer.

    Raises ConfigError, naming detector and pattern, for a pattern that cannot be matched exactly on a stream and for a
    detector that contradicts its own examples. `digest` names the rules: engines with equal digests find the same.
    """

    def __init__(self, detectors: Sequence[Detector], *, cache_entries: int = 20_000) -> None:
        for name, count in Counter(d.name for d in detectors).items():
            if count > 1:
                raise ConfigError(f"{count} detectors are named {name}")
        self.names = tuple(d.name for d in detectors)
        self.rules = RuleSet(_compile((*detectors, TAG)))
        self.digest = _digest(detectors)
        self._cache = _Recent(cache_entries)
        for detector in detectors:
            self._check_examples(detector)
        self.rules.warm_up()

    def scan(self, text: str) -> tuple[Span, ...]:
        """What the detectors find in `text`, by position. Raises Unavailable if a detector fails."""
        key = _key(text)
        found = self._cache.get(key)
        if found is None:
            found = self._cache.put(key, self._search(text))
        return found

    def scan_all(self, texts: Sequence[str]) -> list[tuple[Span, ...]]:
        """`scan` of each text, with one prefilter pass over all that are not in the cache."""
        keys = [_key(text) for text in texts]
        results = [self._cache.get(key) for key in keys]
        new = [i for i, found in enumerate(results) if found is None]
        if len(new) > 1 and self._all_clean([texts[i] for i in new]):
            for i in new:
                results[i] = self._cache.put(keys[i], ())
        else:
            for i in new:
                results[i] = self.scan(texts[i])
        return [found or () for found in results]

    async def scan_async(self, text: str) -> tuple[Span, ...]:
        """`scan`, letting the event loop run between slices of a long text."""
        key = _key(text)
        found = self._cache.get(key)
        if found is None:
            work = _Work(self.rules, text)
            for _ in work.steps():
                await asyncio.sleep(0)
            found = self._cache.put(key, work.spans())
        return found

    def _search(self, text: str) -> tuple[Span, ...]:
        work = _Work(self.rules, text)
        for _ in work.steps():
            pass
        return work.spans()

    def _all_clean(self, texts: Sequence[str]) -> bool:
        if sum(map(len, texts)) > _SLICE:
            return False
        joined = _SEPARATOR.join(ScanView().add(text) for text in texts)
        return all(rule.detector is TAG for rule in self.rules.candidates(flat(joined)))

    def _check_examples(self, detector: Detector) -> None:
        """Run a detector's own examples, whole and character by character."""
        for kind, examples in (("hit", detector.hit), ("miss", detector.miss)):
            for number, text in enumerate(examples):
                try:
                    whole, streamed = self._search(text), self._stream(text)
                except HttpError as error:
                    raise ConfigError(f"detector {detector.name}, {kind} example {number + 1}: {error}") from None
                if whole != streamed:
                    raise ConfigError(
                        f"detector {detector.name}, {kind} example {number + 1}: found differently on a stream"
                    )
                if any(span.detector is detector for span in whole) is not (kind == "hit"):
                    verb = "not found" if kind == "hit" else "found"
                    raise ConfigError(f"detector {detector.name}, {kind} example {number + 1} is {verb}")

    def _stream(self, text: str) -> tuple[Span, ...]:
        hold, view = HoldBack(self.rules), ScanView()
        hits = [hit for character in text for hit in hold.feed(view.add(character))] + hold.feed("", final=True)
        return settle([place(hit, view) for hit in hits if hit.rule.detector is not TAG])


class _Work:
    """One whole text on its way through the rules, slice by slice."""

    def __init__(self, rules: RuleSet, text: str) -> None:
        self._rules = rules
        self._view = ScanView()
        self._text = self._view.add(text)
        self._hits: list[Hit] = []

    def steps(self) -> Iterator[None]:
        """Search slice after slice; yields between two of them."""
        resume: dict[int, int] = {}
        text, rules = self._text, self._rules
        for low in range(0, len(text), _SLICE):
            if low:
                yield
            high = min(len(text), low + _SLICE)
            self._hits += rules.find(text, low, high, resume, without=TAG)

    def spans(self) -> tuple[Span, ...]:
        """What was found, in positions of the original text."""
        if not self._hits:
            return ()
        return settle(self._hits if self._view.plain else [place(hit, self._view) for hit in self._hits])


class _Recent:
    """The newest results, in two generations: what was not asked for while one filled up is forgotten."""

    def __init__(self, entries: int) -> None:
        self._half = max(1, entries // 2)
        self._new: dict[str | bytes, tuple[Span, ...]] = {}
        self._old: dict[str | bytes, tuple[Span, ...]] = {}
        self._characters = 0

    def get(self, key: str | bytes) -> tuple[Span, ...] | None:
        """The result kept for `key`, if any."""
        found = self._new.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: str | bytes, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        """Keep `spans`, and return them."""
        if len(self._new) >= self._half or self._characters > _CACHE_CHARACTERS:
            self._old, self._new, self._characters = self._new, {}, 0
        self._new[key] = spans
        self._characters += len(key)
        return spans


def _key(text: str) -> str | bytes:
    if len(text) <= _KEY_MAX:
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _compile(detectors: Sequence[Detector]) -> list[Rule]:
    rules: list[Rule] = []
    for detector in detectors:
        if not 1 <= detector.max_len <= _MAX_LEN:
            raise ConfigError(f"detector {detector.name}: max_len is not between 1 and {_MAX_LEN}")
        evidence = Evidence(detector)
        rules += [Rule(detector, pattern, len(rules) + i, evidence) for i, pattern in enumerate(detector.patterns)]
    return rules


def _digest(detectors: Sequence[Detector]) -> str:
    """A hash of everything that decides what is found (validators by name)."""
    hashed = hashlib.sha256()
    for d in detectors:
        validator = d.validator and f"{d.validator.__module__}.{getattr(d.validator, '__qualname__', '')}"
        facts = (d.name, d.code, d.entity, d.patterns, validator, d.context, d.context_chars, d.min_score)
        hashed.update(repr((*facts, d.reversible, d.max_len, int(d.default), d.priority)).encode())
    return hashed.hexdigest()
