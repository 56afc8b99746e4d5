"""The `yett` command line. Exit status: 0 fine, 1 no, 2 wrong usage, 78 a configuration or plugin that cannot work."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from yett.commands import evaluate, inspect, keys, policy_test, serving, starter
from yett.commands.options import RootOption
from yett.errors import EXIT_CONFIG, ConfigError, HttpError, PluginError


def _print_version(asked: bool) -> None:
    if asked:
        from yett.version import __version__

        typer.echo(f"yett {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)
]


def main() -> None:
    """Entry point of the `yett` script."""
    make_app()(prog_name="yett")


def make_app() -> typer.Typer:
    """All commands. The plugins of a gateway are not loaded here: `yett --help` stays quick."""
    app = typer.Typer(
        name="yett",
        cls=_Yett,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # a traceback for people to read may quote secrets
        help="A guardrail and policy gateway between AI agents and the models and tools they call.",
        callback=_options,
    )
    app.command("serve")(serving.serve)
    app.command("demo")(serving.demo)
    app.command("init")(starter.init)
    app.command("check")(inspect.check)
    app.command("explain")(inspect.explain)
    app.command("test")(policy_test.test)
    app.command("eval")(evaluate.evaluate)
    app.command("schema", hidden=True)(inspect.print_schema)
    policy_commands = typer.Typer(help="Work on policy files.", no_args_is_help=True)
    policy_commands.command("digest")(policy_test.digest)
    policy_commands.command("schema", hidden=True)(policy_test.print_schema)
    app.add_typer(policy_commands, name="policy")
    key_commands = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
    key_commands.command("create")(keys.create)
    key_commands.command("list")(keys.list_keys)
    key_commands.command("revoke")(keys.revoke)
    app.add_typer(key_commands, name="keys")
    plugin_commands = typer.Typer(help="Look at plugins.", no_args_is_help=True)
    plugin_commands.command("list")(inspect.list_plugins)
    plugin_commands.callback()(_nothing)  # without it typer would make `list` the command itself
    app.add_typer(plugin_commands, name="plugins")
    app.add_typer(typer.Typer(cls=_Audit, no_args_is_help=True), name="audit", help="Read and verify the audit log.")
    return app


def _options(context: typer.Context, root: RootOption = None, version: VersionOption = False) -> None:
    del version
    context.obj = root


def _nothing() -> None:
    """Look at plugins."""


class _Yett(TyperGroup):
    """Tells expected errors in one red message, without a traceback, and gives each its exit status."""

    def invoke(self, ctx: Any) -> Any:  # the signature is click's
        try:
            return super().invoke(ctx)
        except (ConfigError, PluginError) as error:
            typer.secho(str(error), fg=typer.colors.RED, err=True)
            raise typer.Exit(EXIT_CONFIG) from None
        except HttpError as error:
            place = f" at {error.pointer}" if error.pointer else ""
            typer.secho(f"{error.code}{place}: {error.message}", fg=typer.colors.RED, err=True)
            raise typer.Exit(1) from None


class _Audit(TyperGroup):
    """`yett audit`, imported when it is used: it brings the cryptography."""

    def list_commands(self, ctx: Any) -> list[str]:
        return self._group().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self._group().get_command(ctx, cmd_name)

    def _group(self) -> TyperGroup:
        from yett.audit.commands import make_audit_app

        return typer.main.get_group(make_audit_app())
