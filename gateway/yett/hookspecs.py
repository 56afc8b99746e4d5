"""Every hook on one page. A plugin is a class with a `name`, an optional pydantic `Config`, and any of these methods.

pluggy finds, validates and orders the implementations; the pipeline calls each one itself. Hooks may be `def` or
`async def`. Failure: detectors, checks and decisions fail closed (503 `guard_failed`); observers fail open and are
counted. Contracts and examples: docs/plugins.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from yett.detector import CallableDetector, Detector
from yett.flow import FlowView, Phase, Principal, Target, ToolCall, ToolOffer, ToolResult
from yett.verdict import Decision, Finding

if TYPE_CHECKING:
    from yett.app import Gateway

PROJECT = "yett"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """The specification that implementations are checked against when they are registered."""

    @hookspec
    def register_detectors(self) -> Iterable[Detector | CallableDetector]:
        """Contribution, once at start: the detectors this plugin brings. Raising stops the start."""
        raise NotImplementedError

    @hookspec
    def authenticate(self, headers: Mapping[bytes, bytes]) -> Principal | None:
        """Decision, per request, first result wins: who is calling, or None to let the next one say."""

    @hookspec
    def check_request(self, flow: FlowView) -> Iterable[Finding]:
        """Check, per request, after the detectors: findings about the request as a whole."""
        raise NotImplementedError

    @hookspec
    def check_response(self, flow: FlowView) -> Iterable[Finding]:
        """Check, per answer (`flow.leaves` are the answer's): a stream is buffered to its end for this hook."""
        raise NotImplementedError

    @hookspec
    def check_tool_offer(self, flow: FlowView, tool: ToolOffer) -> Iterable[Finding]:
        """Check, per tool description offered to the model."""
        raise NotImplementedError

    @hookspec
    def check_tool_call(self, flow: FlowView, call: ToolCall) -> Iterable[Finding]:
        """Check, per tool call that the model proposes in its answer."""
        raise NotImplementedError

    @hookspec
    def check_tool_result(self, flow: FlowView, call: ToolCall, result: ToolResult) -> Iterable[Finding]:
        """Check, per tool result sent back to the model, with the call it answers."""
        raise NotImplementedError

    @hookspec
    def select_target(self, flow: FlowView, targets: Sequence[Target]) -> Target | None:
        """Routing, per request, first result wins: which of the model's targets to use, or None."""

    @hookspec
    def decided(self, flow: FlowView, phase: Phase, decision: Decision) -> None:
        """Observer, after each phase's decision is recorded."""

    @hookspec
    def flow_ended(self, flow: FlowView, outcome: str) -> None:
        """Observer, exactly once per flow, after its `completed` record is stored."""

    @hookspec
    def gateway_started(self, gateway: Gateway) -> None:
        """Lifecycle: the gateway is ready to serve. Raising stops the start."""

    @hookspec
    def gateway_stopping(self, gateway: Gateway) -> None:
        """Lifecycle: the gateway has stopped accepting. Errors are logged."""

    @hookspec
    def register_commands(self, cli: Any) -> None:  # a typer.Typer, not imported here
        """Contribution: add commands to the `yett` command line."""
