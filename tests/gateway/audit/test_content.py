"""The content store: each text once, encrypted, bounded, gone when it should be."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from yett.audit import content
from yett.audit.content import ContentStore, leaf_digest, seal, unseal
from yett.errors import ConfigError, Unavailable

KEY = bytes(range(32))
PRIVATE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
CANARY = "canary 4111 1111 1111 1111"


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def store(tmp_path: Path, clock: Time) -> Iterator[Callable[..., ContentStore]]:
    made: list[ContentStore] = []

    def make(mode: str = "redacted", **changes: object) -> ContentStore:
        settings: dict[str, object] = {"key": KEY, "public_key": PUBLIC, "now": clock}
        made.append(ContentStore(tmp_path, mode, **(settings | changes)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.close()


def rows(folder: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(folder / "content.db")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def raw(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("content.db*"))


TEXTS = ["", "hello", CANARY, "Zoë\u2028\x00", "\ud800 lone", "x" * 100_000]


@pytest.mark.parametrize("text", TEXTS, ids=["empty", "plain", "canary", "unicode", "surrogate", "long"])
def test_a_text_comes_back_and_is_not_readable_on_disk(store, tmp_path: Path, text: str) -> None:
    one, digest = store(), leaf_digest(KEY, text)
    one.put("acme/alice", digest, text)
    one.flush()
    assert one.get(digest) == text
    assert one.get_sealed(digest) is None
    assert b"canary" not in raw(tmp_path)
    assert b"alice" not in raw(tmp_path)


def test_it_comes_back_after_a_restart_and_only_with_the_key(store) -> None:
    digest = leaf_digest(KEY, CANARY)
    first = store()
    first.put("s", digest, CANARY)
    first.close()
    assert store().get(digest) == CANARY
    assert store(key=bytes(32)).get(digest) is None


def test_each_text_is_stored_once_per_subject(store, tmp_path: Path) -> None:
    one, digest = store(), leaf_digest(KEY, "hello")
    for subject in ("a", "a", "b", "a"):
        one.put(subject, digest, "hello")
    one.flush()
    two = store()
    two.put("a", digest, "hello")
    two.flush()
    assert rows(tmp_path, "SELECT count(*) FROM leaves") == [(2,)]
    assert rows(tmp_path, "SELECT count(*) FROM keys") == [(2,)]


def test_none_keeps_nothing(store, tmp_path: Path) -> None:
    one = store("none")
    one.put("s", bytes(16), CANARY)
    one.flush()
    assert (one.get(bytes(16)), one.shred("s"), one.purge(), one.dropped) == (None, False, 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_sealed_texts_open_with_the_operators_key_only(store) -> None:
    one, digest = store("sealed"), leaf_digest(KEY, CANARY)
    one.put("s", digest, CANARY)
    one.flush()
    box = one.get_sealed(digest)
    assert one.get(digest) is None
    assert box is not None
    assert unseal(PRIVATE, box) == CANARY
    with pytest.raises(ValueError, match="cannot be opened"):
        unseal(X25519PrivateKey.generate(), box)


@pytest.mark.parametrize("place", [0, 40, -1])
def test_a_changed_box_does_not_open(place: int) -> None:
    box = bytearray(seal(PUBLIC, b"text"))
    box[place] ^= 1
    with pytest.raises(ValueError, match="cannot be opened"):
        unseal(PRIVATE, bytes(box))
    with pytest.raises(ValueError, match="cannot be opened"):
        unseal(PRIVATE, b"short")


@pytest.mark.parametrize("mode", ["redacted", "sealed"])
def test_shredding_one_subject_leaves_the_others(store, tmp_path: Path, mode: str) -> None:
    one = store(mode)
    mine, shared = leaf_digest(KEY, "mine"), leaf_digest(KEY, "shared")
    one.put("a", mine, "mine")
    one.put("a", shared, "shared")
    one.put("b", shared, "shared")
    one.flush()
    (wrapped,) = (row[0] for row in rows(tmp_path, "SELECT wrapped FROM keys LIMIT 1"))
    read = one.get if mode == "redacted" else one.get_sealed
    assert one.shred("a")
    assert not one.shred("a")
    assert read(mine) is None
    assert read(shared) is not None
    assert one.shred("b")
    assert wrapped not in raw(tmp_path)


def test_after_shredding_the_subject_gets_a_new_key(store) -> None:
    one, digest = store(), leaf_digest(KEY, "mine")
    one.put("a", digest, "mine")
    one.shred("a")
    one.put("a", digest, "mine")
    one.flush()
    assert one.get(digest) == "mine"


def test_what_has_expired_is_not_given_out_and_is_purged_with_its_key(store, tmp_path: Path, clock: Time) -> None:
    one, digest = store(ttl_days=1), leaf_digest(KEY, "old")
    one.put("a", digest, "old")
    one.flush()
    clock.now += 86_400 + 1
    assert one.get(digest) is None
    assert one.purge() == 1
    assert rows(tmp_path, "SELECT (SELECT count(*) FROM leaves) + (SELECT count(*) FROM keys)") == [(0,)]
    one.put("a", digest, "old")
    one.flush()
    assert one.get(digest) == "old"


def test_a_full_queue_drops_counts_and_never_blocks(store, monkeypatch: pytest.MonkeyPatch) -> None:
    one = store(max_queued=10)
    gate, stopped = threading.Event(), threading.Event()

    def stop() -> None:
        stopped.set()
        gate.wait(5)

    one._queue.put(stop)
    stopped.wait(5)
    for n in range(25):
        one.put("s", n.to_bytes(16), "text")
    assert one.dropped == 15
    monkeypatch.setattr(content, "MAX_QUEUED_BYTES", 10)
    gate.set()
    one.flush()
    one.put("s", bytes(15) + b"\xff", "x" * 100)
    assert one.dropped == 16
    one.flush()
    assert one.get((9).to_bytes(16)) == "text"
    assert one.get((10).to_bytes(16)) is None


def test_a_text_that_was_dropped_is_taken_the_next_time(store) -> None:
    one = store(max_queued=0)
    one.put("s", bytes(16), "text")
    one._max_queued = 10
    one.put("s", bytes(16), "text")
    one.flush()
    assert (one.get(bytes(16)), one.dropped) == ("text", 1)


def test_a_failing_disk_is_counted_and_recovered_from(store, tmp_path: Path) -> None:
    one = store()
    one._do(lambda: one._connection.execute("PRAGMA query_only = ON"))
    one.put("s", bytes(16), "text")
    one.flush()
    assert (one.dropped, one.failure) == (1, "OperationalError")
    with pytest.raises(Unavailable, match="content store"):
        one.shred("s")
    one._do(lambda: one._connection.execute("PRAGMA query_only = OFF"))
    one.put("s", bytes(16), "text")
    one.flush()
    assert (one.get(bytes(16)), one.failure) == ("text", "")


def test_a_changed_body_is_as_good_as_gone(store, tmp_path: Path) -> None:
    one = store()
    one.put("s", bytes(16), "text")
    one.close()
    connection = sqlite3.connect(tmp_path / "content.db")
    with connection:
        connection.execute("UPDATE leaves SET digest = ?", (b"\x01" * 16,))
    connection.close()
    assert store().get(b"\x01" * 16) is None


@pytest.mark.parametrize(
    "change",
    [{"mode": "all"}, {"key": b"short"}, {"mode": "sealed", "public_key": b""}],
    ids=["mode", "key", "no public key"],
)
def test_wrong_settings_stop_the_start(store, change: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        store(**change)


def test_a_damaged_store_stops_the_start(store, tmp_path: Path) -> None:
    (tmp_path / "content.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(ConfigError, match="content store"):
        store()


def test_a_digest_needs_its_key_and_takes_any_text() -> None:
    assert leaf_digest(KEY, "a") != leaf_digest(bytes(32), "a")
    assert leaf_digest(KEY, "a") == leaf_digest(KEY, "a")
    assert len(leaf_digest(KEY, "\ud800")) == 16
