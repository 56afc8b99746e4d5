"""`yett audit` as a person types it."""

from __future__ import annotations

import json
import re
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from helpers.audit import a_completed, a_decided, closed_log, open_log
from yett.audit import commands
from yett.audit.checkpoint import split_notes
from yett.audit.commands import clean, ends, last, make_audit_app, new_records, one_line, pretty
from yett.audit.record import finding
from yett.cli import make_app
from yett.errors import EXIT_CONFIG


def run(*arguments: object) -> Result:
    return CliRunner().invoke(make_audit_app(), [str(argument) for argument in arguments])


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return closed_log(tmp_path, 5)


def damage(audit: Path) -> None:
    path = audit / "0" / "000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"gpt-4o-mini", b"gpt-4o-maxi", 1))


def test_verify_of_a_good_log_exits_0_and_says_what_is_signed(audit: Path) -> None:
    result = run("verify", "--dir", audit)
    assert result.exit_code == 0
    assert "signed up to record 11" in result.output
    assert re.search(r"^ok   11 records, 5 flows", result.output, re.MULTILINE)
    assert "keep a copy of audit.pub" in result.output


def test_verify_says_what_is_not_signed_yet(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.append(a_decided(1))
    result = run("verify", "--dir", tmp_path / "audit")
    log.close()
    assert "1 records after it are chained in the file but not yet signed" in result.output
    assert "1 flows are open" in result.output


def test_verify_of_a_changed_log_exits_1_and_names_the_record(audit: Path) -> None:
    damage(audit)
    result = run("verify", "--dir", audit)
    assert (result.exit_code, "BAD  record 1 (000001.jsonl:3)" in result.output) == (1, True)


def test_verify_speaks_json(audit: Path) -> None:
    report = json.loads(run("verify", "--dir", audit, "--json").output)
    assert (report["ok"], report["records"], report["bad"], len(report["logs"])) == (True, 11, None, 1)
    damage(audit)
    result = run("verify", "--dir", audit, "--json")
    assert (result.exit_code, json.loads(result.output)["bad"]["index"]) == (1, 1)


def test_verify_takes_a_key_and_a_checkpoint_that_were_kept(audit: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    notes, _ = split_notes((audit / "0" / "checkpoints").read_bytes())
    kept.write_bytes(notes[-1])
    vkey = (audit / "audit.pub").read_text().strip()
    for key in (vkey, audit / "audit.pub"):
        result = run("verify", "--dir", audit, "--key", key, "--checkpoint", kept)
        assert (result.exit_code, "keep a copy" in result.output) == (0, False)


@pytest.mark.parametrize(
    "arguments",
    [("--key", "nonsense"), ("--checkpoint", "/nowhere/at/all"), ("--config", "/nowhere/at/all")],
    ids=lambda arguments: arguments[0],
)
def test_wrong_arguments_exit_78_without_a_traceback(audit: Path, arguments: tuple[str, str]) -> None:
    where = () if arguments[0] == "--config" else ("--dir", audit)
    result = run("verify", *where, *arguments)
    assert (result.exit_code, "Traceback" in result.output) == (EXIT_CONFIG, False)


def test_verify_of_nothing_exits_1(tmp_path: Path) -> None:
    assert run("verify", "--dir", tmp_path / "nowhere").exit_code == 1


@pytest.mark.parametrize("wanted", [f"{3:032x}", f"{3:032x}"[::-1]], ids=["flow id", "trace id"])
def test_show_prints_all_records_of_one_trace_or_flow(audit: Path, wanted: str) -> None:
    result = run("show", wanted, "--dir", audit)
    assert result.exit_code == 0
    assert [line.split()[2] for line in result.output.splitlines() if not line.startswith(" ")] == [
        "decided", "completed",
    ]  # fmt: skip
    assert "principal: " in result.output
    as_json = [json.loads(line) for line in run("show", wanted, "--dir", audit, "--json").output.splitlines()]
    assert [row["i"] for row in as_json] == [7, 8]


@pytest.mark.parametrize("wanted", ["unknown", "gpt-4o-mini", "\ud800"])
def test_show_of_an_unknown_id_exits_1(audit: Path, wanted: str) -> None:
    result = run("show", wanted, "--dir", audit)
    assert (result.exit_code, result.exception is None or isinstance(result.exception, SystemExit)) == (1, True)


@pytest.mark.parametrize(("count", "lines"), [(0, 0), (1, 1), (4, 4), (100, 11)])
def test_tail_prints_one_line_a_record(audit: Path, count: int, lines: int) -> None:
    output = run("tail", "-n", count, "--dir", audit).output.splitlines()
    assert len(output) == lines
    assert all(re.match(r"\d{4}-.*Z #\d+ \w+", line) for line in output)


def test_tail_reaches_back_over_segments_and_workers(tmp_path: Path) -> None:
    audit = closed_log(tmp_path, 30, segment_bytes=2000, signed_every=2)
    closed_log(tmp_path, 2, worker=1)
    assert len(list((audit / "0").glob("*.jsonl"))) > 3
    rows = last(audit, 40)
    assert len(rows) == 40
    assert [row["t"] for row in rows] == sorted(str(row["t"]) for row in rows)
    assert [row["i"] for row in last(audit, 5)] == [0, 1, 2, 3, 4]


def test_tail_follows_what_is_written_over_rotation_and_later_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "POLL_S", 0.001)
    log = open_log(tmp_path, segment_bytes=1500)
    followed = new_records(tmp_path / "audit", ends(tmp_path / "audit"))
    seen = []
    for flow in range(8):
        log.append(a_decided(flow))
        log.append(a_completed(flow))
        assert log.flush()
        seen += [row["i"] for row in islice(followed, 2)]
    log.close()
    assert seen == list(range(1, 17))
    assert len(list((tmp_path / "audit" / "0").glob("*.jsonl"))) > 3
    closed_log(tmp_path, 1, worker=1)
    assert [row["kind"] for row in islice(followed, 3)] == ["open", "decided", "completed"]


def test_tail_f_goes_on_after_the_newest(audit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = [{"t": "2000", "i": 1, "kind": "old"}, {"t": "9999", "i": 2, "kind": "new"}]
    monkeypatch.setattr(commands, "new_records", lambda folder, offsets: iter(later))
    output = run("tail", "-f", "-n", 2, "--dir", audit).output.splitlines()
    assert [line.split()[2] for line in output] == ["decided", "completed", "new"]


def test_the_folder_comes_from_the_config(audit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    named = tmp_path / "other.yaml"
    named.write_text("audit: {dir: audit}\nproviders: {}\n")
    assert run("verify", "--config", named).exit_code == 0
    assert run("verify").exit_code == 1
    (tmp_path / "config" / "gateway.yaml").write_text("audit:\n  dir: audit\n")
    assert run("verify").exit_code == 0
    (tmp_path / "config" / "gateway.yaml").write_text("audit: [broken\n")
    assert run("verify").exit_code == EXIT_CONFIG


@pytest.mark.parametrize("text", ["", "[]", "audit: 3", "audit: {dir: 3}"])
def test_a_config_without_a_folder_means_the_default(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert commands.audit_dir(None, path, tmp_path) == tmp_path / commands.DEFAULT_DIR


def test_the_config_may_hold_references_whose_variables_are_not_set(
    audit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`{api_key: ${VAR}}` is not YAML as it stands, and an auditor does not have the provider's key."""
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    config = tmp_path / "gateway.yaml"
    config.write_text("audit: {dir: audit}\nproviders:\n  openai: {kind: openai, api_key: ${NO_SUCH_KEY}}\n")
    monkeypatch.chdir(tmp_path)
    for arguments in (("verify",), ("show", f"{3:032x}"), ("tail",)):
        assert run(*arguments, "--config", config).exit_code == 0
    config.write_text("audit: {dir: '${NO_SUCH_KEY}'}\n")
    result = run("verify", "--config", config)
    assert (result.exit_code, "gateway.yaml:1" in result.output) == (EXIT_CONFIG, True)
    assert commands.audit_dir(None, config, tmp_path, {"NO_SUCH_KEY": "audit"}) == audit


def test_the_config_and_its_folder_stand_in_the_root(
    audit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / "gateway.yaml").write_text("audit: {dir: audit}\n")
    assert run("verify", "--config", "gateway.yaml").exit_code == EXIT_CONFIG
    assert run("verify", "--config", "gateway.yaml", "--root", tmp_path).exit_code == 0
    whole = CliRunner().invoke(make_app(), ["--root", str(tmp_path), "audit", "verify", "--config", "gateway.yaml"])
    assert whole.exit_code == 0


def test_nothing_that_a_caller_wrote_reaches_the_terminal_raw() -> None:
    nasty = "\x1b[31m\r\n\x9b\u202e\u2028"
    row = dict(a_decided(1, model=nasty, findings=[finding(nasty, nasty, 1, nasty, nasty)])) | {nasty: nasty, "i": 1}
    for line in [one_line(row), *pretty(row)]:
        assert line.isprintable()
    assert clean("Zoë") == "Zoë"


@pytest.mark.parametrize(
    ("record", "colour"),
    [
        (a_decided(1, action="DENY"), 31),
        (a_decided(1, action="redact"), 33),
        (a_decided(1, action="ALLOW"), 32),
        (a_completed(1, "blocked"), 31),
        (a_completed(1), 32),
        ({"kind": "event", "name": "reload"}, 36),
    ],
    ids=["deny", "redact", "allow", "blocked", "ok", "event"],
)
def test_colour_is_for_terminals(record: dict[str, object], colour: int) -> None:
    row = {"i": 1, "t": "now"} | record
    assert one_line(row, colour=True).startswith(f"\x1b[{colour}m")
    assert "\x1b" not in one_line(row)


def test_findings_are_named_by_code_in_one_line() -> None:
    row = dict(a_decided(1, findings=[finding("pii.email", "/a", 1, "pii", "redact")] * 2))
    assert " findings=pii.email " in one_line(row)


def test_a_line_that_is_torn_is_not_shown(audit: Path) -> None:
    with (audit / "0" / "000001.jsonl").open("ab") as file:
        file.write(b'{"v":1,')
    assert len(run("tail", "-n", 3, "--dir", audit).output.splitlines()) == 2
