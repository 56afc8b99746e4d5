"""Calling plugins: deadline, failure rule, and what a hook may give back.

A check that raises, hangs, exits or returns junk closes the gate (503 `guard_failed`) unless the operator opened that
plugin; an observer's failure is logged and counted. Cancellation from outside always passes through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from yett.errors import HttpError, Unavailable
from yett.registry import Hook
from yett.verdict import Finding

log = structlog.get_logger("yett.plugins")


class HookCalls:
    """Runs hooks for one gateway and counts failures per plugin."""

    def __init__(self, on_failure: Callable[[str, str], None]) -> None:
        self._on_failure = on_failure

    async def findings(self, hooks: tuple[Hook, ...], given: Mapping[str, Any], degraded: list[str]) -> list[Finding]:
        """All findings of `hooks`, in order. Raises Unavailable(guard_failed) by the failure rule."""
        found: list[Finding] = []
        for hook in hooks:
            result = await self._call(hook, given, degraded, _checked_findings)
            found.extend(result or ())
        return found

    async def first(self, hooks: tuple[Hook, ...], given: Mapping[str, Any], kind: type) -> Any:
        """The first result that is not None, which must be a `kind`; None if nobody answers."""

        def checked(result: object) -> object:
            if result is not None and not isinstance(result, kind):
                raise TypeError(f"gave a {type(result).__name__}, not a {kind.__name__}")
            return result

        for hook in hooks:
            result = await self._call(hook, given, [], checked)
            if result is not None:
                return result
        return None

    async def observe(self, hooks: tuple[Hook, ...], given: Mapping[str, Any]) -> None:
        """Tell observers; their failures are logged and counted, never felt."""
        for hook in hooks:
            await self._call(hook, given, [], lambda result: result)

    async def _call(
        self, hook: Hook, given: Mapping[str, Any], degraded: list[str], check: Callable[[Any], Any]
    ) -> Any:  # each caller knows its hook's type and `check` proves it
        try:
            return check(await _run(hook, {name: given[name] for name in hook.arguments}))
        except asyncio.CancelledError:
            raise
        except HttpError:
            if not hook.fail_open:
                raise
            self._failed(hook, "refused", degraded)
        except BaseException as error:  # SystemExit from a plugin must not end the gateway
            if isinstance(error, KeyboardInterrupt):
                raise
            self._failed(hook, type(error).__name__, degraded)
            if not hook.fail_open:
                raise Unavailable(
                    f"the check {hook.plugin!r} did not complete, so the request was not let through",
                    code="guard_failed",
                ) from None
        return None

    def _failed(self, hook: Hook, why: str, degraded: list[str]) -> None:
        self._on_failure(hook.plugin, hook.name)
        degraded.append(hook.plugin)
        log.warning("plugin_failed", plugin=hook.plugin, hook=hook.name, error=why, opened=hook.fail_open)


async def _run(hook: Hook, arguments: dict[str, Any]) -> Any:
    if hook.is_async:
        async with asyncio.timeout(hook.deadline_s):
            return await hook.call(**arguments)
    started = time.monotonic()
    result = hook.call(**arguments)
    if time.monotonic() - started > hook.deadline_s:
        raise TimeoutError
    return result


def _checked_findings(result: object) -> Iterable[Finding]:
    if result is None:
        return ()
    if not isinstance(result, Iterable):
        raise TypeError(f"gave a {type(result).__name__}, not findings")
    found = tuple(result)
    for one in found:
        if not isinstance(one, Finding):
            raise TypeError(f"gave a {type(one).__name__} among its findings")
    return found
