"""The scan engine: texts in, spans out, for all declarative detectors at once.

A text is folded into its scan view, one RE2 pass says which rules can match at all, and only those run. Results are
cached, because agents send their whole history again at every turn.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

from yett.detector import Detector, Span
from yett.encoded import ENCODED, EncodedRule
from yett.errors import ConfigError, HttpError
from yett.evidence import Evidence
from yett.hits import Hit, settle, whole_escapes
from yett.lanes import Lanes
from yett.obfuscation import BIDI, HIDDEN_TEXT, OVERSIZE, HiddenText, Signs, signs_of
from yett.reading import TAG, is_json, placed, views
from yett.recent import Recent, text_key
from yett.rules import Rule, RuleSet, flat
from yett.wire.sequences import has_sequences
from yett.wire.unicode import ScanView

_SLICE = 16 * 1024
_SEPARATOR = "\x00\n\x00"
_MAX_LEN = 16 * 1024


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
        signs = signs_of(detectors)
        rules = _compile((*detectors, TAG))
        for number, pattern in enumerate(ENCODED.patterns, len(rules)):
            rules.append(EncodedRule(pattern, number, signs.get(OVERSIZE.code)))
        self.rules = RuleSet(rules)
        self.signs = Signs(self.rules, signs.get(HIDDEN_TEXT.code), signs.get(BIDI.code))
        self.digest = _digest(detectors)
        self._cache = Recent[tuple[Span, ...]](cache_entries)
        for detector in detectors:
            self._check_examples(detector)
        self.rules.warm_up()

    def scan(self, text: str) -> tuple[Span, ...]:
        """What the detectors find in `text`, by position. Raises Unavailable if a detector fails."""
        key = text_key(text)
        found = self._cache.get(key)
        if found is None:
            found = self._cache.put(key, self._search(text))
        return found

    def scan_all(self, texts: Sequence[str]) -> list[tuple[Span, ...]]:
        """`scan` of each text, with one prefilter pass over all that are not in the cache."""
        keys = [text_key(text) for text in texts]
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
        key = text_key(text)
        found = self._cache.get(key)
        if found is None:
            work = _Work(self.rules, self.signs, text)
            for _ in work.steps():
                await asyncio.sleep(0)
            found = self._cache.put(key, work.spans())
        return found

    def _search(self, text: str) -> tuple[Span, ...]:
        if len(text) <= _SLICE and text.isascii() and not has_sequences(text):  # most texts: as they stand, at once
            hits = self.rules.find(text, 0, len(text), {}, without=TAG)
            return settle(hits) if hits else ()
        work = _Work(self.rules, self.signs, text)
        for _ in work.steps():
            pass
        return work.spans()

    def _all_clean(self, texts: Sequence[str]) -> bool:
        if sum(map(len, texts)) > _SLICE:
            return False
        if any(not text.isascii() or has_sequences(text) for text in texts):
            return False
        joined = _SEPARATOR.join(texts)
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
        lanes = Lanes(self.rules, self.signs)
        hits = [hit for character in text for hit in lanes.feed(character)] + lanes.feed("", final=True)
        return settle([hit for hit in lanes.close(hits) if hit.rule.detector is not TAG])


class _Work:
    """One whole text on its way through the rules, slice by slice."""

    def __init__(self, rules: RuleSet, signs: Signs, text: str) -> None:
        self._rules = rules
        self._text = text
        self._hidden = HiddenText(signs)
        self._views = views(text)
        self._hits: list[Hit] = []

    def steps(self) -> Iterator[None]:
        """Search slice after slice; yields between two of them."""
        slices = [self._text[low : low + _SLICE] for low in range(0, len(self._text), _SLICE)]
        for number, part in enumerate(slices, 1):
            self._hits += self._hidden.feed(part, final=number == len(slices))
            yield
        for view in self._views:
            shown = []
            for number, part in enumerate(slices, 1):
                shown.append(view.add(part, final=number == len(slices)))
                yield
            yield from self._search(view, "".join(shown))

    def _search(self, view: ScanView, text: str) -> Iterator[None]:
        resume: dict[int, int] = {}
        for low in range(0, len(text), _SLICE):
            hits = self._rules.find(text, low, min(len(text), low + _SLICE), resume, without=TAG)
            self._hits += [placed(hit, view) for hit in hits]
            yield

    def spans(self) -> tuple[Span, ...]:
        """What was found, in positions of the original text."""
        if not self._hits:
            return ()
        if len(self._views) > 1 and is_json(self._text):
            self._hits = whole_escapes(self._hits, self._views[1])
        return settle(self._hits)


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
