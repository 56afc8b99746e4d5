"""`yett audit`: verify a folder, show one trace, follow the log. Reads only; safe on the log of a running gateway."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from yett import strictyaml
from yett.audit.checkpoint import BadCheckpoint
from yett.audit.repair import segments
from yett.audit.verify import LogReport, Report, verify
from yett.commands.options import RootOption, root_of
from yett.errors import EXIT_CONFIG, ConfigError
from yett.strictyaml import Document
from yett.variables import expand

Row = dict[str, object]

DEFAULT_CONFIG = Path("config/gateway.yaml")
DEFAULT_DIR = Path("var/audit")
POLL_S = 0.2
COLOURS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36, "dim": 2}
STAMPED = ("v", "i", "t", "p", "kind")

DirOption = Annotated[Path | None, typer.Option("--dir", help="The audit folder; default: audit.dir of the config.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Take audit.dir from this file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def make_audit_app() -> typer.Typer:
    """The `audit` sub-command, to be mounted with `add_typer(..., name="audit")`."""
    app = typer.Typer(help="Read and verify the audit log.", no_args_is_help=True)
    app.command("verify")(verify_command)
    app.command("show")(show_command)
    app.command("tail")(tail_command)
    return app


def verify_command(
    context: typer.Context,
    folder: DirOption = None,
    config: ConfigOption = None,
    root: RootOption = None,
    key: Annotated[str, typer.Option("--key", help="The vkey you kept, or a file that holds it.")] = "",
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", help="A signed checkpoint you kept.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every record, link, root and signature. Exit status 0: nothing is wrong; 1: something is."""
    try:
        public_key = Path(key).read_text() if key and Path(key).is_file() else key or None
        kept = checkpoint.read_bytes() if checkpoint else None
        report = verify(audit_dir(folder, config, root_of(context, root)), public_key=public_key, checkpoint=kept)
    except (OSError, BadCheckpoint, UnicodeDecodeError) as error:
        _quit(f"cannot verify: {getattr(error, 'strerror', None) or error}")
    if as_json:
        typer.echo(json.dumps(report_json(report), indent=2))
    else:
        for line in report_lines(report):
            typer.echo(line)
    raise typer.Exit(0 if report.ok else 1)


