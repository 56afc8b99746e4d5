"""combine() obeys its laws; edits merge to the same text in any order."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.verdict import Action, Decision, Edit, Verdict, apply_edits, combine, decide, merge_edits

rules = st.frozensets(st.sampled_from(["a", "b", "c", "d"]), max_size=3)
edits = st.frozensets(
    st.builds(
        lambda start, length, code, priority: Edit("/x", (start, start + length), f"<{code}>", code, priority),
        st.integers(0, 30),
        st.integers(1, 8),
        st.sampled_from(["E", "P", "S"]),
        st.integers(-1, 1),
    ),
    max_size=4,
)
decisions = st.builds(Decision, st.sampled_from(Action), rules, edits, st.sampled_from(["", "r1", "r2"]), rules)


@given(decisions, decisions)
def test_combine_is_commutative(one, other):
    assert combine([one, other]) == combine([other, one])


@given(decisions, decisions, decisions)
def test_combine_is_associative(one, two, three):
    assert combine([combine([one, two]), three]) == combine([one, combine([two, three])])


@given(decisions)
def test_combine_is_idempotent(one):
    assert combine([one, one]) == combine([one])


@given(st.lists(decisions, max_size=5))
def test_the_strictest_action_wins(some):
    assert combine(some).action == max((d.action for d in some), default=Action.ALLOW)


@given(st.lists(decisions, max_size=5))
def test_only_rules_at_the_strictest_action_are_named(some):
    top = combine(some)
    assert top.by == frozenset().union(*(d.by for d in some if d.action == top.action)) if some else True


def test_no_verdict_allows():
    assert decide([]).action is Action.ALLOW


def test_decide_names_the_deciding_rule_and_its_reason():
    made = decide([Verdict(Action.REDACT, "r1"), Verdict(Action.DENY, "r2", "because")], "rev")
    assert (made.action, made.by, made.reasons, made.revision) == (Action.DENY, {"r2"}, {"because"}, "rev")


@given(st.frozensets(edits, max_size=1).map(lambda sets: list(next(iter(sets), frozenset()))), st.randoms())
def test_merging_does_not_depend_on_order(some, rng):
    text = "0123456789" * 5
    shuffled = list(some)
    rng.shuffle(shuffled)
    assert apply_edits(text, merge_edits(some).get("/x", [])) == apply_edits(text, merge_edits(shuffled).get("/x", []))


@given(edits)
def test_merged_edits_never_overlap_and_cover_every_edit(some):
    merged = merge_edits(some).get("/x", [])
    for left, right in itertools.pairwise(merged):
        assert left.span[1] <= right.span[0]
    for edit in some:
        assert any(m.span[0] <= edit.span[0] and edit.span[1] <= m.span[1] for m in merged)


@pytest.mark.parametrize(
    ("some", "expected"),
    [
        pytest.param([Edit("/x", (0, 2), "A")], "Acdef", id="one"),
        pytest.param([Edit("/x", (0, 2), "A"), Edit("/x", (2, 4), "B")], "ABef", id="touching stay two"),
        pytest.param([Edit("/x", (0, 3), "A"), Edit("/x", (2, 4), "B")], "Aef", id="overlap: the longer one's word"),
        pytest.param([Edit("/x", (0, 3), "A"), Edit("/x", (2, 4), "B", priority=1)], "Bef", id="priority beats length"),
        pytest.param([Edit("/x", None, "W"), Edit("/x", (2, 4), "B")], "W", id="whole leaf swallows"),
    ],
)
def test_overlapping_edits_become_one(some, expected):
    random.Random(1).shuffle(some)
    assert apply_edits("abcdef", merge_edits(some)["/x"]) == expected


verdicts = st.lists(
    st.builds(
        Verdict,
        st.sampled_from(Action),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["", "why"]),
        edits=edits.map(tuple),
    ),
    max_size=5,
)


@given(verdicts)
def test_decide_is_the_combination_of_its_verdicts(some):
    ones = [
        Decision(v.action, frozenset((v.rule,)), frozenset(v.edits), "r", frozenset((v.reason,) if v.reason else ()))
        for v in some
    ]
    assert decide(some, "r") == (combine(ones) if some else Decision(revision="r"))
