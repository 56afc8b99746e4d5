"""`yett keys`: make, list and revoke API keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yett.commands.options import DEFAULT_CONFIG, ConfigOption, JsonOption, RootOption, root_of
from yett.commands.output import show, show_table

KeysFileOption = Annotated[
    Path | None, typer.Option("--keys-file", help="The key file; default: keys_file of the configuration.")
]


def create(
    context: typer.Context,
    agent: Annotated[str, typer.Option("--agent", help="Who will use the key.")],
    role: Annotated[str, typer.Option("--role", help="A role of policies/rbac_policy.csv.")],
    tenant: Annotated[str, typer.Option("--tenant", help="Whose data it works with.")] = "default",
    keys_file: KeysFileOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = None,
) -> None:
    """Make a key. It is printed once, alone on the last line; the file keeps only its hash."""
    from yett.auth import create_key

    path = _keys_file(context, keys_file, config, root)
    key = create_key(path, agent, role, tenant)
    typer.echo(f"Key for agent {agent}, role {role}, tenant {tenant}, added to {path}. It is shown only here:")
    typer.echo(key)


def list_keys(
    context: typer.Context,
    keys_file: KeysFileOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Whose keys there are."""
    from yett.auth import read_keys

    rows = [
        {
            "id": key.id,
            "principal": key.principal.id,
            "tenant": key.principal.tenant,
            "roles": list(key.principal.roles),
            "agent": key.principal.agent,
            "created": key.created,
            "state": "revoked" if key.revoked else "active",
        }
        for key in read_keys(_keys_file(context, keys_file, config, root))
    ]
    if as_json:
        show({"keys": rows}, as_json=True)
    elif rows:
        show_table("keys", rows)
    else:
        typer.echo("no keys")


def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The id: the part of the key between the first two underscores.")],
    keys_file: KeysFileOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = None,
) -> None:
    """Revoke a key. A running gateway ends its live requests within a second."""
    from yett.auth import PREFIX, revoke_key

    if key_id.startswith(PREFIX):
        typer.secho("give the id alone: a whole key does not belong in a shell history", fg=typer.colors.RED, err=True)
        raise typer.Exit(2)
    revoke_key(_keys_file(context, keys_file, config, root), key_id)
    typer.echo(f"revoked {key_id}")


def _keys_file(context: typer.Context, given: Path | None, config: Path, root: Path | None) -> Path:
    """The key file: as given, else as the configuration says, else config/keys.yaml."""
    folder = root_of(context, root)
    if given is not None:
        return folder / given
    from yett.config import keys_file_of

    if config == DEFAULT_CONFIG and not (folder / config).exists():
        return folder / "config/keys.yaml"
    return keys_file_of(folder / config, root=folder)
