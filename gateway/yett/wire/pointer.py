"""Read and edit what stands at a JSON pointer, also in JSON inside a string (`/outer#/inner`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yett.errors import RequestError, Unavailable
from yett.verdict import Edit, apply_edits
from yett.wire import strictjson
from yett.wire.reference import escape, public, tokens

__all__ = ["apply", "apply_inner", "escape", "get", "public", "set", "tokens"]


def get(value: Any, pointer: str) -> Any:  # JSON is any shape
    """What stands at `pointer` (no inner part) in `value`. Raises LookupError if nothing does."""
    for token in tokens(pointer):
        value = value[_key_in(value, token)]
    return value


def set(value: Any, pointer: str, new: Any) -> None:  # noqa: A001  # read as pointer.set; JSON is any shape
    """Replace what stands at `pointer` (not the root) in `value`, in place. Raises LookupError if nothing does."""
    *parents, last = tokens(pointer) or [""]
    for token in parents:
        value = value[_key_in(value, token)]
    key = _key_in(value, last)
    value[key]  # must exist: an edit never adds
    value[key] = new


def apply(body: Any, edits: Mapping[str, Sequence[Edit]]) -> list[str]:  # JSON is any shape
    """Carry out merged `edits` on the string values of `body`, in place; return the outer pointers that changed.

    An edit that finds no string at its place raises `Unavailable(guard_failed)`: text that was to be changed would
    otherwise leave unchanged. Member names are never edited.
    """
    if not edits:
        return []
    plain: list[str] = []
    nested: dict[str, dict[str, Sequence[Edit]]] = {}
    for pointer, group in edits.items():
        outer, divider, inner = pointer.partition("#")
        if divider:
            nested.setdefault(outer, {})[inner] = group
        else:
            plain.append(pointer)
    try:
        for pointer in plain:
            set(body, pointer, apply_edits(_text(get(body, pointer)), edits[pointer]))
        for outer, group_of in nested.items():
            set(body, outer, apply_inner(_text(get(body, outer)), group_of))
    except (LookupError, ValueError, TypeError, RequestError) as error:
        raise Unavailable("an edit does not fit the text it was made for", code="guard_failed") from error
    return [*plain, *(outer for outer in nested if outer not in plain)]


def apply_inner(text: str, edits: Mapping[str, Sequence[Edit]]) -> str:
    """The JSON text `text` with `edits` (keyed by inner pointer) carried out. Raises as `get` and `loads` do."""
    value = strictjson.loads(text.encode())
    for pointer, group in edits.items():
        if pointer:
            set(value, pointer, apply_edits(_text(get(value, pointer)), group))
        else:
            value = apply_edits(_text(value), group)
    return strictjson.dumps(value).decode()


def _key_in(container: object, name: str) -> Any:  # str for objects, int for arrays
    if isinstance(container, dict):
        return name
    if isinstance(container, list) and name.isascii() and name.isdigit() and (name == "0" or name[0] != "0"):
        return int(name)
    raise LookupError("the pointer leads nowhere")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError("only a string can be edited")
