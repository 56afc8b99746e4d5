"""Evidence beside the log: the texts behind the leaf hashes, each once per subject, encrypted, with an expiry.

The log itself never holds content; this store may be thinned, shredded or lost without touching a single proof.

    none      nothing is kept
    redacted  the text as it was forwarded (after edits), readable with the store's key
    sealed    the raw text, readable only with the operator's private key (needed to replay new detectors)

Every text is AES-256-GCM under a data key of its subject (tenant and principal); the data keys are wrapped by the
store's key. `shred` deletes a subject's data key: what it protected is noise from then on, in backups too.

A thread of its own does the writing behind a bounded queue: the request pays for an enqueue. A full queue drops (and
counts): this is evidence beside the log, and the log itself never drops.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from yett.errors import ConfigError, Unavailable

Mode = Literal["none", "redacted", "sealed"]
DIGEST_BYTES = 16
MAX_QUEUED = 8192
MAX_QUEUED_BYTES = 64 << 20
MAX_SEEN = 1 << 16
BATCH = 256
PURGE_S = 3600.0
DO_S = 30.0
DAY_S = 86_400
_SEAL_INFO = b"yett.audit.content sealed v1"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (subject BLOB PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS leaves (
  digest BLOB NOT NULL, subject BLOB NOT NULL, body BLOB NOT NULL, sealed INTEGER NOT NULL, expires INTEGER NOT NULL,
  PRIMARY KEY (digest, subject)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS leaves_by_subject ON leaves (subject);
CREATE INDEX IF NOT EXISTS leaves_by_expiry ON leaves (expires);
"""

_Put = tuple[str, bytes, str]
_Job = _Put | Callable[[], None] | None


