"""A streamed answer, event by event: held back by exactly the text that could still become a match."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from yett.flow import Phase
from yett.server import answers
from yett.server.admitted import Admitted
from yett.server.call import SSE_TYPE, Call
from yett.server.core import Core
from yett.server.held import held, require_end
from yett.server.recorder import Answered
from yett.stream_guard import StreamGuard
from yett.upstream.transport import UpstreamResponse
from yett.verdict import combine
from yett.wire.exchange import StreamCodec
from yett.wire.sse import SseDecoder, SseEvent

DRAIN_S = 0.05
NO_BUFFERING = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))


async def relay(core: Core, call: Call, admitted: Admitted, upstream: UpstreamResponse) -> None:
    """Relay `upstream`'s events through the guard. The clean end leaves only after the record is stored.

    Raises HttpError after the stream has begun; the caller ends it with the dialect's error event.
    """
    pipeline = core.pipeline
    holds, notes = pipeline.holds_streams(admitted.policy), pipeline.notes_streams(admitted.policy)
    guard = StreamGuard(pipeline, admitted.flow, admitted.policy, core.leaf_key, keep=holds or notes)
    codec = admitted.route.dialect.open_stream(admitted.body, admitted.flow.model, guard)
    call.codec = codec
    await call.start(200, [SSE_TYPE, *NO_BUFFERING, *answers.passed_headers(upstream)])
    decision = combine([])
    try:
        if holds:
            codec, decision = await held(core, call, admitted, guard, _events(upstream), codec)
        else:
            await _live(call, upstream, codec)
            if notes:
                await pipeline.note(admitted.flow, admitted.policy, [*guard.texts(), *guard.pieces], guard.judged)
    finally:
        await upstream.aclose()
        decision = combine([decision, guard.decision()])
        admitted.recorder.saw_answer(Answered(decision, guard.judged, guard.ledger(), codec.usage))
        guard.close()
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
    require_end(codec)
    if codec.blocked is None:
        await _drain(upstream)


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
