"""The coverage ledger: for each text leaf, proof that the mandatory detectors saw it.

A leaf enters the ledger when it is listed and is marked when its scan has *returned*. What is still unmarked when the
phase is decided is a refusal, never a pass. The audit keeps new leaves by pointer and keyed hash; leaves that this
process has recorded before (agents resend their history) are a count and a digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from yett.audit.content import DIGEST_BYTES, leaf_digest
from yett.audit.record import Ledger as LedgerRecord
from yett.flow import Leaf


class KnownLeaves:
    """Digests already written to the log by this process; bounded: when full, all are forgotten and new again."""

    __slots__ = ("_limit", "_seen")

    def __init__(self, limit: int = 200_000) -> None:
        self._limit = limit
        self._seen: set[bytes] = set()

    def add(self, digest: bytes) -> bool:
        """Remember `digest`; True if it was not known."""
        if digest in self._seen:
            return False
        if len(self._seen) >= self._limit:
            self._seen.clear()
        self._seen.add(digest)
        return True


class Ledger:
    """Who saw which leaf in one phase of one flow."""

    __slots__ = ("_digests", "_key", "_leaves", "_opaque", "_scanned")

    def __init__(self, key: bytes, leaves: Sequence[Leaf], opaque: Iterable[str] = ()) -> None:
        self._key = key
        self._leaves = leaves
        self._scanned = bytearray(len(leaves))
        self._opaque = list(opaque)
        self._digests: list[bytes] = []

    def mark(self, first: int, count: int) -> None:
        """Leaves `first` to `first + count` were scanned by every mandatory detector."""
        self._scanned[first : first + count] = b"\x01" * count

    def missing(self) -> list[str]:
        """Pointers of leaves that no scan has vouched for."""
        return [leaf.pointer for leaf, seen in zip(self._leaves, self._scanned, strict=True) if not seen]

    def digests(self) -> list[bytes]:
        """The keyed hash of each leaf, in order; computed once."""
        if not self._digests:
            key = self._key
            self._digests = [leaf_digest(key, leaf.text) for leaf in self._leaves]
        return self._digests

    def summary(self, known: KnownLeaves) -> LedgerRecord:
        """The ledger as the audit stores it: new leaves by pointer and hash, known ones as a count and a digest."""
        new: list[tuple[str, str, str]] = [(pointer, "", "opaque") for pointer in self._opaque]
        resent = 0
        resent_digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
        for leaf, digest in zip(self._leaves, self.digests(), strict=True):
            if known.add(digest):
                new.append((leaf.pointer, digest.hex(), "all"))
            else:
                resent += 1
                resent_digest.update(digest)
        return LedgerRecord(new, resent, resent_digest.hexdigest() if resent else "")