def leaf_digest(key: bytes, text: str) -> bytes:
    """The keyed hash by which ledger and store name a text: 16 bytes; without `key` it cannot be guessed back."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES, key=key).digest()


class ContentStore:
    """The store of one worker. `put` belongs to one thread (the event loop); everything else to any."""

    def __init__(
        self,
        folder: Path,
        mode: Mode,
        *,
        key: bytes,
        public_key: bytes = b"",
        ttl_days: float = 30.0,
        max_queued: int = MAX_QUEUED,
        now: Callable[[], float] = time.time,  # noqa: TID251  # a stamp that must outlive the process, no duration
    ) -> None:
        """`key`: 32 secret bytes; `public_key`: the operator's raw X25519 key, for `sealed`. Raises ConfigError."""
        if mode not in {"none", "redacted", "sealed"}:
            raise ConfigError("audit.content is one of none, redacted, sealed")
        if len(key) != 32:
            raise ConfigError("the content key must be 32 bytes")
        if mode == "sealed" and len(public_key) != 32:
            raise ConfigError("audit.content: sealed needs the operator's X25519 public key (32 bytes)")
        self.mode = mode
        self._path = folder / "content.db"
        self._wrap = AESGCM(hmac.digest(key, b"content wrap", "sha256"))
        self._name_key = hmac.digest(key, b"content subject", "sha256")
        self._public_key, self._ttl_s, self._now = public_key, ttl_days * DAY_S, now
        self._queue: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._max_queued = max_queued
        self._seen: dict[tuple[str, bytes], None] = {}
        self._bytes_in = self._bytes_out = 0  # each changed by one side only
        self._dropped_full = self._dropped_failed = 0
        self._failure = ""
        self._data_keys: dict[bytes, AESGCM] = {}
        self._writer: threading.Thread | None = None
        if mode != "none":
            self._open(folder)

    @property
    def dropped(self) -> int:
        """Texts that were not kept: the queue was full or the disk refused."""
        return self._dropped_full + self._dropped_failed

    @property
    def failure(self) -> str:
        """Why the last write failed; empty when it did not."""
        return self._failure

    def put(self, subject: str, digest: bytes, text: str) -> None:
        """Keep `text` for `subject` under `digest`, soon. Never blocks, never raises."""
        name = (subject, digest)
        if self._writer is None or name in self._seen:
            return
        size = len(text)
        if self._queue.qsize() >= self._max_queued or self._bytes_in - self._bytes_out + size > MAX_QUEUED_BYTES:
            self._dropped_full += 1
            return
        if len(self._seen) >= MAX_SEEN:
            self._seen = {}
        self._seen[name] = None
        self._bytes_in += size
        self._queue.put((subject, digest, text))

    def get(self, digest: bytes) -> str | None:
        """The text, if it is kept here in readable form and was not shredded."""
        for body, sealed in self._bodies(digest):
            if not sealed:
                return body.decode("utf-8", "surrogatepass")
        return None

    def get_sealed(self, digest: bytes) -> bytes | None:
        """The sealed box of the text, for `unseal` with the operator's private key."""
        for body, sealed in self._bodies(digest):
            if sealed:
                return body
        return None

    def shred(self, subject: str) -> bool:
        """Delete the subject's data key and texts; whether there was one. Blocks until it is on the disk.

        Raises Unavailable if that cannot be vouched for.
        """
        name = self._subject(subject)
        found: list[bool] = []

        def job() -> None:
            with self._connection:
                gone = self._connection.execute("DELETE FROM keys WHERE subject = ?", (name,)).rowcount
                self._connection.execute("DELETE FROM leaves WHERE subject = ?", (name,))
            self._data_keys.pop(name, None)
            self._seen = {}
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            found.append(gone > 0)

        self._do(job)
        return any(found)

    def purge(self) -> int:
        """Delete what has expired; how many texts that were. Blocks. Raises Unavailable."""
        gone: list[int] = []
        self._do(lambda: gone.append(self._purge()))
        return sum(gone)

    def flush(self) -> None:
        """Return when everything put so far is written. Blocks."""
        self._do(lambda: None)

    def close(self) -> None:
        """Write what is queued and let go of the file."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            self._queue.put(None)
            writer.join(10.0)

    def _open(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
            self._connection = sqlite3.connect(self._path, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA secure_delete = ON")
            self._connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError("the content store cannot be opened", str(self._path)) from error
        self._writer = threading.Thread(target=self._write_all, name="audit-content", daemon=True)
        self._writer.start()

    def _subject(self, subject: str) -> bytes:
        return leaf_digest(self._name_key, subject)

    # The writer's thread.

    def _do(self, job: Callable[[], None]) -> None:
        """Run `job` on the writer's thread, in its turn, and wait. Raises Unavailable if it failed."""
        if self._writer is None:
            return
        ended, worked = threading.Event(), []

        def run() -> None:
            try:
                job()
                worked.append(True)
            finally:
                ended.set()

        self._queue.put(run)
        ended.wait(DO_S)
        if not worked:
            raise Unavailable("the content store did not do what it was asked", code="content_unavailable")

    def _write_all(self) -> None:
        purge_at = time.monotonic()
        with closing(self._connection):
            while True:
                if time.monotonic() >= purge_at:
                    self._try(self._purge)
                    purge_at = time.monotonic() + PURGE_S
                try:
                    job = self._queue.get(timeout=PURGE_S)
                except queue.Empty:
                    continue
                if not self._work(job):
                    return

    def _work(self, job: _Job) -> bool:
        """One job, or a batch of puts in one transaction; False at the end of all work."""
        batch: list[_Put] = []
        while isinstance(job, tuple):
            batch.append(job)
            if len(batch) >= BATCH:
                break
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
        if batch and not self._try(lambda: self._store(batch)):
            self._dropped_failed += len(batch)
        self._bytes_out += sum(len(text) for _, _, text in batch)
        if callable(job):
            self._try(job)
        return job is not None

    def _try(self, job: Callable[[], object]) -> bool:
        try:
            job()
        except (sqlite3.Error, OSError, InvalidTag) as error:
            self._failure = type(error).__name__
            self._data_keys = {}  # a key made in the failed transaction is not on the disk
            self._seen = {}
            return False
        return True

    def _store(self, batch: list[_Put]) -> None:
        expires = int(self._now() + self._ttl_s)
        sealed = self.mode == "sealed"
        with self._connection:
            rows = []
            for subject, digest, text in batch:
                name = self._subject(subject)
                raw = text.encode("utf-8", "surrogatepass")
                body = _encrypt(self._data_key(name), seal(self._public_key, raw) if sealed else raw, digest)
                rows.append((digest, name, body, sealed, expires))
            self._connection.executemany(
                "INSERT INTO leaves VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET expires = excluded.expires", rows
            )
        self._failure = ""

    def _data_key(self, name: bytes) -> AESGCM:
        """The subject's data key, made on first use."""
        key = self._data_keys.get(name)
        if key is None:
            if len(self._data_keys) >= MAX_SEEN:
                self._data_keys = {}
            row = self._connection.execute("SELECT wrapped FROM keys WHERE subject = ?", (name,)).fetchone()
            raw = _decrypt(self._wrap, row[0], name) if row else os.urandom(32)
            if not row:
                self._connection.execute("INSERT INTO keys VALUES (?, ?)", (name, _encrypt(self._wrap, raw, name)))
            key = self._data_keys[name] = AESGCM(raw)
        return key

    def _purge(self) -> int:
        with self._connection:
            gone = self._connection.execute("DELETE FROM leaves WHERE expires <= ?", (int(self._now()),)).rowcount
            if gone:
                self._connection.execute("DELETE FROM keys WHERE subject NOT IN (SELECT subject FROM leaves)")
                self._data_keys = {}
        if gone:
            self._seen = {}
        return gone

    # Any thread.

    def _bodies(self, digest: bytes) -> list[tuple[bytes, bool]]:
        if self.mode == "none" or not self._path.exists():
            return []
        query = (
            "SELECT l.body, l.sealed, k.subject, k.wrapped FROM leaves l JOIN keys k USING (subject) "
            "WHERE l.digest = ? AND l.expires > ? ORDER BY l.expires DESC"
        )
        bodies = []
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as reader:
            for body, sealed, name, wrapped in reader.execute(query, (digest, int(self._now()))):
                with suppress(InvalidTag):  # damaged or foreign: as good as gone
                    key = AESGCM(_decrypt(self._wrap, wrapped, name))
                    bodies.append((_decrypt(key, body, digest), bool(sealed)))
        return bodies


