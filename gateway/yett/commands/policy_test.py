"""`yett test`, `yett policy ...`: try a policy before it decides anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from yett.commands.options import DEFAULT_CONFIG, ConfigOption, JsonOption, RootOption, read_settings, root_of
from yett.commands.output import show

if TYPE_CHECKING:
    from yett.config import Settings
    from yett.policy_report import Report


def test(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="The policy folder; default: `policies` of the configuration."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the results here as JUnit XML.")] = None,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as failures.")] = False,
) -> None:
    """Try a policy folder offline: its rules' examples, its test cases (tests/*.yaml), and what looks wrong in it."""
    settings = _settings(context, config, root)
    chosen = settings.path(settings.policies) if folder is None else root_of(context, root) / folder
    from yett.policy_report import junit_xml, report_on

    report = report_on(settings, chosen)
    if junit is not None:
        junit.parent.mkdir(parents=True, exist_ok=True)
        junit.write_text(junit_xml(report), encoding="utf-8")
    if as_json:
        show(report.to_json(), as_json=True)
    else:
        _print(report)
    if report.failures or (strict and report.problems):
        raise typer.Exit(1)


def digest(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    root: RootOption = None,
    keyed: Annotated[bool, typer.Option("--keyed", help="With this gateway's key: nobody else can guess it.")] = False,
) -> None:
    """Print what stands in `allow_values` for a value, read from standard input without its last line break."""
    from yett.policy.evaluate import digest as digest_of

    value = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
    if not value:
        typer.secho("nothing was given on standard input", fg=typer.colors.RED, err=True)
        raise typer.Exit(2)
    key = b""
    if keyed:
        settings = read_settings(context, config, root)
        from yett.app import value_key
        from yett.vault import load_master_key

        key = value_key(load_master_key(settings.path(settings.vault_key)))
    typer.echo(digest_of(value, key))


def print_schema() -> None:
    """Print the JSON Schema of policy files."""
    from yett.policy.model import schema_json

    typer.echo(schema_json(), nl=False)


def _settings(context: typer.Context, config: Path, root: Path | None) -> Settings:
    """The configuration; where there is none and none was named, one with every built-in detector and a demo model.

    Environment variables that are not set are taken as a word: nothing here calls a provider.
    """
    from yett.config import Settings, load_settings
    from yett.telemetry import configure_logging

    configure_logging()
    folder = root_of(context, root)
    if config == DEFAULT_CONFIG and not (folder / config).exists():
        plain = {
            "providers": {"demo": {"kind": "demo"}},
            "models": {"demo": {"targets": [{"provider": "demo", "model": "demo"}]}},
        }
        return Settings.model_validate(plain, context={"root": folder})
    return load_settings(folder / config, root=folder, env=_Offline(os.environ))


class _Offline(Mapping[str, str]):
    """An environment in which every variable is set."""

    def __init__(self, real: Mapping[str, str]) -> None:
        self._real = real

    def __getitem__(self, name: str) -> str:
        return self._real.get(name, "offline")

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._real)

    def __len__(self) -> int:
        return len(self._real)


def _print(report: Report) -> None:
    for problem in report.problems:
        typer.secho(f"warning: {problem}", fg=typer.colors.YELLOW, err=True)
    for tried in report.examples:
        if tried.failed:
            typer.secho(f"FAIL {tried.where}: {tried.tried}", fg=typer.colors.RED)
    for case in report.cases:
        if not case.differences:
            continue
        typer.secho(f"FAIL {case.where}: {case.name}", fg=typer.colors.RED)
        for one in case.differences:
            typer.echo(f"    {one.what}")
            typer.secho(f"      - expected  {one.expected}", fg=typer.colors.GREEN)
            typer.secho(f"      + got       {one.got}", fg=typer.colors.RED)
    words = f"{len(report.rules)} rules, {len(report.examples)} examples, {len(report.cases)} cases"
    skipped = sum(one.tried.skipped for one in report.examples)
    words += f" ({skipped} examples skipped: their detector or key is not here)" if skipped else ""
    colour = typer.colors.RED if report.failures else typer.colors.GREEN
    typer.secho(f"{words}: {report.failures} failed, {len(report.problems)} warnings", fg=colour, bold=True)
