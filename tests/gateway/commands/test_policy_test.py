"""`yett test` and `yett policy`, on real folders with the real detectors."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from helpers.asgi import shared_engine
from helpers.detectors import CACHE, CHECKOUT
from yett.cli import make_app
from yett.policy.evaluate import digest

CONFIG = f"""
providers: {{up: {{kind: openai, base_url: "https://api.example.org/v1", api_key: "${{NOT_SET}}"}}}}
models: {{m: {{targets: [{{provider: up, model: x}}]}}}}
builtins: {{pii: {{cache_dir: {CACHE}}}}}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gateway's folder, whose configuration names a variable that is not set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.setattr("yett.app.ScanEngine", shared_engine)
    monkeypatch.setattr("yett.policy_report.ScanEngine", shared_engine)
    shutil.copytree(CHECKOUT / "policies", tmp_path / "policies")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/gateway.yaml").write_text(CONFIG)
    return tmp_path


def run(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(make_app(), list(arguments), **more)


def case(here: Path, text: str) -> None:
    (here / "policies/tests/own.yaml").write_text("version: 1\ncases:\n" + text)


def test_the_shipped_policy_passes_and_nothing_is_written(here: Path) -> None:
    before = sorted(here.rglob("*"))
    result = run("test")
    assert result.exit_code == 0, result.output
    assert "0 failed, 0 warnings" in result.stdout
    assert sorted(here.rglob("*")) == before


FAILS = [
    ("decision: redact", "decision\n      - expected  redact\n      + got       allow"),
    ("by: [no-such-rule]", "by\n      - expected  no-such-rule\n      + got       none"),
    ("findings: [pii.email]", "findings\n      - expected  pii.email\n      + got       none"),
    ("status: 400", "status\n      - expected  400\n      + got       200"),
    ("code: guardrail_blocked", "code\n      - expected  guardrail_blocked\n      + got       none"),
    ("forwarded: false", "forwarded\n      - expected  nothing\n      + got       a body"),
    ("forwarded: {has: Wales}", "forwarded.has\n      - expected  'Wales'\n      + got       'x"),
    ("forwarded: {lacks: Scotland}", "forwarded.lacks\n      - expected  no 'Scotland'"),
    ("shadow: [x]", "shadow\n      - expected  x\n      + got       none"),
    ("answer: {decision: deny}", "answer.decision\n      - expected  deny\n      + got       allow"),
    ("answer: {by: x}", "answer.by\n      - expected  x\n      + got       none"),
    ("answer: {findings: [pii.*]}", "answer.findings\n      - expected  pii.*\n      + got       none"),
    ("answer: {has: Cardiff}", "answer.has\n      - expected  'Cardiff'"),
    ("answer: {lacks: Edinburgh}", "answer.lacks\n      - expected  no 'Edinburgh'"),
]


@pytest.mark.parametrize(("expect", "told"), FAILS, ids=[one[0] for one in FAILS])
def test_each_expectation_can_fail_and_says_how(expect: str, told: str, here: Path) -> None:
    case(here, f"  - {{name: c, text: Capital of Scotland?, answer: Edinburgh, stream: true, expect: {{{expect}}}}}\n")
    result = run("test")
    assert result.exit_code == 1
    assert "policies/tests/own.yaml:3: c" in result.stdout
    assert told in result.stdout
    assert "1 failed" in result.stdout


HOLD = [
    "text: hi, path: /v1/responses, answer: Ask a.b@example.org, expect: {answer: {findings: [pii.email]}}",
    "text: hi, path: /v1/completions, expect: {decision: allow}",
    "text: a.b@example.org, path: /v1/embeddings, expect: {decision: redact, forwarded: {has: <EMAIL>}}",
    "request: {messages: [{role: user, content: hi}], model: nope}, expect: {status: 404, forwarded: false}",
    "text: hi, identity: {roles: []}, expect: {status: 403, code: model_forbidden, decision: deny}",
    "text: hi, answer: {calls: [{tool: mail, arguments: '{}'}]}, expect: {answer: {decision: allow, has: mail}}",
    "text: hi, path: /v1/nowhere, expect: {status: 403, code: passthrough_denied}",
    "messages: [{role: user, content: hi}], identity: {tenant: acme, agent: bot, key: abcdefgh}, expect: {status: 200}",
]


@pytest.mark.parametrize("text", HOLD)
def test_what_a_case_may_say(text: str, here: Path) -> None:
    case(here, f"  - {{name: c, {text}}}\n")
    result = run("test")
    assert result.exit_code == 0, result.output


def test_counts_clocks_shadows_and_identities_are_those_of_the_case(here: Path) -> None:
    (here / "policies/own.yaml").write_text(
        "version: 1\nbind: {tenant: acme}\nrules:\n"
        "  - {id: often, do: deny, when: {model: m, direction: request, count: {at_least: 3, window_s: 60}}}\n"
        '  - {id: night, do: deny, when: {time: {after: "22:00"}, direction: request}}\n'
        "  - {id: rehearsal, do: deny, mode: shadow, when: {finding: pii.email}}\n"
    )
    who = "text: hi, identity: {tenant: acme}, at: '2027-01-01T12:00+00:00'"
    case(
        here,
        f"  - {{name: twice, {who}, repeat: 2, expect: {{decision: allow}}}}\n"
        f"  - {{name: thrice, {who}, repeat: 3, expect: {{decision: deny, by: often}}}}\n"
        f"  - {{name: again, {who}, repeat: 2, expect: {{decision: allow}}}}\n"
        "  - {name: late, text: hi, identity: {tenant: acme}, at: '2027-01-01T23:00+00:00', expect: {by: night}}\n"
        "  - {name: other, text: hi, at: '2027-01-01T23:00+00:00', repeat: 5, expect: {decision: allow}}\n"
        "  - {name: shadow, text: a.b@example.org, identity: {tenant: acme}, at: '2027-01-01T12:00+00:00',"
        " expect: {shadow: rehearsal, decision: redact}}\n",
    )
    result = run("test")
    assert result.exit_code == 0, result.output


TOOLS = """version: 1
rules:
  - {id: no-mail, when: {tool: mail, direction: response}, do: deny}
  - {id: no-pii, when: {finding: "pii.*", tool: find, direction: response}, do: deny}
"""
PROPOSED = [
    # path, stream, tool, arguments, decision
    ("responses", False, "mail", "{}", "deny"),
    ("responses", True, "mail", "{}", "deny"),
    ("responses", True, "other", "{}", "allow"),
    ("responses", False, "find", "a.b@example.org", "deny"),
    ("responses", True, "find", "a.b@example.org", "deny"),
    ("responses", False, "other", "a.b@example.org", "allow"),
    ("responses", True, "other", "a.b@example.org", "deny"),  # its name is not known yet: the strict way
    ("chat/completions", True, "mail", "{}", "deny"),
    ("chat/completions", True, "find", "a.b@example.org", "deny"),
    ("chat/completions", True, "other", "a.b@example.org", "allow"),
]


def test_tools_in_each_dialect(here: Path) -> None:
    (here / "policies/own.yaml").write_text(TOOLS)
    cases = [
        {
            "name": f"{path} {'stream ' if stream else ''}{tool} {arguments}",
            "text": "hi",
            "path": f"/v1/{path}",
            "stream": stream,
            "answer": {"calls": [{"tool": tool, "arguments": json.dumps({"to": arguments})}]},
            "expect": {"answer": {"decision": decision, "lacks": arguments if decision == "deny" else []}},
        }
        for path, stream, tool, arguments, decision in PROPOSED
    ]
    (here / "policies/tests/own.yaml").write_text(json.dumps({"version": 1, "cases": cases}))  # JSON is YAML
    result = run("test")
    assert result.exit_code == 0, result.output


def test_failing_examples_and_warnings_are_told(here: Path) -> None:
    (here / "policies/own.yaml").write_text(
        "version: 1\nrules:\n  - {id: r, when: {finding: pii.emial}, do: deny}\n"
        "  - {id: s, when: {finding: pii.email}, do: deny, examples: {deny: [nobody]}}\n"
    )
    result = run("test")
    assert result.exit_code == 1
    assert "own.yaml:4: rule s: examples.deny[0]: expected deny, got allow" in result.stdout
    assert "did you mean 'pii.email'?" in result.stderr
    (here / "policies/own.yaml").write_text("version: 1\nrules:\n  - {id: r, when: {finding: x.y}, do: flag}\n")
    assert run("test").exit_code == 0
    assert run("test", "--strict").exit_code == 1


def test_check_shows_what_looks_wrong_and_what_rules_are_for(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yett.describe.ScanEngine", shared_engine)
    monkeypatch.setenv("NOT_SET", "x")
    (here / "config/keys.yaml").write_text("keys: []\n")
    (here / "policies/own.yaml").write_text(
        "version: 1\nbind: {tenant: acme}\nrules:\n"
        "  - {id: r, when: {finding: pii.emial}, do: deny, severity: critical, tags: [OWASP LLM02], mode: shadow}\n"
    )
    result = run("check")
    assert result.exit_code == 0, result.output
    assert "own.yaml:4: rule r: when: no loaded detector finds 'pii.emial'" in result.stderr
    for word in ("tenant: acme", "everybody", "critical", "OWASP LLM02", "shadow"):
        assert word in result.stdout
    told = json.loads(run("check", "--json").stdout)["policy"]
    assert {one["kind"] for one in told["problems"]} == {"unknown-finding", "no-examples"}
    assert told["rules"][-1]["severity"] in {"critical", "high"}


def test_json_and_junit(here: Path) -> None:
    case(here, "  - {name: bad \x26 <ugly>, text: hi, expect: {decision: deny}}\n")
    result = run("test", "--json", "--junit", "out/report.xml")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["failures"] == 1
    assert {one["state"] for one in told["examples"]} == {"passed"}
    assert [one["name"] for one in told["cases"] if one["differences"]] == ["bad & <ugly>"]
    suites = {one.get("name"): one for one in ET.parse(here / "out/report.xml").getroot()}
    assert suites["examples"].get("failures") == "0"
    assert suites["cases"].get("failures") == "1"
    (failure,) = suites["cases"].iter("failure")
    assert "decision: expected deny, got allow" in (failure.text or "")


BAD = [
    ("version: 1\ncases: []", "own.yaml:2: cases: "),
    ("version: 1\ncases:\n  - {name: a, text: x}", "own.yaml:3: cases[0].expect: this key is required"),
    ("version: 1\ncases:\n  - {name: a, text: x, expect: {}}", "a test that expects nothing cannot fail"),
    ("version: 1\ncases:\n  - {name: a, expect: {status: 1}}", "one of text, messages and request is expected"),
    ("version: 1\ncases:\n  - {name: a, text: x, expct: 1}", "unknown key 'cases[0].expct' (did you mean 'expect'?)"),
    ("version: 1\ncases:\n  - {name: a, text: x, expect: {decision: block}}", "own.yaml:3: cases[0].expect.decision"),
    ("version: 1\ncases:\n" + "  - {name: a, text: x, expect: {status: 1}}\n" * 2, "own.yaml:4: another case"),
    ("[", "own.yaml:2: not valid YAML"),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[one[1] for one in BAD])
def test_bad_case_files_are_exit_78(text: str, told: str, here: Path) -> None:
    (here / "policies/tests/own.yaml").write_text(text)
    result = run("test")
    assert result.exit_code == 78, result.output
    assert told in result.stderr


def test_other_bad_input(here: Path) -> None:
    assert run("test", "nowhere").exit_code == 78
    (here / "policies/tests/own.yml").write_text("")
    assert "own.yml: name test files *.yaml" in run("test").stderr


def test_a_folder_without_a_gateway_is_tried_with_the_built_in_detectors(here: Path) -> None:
    (here / "config/gateway.yaml").unlink()
    (here / "var").mkdir()
    shutil.copytree(CACHE, here / "var/cache")
    result = run("test", "policies")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("given", "value"), [("hello", "hello"), ("hello\n", "hello"), ("a b\r\n", "a b"), (" x\n\n", " x\n")], ids=repr
)
def test_digest(given: str, value: str, here: Path) -> None:
    assert run("policy", "digest", input=given).stdout == digest(value) + "\n"


def test_digest_of_nothing_and_with_the_key(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("policy", "digest", input="\n").exit_code == 2
    monkeypatch.setenv("NOT_SET", "x")
    one, other = (run("policy", "digest", "--keyed", input="info@example.org") for _ in range(2))
    assert one.stdout == other.stdout
    assert one.stdout.startswith("hmac:")
    (here / "policies/own.yaml").write_text(
        "version: 1\nrules:\n  - {id: r, when: {finding: pii.email}, do: deny, "
        f"allow_values: ['{one.stdout.strip()}'], examples: {{allow: [info@example.org], deny: [info@example.com]}}}}\n"
    )
    (here / "policies/tests/default.yaml").unlink()  # it has other addresses
    case(here, "  - {name: c, text: info@example.org, expect: {decision: redact}}\n")
    result = run("test")
    assert result.exit_code == 0, result.output
