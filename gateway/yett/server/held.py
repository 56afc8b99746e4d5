"""A streamed answer whose checks want all of it: kept to its end, checked whole, then released, edited or blocked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from yett.errors import Unavailable, UpstreamError
from yett.flow import Leaf, Role
from yett.pipeline import Checked
from yett.server.admitted import Admitted
from yett.server.call import Call
from yett.server.core import Core
from yett.stream_guard import StreamGuard, block_message
from yett.tasks import Tasks
from yett.verdict import Decision, Edit, apply_edits, merge_edits
from yett.wire.exchange import StreamCodec
from yett.wire.guard import Blocked, Guard, Released
from yett.wire.sse import SseEvent

KEEP_ALIVE_S = 15.0


async def held(
    core: Core,
    call: Call,
    admitted: Admitted,
    guard: StreamGuard,
    batches: AsyncIterator[list[SseEvent]],
    codec: StreamCodec,
) -> tuple[StreamCodec, Decision]:
    """Take all of `batches`, ask the checks, send what they leave; the codec that spoke last, and their decision."""
    events: list[SseEvent] = []
    out: list[bytes] = []
    pings = Tasks()
    pings.spawn(_keep_alive(call), "keep_alive")
    try:
        async for batch in batches:
            for event in batch:
                if not codec.done:
                    events.append(event)
                    out.append(codec.feed(event))
            if codec.done:
                break
        require_end(codec)
        admitted.flow.tool_calls = codec.tool_calls
        checked = await core.pipeline.check_hooks(admitted.flow, admitted.policy, [*guard.texts(), *guard.pieces])
    finally:
        await pings.close()
    guard.judged.extend(checked.judged)
    if codec.blocked is None and (checked.denied or checked.edits):
        codec, out = _again(admitted, events, _verdict(guard, checked))
        if checked.denied and codec.blocked is None:  # nothing in it could be blocked, and it is denied all the same
            raise Unavailable("the answer was denied by a check", code="guard_failed")
    await call.body(b"".join(out), more=True)
    return codec, checked.decision


def _again(admitted: Admitted, events: Sequence[SseEvent], guard: Guard) -> tuple[StreamCodec, list[bytes]]:
    """The same events through a codec of their dialect once more, now that it is known what becomes of them."""
    codec = admitted.route.dialect.open_stream(admitted.body, admitted.flow.model, guard)
    return codec, [codec.feed(event) for event in events if not codec.done]


def _verdict(guard: StreamGuard, checked: Checked) -> Guard:
    if checked.denied:
        return _Closed(block_message(checked.decision))
    texts = {leaf.pointer: apply_edits(leaf.text, checked.edits.get(leaf.pointer, [])) for leaf in guard.texts()}
    pieces = {
        leaf.pointer: merge_edits([*guard.edited.get(leaf.pointer, ()), *checked.edits.get(leaf.pointer, ())]).get(
            leaf.pointer, []
        )
        for leaf in guard.pieces
    }
    return _Settled(texts, pieces)


def require_end(codec: StreamCodec) -> None:
    """Raises UpstreamError unless the provider has said that its stream is whole."""
    if not codec.done:
        raise UpstreamError("the provider's stream ended without its end mark", code="upstream_truncated")


async def _keep_alive(call: Call) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE_S)
        await call.comment()


class _Closed:
    """A guard that blocks at the first text: it gives a denied answer its dialect's own form."""

    def __init__(self, message: str) -> None:
        self._message = message

    def channel(self, pointer: str, role: Role) -> _Closed:
        """Every channel is closed."""
        del pointer, role
        return self

    def feed(self, text: str) -> Released:
        """Blocks."""
        raise Blocked(self._message)

    def finish(self) -> Released:
        """Blocks."""
        raise Blocked(self._message)

    def check(self, leaves: Sequence[Leaf]) -> Mapping[str, list[Edit]]:
        """Blocks."""
        raise Blocked(self._message)


class _Settled:
    """A guard that knows beforehand what becomes of every text and every whole piece."""

    def __init__(self, texts: Mapping[str, str], pieces: Mapping[str, list[Edit]]) -> None:
        self._texts = texts
        self._pieces = pieces

    def channel(self, pointer: str, role: Role) -> _SettledChannel:
        """The channel of that name as it was settled. Raises KeyError for one that was not seen before."""
        del role
        return _SettledChannel(self._texts[pointer])

    def check(self, leaves: Sequence[Leaf]) -> Mapping[str, list[Edit]]:
        """The edits that were settled."""
        return {leaf.pointer: edits for leaf in leaves if (edits := self._pieces.get(leaf.pointer))}


class _SettledChannel:
    """One text, given at its end; all of it counts as edited, so that no shadow copy of the old one remains."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._length = 0

    def feed(self, text: str) -> Released:
        """Nothing yet."""
        self._length += len(text)
        return Released("", 0, 0)

    def finish(self) -> Released:
        """The settled text."""
        return Released(self._text, 0, self._length, ((0, self._length),))
