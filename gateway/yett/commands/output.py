"""What commands print: plain data as tables on a terminal and as plain lines elsewhere, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import typer


def show(data: Mapping[str, object], *, as_json: bool) -> None:
    """Print `data`: as JSON, or each entry under its name: a list of mappings as a table, the rest as lines."""
    if as_json:
        typer.echo(json.dumps(data, indent=2, default=str, ensure_ascii=False))
        return
    for name, value in data.items():
        _show_entry(name, value)


def show_table(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print `rows` under `title`; the first row names the columns."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, header_style="bold cyan")
    names = list(rows[0]) if rows else []
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_words(row.get(name)), style=_style(row.get(name))) for name in names))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a pipe has no width: do not cut names that a script may look for
    console.print(table)


def warn(text: str) -> None:
    """A yellow line on stderr."""
    typer.secho(f"warning: {text}", fg=typer.colors.YELLOW, err=True)


def _show_entry(name: str, value: object) -> None:
    title = name.replace("_", " ")
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        show_table(title, value)
        return
    if isinstance(value, Mapping):
        inner = {key: one for key, one in value.items() if not _is_table(one)}
        if inner:
            show_table(title, [{"name": key, "value": one} for key, one in inner.items()])
        for key, one in value.items():
            if _is_table(one):
                _show_entry(f"{name} {key}", one)
        return
    typer.echo(f"{typer.style(title, bold=True)}: {_words(value) or 'none'}")


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _words(value: object) -> str:
    """A value for a cell: lists as comma-separated words, mappings as `key: value`, nothing as an empty cell."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        if isinstance(value.get("name"), str):
            return str(value["name"])
        return ", ".join(f"{key}: {_words(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_words(one) for one in value)
    return str(value)


def _style(value: object) -> str:
    """Verdicts in their colours."""
    return {"DENY": "bold red", "REDACT": "yellow", "APPROVE": "magenta", "ALLOW": "green"}.get(str(value), "")
