"""Deltas of one growing text, the bulk of a stream, read and written without taking their chunks apart.

A chunk that went the long way is cut at the literal of its text. A later event that differs from it in nothing but that
literal (and in `obfuscation`, which never leaves) is the same strict JSON with another text: all that is left to check
is that the literal is one. Its answer is written the same way: the long way's bytes around another literal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from yett.errors import RequestError
from yett.wire import strictjson
from yett.wire.exchange import JsonObject

_FORMS = 4  # one for each of some choices, or for content and for reasoning
_FREE_TRIES = 4
_PROBE = "yettPROBE0text9f41c7"
_PADDING = "yettPROBE1padding52e8"
_PROBE_LITERAL = orjson.dumps(_PROBE)


@dataclass(slots=True)
class DeltaForm:
    """A chunk cut at its one text, the text `name` of choice `index`.

    `head` ends and `tail` begins with a quote of the literal; `padding_end` follows the value of `obfuscation`, where
    there is one. `body` is the chunk with a probe for its text. `text` is that of the event read last.
    """

    index: int
    name: str
    head: bytes
    tail: bytes
    padding_end: bytes
    body: JsonObject
    text: str = ""
    _before: bytes = b""
    _after: bytes = b""

    def read(self, data: bytes) -> bool:
        """Whether `data` is an event of this form with a text that is not empty; that is then in `text`."""
        head, tail, padding_end = self.head, self.tail, self.padding_end
        if not data.startswith(head) or not data.endswith(padding_end or tail):
            return False
        if padding_end:
            end = data.find(tail, len(head))
            if end < 0 or not data[end + len(tail) : -len(padding_end)].isalnum():
                return False
        else:
            end = len(data) - len(tail)
        try:
            text = orjson.loads(data[len(head) - 1 : end + 1])
        except orjson.JSONDecodeError:  # the long way says what is wrong with it
            return False
        if text.__class__ is not str or not text:
            return False
        self.text = text
        return True

    def write_as(self, event: bytes) -> bool:
        """Learn from the event that `body` became how to write another text; whether that is possible."""
        self._before, probe, self._after = event.partition(_PROBE_LITERAL)
        return bool(probe) and _PROBE_LITERAL not in self._after

    def event(self, text: str) -> bytes:
        """The event that says `text`."""
        return self._before + orjson.dumps(text) + self._after


class DeltaForms:
    """The forms of one stream. Looking for one costs as much as the long way, so earlier ones must have paid."""

    __slots__ = ("_known", "_reads", "_tries")

    def __init__(self) -> None:
        self._known: list[DeltaForm] = []
        self._reads = 0
        self._tries = 0

    def read(self, data: bytes) -> DeltaForm | None:
        """The form that has read `data`."""
        for form in self._known:
            if form.read(data):
                self._reads += 1
                return form
        return None

    def find(self, data: bytes, body: JsonObject) -> DeltaForm | None:
        """The form of the event `data`, of which `body` is the value; None if it has none."""
        if self._tries > _FREE_TRIES + self._reads // 4:
            return None
        place = _lone_text(body)
        if place is None:
            return None
        self._tries += 1
        return _cut(data, body, *place)

    def keep(self, form: DeltaForm, event: bytes) -> None:
        """Read with `form` from now on; `event` is what its body became."""
        if form.write_as(event):
            self._known = [form, *self._known[: _FORMS - 1]]


def _lone_text(body: JsonObject) -> tuple[JsonObject, str] | None:
    """The choice and the name of the one text that a chunk brings; None if it brings anything else."""
    choices = body["choices"]
    if len(choices) != 1 or not isinstance(choices[0], dict) or body.get("usage") is not None:
        return None
    choice: JsonObject = choices[0]
    delta = choice.get("delta")
    if not isinstance(delta, dict) or any(value for name, value in choice.items() if name not in {"index", "delta"}):
        return None
    found = ""
    for name, value in delta.items():
        if value.__class__ is str and value and name != "role":
            if found:
                return None
            found = name
        elif value.__class__ is not str and value is not None:
            return None
    return (choice, found) if found else None


def _cut(data: bytes, body: JsonObject, choice: JsonObject, name: str) -> DeltaForm | None:
    head, tail = _at_literal(data, name, choice["delta"][name])
    padding, padding_end, probe = body.get("obfuscation"), b"", b""
    if padding.__class__ is str:
        tail, padding_end = _at_literal(tail, "obfuscation", padding)
        probe = _PADDING.encode() + padding_end
    index = choice.get("index", 0)
    if not head or not tail or index.__class__ is not int:
        return None
    try:
        probed = strictjson.loads(head + _PROBE.encode() + tail + probe)
    except RequestError:
        return None
    if probed != _probed(body, choice, name):  # then the cut is not where it seems
        return None
    return DeltaForm(index, name, head, tail, padding_end, probed)


def _at_literal(data: bytes, name: str, text: Any) -> tuple[bytes, bytes]:  # text is a str, checked by the callers
    """`data` up to and from the quotes of the literal of the member `name`; nothing where that is not found."""
    literal = orjson.dumps(text)
    for divider in (b":", b": "):
        member = orjson.dumps(name) + divider + literal
        at = data.find(member)
        if at >= 0:
            end = at + len(member)
            return data[: end - len(literal) + 1], data[end - 1 :]
    return b"", b""


def _probed(body: JsonObject, choice: JsonObject, name: str) -> JsonObject:
    """`body` with the probes in place of its text and its padding."""
    shown = {**body, "choices": [{**choice, "delta": {**choice["delta"], name: _PROBE}}]}
    if body.get("obfuscation").__class__ is str:
        shown["obfuscation"] = _PADDING
    return shown
