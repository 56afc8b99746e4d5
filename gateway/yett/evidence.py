"""What speaks for a match: the validator and the context words of its detector, together its score."""

from __future__ import annotations

import re
from collections.abc import Callable

import re2

from yett.detector import Detector
from yett.errors import Unavailable
from yett.regexshape import Search, searcher
from yett.wire.unicode import ScanView

CONTEXT_BOOST = 0.35
CONTEXT_FLOOR = 0.4

# Validators are pure and several rules find the same text, so answers are kept; long texts are rare and not worth it.
_KNOWN_ENTRIES = 1024
_KNOWN_LEN = 128
_UNKNOWN = object()


class Evidence:
    """The judge of one detector's matches, shared by its rules. Immutable but for the answers it remembers."""

    __slots__ = ("_ascii_words", "_context_chars", "_known", "_least", "_name", "_validator", "_words")

    def __init__(self, detector: Detector) -> None:
        self._name = detector.name
        self._validator = detector.validator
        self._context_chars = detector.context_chars
        self._least = detector.min_score
        self._words = _words_of(detector)
        self._ascii_words = _ascii_words_of(detector)
        self._known: dict[str, object] = {}

    def score(self, score: float, text: str, start: int, end: int, at: int) -> float | None:
        """The score of what stands at `start` to `end` in a match that starts at `at`; None: it is not reported.

        `score` is the pattern's. Raises Unavailable if the validator fails.
        """
        if self._validator is not None:
            value = text[start:end]
            certain = self._known.get(value, _UNKNOWN)
            if certain is _UNKNOWN:
                certain = self._validate(self._validator, value)
            if certain is False:
                return None
            if certain:
                return 1.0 if self._least <= 1.0 else None
        if self._words is not None and score < 1.0:
            lifted = min(1.0, max(CONTEXT_FLOOR, score + CONTEXT_BOOST))
            if lifted >= self._least and self._announced(text, at):
                return lifted
        return score if score >= self._least else None

    def _validate(self, validator: Callable[[str], object], value: str) -> object:
        try:
            answer = validator(value)
        except Exception:  # noqa: BLE001  # foreign code; its message may carry the text, so the chain is cut
            raise Unavailable(f"the validator of {self._name} failed", code="guard_failed") from None
        if len(value) <= _KNOWN_LEN:
            if len(self._known) >= _KNOWN_ENTRIES:
                self._known.clear()
            self._known[value] = answer
        return answer

    def _announced(self, text: str, at: int) -> bool:
        """Whether a context word stands before `at`, as a whole word and near enough."""
        low = max(0, at - self._context_chars)
        before = text[low - 1 : at] if low else "\n" + text[:at]  # one more character, for the start of the first word
        if before.isascii():
            data = before.encode()
            return self._ascii_words is not None and self._ascii_words(data, 0, len(data))[0][0] >= 0
        return self._words is not None and self._words.search(text, low, at) is not None


def _words_of(detector: Detector) -> re.Pattern[str] | None:
    if not detector.context:
        return None
    words = "|".join(re.escape(word) for word in sorted(_shown(detector), key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)


def _ascii_words_of(detector: Detector) -> Search | None:
    """The same for text that is all ASCII and begins one character early: RE2 takes a fifth of the time."""
    words = [re2.escape(word) for word in _shown(detector) if word.isascii()]
    return searcher(rf"(?i)\W(?:{'|'.join(words)})(?:\W|\z)") if words else None


def _shown(detector: Detector) -> list[str]:
    """The context words as the scan view shows them, which is where they are looked for."""
    return [ScanView().add(word, final=True) for word in detector.context]
