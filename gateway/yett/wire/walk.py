"""Turn any JSON value into text leaves, so that no string, member name or long number stays unseen.

A member name is no leaf only if it is in `known_keys`, a string only if its name is in `known_keys` and it is in
`known_values`: the API's own words, which the dialects list. All else is text that somebody wrote.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from yett.errors import RequestError
from yett.flow import Leaf, Role
from yett.wire import strictjson
from yett.wire.reference import escape, public

NOTHING: frozenset[str] = frozenset()
_LONG_NUMBER = 100_000_000  # nine digits: the shortest number that identifies a person (US SSN)
# Numbers that no model is shown and that would look like phone numbers: exempt where their name is a known one.
_CLOCK_KEYS = frozenset({"created", "created_at", "cancelled_at", "completed_at", "expires_at", "failed_at", "seed"})
_SETTING_LIMIT = 1000.0  # a fraction below it at a known name is a temperature, a score, a logprob

SCHEMA_KEYS = frozenset(
    """$anchor $comment $defs $dynamicAnchor $dynamicRef $id $ref $schema additionalItems additionalProperties allOf
    anyOf const contains contentEncoding contentMediaType contentSchema default definitions dependencies
    dependentRequired dependentSchemas deprecated description else enum examples exclusiveMaximum exclusiveMinimum
    format if items maxContains maxItems maxLength maxProperties maximum minContains minItems minLength minProperties
    minimum multipleOf not nullable oneOf pattern patternProperties prefixItems properties propertyNames readOnly
    required then title type unevaluatedItems unevaluatedProperties uniqueItems writeOnly""".split()  # noqa: SIM905  # one word a line would fill the page
)
SCHEMA_VALUES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_SCHEMA_PROSE = frozenset({"$comment", "default", "description", "examples", "title"})


@dataclass(slots=True)
class Walk:
    """One walk with its settings; `visit` appends to `out`. Strings at a name in `prose` are editable in any case."""

    role: Role
    out: list[Leaf]
    known_keys: AbstractSet[str]
    known_values: AbstractSet[str]
    editable: bool = True
    newest: bool = False
    format: str = "plain"
    prose: AbstractSet[str] = NOTHING

    def visit(self, value: object, pointer: str, key: str = "") -> None:
        """Append the leaves of `value`, which stands at the member name `key` (an array's items at the array's)."""
        kind = value.__class__
        if kind is str:
            if value and not (value in self.known_values and key in self.known_keys):
                editable = self.editable or key in self.prose
                self._add(pointer, value, "value", editable)  # type: ignore[arg-type]  # narrowed by kind
        elif kind is dict:
            self.members(value, pointer)  # type: ignore[arg-type]  # narrowed by kind
        elif kind is list:
            for index, item in enumerate(value):  # type: ignore[arg-type, var-annotated]  # narrowed by kind
                self.visit(item, f"{pointer}/{index}", key)
        elif kind is int or kind is float:
            self._number(value, pointer, key in self.known_keys and key)  # type: ignore[arg-type]  # narrowed by kind

    def members(self, value: dict[str, Any], pointer: str) -> None:
        """Append the leaves of the members of an object that stands at `pointer`, their names too."""
        known_keys = self.known_keys
        for name, member in value.items():
            kind = member.__class__
            if name in known_keys:
                if member is None or kind is bool or (kind is int and -_LONG_NUMBER < member < _LONG_NUMBER):
                    continue  # too short to be a leaf anywhere
                self.visit(member, f"{pointer}/{escape(name)}", name)
                continue
            at = f"{pointer}/{escape(name)}"
            if name:
                self._add(at, name, "key", False)
            if member is not None and kind is not bool:
                self.visit(member, at, name)

    def _number(self, value: float, pointer: str, known: str | bool) -> None:
        """A number of nine digits or more, as it is written again for the provider."""
        if value.__class__ is int:
            if not -_LONG_NUMBER < value < _LONG_NUMBER and known not in _CLOCK_KEYS:
                self._add(pointer, str(value), "number", False)
        elif len(text := repr(value)) >= 10 and not (known and -_SETTING_LIMIT < value < _SETTING_LIMIT):
            self._add(pointer, text, "number", False)  # nine digits and the point

    def _add(self, pointer: str, text: str, part: str, editable: bool) -> None:
        self.out.append(Leaf(pointer, text, self.role, part, "", self.format, editable, self.newest))


def is_known(key: str, value: object, known_keys: AbstractSet[str], known_values: AbstractSet[str]) -> bool:
    """Whether a member has no leaf at all: the quick answer for the many that hold a setting or a word of the API."""
    if key not in known_keys:
        return False
    if value.__class__ is str:
        return not value or value in known_values
    if isinstance(value, float):
        return -_SETTING_LIMIT < value < _SETTING_LIMIT
    if isinstance(value, int):  # true and false too
        return -_LONG_NUMBER < value < _LONG_NUMBER or key in _CLOCK_KEYS
    return value is None


def walk_any(
    value: object,
    pointer: str,
    role: Role,
    out: list[Leaf],
    *,
    known_keys: AbstractSet[str],
    known_values: AbstractSet[str],
    editable: bool = True,
    newest: bool = False,
    key: str = "",
) -> None:
    """Append the leaves of `value` to `out`. `key` is the member name it stands at, where that may be a known one.

    Every string, every member name not known (`part="key"`) and every number of nine digits or more
    (`part="number"`) is a leaf; the latter two cannot be edited.
    """
    Walk(role, out, known_keys, known_values, editable, newest).visit(value, pointer, key)


def walk_json_text(
    text: str,
    pointer: str,
    role: Role,
    out: list[Leaf],
    *,
    known_keys: AbstractSet[str] = NOTHING,
    known_values: AbstractSet[str] = NOTHING,
    editable: bool = True,
    newest: bool = False,
) -> None:
    """Append the leaves of the JSON in the string `text`: pointers `pointer#/inner`, format json.

    Text that is not JSON, or a bare number or word, is one plain leaf. JSON that parsers read differently (members of
    one name twice, NaN ...) raises RequestError with the pointer.
    """
    if not text:
        return
    if text.lstrip(" \t\r\n")[:1] in {"{", "[", '"'}:
        try:
            value = strictjson.loads(text.encode("utf-8", "surrogatepass"))
        except RequestError as error:
            if error.code != "invalid_json":
                error.pointer = f"{public(pointer)}#{error.pointer or ''}"
                raise
        else:
            Walk(role, out, known_keys, known_values, editable, newest, "json").visit(value, pointer + "#")
            return
    out.append(Leaf(pointer, text, role, "value", "", "plain", editable, newest))


def walk_schema(value: object, pointer: str, role: Role, out: list[Leaf], *, newest: bool = False) -> None:
    """Append the leaves of a JSON Schema: descriptions, titles, defaults and examples are editable, all else is not."""
    Walk(role, out, SCHEMA_KEYS, SCHEMA_VALUES, False, newest, "plain", _SCHEMA_PROSE).visit(value, pointer)
