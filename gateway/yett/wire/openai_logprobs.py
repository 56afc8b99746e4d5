"""Log probabilities repeat the answer token by token: they leave only where they say what the answer says.

Entries over an edited span go, entries whose text still waits wait too, and where the tokens do not add up to the
text, or an entry has members that nobody knows, there are none at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from yett.flow import Leaf, Role
from yett.wire.exchange import JsonObject
from yett.wire.guard import Released

_ENTRY = frozenset({"token", "logprob", "bytes", "top_logprobs"})
_ALTERNATIVE = frozenset({"token", "logprob", "bytes"})
_ALTERNATIVE_MAX_BYTES = 128  # longer than any token: it would be a text that nobody scanned
_SHORT_CHARS = 5  # no address, number or key is shorter
_WORD_CHARS = 16  # nor is one of so few letters and nothing else
_ESCAPED_BYTE = re.compile(r"\\x([0-9a-fA-F]{2})")


def entry_bytes(entry: object) -> bytes | None:
    """The bytes of the answer that an entry stands for; None if it is not of the known form throughout."""
    if not isinstance(entry, dict) or not entry.keys() <= _ENTRY:
        return None
    alternatives = entry.get("top_logprobs") or []
    if not isinstance(alternatives, list):
        return None
    for one in alternatives:
        raw = _token_bytes(one) if isinstance(one, dict) and one.keys() <= _ALTERNATIVE else None
        if raw is None or len(raw) > _ALTERNATIVE_MAX_BYTES:
            return None
    return _token_bytes(entry)


def fit(entries: object, text: str) -> bool:
    """Whether `entries` are sound and their tokens are exactly `text`."""
    if not isinstance(entries, list):
        return False
    pieces = [entry_bytes(entry) for entry in entries]
    return None not in pieces and b"".join(p for p in pieces if p is not None) == text.encode("utf-8", "surrogatepass")


def alternatives(entries: object, at: str) -> list[Leaf]:
    """The alternative tokens that could be a text of their own, as leaves; `at` is the pointer of `entries`.

    All other tokens repeat the answer, which is scanned.
    """
    leaves: list[Leaf] = []
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        others = entry.get("top_logprobs") if isinstance(entry, dict) else None
        for rank, other in enumerate(others if isinstance(others, list) else ()):
            token = other.get("token") if isinstance(other, dict) else None
            if isinstance(token, str) and needs_a_look(token):
                leaves.append(Leaf(f"{at}/{index}/top_logprobs/{rank}/token", token, Role.ASSISTANT))
    return leaves


def needs_a_look(token: str) -> bool:
    """Whether a token alone could be a text that a detector knows."""
    return len(token) > _SHORT_CHARS and not (len(token) <= _WORD_CHARS and token.strip().isalpha())


def whole(logprobs: object, texts: JsonObject) -> JsonObject | None:
    """The logprobs of a whole answer whose `content` and `refusal` are in `texts`: what fits, or None."""
    if not isinstance(logprobs, dict):
        return None
    kept: JsonObject = {}
    for name in ("content", "refusal"):
        entries, text = logprobs.get(name), texts.get(name)
        kept[name] = entries if entries and isinstance(text, str) and fit(entries, text) else None
    return kept if any(kept.values()) else None


def _token_bytes(entry: JsonObject) -> bytes | None:
    token, raw, logprob = entry.get("token"), entry.get("bytes"), entry.get("logprob")
    if not isinstance(token, str) or not isinstance(logprob, (int, float, type(None))):
        return None
    written = token.encode("utf-8", "surrogatepass")
    if raw is None:
        return written
    if not isinstance(raw, list) or not all(b.__class__ is int and 0 <= b < 256 for b in raw):
        return None
    real = bytes(raw)
    return real if written == real or _escaped(token) == real or real.decode("utf-8", "replace") == token else None


def _escaped(token: str) -> bytes:
    r"""The bytes of a token written as `bytes:\xe2\x80`, the form of one that is no whole character."""
    text = token.removeprefix("bytes:").encode("utf-8", "surrogatepass").decode("latin-1")
    return _ESCAPED_BYTE.sub(lambda m: chr(int(m.group(1), 16)), text).encode("latin-1")


@dataclass(slots=True)
class HeldLogprobs:
    """The entries of one streamed text. Positions are in characters of what the provider sent."""

    _waiting: list[tuple[int, int, Any]] = field(default_factory=list)
    _edits: list[tuple[int, int]] = field(default_factory=list)

    def add(self, entries: object, text: str, start: int, carried: Sequence[Any] | None = None) -> None:
        """Take the entries that came with `text`, which begins at `start`; unless they fit, none of them.

        `carried` is what `release` gives for each entry, where that is not the entry itself.
        """
        if not fit(entries, text) or not isinstance(entries, list):
            return
        characters = 0
        for entry, given in zip(entries, carried if carried is not None else entries, strict=True):
            raw = entry_bytes(entry) or b""
            first = start + characters - (1 if raw and not _begins_character(raw[0]) else 0)
            characters += sum(map(_begins_character, raw))
            self._waiting.append((first, start + characters, given))

    def release(self, released: Released) -> list[Any]:
        """The entries that may leave with `released`."""
        self._edits += released.edits
        count = 0
        while count < len(self._waiting) and self._waiting[count][1] <= released.end:
            count += 1
        ready, self._waiting = self._waiting[:count], self._waiting[count:]
        kept = [entry for start, end, entry in ready if not _touched(start, end, self._edits)]
        floor = self._waiting[0][0] if self._waiting else released.end
        self._edits = [edit for edit in self._edits if edit[1] > floor]
        return kept


def _begins_character(byte: int) -> bool:
    return byte & 0xC0 != 0x80


def _touched(start: int, end: int, edits: Sequence[tuple[int, int]]) -> bool:
    """An empty token inside an edited span goes too: its alternatives could tell."""
    return any(start < high and low < max(end, start + 1) for low, high in edits)
