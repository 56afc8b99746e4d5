"""Runs an async test on asyncio's own loop and on uvloop: they differ in how transports close, pause and fail."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def run_on(name: str, make: Callable[[], Awaitable[Any]], limit_s: float = 20.0) -> Any:
    """Run `make()` on the named loop; a hang, a task left behind or an error nobody saw fails."""
    unseen: list[dict[str, Any]] = []

    async def bounded() -> Any:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
        async with asyncio.timeout(limit_s):
            result = await make()
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            _, left = await asyncio.wait(left, timeout=1.0)  # asyncio's own accept tasks end by themselves
        assert not left, left
        return result

    with asyncio.Runner(loop_factory=LOOPS[name]) as runner:
        result = runner.run(bounded())
        gc.collect(0)
    assert not unseen, unseen
    return result


def on_both_loops(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Decorator: an `async def` test becomes two tests, one per loop."""

    @functools.wraps(test)
    def wrapper(*args: Any, loop: str, **kwargs: Any) -> None:
        run_on(loop, lambda: test(*args, **kwargs))

    signature = inspect.signature(test)
    extra = inspect.Parameter("loop", inspect.Parameter.KEYWORD_ONLY)
    wrapper.__signature__ = signature.replace(parameters=[*signature.parameters.values(), extra])  # type: ignore[attr-defined]
    both: Callable[..., None] = pytest.mark.parametrize("loop", LOOPS)(wrapper)
    return both
