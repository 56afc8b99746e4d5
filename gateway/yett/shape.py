"""Checks a parsed YAML document against a pydantic model; every mistake is told with its line and the nearest name."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from yett.errors import ConfigError
from yett.strictyaml import Document, Location, nearest

MAX_TOLD = 20


class Shape(BaseModel):
    """What every settings, key and policy model is: closed to unknown names, frozen, silent about its input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


S = TypeVar("S", bound=Shape)


def check(shape: type[S], document: Document, context: Mapping[str, object] | None = None) -> S:
    """`document` as a `shape`. Raises one ConfigError that tells up to 20 mistakes, each on a line with `file:line`."""
    value = {} if document.value is None else document.value
    if not isinstance(value, dict):
        raise ConfigError("a mapping is expected here (`name: value`)", document.where())
    try:
        return shape.model_validate(value, context=context)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
    # "too few items" after the items themselves were refused says nothing new
    deepest = [e for e in errors if not any(_stands_above(e["loc"], other["loc"]) for other in errors)]
    raise several([_tell(shape, document, one) for one in deepest])


def _stands_above(one: Location, other: Location) -> bool:
    return len(one) < len(other) and other[: len(one)] == one


def several(told: list[tuple[str, str]]) -> ConfigError:
    """One ConfigError out of (where, message) pairs, in the order of the file."""
    ordered = sorted(dict.fromkeys(told), key=lambda pair: _line(pair[0]))[:MAX_TOLD]
    (where, message), rest = ordered[0], ordered[1:]
    return ConfigError("\n".join([message, *(f"{place}: {text}" for place, text in rest)]), where)


def _line(where: str) -> int:
    digits = where.rpartition(":")[2]
    return int(digits) if digits.isdigit() else 0


def _tell(shape: type[Shape], document: Document, error: ErrorDetails) -> tuple[str, str]:
    location: Location = tuple(error["loc"])
    where, name = document.where(location), _dotted(location)
    kind, message = error["type"], error["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        key = str(location[-1])
        return where, f"unknown key {name!r}{nearest(key, _names_at(shape, location[:-1]))}"
    if kind == "missing":
        return where, f"{name}: this key is required"
    return where, f"{name}: {message}" if name else message


def _dotted(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _names_at(shape: type[Shape], location: Location) -> list[str]:
    """The keys that the model knows at `location`."""
    at: Any = shape
    for part in location:
        at = _step(at, part)
    if isinstance(at, type) and issubclass(at, BaseModel):
        return [field.alias or name for name, field in at.model_fields.items()]
    return []


def _step(at: Any, part: str | int) -> Any:  # annotations have no better type
    """The type annotation one key or index below the annotation `at`."""
    if isinstance(at, type) and issubclass(at, BaseModel):
        field = next((f for name, f in at.model_fields.items() if (f.alias or name) == part), None)
        return _plain(field.annotation) if field else None
    origin, arguments = get_origin(at), get_args(at)
    if origin in {dict, Mapping} or (origin in {list, tuple} and arguments):
        return _plain(arguments[1] if origin in {dict, Mapping} else arguments[0])
    return None


def _plain(annotation: Any) -> Any:  # annotations have no better type
    """`annotation` without `| None` and without `Annotated`."""
    if get_origin(annotation) in {Union, types.UnionType}:
        members = [a for a in get_args(annotation) if a is not type(None)]
        return _plain(members[0])
    if hasattr(annotation, "__metadata__"):
        return _plain(annotation.__origin__)
    return annotation
