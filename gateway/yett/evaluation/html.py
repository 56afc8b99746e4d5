"""The small pieces of the HTML page: cells, tables, panels. Every word that comes from data is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from yett.evaluation.intervals import Figure, Share

Cell = str | int | float | Share | Figure | None


def number(cell: Cell) -> str:
    """`cell` for people: three places for shares and figures, a dash where there is none."""
    if isinstance(cell, Figure | Share):
        return f"{cell.value:.3f}"
    if isinstance(cell, float):
        return f"{cell:,.1f}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return cell or "–"


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], bold: Iterable[str] = ()) -> str:
    """A table; rows whose first cell is in `bold` stand out."""
    strong = set(bold)
    top = "".join(f"<th>{escape(one)}</th>" for one in head)
    body = "".join(f"<tr{' class=whole' if row[0] in strong else ''}>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<div class='panel table'><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def section(title: str, about: str, *parts: str) -> str:
    """A heading, a paragraph, and what follows."""
    paragraph = f"<p class=soft>{escape(about)}</p>" if about else ""
    return f"<h2>{escape(title)}</h2>{paragraph}" + "".join(parts)


def panel(legend: Sequence[tuple[str, str]], inside: str) -> str:
    """A framed plot under its legend of (colour class, meaning)."""
    colours = "".join(f"<span><i class='{colour}'></i>{escape(word)}</span>" for colour, word in legend)
    return f"<div class=panel><div class=legend>{colours}</div>{inside}</div>"


def details(title: str, inside: str, *, unfolded: bool = False) -> str:
    """A part that the reader unfolds."""
    return f"<details{' open' if unfolded else ''}><summary>{escape(title)}</summary>{inside}</details>"


def cards(values: Iterable[tuple[str, str]]) -> str:
    """The figures at the top: (figure, what it is)."""
    inside = "".join(
        f"<div class=card><b>{escape(value)}</b><span>{escape(about)}</span></div>" for value, about in values
    )
    return f"<div class=cards>{inside}</div>"


def code_table(head: Sequence[str], rows: Iterable[tuple[Sequence[str], str]]) -> str:
    """A table whose last column is text as it stands; without a head if that has no words."""
    top = (
        f"<thead><tr>{''.join(f'<th class=left>{escape(one)}</th>' for one in head)}</tr></thead>" if any(head) else ""
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td class=left>{escape(one)}</td>" for one in first)
        + f"<td class=left><code>{escape(last)}</code></td></tr>"
        for first, last in rows
    )
    return f"<div class='panel table'><table>{top}<tbody>{body}</tbody></table></div>"


def _cell(cell: Cell) -> str:
    interval = cell.interval if isinstance(cell, Figure | Share) else None
    low_high = f" <small>{interval[0]:.3f}–{interval[1]:.3f}</small>" if interval else ""
    return f"<td>{escape(number(cell))}{low_high}</td>"
