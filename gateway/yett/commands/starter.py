"""`yett init`: the first files of a user's own repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_KEYS = """\
# Hashed API keys and whose they are. Add one with: yett keys create --agent NAME --role developer
keys: []
"""

_README = """\
# A Yett gateway

- `config/gateway.yaml`: what the gateway is told; `config/keys.yaml`: hashed API keys and whose they are.
- `policies/*.yaml`: what happens to what the detectors find; `policies/strict.yaml` is off until you switch it on.
- `policies/rbac_policy.csv`: which role may use which model. The role `developer` may use every model.
- `var/`: state, audit log and private keys. Not for Git.

    export OPENAI_API_KEY=...
    yett check
    yett keys create --agent my-agent --role developer
    yett serve
    export OPENAI_BASE_URL=http://127.0.0.1:8080/v1

Policy and keys are read again when they change; `yett check` tells before you commit whether they are right.
"""

_IGNORED = "var/\n"


def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write into.")]) -> None:
    """Write a starter configuration, an empty key file and the default policies. Nothing is overwritten."""
    files = starter_files()
    taken = next((folder / name for name in files if (folder / name).exists() and name not in _KEPT), None)
    if taken is not None:
        typer.secho(f"{taken} exists already: nothing was written", fg=typer.colors.RED, err=True)
        raise typer.Exit(1)
    for name, text in files.items():
        path = folder / name
        if path.exists():
            typer.echo(f"  kept   {path}")
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            typer.secho(f"cannot write {path}: {error.strerror}", fg=typer.colors.RED, err=True)
            raise typer.Exit(1) from None
        typer.echo(f"  wrote  {path}")
    typer.echo(
        f"\nNext:\n  cd {folder}\n  export OPENAI_API_KEY=...\n  yett check\n"
        "  yett keys create --agent my-agent --role developer\n  yett serve"
    )


_CONFIG = ("gateway.yaml", "gateway.schema.json", "policy.schema.json")
_KEPT = frozenset({".gitignore", "README.md"})  # a repository often has its own


def starter_files() -> dict[str, str]:
    """Name -> text of every file that `yett init` writes."""
    from yett.paths import POLICIES, shipped

    files = {f"config/{name}": shipped(name).read_text("utf-8") for name in _CONFIG}
    files["config/keys.yaml"] = _KEYS
    policies = shipped(POLICIES)
    for path in sorted(policies.iterdir()):
        if path.is_file() and path.suffix in {".yaml", ".conf", ".csv"}:
            files[f"policies/{path.name}"] = path.read_text("utf-8")
    return files | {".gitignore": _IGNORED, "README.md": _README}
