"""Leaves as one line each, for tables in tests."""

from __future__ import annotations

from collections.abc import Iterable

from yett.flow import Leaf


def shown(leaves: Iterable[Leaf]) -> list[str]:
    """Leaves as `pointer text` with what differs from the usual: role, part, channel, format, fixed, newest."""
    rows = []
    for leaf in leaves:
        marks = [leaf.role.value]
        marks += [leaf.part] if leaf.part != "value" else []
        marks += [f"in {leaf.channel}"] if leaf.channel else []
        marks += [leaf.format] if leaf.format != "plain" else []
        marks += [] if leaf.editable else ["fixed"]
        marks += ["newest"] if leaf.newest else []
        rows.append(f"{leaf.pointer} {leaf.text!r} {' '.join(marks)}")
    return rows
