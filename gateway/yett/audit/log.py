"""The Merkle tree of RFC 6962 over the lines of an audit log. Sans-IO: it takes hashes and returns hashes.

A leaf is SHA-256(0x00 || line without its newline), a node SHA-256(0x01 || left || right). `Tree` keeps only the roots
of the perfect subtrees (the frontier), so appending costs O(log n) and the log's size never matters. Each line also
carries `link` of the line before it: that names the exact record that was changed, and holds the lines that no
checkpoint has signed yet together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = hashlib.sha256(b"").digest()
GENESIS = "0" * 32  # what the first line carries in place of a link


def leaf_hash(line: bytes) -> bytes:
    """The leaf of one line (without its newline)."""
    return sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node over two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def link(leaf: bytes) -> str:
    """What the next line carries of this leaf: its first 128 bits as 32 hex digits."""
    return leaf.hex()[:32]


class Tree:
    """A growing tree: `size` leaves, known by the roots of its perfect subtrees, largest first."""

    __slots__ = ("_nodes", "size")

    def __init__(self, size: int = 0, frontier: Sequence[bytes] = ()) -> None:
        if len(frontier) != size.bit_count():
            raise ValueError("the frontier does not fit the size")
        self.size = size
        self._nodes = list(frontier)

    def append(self, leaf: bytes) -> None:
        """Add one leaf."""
        nodes, full = self._nodes, self.size
        self.size = full + 1
        while full & 1:
            leaf = sha256(b"\x01" + nodes.pop() + leaf).digest()
            full >>= 1
        nodes.append(leaf)

    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._nodes:
            return EMPTY_ROOT
        *rest, root = self._nodes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root

    def frontier(self) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees: with `size`, all that is needed to go on."""
        return tuple(self._nodes)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over these leaf hashes."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of leaf `index` in the tree over `leaves`. Raises IndexError outside it."""
    if not 0 <= index < len(leaves):
        raise IndexError("no such leaf")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root_of(leaves[middle:high]))
            high = middle
        else:
            path.append(root_of(leaves[low:middle]))
            low = middle
    return path[::-1]


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """The proof that the tree over `leaves` grew out of its first `old_size` leaves. Raises IndexError outside 1..n."""
    if not 1 <= old_size <= len(leaves):
        raise IndexError("no such older tree")
    path: list[bytes] = []
    low, high, known = 0, len(leaves), True
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            path.append(root_of(leaves[middle:high]))
            high = middle
        else:
            path.append(root_of(leaves[low:middle]))
            low, known = middle, False
    if not known:
        path.append(root_of(leaves[low:high]))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that `leaf` is number `index` of the `size` leaves under `root` (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, have = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            have = node_hash(step, have)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            have = node_hash(have, step)
        position, last = position >> 1, last >> 1
    return last == 0 and have == root


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the newer tree only appended to the older one (RFC 9162 2.1.4.2)."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    steps = list(proof)
    if old_size & (old_size - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        return False
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while position and not position & 1:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root
