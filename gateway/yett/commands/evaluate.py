"""`yett eval`: how well the detectors find what labelled data says is there, and what it costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from yett.commands.options import JsonOption, RootOption, read_settings, root_of
from yett.commands.output import show_table, warn

if TYPE_CHECKING:
    from yett.config import Settings
    from yett.evaluation.cases import Case
    from yett.evaluation.gate import Rules
    from yett.evaluation.run import Options, Report
    from yett.flow import Role

EXIT_USAGE = 2
WARM_UP_TEXTS = 2000
Result = TypeVar("Result")

DataOption = Annotated[list[Path], typer.Option("--data", help="A JSON-lines file, or a folder of them; repeatable.")]
DetectorOption = Annotated[
    list[str] | None, typer.Option("--detector", help="Name or code of a detector, `*` for any run; repeatable.")
]
PolicyOption = Annotated[
    Path | None, typer.Option("--policy", help="Policy file or folder: only what it acts on counts as found.")
]
PluginsOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Whose plugins run; default: the built-in ones as they come.")
]
RoleOption = Annotated[
    list[str] | None, typer.Option("--role", help="Who wrote the texts: ROLE, or FILE=ROLE; repeatable.")
]
MapOption = Annotated[
    list[str] | None, typer.Option("--map", help="LABEL=code: what a label of the data means; repeatable.")
]
DirectionOption = Annotated[str, typer.Option("--direction", help="Which way the texts travel: request or response.")]
IouOption = Annotated[float, typer.Option("--iou", min=0, max=1, help="Least overlap of a right place; 0: any.")]
ThresholdOption = Annotated[
    float | None, typer.Option("--threshold", min=0, max=1, help="Least score, in place of each detector's own.")
]
LimitOption = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first rows of each file.")]
ExamplesOption = Annotated[int, typer.Option("--examples", min=0, help="Errors shown per kind and file; 0: none.")]
FailOption = Annotated[
    str | None, typer.Option("--fail-under", help="METRIC=NUMBER,...: exit status 1 where one is not reached.")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="Folder for results.json and report.html.")]


def evaluate(
    context: typer.Context,
    data: DataOption,
    detector: DetectorOption = None,
    policy: PolicyOption = None,
    config: PluginsOption = None,
    root: RootOption = None,
    role: RoleOption = None,
    direction: DirectionOption = "request",
    mapping: MapOption = None,
    iou: IouOption = 0.9,
    threshold: ThresholdOption = None,
    limit: LimitOption = None,
    examples: ExamplesOption = 3,
    fail_under: FailOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure detectors on labelled texts: precision, recall, F2, AUROC, false alarms, cost, worst errors."""
    from yett.evaluation import gates
    from yett.evaluation.cases import EXIT_DATA, DataError, read_cases
    from yett.evaluation.run import Options
    from yett.paths import shipped

    folder = root_of(context, root)
    demands = _usage(lambda: gates.parse(fail_under) if fail_under else ())
    more, roles = _usage(lambda: _labels(mapping or [])), _usage(lambda: _roles(role or []))
    settings = read_settings(context, config or shipped("dev.yaml"), root)
    rules = _usage(lambda: _rules(direction, threshold, policy and folder / policy))
    facts = _facts(
        detectors=detector, policy=policy, config=config, roles=role, map=mapping, threshold=threshold, first_rows=limit
    )
    try:
        cases = read_cases([folder / path for path in data], limit)
    except DataError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(EXIT_DATA) from None
    options = Options(iou, more, roles, examples, facts | {"direction": direction})
    report = asyncio.run(_run(settings, cases, detector or [], rules, options))
    if out is not None:
        write_report(folder / out, report)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        show_report(report)
    if _tell(report, gates.failures(report, demands)):
        raise typer.Exit(1)


async def _run(
    settings: Settings, cases: Sequence[Case], names: Sequence[str], rules: Rules, options: Options
) -> Report:
    from yett.app import build_registry
    from yett.evaluation.gate import choose, open_gate
    from yett.evaluation.run import evaluate as run_evaluation

    registry = build_registry(settings)
    warm_up = list(dict.fromkeys(case.text for case in cases))[:WARM_UP_TEXTS]
    async with open_gate(choose(registry, names), registry.detectors(), rules, warm_up) as gate:
        with _progress(len(cases)) as progress:
            return await run_evaluation(gate, cases, options, progress)


def _rules(direction: str, threshold: float | None, policy: Path | None) -> Rules:
    from yett.evaluation.gate import Rules
    from yett.evaluation.policy import read_policy
    from yett.flow import Phase

    if direction not in set(Phase):
        raise ValueError(f"--direction is {' or '.join(Phase)}")
    return Rules(Phase(direction), threshold, None if policy is None else read_policy(policy))


def _labels(entries: Sequence[str]) -> dict[str, tuple[str, ...]]:
    from yett.evaluation.labels import parse_map

    return parse_map(entries)


def _roles(entries: Sequence[str]) -> tuple[tuple[str, Role], ...]:
    """`ROLE` or `FILE=ROLE` entries. Raises ValueError."""
    from yett.flow import Role

    roles = [("*", Role.USER)]
    for entry in entries:
        pattern, _, word = entry.rpartition("=")
        if word not in set(Role):
            raise ValueError(f"--role {entry!r}: a role is one of {', '.join(Role)}")
        roles.append((pattern or "*", Role(word)))
    return tuple(roles)


def _facts(**given: object) -> dict[str, object]:
    """What the user asked for, as the report tells it: paths by their names alone."""
    return {name: value.name if isinstance(value, Path) else value for name, value in given.items() if value}


def _usage(read: Callable[[], Result]) -> Result:
    try:
        return read()
    except ValueError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise typer.Exit(EXIT_USAGE) from None


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal; elsewhere nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done: None
        return
    columns = (TextColumn("texts"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("texts", total=total)
        yield lambda done: bar.update(task, completed=done) if done % 20 == 0 or done == total else None


def write_report(folder: Path, report: Report) -> None:
    """Write results.json and report.html into `folder`, which is made."""
    from yett.evaluation.page import render

    files = {
        "results.json": json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n",
        "report.html": render(report),
    }
    for name, text in files.items():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            typer.secho(f"cannot write {folder / name}: {error.strerror}", fg=typer.colors.RED, err=True)
            raise typer.Exit(1) from None
        typer.echo(f"wrote {folder / name}", err=True)


def show_report(report: Report) -> None:
    """Print the figures as tables."""
    from yett.evaluation.tables import tables

    for title, rows in tables(report):
        if rows:
            show_table(title, rows)


def _tell(report: Report, failures: Sequence[str]) -> bool:
    """Say what is not as it should be; whether there was anything."""
    if report.not_scored:
        listed = ", ".join(f"{label} {count}" for label, count in report.not_scored.items())
        warn(f"not scored, no detector has a code for it: {listed}")
    for one in report.detectors:
        if not one.get("runs", True):
            warn(f"detector {one['name']} did not run: name it, or give a policy that asks for it")
    if not report.groups[0].rows:
        failures = ["nothing was scored", *failures]
    if report.failed:
        warn(f"detectors failed on {report.failed} texts: the gate would have refused them")
    for failure in failures:
        typer.secho(failure, fg=typer.colors.RED, err=True)
    return bool(failures or report.failed)
