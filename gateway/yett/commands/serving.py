"""`yett serve` and `yett demo`: run a gateway, and tell a newcomer where it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yett.commands.options import (
    DEFAULT_CONFIG,
    ConfigOption,
    HostOption,
    PortOption,
    RootOption,
    read_settings,
    root_of,
)
from yett.commands.output import warn

if TYPE_CHECKING:
    from yett.config import Settings

# Not a secret: its hash ships in config/dev-keys.yaml, and `announce` warns wherever it is accepted.
DEVELOPMENT_KEY = "yett_development_not-a-secret_for-local-development-only-000"


def serve(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = None,
    host: HostOption = None,
    port: PortOption = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes, in place of server.workers.")] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    _run(read_settings(context, config, root).serving(host, port, workers))


def demo(context: typer.Context, root: RootOption = None, host: HostOption = None, port: PortOption = None) -> None:
    """Run with the built-in demo model: no key, no network. Keeps its state in ./var."""
    from yett.config import load_settings
    from yett.paths import POLICIES, shipped

    settings = load_settings(shipped("dev.yaml"), root=root_of(context, root))
    own = {"keys_file": shipped("dev-keys.yaml"), "policies": shipped(POLICIES)}
    _run(settings.model_copy(update=own).serving(host, port))


def _run(settings: Settings) -> None:
    from yett.run import run_gateway

    run_gateway(settings, announce=announce)


def announce(settings: Settings, data_url: str, admin_url: str) -> None:
    """Say where the gateway is; where the development key is accepted, also a request to try."""
    known = _accepts_development_key(settings)
    label = {"bold": True, "fg": typer.colors.GREEN}
    typer.secho("\n  Yett is open.", **label)  # type: ignore[arg-type]  # a mapping of two keywords
    for name, text in (
        ("address", f"{data_url}/v1    (set OPENAI_BASE_URL to it)"),
        ("admin", f"{admin_url}/readyz   {admin_url}/metrics"),
        ("audit", f"{_shown(settings.path(settings.audit.dir))}    (yett audit tail -f)"),
        ("policy", str(_shown(settings.path(settings.policies)))),
    ):
        typer.echo(f"  {typer.style(f'{name:8}', fg=typer.colors.CYAN)} {text}")
    if known:
        typer.echo(f"\n  Try it:\n\n{_example(settings, data_url)}\n")
        warn("the well-known development key is accepted: do not let others reach this gateway")


def _example(settings: Settings, data_url: str) -> str:
    model = next((name for name in settings.models if name != "*"), "demo")
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "My e-mail is jane.doe@example.org"}}]}}'
    return (
        f"    curl -s {data_url}/v1/chat/completions \\\n"
        f"      -H 'Authorization: Bearer {DEVELOPMENT_KEY}' \\\n"
        f"      -H 'Content-Type: application/json' \\\n"
        f"      -d '{body}'"
    )


def _accepts_development_key(settings: Settings) -> bool:
    from yett.auth import KeyRing
    from yett.errors import RequestError

    try:
        KeyRing.load(settings.path(settings.keys_file)).authenticate(b"Bearer " + DEVELOPMENT_KEY.encode())
    except RequestError:
        return False
    return True


def _shown(path: Path) -> Path:
    """`path` as a person would write it: relative where it lies below the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
