"""Positions of a view and of its text."""

from __future__ import annotations

from yett.wire.offsets import Offsets


def sample() -> Offsets:
    """Text `ab%40c##ﬁd`, view `ab@cfid`: a sequence, two characters that show nothing, one that shows two."""
    offsets = Offsets()
    offsets.same(2)
    offsets.unit(3, 1)
    offsets.same(1)
    offsets.unit(1, 0)
    offsets.unit(1, 0)
    offsets.unit(1, 2)
    offsets.same(1)
    return offsets


def test_lengths_and_origins() -> None:
    offsets = sample()
    assert (offsets.text_length, offsets.view_length) == (10, 7)
    assert [offsets.origin(at) for at in range(7)] == [0, 1, 2, 5, 8, 8, 9]


def test_spans_take_whole_units_and_nothing_invisible_around_them() -> None:
    offsets = sample()
    assert offsets.span(1, 3) == (1, 5)
    assert offsets.span(3, 4) == (5, 6)
    assert offsets.span(3, 5) == (5, 9)
    assert offsets.span(5, 7) == (8, 10)


def test_units() -> None:
    offsets = sample()
    assert [at for at in range(11) if offsets.inside_unit(at)] == [3, 4]
    offsets.forget_units(4)
    assert offsets.inside_unit(3)
    offsets.forget_units(5)
    assert not offsets.has_units
    assert not offsets.inside_unit(3)


def test_forgetting_keeps_what_is_needed_later() -> None:
    offsets = sample()
    offsets.forget(4)
    assert [offsets.origin(at) for at in range(4, 7)] == [8, 8, 9]


def test_plain() -> None:
    offsets = Offsets()
    offsets.same(5)
    assert offsets.plain
    offsets.unit(2, 1)
    assert not offsets.plain
