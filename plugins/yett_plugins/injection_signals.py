"""Which phrases of `injection_phrases` stand in a text, and where.

One RE2 pass over all of them tells which can be found; only those are searched for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import re2

from yett.detector import Found
from yett.errors import ConfigError, Unavailable
from yett.wire.squash import Squashed
from yett_plugins.injection_phrases import Phrase, markers, phrases

_MEMORY_BYTES = 16 << 20
_MOST_OF_A_PHRASE = 20  # more of the same in one text say nothing new
_CONTINUATION = bytes(range(0x80, 0xC0))  # the bytes of UTF-8 that begin no character

Place = Callable[[int, int], tuple[int, int]]


class Signals:
    """The deterministic signals, compiled. Immutable; `languages`: besides English."""

    __slots__ = ("_marked", "_worded")

    def __init__(self, languages: Sequence[str], codes: Iterable[str]) -> None:
        """Compile the phrases of `codes`. Raises ConfigError if they are too large for RE2."""
        wanted = frozenset(codes)
        self._worded = _Group([one for one in phrases(tuple(languages)) if one.code in wanted])
        self._marked = _Group([one for one in markers() if one.code in wanted])

    def find(self, text: str, squashed: Squashed) -> list[Found]:
        """All signals in `text`, whose squashed form is `squashed`, in positions of `text`."""
        return [*self._worded.find(squashed.text, squashed.span), *self._marked.find(text, _as_is)]

    def find_worded(self, squashed: str) -> list[Found]:
        """The signals that are words, in an already squashed text and its own positions."""
        return self._worded.find(squashed, _as_is)


class _Group:
    """Phrases that are matched on the same form of a text. RE2 works on bytes: its tables stay small that way."""

    __slots__ = ("_options", "_phrases", "_union")

    def __init__(self, wanted: Sequence[Phrase]) -> None:
        self._options = re2.Options()
        self._options.max_mem = _MEMORY_BYTES
        self._options.log_errors = False
        self._options.encoding = re2.Options.Encoding.LATIN1
        self._phrases = tuple(wanted)
        self._union = re2.Set.SearchSet(self._options)
        self._union.Add(b"")  # tells "nothing matches" from "out of memory"
        for one in wanted:
            self._union.Add(one.pattern.encode())
        try:
            self._union.Compile()
        except re2.error:
            raise ConfigError(f"the {len(wanted)} injection phrases together are too large for one RE2 set") from None

    def find(self, text: str, place: Place) -> list[Found]:
        """Each match of each phrase, where `place` says that it stands. Raises Unavailable where RE2 gives up."""
        data = text.encode("utf-8", "surrogatepass")
        numbers = self._union.Match(data)
        if not numbers:
            raise Unavailable("the injection phrases could not be matched", code="guard_failed")
        if len(numbers) == 1:
            return []
        return [found for number in sorted(numbers) if number for found in self._each(number - 1, data, place)]

    def _each(self, number: int, data: bytes, place: Place) -> Iterator[Found]:
        phrase = self._phrases[number]
        matches = re2.compile(phrase.pattern.encode(), self._options).finditer(data)  # re2 keeps what it compiled
        for match in islice(matches, _MOST_OF_A_PHRASE):
            start = _characters(data[: match.start()])
            yield Found(*place(start, start + _characters(match.group())), phrase.code, phrase.score)


def _characters(data: bytes) -> int:
    return len(data.translate(None, _CONTINUATION))


def _as_is(start: int, end: int) -> tuple[int, int]:
    return start, end
