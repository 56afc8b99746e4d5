"""A bounded memory of results by text, for agents that send their whole history again at every turn."""

from __future__ import annotations

import hashlib
from typing import Generic, TypeVar

Value = TypeVar("Value")

KEY_MAX_CHARS = 2048  # longer texts are kept under their digest
MAX_CHARACTERS = 8 << 20


class Recent(Generic[Value]):
    """The newest results, in two generations: what was not asked for while one filled up is forgotten."""

    __slots__ = ("_characters", "_half", "_new", "_old")

    def __init__(self, entries: int) -> None:
        self._half = max(1, entries // 2)
        self._new: dict[str | bytes, Value] = {}
        self._old: dict[str | bytes, Value] = {}
        self._characters = 0

    def get(self, key: str | bytes) -> Value | None:
        """The result kept for `key`, if any."""
        found = self._new.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self.put(key, found)
        return found

    def put(self, key: str | bytes, value: Value) -> Value:
        """Keep `value`, and return it."""
        if len(self._new) >= self._half or self._characters > MAX_CHARACTERS:
            self._old, self._new, self._characters = self._new, {}, 0
        self._new[key] = value
        self._characters += len(key)
        return value


def text_key(text: str) -> str | bytes:
    """What `text` is kept under: itself if it is short, else its digest."""
    if len(text) <= KEY_MAX_CHARS:
        return text
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
