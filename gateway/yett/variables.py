"""`${NAME}` and `${file:/path}` in settings: how secrets get in without standing in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from yett.errors import ConfigError
from yett.shape import several
from yett.strictyaml import Document, Location

MAX_SECRET_BYTES = 64 * 1024

_REFERENCE = re.compile(r"\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def expand(document: Document, env: Mapping[str, str], root: Path) -> Document:
    """`document` with every reference in its values replaced. Raises ConfigError; never tells a value.

    A file's relative path resolves against `root`; one trailing line break of its content is dropped.
    """
    told: list[tuple[str, str]] = []

    def walk(value: object, at: Location) -> object:
        if isinstance(value, dict):
            return {_key(key, document, (*at, key)): walk(item, (*at, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, (*at, index)) for index, item in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        try:
            return _REFERENCE.sub(lambda found: _value(found, env, root), value)
        except LookupError as error:
            told.append((document.where(at), str(error.args[0])))
            return value

    expanded = walk(document.value, ())
    if told:
        raise several(told)
    return Document(document.file, expanded, document.lines)


def _key(key: str, document: Document, at: Location) -> str:
    if "${" in key:
        raise ConfigError("a key cannot hold a reference: `${...}` is for values", document.where(at))
    return key


def _value(found: re.Match[str], env: Mapping[str, str], root: Path) -> str:
    """The value of one reference. Raises LookupError with a message that is safe to show."""
    name = found.group(1)
    if not found.group().endswith("}"):
        raise LookupError("a `${` without its `}`")
    if name.startswith("file:"):
        return _read(root / name.removeprefix("file:"))
    if not _NAME.fullmatch(name):
        raise LookupError("not a reference: write ${NAME} or ${file:/path}")
    if name not in env:
        raise LookupError(f"the environment variable {name} is not set")
    return env[name]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise LookupError(f"cannot read {path}: {error.strerror}") from None
    if len(raw) > MAX_SECRET_BYTES:
        raise LookupError(f"{path} is larger than {MAX_SECRET_BYTES} bytes")
    try:
        return raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise LookupError(f"{path} is not UTF-8") from None
