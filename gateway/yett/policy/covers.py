"""Whether one rule speaks wherever another does. Careful: where it is not sure, the answer is no."""

from __future__ import annotations

from yett.policy.conditions import Bind, When, matches_glob
from yett.policy.model import Rule

Globs = tuple[str, ...] | None


def always_covers(wide: Rule, narrow: Rule) -> bool:
    """Whether `wide` enforces, without holes, in every case that `narrow` speaks about."""
    whole = not (wide.exceptions or wide.allow_values or wide.sample is not None or wide.shadow or wide.when.count)
    return whole and covers(wide.when, narrow.when)


def covers(wide: When, narrow: When) -> bool:
    """Whether all that `narrow` matches, `wide` matches too."""
    if (wide.finding is None) is not (narrow.finding is None):
        return False  # one speaks of findings, the other of requests and calls as a whole
    if wide.finding is None and (wide.tool is None) is not (narrow.tool is None):
        return False
    return (
        (wide.direction in {"any", narrow.direction})
        and (wide.role is None or (narrow.role is not None and set(narrow.role) <= set(wide.role)))
        and wide.newest in {None, narrow.newest}
        and (wide.score is None or (narrow.score is not None and narrow.score >= wide.score))
        and all(
            globs_cover(one, other)
            for one, other in (
                (wide.finding, narrow.finding),
                (wide.tool, narrow.tool),
                (wide.model, narrow.model),
            )
        )
        and (wide.size is None or (narrow.size is not None and narrow.size.at_least >= wide.size.at_least))
        and wide.time in (None, narrow.time)
        and wide.count in (None, narrow.count)
    )


def bind_covers(wide: Bind | None, narrow: Bind | None) -> bool:
    """Whether everybody whom `narrow` binds is bound by `wide`."""
    if wide is None:
        return True
    return narrow is not None and all(
        globs_cover(getattr(wide, name), getattr(narrow, name)) for name in Bind.model_fields
    )


def globs_cover(wide: Globs, narrow: Globs) -> bool:
    """Whether every name that fits `narrow` fits `wide`; None fits every name.

    The stars of the narrow glob are read as letters: they can only fall where the wide one has a star.
    """
    if wide is None:
        return True
    return narrow is not None and all(any(matches_glob(one, other) for one in wide) for other in narrow)
