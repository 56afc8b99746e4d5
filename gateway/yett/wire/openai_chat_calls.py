"""Tool calls that arrive in pieces are put together and leave whole, once they have been checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from yett.wire.exchange import JsonObject
from yett.wire.openai_body import protocol_error

_MAX_CALL_CHARS = 8 * 1024 * 1024
_MAX_CALLS = 1024
_ONCE = frozenset({"id", "type", "name"})


@dataclass(slots=True)
class PendingCalls:
    """The calls of one choice. A call is complete when another one begins; late pieces of it are refused."""

    _pending: dict[int, JsonObject] = field(default_factory=dict)
    _complete: set[int] = field(default_factory=set)
    _newest: int = -1
    _chars: int = 0

    def add(self, pieces: object) -> list[tuple[int, JsonObject]]:
        """Take the `tool_calls` of one delta; return the calls that are complete now, by index."""
        if not isinstance(pieces, list) or not all(isinstance(piece, dict) for piece in pieces):
            raise protocol_error("tool calls that are not a list of objects")
        ready: list[tuple[int, JsonObject]] = []
        for piece in pieces:
            index = self._index(piece)
            if self._begins_another(index, piece):
                ready += self._pop_all()
                self._complete.discard(index)
            elif index not in self._pending:
                ready += self._pop_all()
            if index in self._complete or len(self._complete) > _MAX_CALLS:
                raise protocol_error("a piece of a tool call that was already complete")
            self._newest = index
            _merge(self._pending.setdefault(index, {}), piece)
            self._count(piece)
        return ready

    def finish(self) -> list[tuple[int, JsonObject]]:
        """No more pieces will come."""
        return self._pop_all()

    def _index(self, piece: JsonObject) -> int:
        """The call that a piece belongs to; some providers leave it to the id."""
        index = piece.get("index")
        if index is None:
            index = self._newest + 1 if piece.get("id") or self._newest < 0 else self._newest
        if index.__class__ is not int or not 0 <= index <= _MAX_CALLS:
            raise protocol_error("a tool call with an impossible index")
        return int(index)

    def _begins_another(self, index: int, piece: JsonObject) -> bool:
        """Whether a piece has the index of the newest call but another id."""
        if index != self._newest:
            return False
        now, before = piece.get("id"), self._pending.get(index, {}).get("id")
        return bool(now and before and now != before)

    def _pop_all(self) -> list[tuple[int, JsonObject]]:
        ready = list(self._pending.items())
        self._complete.update(self._pending)
        self._pending.clear()
        return ready

    def _count(self, value: object) -> None:
        if isinstance(value, str):
            self._chars += len(value)
        elif isinstance(value, dict):
            for member in value.values():
                self._count(member)
        if self._chars > _MAX_CALL_CHARS:
            raise protocol_error("a tool call that is too large")


def _merge(whole: JsonObject, piece: JsonObject) -> None:
    for name, value in piece.items():
        before = whole.get(name)
        if value is None or name == "index":
            continue
        if isinstance(value, dict) and isinstance(before, dict):
            _merge(before, value)
        elif isinstance(value, dict):
            own: JsonObject = {}
            _merge(own, value)
            whole[name] = own
        elif isinstance(value, str) and isinstance(before, str):
            whole[name] = before if name in _ONCE and value in {before, ""} else before + value
        else:
            whole[name] = value
