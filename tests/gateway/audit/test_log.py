"""The Merkle tree: RFC 6962's known answers, and agreement with the recursive definition."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yett.audit.log import (
    EMPTY_ROOT,
    Tree,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    link,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The test vectors of the Certificate Transparency reference implementations.
LEAVES = [
    leaf_hash(bytes.fromhex(h))
    for h in ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
N96 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
N5F = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
N6B = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
NBC = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NCA = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
N0E = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
ND3 = ROOTS[3]

PATHS = [
    (0, 8, [N96, N5F, N6B]),
    (5, 8, [NBC, NCA, ND3]),
    (2, 3, [ROOTS[1]]),
    (1, 5, [ROOTS[0], N5F, NBC]),
]
GROWTH = [(1, 1, []), (1, 8, [N96, N5F, N6B]), (6, 8, [N0E, NCA, ND3]), (2, 5, [N5F, NBC])]


def recursive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + recursive_root(leaves[:k]) + recursive_root(leaves[k:])).digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_known_answers(size: int) -> None:
    assert root_of(LEAVES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size", "path"), PATHS)
def test_inclusion_paths_are_the_known_answers(index: int, size: int, path: list[str]) -> None:
    proof = inclusion_proof(LEAVES[:size], index)
    assert [node.hex() for node in proof] == path
    assert verify_inclusion(LEAVES[index], index, size, proof, bytes.fromhex(ROOTS[size - 1]))


@pytest.mark.parametrize(("old", "new", "path"), GROWTH)
def test_consistency_proofs_are_the_known_answers(old: int, new: int, path: list[str]) -> None:
    proof = consistency_proof(LEAVES[:new], old)
    assert [node.hex() for node in proof] == path
    assert verify_consistency(old, new, bytes.fromhex(ROOTS[old - 1]), bytes.fromhex(ROOTS[new - 1]), proof)


def test_the_empty_tree() -> None:
    assert Tree().root() == EMPTY_ROOT == sha256(b"").digest()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.binary(max_size=4), max_size=70))
def test_the_frontier_gives_the_recursive_root(lines: list[bytes]) -> None:
    leaves = [leaf_hash(line) for line in lines]
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    assert tree.root() == recursive_root(leaves)
    assert Tree(tree.size, tree.frontier()).root() == tree.root()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.data())
def test_every_proof_holds_and_no_other_leaf_or_root_passes(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root, old_root = root_of(leaves), root_of(leaves[:old])
    path, growth = inclusion_proof(leaves, index), consistency_proof(leaves, old)
    assert verify_inclusion(leaves[index], index, size, path, root)
    assert not verify_inclusion(leaf_hash(b"other"), index, size, path, root)
    assert not verify_inclusion(leaves[index], index, size, [*path, root], root)
    assert not any(verify_inclusion(leaves[index], other, size, path, root) for other in range(size) if other != index)
    assert verify_consistency(old, size, old_root, root, growth)
    assert not verify_consistency(old, size, leaf_hash(b"other"), root, growth)
    assert not verify_consistency(old, size, old_root, root, [*growth, root])
    assert old == size or not verify_consistency(old, size, old_root, root, growth[:-1])


def test_growing_a_tree_from_its_frontier_is_growing_the_tree() -> None:
    whole, first = Tree(), Tree()
    for n in range(20):
        whole.append(leaf_hash(bytes([n])))
        if n < 11:
            first.append(leaf_hash(bytes([n])))
    resumed = Tree(first.size, first.frontier())
    for n in range(11, 20):
        resumed.append(leaf_hash(bytes([n])))
    assert resumed.root() == whole.root()


@pytest.mark.parametrize(
    "call",
    [
        lambda: inclusion_proof(LEAVES, 8),
        lambda: inclusion_proof([], 0),
        lambda: consistency_proof(LEAVES, 0),
        lambda: consistency_proof(LEAVES, 9),
    ],
)
def test_a_proof_outside_the_tree_is_an_error(call) -> None:
    with pytest.raises(IndexError):
        call()


def test_a_frontier_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(ValueError, match="frontier"):
        Tree(3, [bytes(32)])


@pytest.mark.parametrize(
    "arguments", [(LEAVES[0], -1, 8), (LEAVES[0], 8, 8), (LEAVES[0], 0, 0)], ids=["negative", "past the end", "empty"]
)
def test_an_index_outside_the_tree_is_never_included(arguments: tuple[bytes, int, int]) -> None:
    assert not verify_inclusion(*arguments, inclusion_proof(LEAVES, 0), root_of(LEAVES))


def test_an_older_tree_that_is_newer_is_not_consistent() -> None:
    assert not verify_consistency(8, 5, root_of(LEAVES), root_of(LEAVES[:5]), [])
    assert not verify_consistency(3, 8, root_of(LEAVES[:3]), root_of(LEAVES), [])


def test_a_link_is_half_a_leaf_in_hex() -> None:
    assert link(LEAVES[0]) == ROOTS[0][:32]
