"""A streamed answer, event by event: held back by exactly the text that could still become a match."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from yett.errors import Unavailable, UpstreamError
from yett.flow import Leaf, Phase, Role
from yett.server import answers
from yett.server.admitted import Admitted
from yett.server.call import SSE_TYPE, Call
from yett.server.core import Core
from yett.server.recorder import Answered
from yett.stream_guard import StreamGuard, block_message
from yett.tasks import Tasks
from yett.upstream.transport import UpstreamResponse
from yett.verdict import Decision, Edit, combine
from yett.wire.exchange import StreamCodec
from yett.wire.guard import Blocked, Released
from yett.wire.sse import SseDecoder, SseEvent

KEEP_ALIVE_S = 15.0
DRAIN_S = 0.05
NO_BUFFERING = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))


async def relay(core: Core, call: Call, admitted: Admitted, upstream: UpstreamResponse) -> None:
    """Relay `upstream`'s events through the guard. The clean end leaves only after the record is stored.

    Raises HttpError after the stream has begun; the caller ends it with the dialect's error event.
    """
    checks = core.pipeline.has_response_hooks
    guard = StreamGuard(core.pipeline, admitted.flow, admitted.policy, core.leaf_key, keep=checks)
    codec = admitted.route.dialect.open_stream(admitted.body, admitted.flow.model, guard)
    call.codec = codec
    await call.start(200, [SSE_TYPE, *NO_BUFFERING, *answers.passed_headers(upstream)])
    decision = combine([])
    try:
        if checks:
            codec, decision = await _held(core, call, admitted, guard, upstream, codec)
        else:
            await _live(call, upstream, codec)
    finally:
        await upstream.aclose()
        decision = combine([decision, guard.decision()])
        admitted.recorder.saw_answer(Answered(decision, guard.judged, guard.ledger(), codec.usage))
    await admitted.recorder.tell(Phase.RESPONSE, decision)
    await answers.remember_held(core, admitted.flow.principal, codec.held_ids)
    outcome = "blocked" if codec.blocked is not None else "ok"
    await admitted.recorder.completed(outcome, 200, upstream_status=upstream.status)
    await call.body(codec.tail, more=False)


async def _live(call: Call, upstream: UpstreamResponse, codec: StreamCodec) -> None:
    async for events in _events(upstream):
        out = codec.feed_all(events)
        if out:
            await call.body(out, more=True)
        if codec.done:
            break
    _require_end(codec)
    if codec.blocked is None:
        await _drain(upstream)


async def _held(
    core: Core, call: Call, admitted: Admitted, guard: StreamGuard, upstream: UpstreamResponse, codec: StreamCodec
) -> tuple[StreamCodec, Decision]:
    """Checks want the whole answer: keep every event until they have spoken, then release or block."""
    events: list[SseEvent] = []
    out: list[bytes] = []
    pings = Tasks()
    pings.spawn(_keep_alive(call), "keep_alive")
    try:
        async for batch in _events(upstream):
            for event in batch:
                if not codec.done:
                    events.append(event)
                    out.append(codec.feed(event))
            if codec.done:
                break
        _require_end(codec)
        admitted.flow.tool_calls = codec.tool_calls
        checked = await core.pipeline.check_hooks(
            admitted.flow, admitted.policy, [Leaf(c.leaf.pointer, c.text, c.leaf.role) for c in guard.channels]
        )
    finally:
        await pings.close()
    if codec.blocked is None and (checked.denied or checked.edits):
        codec = admitted.route.dialect.open_stream(
            admitted.body, admitted.flow.model, _Closed(block_message(checked.decision))
        )
        out = [codec.feed(event) for event in events if not codec.done]
        if codec.blocked is None:  # nothing in it could be blocked, and it is denied all the same
            raise Unavailable("the answer was denied by a check", code="guard_failed")
    guard.judged.extend(checked.judged)
    await call.body(b"".join(out), more=True)
    return codec, checked.decision


async def _events(upstream: UpstreamResponse) -> AsyncIterator[list[SseEvent]]:
    """Batches of events, one batch per read. Raises UpstreamError where the stream breaks inside an event."""
    decoder = SseDecoder()
    async for chunk in upstream.chunks():
        yield decoder.feed(chunk)
    decoder.finish()


async def _drain(upstream: UpstreamResponse) -> None:
    """Read the few bytes after the stream's clean end, so that the connection can be used again."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in upstream.chunks():
                pass
    except TimeoutError:
        return


async def _keep_alive(call: Call) -> None:
    while True:
        await asyncio.sleep(KEEP_ALIVE_S)
        await call.comment()


def _require_end(codec: StreamCodec) -> None:
    if not codec.done:
        raise UpstreamError("the provider's stream ended without its end mark", code="upstream_truncated")


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
