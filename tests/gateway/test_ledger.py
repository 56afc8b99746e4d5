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


def test_a_summary_names_leaves_as_leaf_digest_does():
    texts = ["a", "", "Zoë", "\ud800", "x" * 5000]
    known = KnownLeaves()
    expected = [leaf_digest(KEY, text) for text in texts]
    assert [row[1] for row in Ledger(KEY, leaves(*texts)).summary(known).new] == [digest.hex() for digest in expected]
    assert Ledger(KEY, leaves(*texts)).digests() == expected
    other = b"z" * 32
    assert Ledger(other, leaves("a")).summary(known).new == [("/0", leaf_digest(other, "a").hex(), "all")]


def test_names_that_a_caller_chose_are_hidden_in_a_summary():
    leaf = Leaf("/metadata/alice@example.com", "x")
    summary = Ledger(KEY, [leaf], ["/metadata/bob@example.com"]).summary(KnownLeaves())
    assert [row[0] for row in summary.to_record()["new"]] == ["/metadata/*", "/metadata/*"]


def test_digests_need_the_key():
    assert leaf_digest(KEY, "x") != leaf_digest(b"z" * 32, "x")
    assert leaf_digest(KEY, "x") == leaf_digest(KEY, "x")


def test_known_leaves_are_bounded():
    known = KnownLeaves(limit=2)
    assert [known.add(d) for d in (b"1", b"2", b"1", b"3", b"1")] == [True, True, False, True, True]
