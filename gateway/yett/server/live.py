"""Flows in flight: who they belong to, so that a revoked key ends them and a shutdown can count them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from yett.flow import Flow, Principal
from yett.server.call import Call


class LiveFlow:
    """One flow in flight. `ended_by` says why its task was cancelled, if it was cancelled on purpose."""

    __slots__ = ("call", "ended_by", "flow", "task")

    def __init__(self, flow: Flow, call: Call, task: asyncio.Task[None]) -> None:
        self.flow = flow
        self.call = call
        self.task = task
        self.ended_by = ""

    def end(self, why: str) -> None:
        """Cancel the flow's task; its handler closes the provider call and writes the record."""
        if not self.ended_by:
            self.ended_by = why
            self.task.cancel()


class LiveFlows:
    """All flows in flight of one gateway."""

    def __init__(self) -> None:
        self._flows: dict[str, LiveFlow] = {}

    def __len__(self) -> int:
        return len(self._flows)

    def enter(self, flow: Flow, call: Call) -> LiveFlow:
        """Note that the current task serves `flow`."""
        task = asyncio.current_task()
        if task is None:  # pragma: no cover  # ASGI servers always run handlers in a task
            raise RuntimeError("a flow needs a task")
        live = self._flows[flow.id] = LiveFlow(flow, call, task)
        return live

    def leave(self, live: LiveFlow) -> None:
        """The flow has ended."""
        self._flows.pop(live.flow.id, None)

    def end_where(self, revoked: Callable[[Principal], bool], why: str) -> int:
        """End every flow whose principal `revoked` names; returns how many."""
        hit = [live for live in self._flows.values() if revoked(live.flow.principal)]
        for live in hit:
            live.end(why)
        return len(hit)

    def end_all(self, why: str) -> None:
        """End every flow: the operator is in a hurry."""
        for live in list(self._flows.values()):
            live.end(why)

    def end_stuck(self, sending_before: float) -> None:
        """End flows whose client has not read since `sending_before` (monotonic seconds)."""
        for live in list(self._flows.values()):
            if 0 < live.call.sending_since < sending_before:
                live.end("client_too_slow")
