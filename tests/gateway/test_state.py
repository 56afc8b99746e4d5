"""Both stores keep the same promises; SQLite's own are below. Redis runs as a real server on a unix socket."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from helpers.redis_server import redis_server
from yett.errors import ConfigError, Unavailable
from yett.state import Store, open_store
from yett.state.redis import RedisStore
from yett.state.sqlite import SqliteStore


@pytest.fixture(params=["sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        opened = open_store("sqlite:///var/state.db", tmp_path)
        yield opened
        await opened.aclose()
        return
    with redis_server(tmp_path) as server:
        opened = RedisStore(server.url, deadline_s=2.0)  # the deadline has its own tests; CI machines are slow
        yield opened
        await opened.aclose()


VALUES = {"empty": b"", "text": b"hello", "binary": bytes(range(256)), "large": b"x" * 1_000_000}


@pytest.mark.parametrize("case", VALUES)
async def test_values_come_back_as_they_were(store: Store, case: str) -> None:
    await store.put("k", VALUES[case], 60)
    value = await store.get("k")
    assert value == VALUES[case]
    assert isinstance(value, bytes)


async def test_put_replaces_delete_forgets_and_absence_is_none(store: Store) -> None:
    assert await store.get("k") is None
    await store.put("k", b"1", 60)
    await store.put("k", b"2", 60)
    assert await store.get("k") == b"2"
    await store.delete("k")
    await store.delete("k")
    assert await store.get("k") is None


async def test_put_many_keeps_all(store: Store) -> None:
    await store.put_many({}, 60)
    await store.put_many({f"k{i}": b"%d" % i for i in range(100)}, 60)
    assert [await store.get(f"k{i}") for i in (0, 50, 99)] == [b"0", b"50", b"99"]


async def test_values_expire(store: Store) -> None:
    await store.put("short", b"1", 0.02)
    await store.put("long", b"2", 60)
    await asyncio.sleep(0.05)
    assert await store.get("short") is None
    assert await store.get("long") == b"2"


@pytest.mark.parametrize("key", ["a:b/c", "\u00e9\u4e2d", "a' OR '1'='1", "a\nb\r\nSET x y", "*", "x" * 512])
async def test_keys_are_only_keys(store: Store, key: str) -> None:
    await store.put("other", b"0", 60)
    await store.put(key, b"1", 60)
    assert (await store.get(key), await store.get("other")) == (b"1", b"0")
    await store.delete(key)
    assert (await store.get(key), await store.get("other")) == (None, b"0")


@pytest.mark.parametrize(
    ("key", "ttl_s"),
    [("", 1), ("x" * 513, 1), ("k", 0), ("k", -1), ("k", float("nan")), ("k", float("inf")), ("k", 1e-9)],
)
async def test_bad_keys_and_lifetimes_are_refused(store: Store, key: str, ttl_s: float) -> None:
    with pytest.raises(ValueError, match=r"state key|ttl_s"):
        await store.put(key, b"", ttl_s)
    with pytest.raises(ValueError, match=r"state key|ttl_s"):
        await store.put_many({"good": b"", key: b""}, ttl_s)
    if key != "k":
        with pytest.raises(ValueError, match="state key"):
            await store.get(key)
        with pytest.raises(ValueError, match="state key"):
            await store.delete(key)
    else:
        assert await store.get("good") is None


async def test_many_at_once(store: Store) -> None:
    await asyncio.gather(*(store.put(f"k{i}", b"%d" % i, 60) for i in range(200)))
    assert await asyncio.gather(*(store.get(f"k{i}") for i in range(200))) == [b"%d" % i for i in range(200)]


# --- SQLite's own ---


async def test_sqlite_survives_a_restart_in_a_private_file(tmp_path: Path) -> None:
    first = open_store("sqlite:///deep/er/state.db", tmp_path)
    await first.put("k", b"1", 60)
    await first.aclose()
    path = tmp_path / "deep/er/state.db"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = open_store(f"sqlite:///{path}", Path("/nonexistent"))  # four slashes: absolute
    assert await second.get("k") == b"1"
    await second.aclose()


async def test_sqlite_clock_counts_for_reading_and_purging(tmp_path: Path) -> None:
    now_s = 1000.0
    store = SqliteStore(tmp_path / "s.db", clock=lambda: now_s, purge_every_s=60)
    await store.put_many({"a": b"", "b": b""}, 10)
    await store.put("c", b"", 1000)
    now_s = 1010.0
    assert await store.get("a") is None
    assert _rows(tmp_path / "s.db") == 3  # expired on reading, not yet purged
    now_s = 1061.0
    await store.get("c")
    assert _rows(tmp_path / "s.db") == 1
    await store.aclose()


def _rows(path: Path) -> int:
    db = sqlite3.connect(path)
    (count,) = db.execute("SELECT count(*) FROM state").fetchone()
    db.close()
    return int(count)


async def test_sqlite_never_holds_the_loop(tmp_path: Path) -> None:
    gate = threading.Event()
    store = SqliteStore(tmp_path / "s.db", clock=lambda: 1.0)
    store._thread.submit(gate.wait, 5)  # the store's thread is stuck, as on a slow disk
    reading = asyncio.get_running_loop().create_task(store.get("k"))
    for _ in range(100):
        await asyncio.sleep(0)  # the loop turns all the same
    assert not reading.done()
    gate.set()
    assert await reading is None
    await store.aclose()


async def test_sqlite_locked_by_another_process_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yett.state.sqlite._BUSY_TIMEOUT_S", 0.05)
    store = SqliteStore(tmp_path / "s.db")
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as caught:
        await store.put("key-name", b"value", 60)
    assert caught.value.code == "state_unavailable"
    assert "key-name" not in caught.value.message
    other.execute("ROLLBACK")
    other.close()
    await store.put("k", b"value", 60)
    assert await store.get("k") == b"value"
    await store.aclose()


async def test_sqlite_closed_is_unavailable(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    await store.aclose()
    with pytest.raises(Unavailable) as caught:
        await store.get("k")
    assert caught.value.code == "state_unavailable"


@pytest.mark.parametrize("content", ["not a database at all, " * 50, None])
def test_sqlite_damaged_file_is_a_config_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "state.db"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        SqliteStore(path)
    assert str(path) in str(caught.value)


BAD_URLS = ["", "state.db", "sqlite:", "sqlite:/x.db", "sqlite://host/x.db", "sqlite:///", "sqlite:///var/", "sqlite:///x.db?mode=ro",
            "postgres://x", "redis://host:notaport/0", "REDIS//x", "file:///etc/passwd"]  # fmt: skip


@pytest.mark.parametrize("url", BAD_URLS)
def test_bad_urls_are_config_errors(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError):
        open_store(url, tmp_path)
    assert list(tmp_path.iterdir()) == []
