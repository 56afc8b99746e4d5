"""Redis gone, frozen or foreign: an error within the deadline, never a hang, and no answer of another call."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest
import redis

from helpers.redis_server import redis_server
from yett.errors import Unavailable
from yett.state import open_store
from yett.state.redis import RedisStore

SLACK_S = 0.5  # what a busy test machine may add to the deadline of 50 ms


async def unavailable(store: RedisStore) -> Unavailable:
    began_s = time.monotonic()
    calls = (store.get("k"), store.put("k", b"v", 1), store.put_many({"k": b"v"}, 1), store.delete("k"))
    errors = await asyncio.gather(*calls, return_exceptions=True)
    assert time.monotonic() - began_s < 0.05 + SLACK_S
    for error in errors:
        assert isinstance(error, Unavailable)
        assert (error.code, error.status) == ("state_unavailable", 503)
    assert isinstance(errors[0], Unavailable)
    return errors[0]


async def test_frozen_redis_costs_the_deadline_and_recovers_without_mixing_answers(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url)
        for name in ("a", "b", "k"):
            await _eventually_put(store, name, name.encode())
        server.freeze()
        await unavailable(store)
        with pytest.raises(Unavailable):
            await store.get("a")  # its answer comes after the thaw and must not be taken for the next call's
        server.thaw()
        seen = {}
        for name in ("b", "a") * 5:
            seen[name] = await _eventually_get(store, name)
        assert seen == {"a": b"a", "b": b"b"}
        await store.aclose()


async def _eventually_get(store: RedisStore, key: str) -> bytes | None:
    for _ in range(20):
        try:
            return await store.get(key)
        except Unavailable:
            continue
    raise AssertionError("redis did not recover")


async def _eventually_put(store: RedisStore, key: str, value: bytes) -> None:
    for _ in range(20):
        try:
            return await store.put(key, value, 60)
        except Unavailable:
            continue
    raise AssertionError("redis did not start")


async def test_killed_redis_is_unavailable(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url)
        await _eventually_put(store, "k", b"v")
        server.kill()
        await unavailable(store)
        await store.aclose()


async def test_absent_redis_is_unavailable_and_the_url_is_not_in_the_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        store = open_store(f"redis://:hunter2@127.0.0.1:{taken.getsockname()[1]}/0", Path())
        assert isinstance(store, RedisStore)
        error = await unavailable(store)
        assert "hunter2" not in error.message
        await store.aclose()


@pytest.mark.parametrize("speech", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$-9\r\n", b"\0" * 100])
async def test_something_that_is_not_redis_is_unavailable(speech: bytes) -> None:
    def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(speech)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    store = RedisStore(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    with pytest.raises(Unavailable):
        await store.get("k")
    await store.aclose()
    server.close()
    await server.wait_closed()


async def test_keys_are_prefixed_and_expire_in_redis_itself(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url, deadline_s=2.0, prefix="one:")
        other = RedisStore(server.url, deadline_s=2.0, prefix="two:")
        await store.put_many({"k": b"v"}, 100)
        assert await other.get("k") is None
        client = redis.Redis(unix_socket_path=server.url.removeprefix("unix://"))
        assert client.keys() == [b"one:k"]
        assert 99_000 < client.pttl("one:k") <= 100_000
        client.close()
        await store.aclose()
        await other.aclose()