def seal(public_key: bytes, raw: bytes) -> bytes:
    """A box that only the holder of the private key opens: ephemeral X25519, HKDF-SHA256, AES-256-GCM."""
    ephemeral = X25519PrivateKey.generate()
    ours = ephemeral.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
    return ours + _box(shared, ours, public_key).encrypt(bytes(12), raw, None)


def unseal(private_key: X25519PrivateKey, box: bytes) -> str:
    """Open a box. Raises ValueError if it is not ours or was changed."""
    public_key = private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    theirs = box[:32]
    try:
        shared = private_key.exchange(X25519PublicKey.from_public_bytes(theirs))
        raw = _box(shared, theirs, public_key).decrypt(bytes(12), box[32:], None)
    except (InvalidTag, ValueError) as error:
        raise ValueError("the sealed text cannot be opened with this key") from error
    return raw.decode("utf-8", "surrogatepass")


def _box(shared: bytes, ephemeral: bytes, recipient: bytes) -> AESGCM:
    """The one-time cipher of one box: its key is never used twice, so its nonce may be constant."""
    return AESGCM(HKDF(SHA256(), 32, ephemeral + recipient, _SEAL_INFO).derive(shared))


def _encrypt(key: AESGCM, raw: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(12)
    return nonce + key.encrypt(nonce, raw, bound_to)


def _decrypt(key: AESGCM, body: bytes, bound_to: bytes) -> bytes:
    return key.decrypt(body[:12], body[12:], bound_to)
