"""The ledger proves coverage: what was not marked is missing, what was seen before is a count."""

from yett.audit.content import leaf_digest
from yett.flow import Leaf
from yett.ledger import KnownLeaves, Ledger

KEY = b"k" * 32


def leaves(*texts):
    return [Leaf(f"/{index}", text) for index, text in enumerate(texts)]


def test_an_unmarked_leaf_is_missing():
    ledger = Ledger(KEY, leaves("a", "b", "c"))
    ledger.mark(0, 1)
    ledger.mark(2, 1)
    assert ledger.missing() == ["/1"]


def test_new_leaves_are_listed_known_ones_counted():
    known = KnownLeaves()
    first = Ledger(KEY, leaves("a", "b")).summary(known)
    second = Ledger(KEY, leaves("a", "b", "c")).summary(known)
    assert [row[0] for row in first.new] == ["/0", "/1"]
    assert ([row[0] for row in second.new], second.known) == (["/2"], 2)
    assert second.known_digest


def test_opaque_places_are_named_as_such():
    summary = Ledger(KEY, (), ["/image"]).summary(KnownLeaves())
    assert summary.new == [("/image", "", "opaque")]


def test_digests_need_the_key():
    assert leaf_digest(KEY, "x") != leaf_digest(b"z" * 32, "x")
    assert leaf_digest(KEY, "x") == leaf_digest(KEY, "x")


def test_known_leaves_are_bounded():
    known = KnownLeaves(limit=2)
    assert [known.add(d) for d in (b"1", b"2", b"1", b"3", b"1")] == [True, True, False, True, True]
