"""Options that several commands share, and how they find the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from yett.config import Settings

DEFAULT_CONFIG = Path("config/gateway.yaml")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
RootOption = Annotated[
    Path | None, typer.Option("--root", help="Folder that relative paths stand in; default: the current one.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on, in place of server.host.")]
PortOption = Annotated[int | None, typer.Option("--port", help="Port, in place of server.port; 0 picks a free one.")]


def root_of(context: typer.Context, root: Path | None) -> Path:
    """The folder relative paths stand in: `--root` of the command, else of `yett` itself, else the current one."""
    chosen = root or context.obj
    return Path(chosen).resolve() if chosen else Path.cwd()


def read_settings(context: typer.Context, config: Path, root: Path | None) -> Settings:
    """The settings in `config`; from here on logs go to stderr, results alone to stdout. Raises ConfigError."""
    from yett.config import load_settings
    from yett.telemetry import configure_logging

    configure_logging()
    folder = root_of(context, root)
    return load_settings(folder / config, root=folder)
