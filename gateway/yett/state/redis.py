"""The shared store: Redis, with a deadline on every call. A Redis that hangs costs 50 ms, never a hung request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from yett.errors import ConfigError, Unavailable
from yett.state import check_key, state_unavailable

DEADLINE_S = 0.05
PREFIX = "yett:"

T = TypeVar("T")


class RedisStore:
    """See `Store`. Connects on first use; `deadline_s` bounds each call, the connect included."""

    def __init__(
        self, url: str, *, deadline_s: float = DEADLINE_S, prefix: str = PREFIX, max_connections: int = 64
    ) -> None:
        self._deadline_s = deadline_s
        self._prefix = prefix
        try:
            pool = aioredis.BlockingConnectionPool.from_url(
                url,
                max_connections=max_connections,
                timeout=deadline_s,
                socket_connect_timeout=deadline_s,
                socket_timeout=deadline_s,
                # Retries would multiply the deadline; whoever called decides what to do without state.
                retry=Retry(NoBackoff(), 0),
                retry_on_timeout=False,
            )
        except (ValueError, RedisError) as error:
            raise ConfigError("state is not a valid Redis URL") from error
        self._redis = aioredis.Redis(connection_pool=pool)

    async def get(self, key: str) -> bytes | None:
        """See `Store.get`."""
        check_key(key)
        value = await self._bounded(self._redis.get(self._prefix + key))
        return value.encode() if isinstance(value, str) else value  # bytes, as decode_responses is off

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """See `Store.put`."""
        check_key(key, ttl_s)
        await self._bounded(self._redis.set(self._prefix + key, value, px=_milliseconds(ttl_s)))

    async def put_many(self, values: Mapping[str, bytes], ttl_s: float) -> None:
        """See `Store.put_many`."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            for key, value in values.items():
                check_key(key, ttl_s)
                pipeline.set(self._prefix + key, value, px=_milliseconds(ttl_s))
            await self._bounded(pipeline.execute())

    async def delete(self, key: str) -> None:
        """See `Store.delete`."""
        check_key(key)
        await self._bounded(self._redis.delete(self._prefix + key))

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def _bounded(self, call: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await call
        except TimeoutError as error:
            raise self._unavailable("no answer in time") from error
        except (RedisError, OSError) as error:
            raise self._unavailable(type(error).__name__) from error

    def _unavailable(self, what: str) -> Unavailable:
        return state_unavailable(f"redis: {what}")


def _milliseconds(ttl_s: float) -> int:
    return max(1, round(ttl_s * 1000))
