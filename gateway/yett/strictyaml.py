"""YAML as Yett reads it: plain data with line numbers, and nothing that could mean two things.

Refused, each with `file:line`: duplicate keys, keys that are not strings, tags, merge keys, alias bombs, deep nesting,
several documents. Scalars follow YAML 1.2's core schema (`no` and `on` are words, not booleans). `${NAME}` and
`${file:/path}` may stand unquoted anywhere, also inside `{...}`; what they mean is the caller's business.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from yett.errors import ConfigError

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
MAX_ALIASES = 64
MAX_NODES = 200_000

Location = tuple[str | int, ...]

# A brace ends a plain scalar inside `{...}`, so references wear these two characters while the YAML is parsed.
_OPEN, _CLOSE = "\ue000", "\ue001"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*|file:[^{}\s,\"'#]+)\}")
_WRAPPED = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: tuple[tuple[frozenset[str], bool | None], ...] = (
    (frozenset({"", "~", "null", "Null", "NULL"}), None),
    (frozenset({"true", "True", "TRUE"}), True),
    (frozenset({"false", "False", "FALSE"}), False),
)


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file: `value` is dicts, lists, strings, numbers, booleans and None; `lines` says where each began."""

    file: str
    value: object
    lines: dict[Location, int]

    def where(self, location: Location = ()) -> str:
        """`file:line` of `location`, or of its nearest ancestor that stands in the file."""
        for end in range(len(location), -1, -1):
            line = self.lines.get(location[:end])
            if line is not None:
                return f"{self.file}:{line}"
        return self.file


def load(path: Path) -> Document:
    """Read and parse the file at `path`. Raises ConfigError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read the file: {error.strerror}", str(path)) from None
    return parse(raw, str(path))


def parse(raw: bytes, file: str) -> Document:
    """The document in `raw`; `file` is its name in messages. Raises ConfigError with `file:line`."""
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"the file is larger than {MAX_BYTES} bytes", file)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError("the file is not UTF-8", f"{file}:{line}") from None
    for mark in (_OPEN, _CLOSE):
        if mark in text:
            line = text.count("\n", 0, text.index(mark)) + 1
            raise ConfigError("a private-use character", f"{file}:{line}")
    text = _REFERENCE.sub(rf"{_OPEN}\1{_CLOSE}", text)
    try:
        _inspect(text, file)
        root = yaml.compose(text, Loader=_loader())
    except yaml.MarkedYAMLError as error:
        # Only the bare problem: the library's own message quotes the line, and the line may hold a secret.
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = "undefined alias" if isinstance(error, yaml.composer.ComposerError) else error.problem
        raise ConfigError(f"not valid YAML: {problem}", f"{file}:{line}") from None
    except yaml.YAMLError:
        raise ConfigError("not valid YAML: a character that YAML does not allow", file) from None
    return _Reader(file).document(root)


def nearest(word: str, choices: Iterable[str]) -> str:
    """` (did you mean ...?)` for the closest of `choices`, or an empty string."""
    found = difflib.get_close_matches(word, sorted(choices), n=1, cutoff=0.6)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _loader() -> type[yaml.SafeLoader]:
    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader


def _inspect(text: str, file: str) -> None:
    """One pass over the events before any tree is built: what could hurt or mislead is refused here."""
    depth = aliases = documents = 0
    for event in yaml.parse(text, Loader=_loader()):
        where = f"{file}:{_line_of(event)}"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if documents > 1:
            raise ConfigError("a second document (`---`)", where)
        if depth > MAX_DEPTH:
            raise ConfigError(f"nested deeper than {MAX_DEPTH}", where)
        if aliases > MAX_ALIASES:
            raise ConfigError(f"more than {MAX_ALIASES} aliases", where)
        if getattr(event, "tag", None) is not None:
            raise ConfigError("tags (`!...`) are not used here", where)


def _line_of(place: yaml.Event | yaml.Node) -> int:
    return place.start_mark.line + 1 if place.start_mark else 1


class _Reader:
    """Turns a node tree into plain data and remembers lines; counts nodes, so that aliases cannot multiply."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._lines: dict[Location, int] = {}
        self._nodes = 0

    def document(self, root: yaml.Node | None) -> Document:
        value = None if root is None else self._read(root, ())
        return Document(self._file, value, self._lines)

    def _read(self, node: yaml.Node, at: Location) -> object:
        self._nodes += 1
        if self._nodes > MAX_NODES or len(at) > MAX_DEPTH:  # an alias may also point at its own ancestor
            raise ConfigError("aliases expand to too much", self._where(node))
        self._lines.setdefault(at, _line_of(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self._read(item, (*at, index)) for index, item in enumerate(node.value)]
        return _scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def _mapping(self, node: yaml.MappingNode, at: Location) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise ConfigError("a key must be a string", self._where(key_node))
            if key == "<<":
                raise ConfigError("merge keys (`<<`) are not used here", self._where(key_node))
            if key in mapping:
                raise ConfigError(f"the key {key!r} stands here twice", self._where(key_node))
            self._lines[*at, key] = _line_of(key_node)
            mapping[key] = self._read(value_node, (*at, key))
        return mapping

    def _where(self, node: yaml.Node) -> str:
        return f"{self._file}:{_line_of(node)}"


def _scalar(node: yaml.ScalarNode) -> object:
    text: str = node.value
    if node.style in {"'", '"', "|", ">"}:
        return _WRAPPED.sub(r"${\1}", text)
    for words, value in _WORDS:
        if text in words:
            return value
    if len(text) <= 32:
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return _WRAPPED.sub(r"${\1}", text)