def show_command(
    context: typer.Context,
    trace_id: Annotated[str, typer.Argument(help="A trace id or a flow (request) id.")],
    folder: DirOption = None,
    config: ConfigOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """All records of one trace or flow. Exit status 1 if there is none."""
    found = 0
    for row in find(audit_dir(folder, config, root_of(context, root)), trace_id):
        found += 1
        typer.echo(_plain_json(row) if as_json else "\n".join(pretty(row, colour=sys.stdout.isatty())))
    if not found:
        typer.echo("no record has this trace or flow id", err=True)
        raise typer.Exit(1)


def tail_command(
    context: typer.Context,
    folder: DirOption = None,
    config: ConfigOption = None,
    root: RootOption = None,
    count: Annotated[int, typer.Option("-n", min=0, help="How many records to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as records are written.")] = False,
    as_json: JsonOption = False,
) -> None:
    """The newest records, one line each."""
    own = audit_dir(folder, config, root_of(context, root))
    colour, offsets, shown = sys.stdout.isatty(), ends(own), ""
    for row in last(own, count):
        typer.echo(_plain_json(row) if as_json else one_line(row, colour=colour))
        shown = str(row.get("t"))
    for row in new_records(own, offsets) if follow else ():
        if str(row.get("t")) > shown:  # written while the newest were read
            typer.echo(_plain_json(row) if as_json else one_line(row, colour=colour))


def audit_dir(folder: Path | None, config: Path | None, root: Path, env: Mapping[str, str] = os.environ) -> Path:
    """The folder to read: `--dir`, else `audit.dir` of the config, else the default. Quits if the config is broken.

    The rest of the config need not be right, nor its variables set: an auditor has neither.
    """
    if folder is not None:
        return folder
    path = root / (config or DEFAULT_CONFIG)
    if config is None and not path.exists():
        return root / DEFAULT_DIR
    try:
        document = strictyaml.load(path)
        audit = document.value.get("audit") if isinstance(document.value, dict) else None
        named = audit.get("dir") if isinstance(audit, dict) else None
        if not isinstance(named, str):
            return root / DEFAULT_DIR
        alone = expand(Document(document.file, {"audit": named}, document.lines), env, root).value
    except ConfigError as error:
        _quit(str(error))
    return root / str(alone["audit"] if isinstance(alone, dict) else named)


def find(folder: Path, wanted: str) -> Iterator[Row]:
    """The records whose trace or flow id is `wanted`, log by log, in their order."""
    needle = wanted.encode("ascii", "replace")
    for own in log_folders(folder):
        for _, path in segments(own):
            with path.open("rb") as lines:
                for line in lines:
                    if needle in line and (row := _parse(line)) and wanted in {row.get("trace"), row.get("flow")}:
                        yield row


def last(folder: Path, count: int) -> list[Row]:
    """The newest `count` records of all workers, oldest first."""
    rows: list[Row] = []
    for own in log_folders(folder):
        newest: deque[bytes] = deque(maxlen=count)
        for _, path in reversed(segments(own)):
            with path.open("rb") as lines:
                part = deque(lines, maxlen=count - len(newest))
            newest.extendleft(reversed(part))
            if len(newest) == count:
                break
        rows += filter(None, map(_parse, newest))
    rows.sort(key=lambda row: str(row.get("t")))
    return rows[-count:] if count else []


def ends(folder: Path) -> dict[Path, int]:
    """Where each segment ends now."""
    return {path: path.stat().st_size for own in log_folders(folder) for _, path in segments(own)}


def new_records(folder: Path, offsets: dict[Path, int]) -> Iterator[Row]:
    """Records behind these `offsets` (moved on) as they are written, over rotation and restarts, for ever."""
    while True:
        for own in log_folders(folder):
            for _, path in segments(own):
                yield from _read_on(path, offsets)
        time.sleep(POLL_S)


def log_folders(folder: Path) -> list[Path]:
    """The workers' folders."""
    return sorted(path for path in folder.glob("*") if path.name.isdigit() and path.is_dir())


def report_json(report: Report) -> Row:
    """The report as JSON: totals first, then each log."""
    return {
        "ok": report.ok,
        "records": report.records,
        "flows": report.flows,
        "open_flows": list(report.open_flows),
        "signed_up_to": report.signed_up_to,
        "unsigned_tail": report.unsigned_tail,
        "bad": asdict(report.bad) if report.bad else None,
        "key_pinned": report.pinned,
        "mb_per_s": round(report.mb_per_s, 1),
        "logs": [asdict(log) | {"unsigned_tail": log.unsigned_tail} for log in report.logs],
    }


def report_lines(report: Report) -> Iterator[str]:
    """The report for people."""
    for log in report.logs:
        yield from _log_lines(log)
    if not report.pinned:
        yield "the key was taken from the folder itself: keep a copy of audit.pub elsewhere and pass it with --key"
    if report.bad:
        bad = report.bad
        place = f"{bad.segment}:{bad.line}" if bad.segment else "the folder"
        yield f"BAD  record {bad.index} ({clean(place)}): {clean(bad.why)}"
    else:
        yield f"ok   {report.records} records, {report.flows} flows, {report.mb_per_s:.0f} MB/s"


def _log_lines(log: LogReport) -> Iterator[str]:
    yield f"log {log.folder}  {clean(log.origin)}"
    yield f"  signed up to record {log.signed_up_to} by {log.checkpoints} checkpoints"
    if log.unsigned_tail:
        yield f"  {log.unsigned_tail} records after it are chained in the file but not yet signed"
    if log.torn_bytes:
        yield f"  {log.torn_bytes} bytes of a record that was not written to its end"
    if log.open_flows:
        yield f"  {len(log.open_flows)} flows are open"


def one_line(row: Row, *, colour: bool = False) -> str:
    """One record in one line, safe for a terminal."""
    kind = str(row.get("kind"))
    facts = {
        "decided": ("action", "phase", "model", "target", "rules"),
        "completed": ("outcome", "status", "code", "duration_ms"),
        "open": ("origin", "durability", "cut_bytes"),
    }.get(kind, tuple(name for name in row if name not in STAMPED))
    words = [str(row.get("t")), f"#{row.get('i')}", kind]
    words += [f"{name}={_value(row[name])}" for name in facts if row.get(name) not in (None, "", [])]
    findings = row.get("findings")
    if isinstance(findings, list) and findings:
        codes = sorted({str(one.get("code")) for one in findings if isinstance(one, dict)})
        words.append(f"findings={','.join(codes)}")
    if row.get("flow"):
        words.append(f"flow={row['flow']}")
    return _paint(clean(" ".join(words)), _colour_of(row), colour=colour)


def pretty(row: Row, *, colour: bool = False) -> Iterator[str]:
    """One record over several lines, safe for a terminal."""
    yield one_line(row, colour=colour)
    for name, value in row.items():
        if name in STAMPED or value in (None, "", [], {}):
            continue
        if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
            yield f"    {clean(name)}:"
            yield from (f"      - {clean(_value(item))}" for item in value)
        else:
            yield f"    {_paint(clean(name), 'dim', colour=colour)}: {clean(_value(value))}"


def clean(text: str) -> str:
    """`text` with everything that could move a cursor, break a line or turn the writing direction escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _value(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


def _colour_of(row: Row) -> str:
    word = str(row.get("outcome") or row.get("action") or "").lower()
    if word in {"deny", "denied", "blocked", "error"}:
        return "red"
    if word in {"redact", "approve", "client_gone", "unknown"}:
        return "yellow"
    return "green" if word in {"allow", "ok"} else "cyan"


def _paint(text: str, name: str, *, colour: bool) -> str:
    return f"\x1b[{COLOURS[name]}m{text}\x1b[0m" if colour else text


def _plain_json(row: Row) -> str:
    return json.dumps(row, ensure_ascii=True, separators=(",", ":"))


def _parse(line: bytes) -> Row | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _read_on(path: Path, offsets: dict[Path, int]) -> Iterator[Row]:
    """Whole lines behind the offset; a file that was cut back is taken up at its new end."""
    start = min(offsets.get(path, 0), path.stat().st_size)
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(1 << 20)
    whole = data.rfind(b"\n") + 1
    offsets[path] = start + whole
    yield from filter(None, map(_parse, data[:whole].splitlines()))


def _quit(message: str) -> None:
    typer.echo(clean(message), err=True)
    raise typer.Exit(EXIT_CONFIG)
