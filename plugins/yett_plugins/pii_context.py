"""Context words as they stand in prose, in keys and in column names."""

from __future__ import annotations

from collections.abc import Iterable

_TAILS = ("number", "no", "num", "nr", "id")


def spelled(words: Iterable[str]) -> tuple[str, ...]:
    """`words`, and what keys make of them: `mobile` gives `mobile_number`, `mobilenumber`, `mobile_no`, `mobile_id` ...

    Context words are looked for as whole words, to which an underscore belongs.
    """
    found: dict[str, None] = {}
    for word in words:
        found[word] = None
        plain = word.replace("'s", "s").replace(" ", "_").replace("-", "_")
        if not (plain.isascii() and plain.replace("_", "").isalpha()):
            continue
        found.update({plain: None, plain.replace("_", ""): None})
        if not plain.endswith(_TAILS):
            found.update((f"{plain}{joint}{tail}", None) for tail in _TAILS for joint in ("_", ""))
    return tuple(found)
