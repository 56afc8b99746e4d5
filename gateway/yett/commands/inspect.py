"""`yett check`, `yett explain`, `yett plugins list`, `yett schema`: look at a gateway without running it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from yett.commands.options import DEFAULT_CONFIG, ConfigOption, JsonOption, RootOption, read_settings
from yett.commands.output import show, show_table, warn


def check(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate configuration, keys, policies and plugins; print the effective pipeline per route."""
    settings = read_settings(context, config, root)
    from yett.auth import read_keys

    keys = read_keys(settings.path(settings.keys_file))
    from yett.describe import describe  # late: a wrong file is told before the gateway's modules are loaded

    data: dict[str, Any] = describe(settings)
    data["keys"] = {"active": sum(not key.revoked for key in keys), "revoked": sum(key.revoked for key in keys)}
    warnings = data.pop("warnings", [])
    if as_json:
        show(data | {"warnings": warnings}, as_json=True)
    else:
        problems = data["policy"].pop("problems", [])
        warnings = [*warnings, *(f"{one['where']}: rule {one['rule']}: {one['text']}" for one in problems)]
        show(data, as_json=False)
    if not keys:
        warnings = [*warnings, "no keys yet: yett keys create --agent NAME --role developer"]
    for warning in warnings:
        warn(warning)
    if not as_json:
        typer.secho(f"\n{config}: everything is in order", fg=typer.colors.GREEN)


def explain(
    context: typer.Context,
    request: Annotated[str, typer.Argument(help="A file with a request body, or - for standard input.")],
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = None,
    path: Annotated[str, typer.Option("--path", help="The path it would be sent to.")] = "/v1/chat/completions",
    as_json: JsonOption = False,
) -> None:
    """Show what the gate would do with a request, offline: leaves, findings, verdicts, who decided."""
    settings = read_settings(context, config, root)
    try:
        body = sys.stdin.buffer.read() if request == "-" else Path(request).read_bytes()
    except OSError as error:
        typer.secho(f"cannot read {request}: {error.strerror}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
    from yett.describe import explain as explain_request

    show(explain_request(settings, body, path), as_json=as_json)


def list_plugins(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """The plugins of this gateway in the order they run."""
    settings = read_settings(context, config, root)
    from yett.app import build_registry

    rows = [
        {
            "name": one.name,
            "source": one.source,
            "hooks": list(one.hooks),
            "on_error": "allow" if one.fail_open else "deny",
            "about": one.doc,
        }
        for one in build_registry(settings).describe()
    ]
    if as_json:
        show({"plugins": rows}, as_json=True)
    else:
        show_table("plugins", rows)


def print_schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from yett.config import schema_json

    typer.echo(schema_json(), nl=False)
