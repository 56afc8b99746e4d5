"""The coverage ledger: for each text leaf, proof that the mandatory detectors saw it.

A leaf enters the ledger when it is listed and is marked when its scan has *returned*. What is still unmarked when the
phase is decided is a refusal, never a pass. The audit keeps new leaves by pointer and keyed hash; leaves that this
process has recorded before (agents resend their history) are a count and a digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from yett.audit.content import DIGEST_BYTES
from yett.audit.record import Ledger as LedgerRecord
from yett.audit.record import Wording
from yett.flow import Leaf


class KnownLeaves:
    """Digests already written to the log by this process; bounded: when full, all are forgotten and new again.

    `wording` remembers how this gateway's records word their places and findings.
    """

    __slots__ = ("_key", "_keyed", "_limit", "_seen", "wording")

    def __init__(self, limit: int = 200_000) -> None:
        self._limit = limit
        self._seen: set[bytes] = set()
        self._key = b""
        self._keyed = keyed(b"")
        self.wording = Wording()

    def keyed(self, key: bytes) -> hashlib.blake2b:
        """The hash that `key` begins: remembered, because keying costs more than hashing a short text."""
        if key != self._key:
            self._key, self._keyed = key, keyed(key)
        return self._keyed

    def add(self, digest: bytes) -> bool:
        """Remember `digest`; True if it was not known."""
        if digest in self._seen:
            return False
        if len(self._seen) >= self._limit:
            self._seen.clear()
        self._seen.add(digest)
        return True

    def has_all(self, digests: Iterable[bytes]) -> bool:
        """Whether each of `digests` is known."""
        return self._seen.issuperset(digests)

    def clear(self) -> None:
        """Forget all: a record that named some of them may not have been stored."""
        self._seen.clear()


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
        if 0 not in self._scanned:
            return []
        return [leaf.pointer for leaf, seen in zip(self._leaves, self._scanned, strict=True) if not seen]

    def digests(self) -> list[bytes]:
        """The keyed hash of each leaf, in order; computed once."""
        return self._digests or self._digest(keyed(self._key))

    def summary(self, known: KnownLeaves) -> LedgerRecord:
        """The ledger as the audit stores it: new leaves by pointer and hash, known ones as a count and a digest."""
        pointers = known.wording.pointers
        new = [(pointers[pointer], "", "opaque") for pointer in self._opaque] if self._opaque else []
        digests = self._digests or self._digest(known.keyed(self._key))
        if known.has_all(digests):
            resent = digests
        else:
            resent = []
            for leaf, digest in zip(self._leaves, digests, strict=True):
                if known.add(digest):
                    new.append((pointers[leaf.pointer], digest.hex(), "all"))
                else:
                    resent.append(digest)
        if not resent:
            return LedgerRecord(new, worded=True)
        digest_of_resent = hashlib.blake2b(b"".join(resent), digest_size=DIGEST_BYTES).hexdigest()
        return LedgerRecord(new, len(resent), digest_of_resent, worded=True)

    def _digest(self, begun: hashlib.blake2b) -> list[bytes]:
        """What `leaf_digest` gives for each leaf, from a hash that is keyed already."""
        digests = self._digests = []
        for leaf in self._leaves:
            one = begun.copy()
            try:
                one.update(leaf.text.encode())
            except UnicodeEncodeError:
                one.update(leaf.text.encode("utf-8", "surrogatepass"))
            digests.append(one.digest())
        return digests


def keyed(key: bytes) -> hashlib.blake2b:
    """The hash of nothing yet under `key`: copy it, and feed the copy."""
    return hashlib.blake2b(digest_size=DIGEST_BYTES, key=key)
