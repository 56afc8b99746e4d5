import json
import os
import re
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from yett import __version__
from yett.auth import KeyRing, create_key, read_keys
from yett.cli import make_app
from yett.commands.serving import DEVELOPMENT_KEY, announce
from yett.config import load_settings
from yett.errors import PluginError, RequestError
from yett.paths import shipped

REPOSITORY = Path(__file__).resolve().parents[2]
YETT = Path(sysconfig.get_path("scripts")) / "yett"
DEMO = "providers: {demo: {kind: demo}}\nmodels: {demo: {targets: [{provider: demo, model: demo}]}}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return tmp_path


@pytest.fixture
def started(here: Path) -> Path:
    """A folder as `yett init` leaves it, with a configuration that needs no variable."""
    assert run("init", ".").exit_code == 0
    (here / "config/gateway.yaml").write_text(DEMO)
    return here


def run(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(make_app(), list(arguments), **more)


def stub(monkeypatch: pytest.MonkeyPatch, module: str, **names: object) -> None:
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(**names))


class Served(list[Any]):
    """Stands in for `run_gateway`: keeps the settings it is given."""

    def __call__(self, settings: object, announce: object) -> None:
        assert callable(announce)
        self.append(settings)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    calls = Served()
    stub(monkeypatch, "yett.run", run_gateway=calls)
    return calls


def test_help_names_every_command() -> None:
    text = run("--help").stdout
    for command in ("serve", "demo", "init", "check", "explain", "keys", "plugins", "audit"):
        assert re.search(rf"\b{command}\b", text)
    for group, commands in (
        ("keys", ("create", "list", "revoke")),
        ("plugins", ("list",)),
        ("audit", ("verify", "show", "tail")),
    ):
        inner = run(group, "--help").stdout
        assert all(re.search(rf"\b{command}\b", inner) for command in commands)


def test_every_command_explains_itself() -> None:
    paths = ["serve", "demo", "init", "check", "explain", "keys create", "keys list", "keys revoke", "plugins list"]
    for path in [*paths, "audit verify"]:
        result = run(*path.split(), "--help")
        assert (result.exit_code, "Usage" in result.stdout) == (0, True), path


def test_version() -> None:
    assert run("--version").stdout == f"yett {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["serv"], ["serve", "--prot", "1"], ["serve", "--port", "x"], ["keys", "create"]]
)
def test_wrong_usage_is_exit_2(arguments: list[str], here: Path) -> None:
    assert run(*arguments).exit_code == 2
    assert not list(here.iterdir())


def test_init_writes_a_repository_that_loads(here: Path) -> None:
    result = run("init", "gate")
    assert result.exit_code == 0
    assert "yett keys create" in result.stdout
    names = {str(p.relative_to(here / "gate")) for p in (here / "gate").rglob("*") if p.is_file()}
    assert names == {
        ".gitignore",
        "README.md",
        "config/gateway.yaml",
        "config/gateway.schema.json",
        "config/policy.schema.json",
        "config/keys.yaml",
        "policies/default.yaml",
        "policies/strict.yaml",
        "policies/rbac_model.conf",
        "policies/rbac_policy.csv",
    }
    assert (here / "gate/.gitignore").read_text() == "var/\n"
    assert read_keys(here / "gate/config/keys.yaml") == ()
    load_settings(here / "gate/config/gateway.yaml", root=here / "gate", env={"OPENAI_API_KEY": "sk-x"})


def test_init_overwrites_nothing(here: Path) -> None:
    (here / "policies").mkdir()
    (here / "policies/default.yaml").write_text("mine")
    result = run("init", ".")
    assert result.exit_code == 1
    assert "policies/default.yaml exists already" in result.stderr
    assert [str(p.relative_to(here)) for p in here.rglob("*") if p.is_file()] == ["policies/default.yaml"]
    assert (here / "policies/default.yaml").read_text() == "mine"


def test_init_twice_is_refused(here: Path) -> None:
    run("init", ".")
    assert "config/gateway.yaml exists already" in run("init", ".").stderr


def test_init_keeps_a_readme_and_a_gitignore(here: Path) -> None:
    (here / "README.md").write_text("mine")
    result = run("init", ".")
    assert result.exit_code == 0
    assert "kept" in result.stdout
    assert (here / "README.md").read_text() == "mine"


def test_init_into_a_file_says_why(here: Path) -> None:
    (here / "gate").write_text("")
    result = run("init", "gate")
    assert result.exit_code == 1
    assert "cannot write" in result.stderr


def test_keys_create_list_revoke(started: Path) -> None:
    created = run("keys", "create", "--agent", "bot", "--role", "developer", "--tenant", "acme")
    key = created.stdout.splitlines()[-1]
    assert re.fullmatch(r"yett_[a-z0-9]{10}_[A-Za-z0-9_-]{43}", key)
    ring = KeyRing.load(started / "config/keys.yaml")
    who = ring.authenticate(f"Bearer {key}".encode())
    assert (who.agent, who.roles, who.tenant) == ("bot", ("developer",), "acme")
    key_id = key.split("_")[1]
    listed = run("keys", "list")
    assert key_id in listed.stdout
    assert key not in listed.stdout
    assert "active" in listed.stdout
    assert run("keys", "revoke", key_id).exit_code == 0
    rows = json.loads(run("keys", "list", "--json").stdout)["keys"]
    assert rows[0] | {"created": ""} == {
        "id": key_id,
        "principal": "bot",
        "tenant": "acme",
        "roles": ["developer"],
        "agent": "bot",
        "created": "",
        "state": "revoked",
    }


def test_keys_create_needs_no_variables_of_the_configuration(here: Path) -> None:
    run("init", ".")
    assert run("keys", "create", "--agent", "a", "--role", "developer").exit_code == 0
    assert len(read_keys(here / "config/keys.yaml")) == 1


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        pytest.param([], "config/keys.yaml", id="no configuration"),
        pytest.param(["--keys-file", "k.yaml"], "k.yaml", id="named"),
        pytest.param(["--config", "own.yaml"], "from-config.yaml", id="configuration"),
        pytest.param(["--root", "sub"], "sub/config/keys.yaml", id="root"),
    ],
)
def test_where_keys_go(arguments: list[str], file: str, here: Path) -> None:
    (here / "own.yaml").write_text("keys_file: from-config.yaml")
    assert run("keys", "create", "--agent", "a", "--role", "r", *arguments).exit_code == 0
    assert len(read_keys(here / file)) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        pytest.param(["create", "--agent", "a b", "--role", "r"], 78, "agent: a name of up to 64", id="bad name"),
        pytest.param(
            ["create", "--agent", "a", "--role", "r", "--config", "none.yaml"], 78, "cannot read", id="config"
        ),
        pytest.param(["list", "--keys-file", "none.yaml"], 78, "none.yaml: cannot read", id="no file"),
        pytest.param(["list", "--keys-file", "bad.yaml"], 78, "bad.yaml:2: unknown key", id="bad file"),
        pytest.param(["revoke", "nothere00", "--keys-file", "k.yaml"], 78, "no key with this id", id="unknown id"),
        pytest.param(["revoke", "yett_a_b", "--keys-file", "k.yaml"], 2, "give the id alone", id="whole key"),
    ],
)
def test_bad_key_commands(arguments: list[str], status: int, told: str, here: Path) -> None:
    (here / "bad.yaml").write_text("keys: []\nkesy: []")
    (here / "k.yaml").write_text("keys: []")
    result = run("keys", *arguments)
    assert result.exit_code == status
    assert told in result.stderr
    assert "yett_a_b" not in result.stderr


def test_keys_list_of_nobody(started: Path) -> None:
    assert run("keys", "list").stdout == "no keys\n"


DESCRIBED = {
    "routes": [
        {"path": "/v1/chat/completions", "detectors": [{"name": "pii-email", "code": "pii.email"}], "checks": []}
    ],
    "passthrough": "deny",
    "policy": {"revision": "sha256:00", "rules": [{"id": "r1", "do": "deny"}]},
    "models": {"demo": ["demo/demo"]},
    "warnings": ["media.image: allowed"],
}


def test_check_prints_the_pipeline_and_warns(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(monkeypatch, "yett.describe", describe=lambda settings: dict(DESCRIBED))
    result = run("check")
    assert result.exit_code == 0, result.stderr
    for word in ("/v1/chat/completions", "pii-email", "sha256:00", "r1", "demo/demo", "everything is in order"):
        assert word in result.stdout
    assert "warning: media.image: allowed" in result.stderr
    assert "no keys yet" in result.stderr
    whole = json.loads(run("check", "--json").stdout)
    assert whole == DESCRIBED | {"keys": {"active": 0, "revoked": 0}}


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        pytest.param("config/gateway.yaml", DEMO + "prot: 1", "config/gateway.yaml:3: unknown key 'prot'", id="config"),
        pytest.param(
            "config/gateway.yaml", "a: ${X}", "config/gateway.yaml:1: the environment variable X", id="variable"
        ),
        pytest.param("config/keys.yaml", "keys: 1", "config/keys.yaml:1: keys: Input", id="keys"),
    ],
)
@pytest.mark.parametrize("command", ["check", "serve"])
def test_a_bad_file_is_exit_78_with_file_and_line(
    command: str, file: str, text: str, told: str, started: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_run(settings: Any, announce: object) -> None:
        KeyRing.load(settings.path(settings.keys_file))

    stub(monkeypatch, "yett.run", run_gateway=no_run)
    stub(monkeypatch, "yett.describe", describe=lambda settings: {})
    (started / file).write_text(text)
    result = run(command)
    assert result.exit_code == 78
    assert told in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


def test_a_plugin_that_cannot_load_is_exit_78(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: object) -> None:
        raise PluginError("no plugin 'x'")

    stub(monkeypatch, "yett.app", build_registry=broken)
    result = run("plugins", "list")
    assert (result.exit_code, result.stderr.strip()) == (78, "no plugin 'x'")


def test_plugins_list(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = SimpleNamespace(name="pii", source="builtin", hooks=("register_detectors",), fail_open=True, doc="Finds.")
    stub(monkeypatch, "yett.app", build_registry=lambda settings: SimpleNamespace(describe=lambda: [info]))
    assert "register_detectors" in run("plugins", "list").stdout
    assert json.loads(run("plugins", "list", "--json").stdout) == {
        "plugins": [
            {
                "name": "pii",
                "source": "builtin",
                "hooks": ["register_detectors"],
                "on_error": "allow",
                "about": "Finds.",
            }
        ]
    }


def test_explain_hands_over_body_and_path(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explain(settings: object, body: bytes, path: str) -> dict[str, object]:
        return {"body": body.decode(), "path": path, "decision": {"action": "DENY", "by": ["r1"]}}

    stub(monkeypatch, "yett.describe", explain=explain)
    (started / "request.json").write_text("{}")
    result = run("explain", "request.json", "--json", "--path", "/v1/responses")
    assert json.loads(result.stdout) == {
        "body": "{}",
        "path": "/v1/responses",
        "decision": {"action": "DENY", "by": ["r1"]},
    }
    assert "DENY" in run("explain", "-", input="{}").stdout
    assert run("explain", "none.json").exit_code == 1


def test_a_refused_request_is_told_with_its_code(started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explain(settings: object, body: bytes, path: str) -> None:
        raise RequestError("a key stands here twice", code="duplicate_key", pointer="/a")

    stub(monkeypatch, "yett.describe", explain=explain)
    result = run("explain", "-", input="{}")
    assert (result.exit_code, result.stderr.strip()) == (1, "duplicate_key at /a: a key stands here twice")


@pytest.mark.parametrize(
    ("arguments", "host", "port"),
    [
        pytest.param([], "127.0.0.1", 8080, id="as configured"),
        pytest.param(["--host", "::1", "--port", "0"], "::1", 0, id="command line"),
    ],
)
def test_serve(arguments: list[str], host: str, port: int, started: Path, served: Served) -> None:
    assert run("serve", *arguments).exit_code == 0
    assert (served[0].server.host, served[0].server.port) == (host, port)


def test_serve_with_more_workers_needs_shared_state(started: Path, served: Served) -> None:
    result = run("serve", "--workers", "2")
    assert (result.exit_code, list(served)) == (78, [])
    assert "redis://" in result.stderr
    (started / "config/gateway.yaml").write_text(DEMO + "state: redis://h/0\n")
    assert run("serve", "--workers", "2").exit_code == 0
    assert served[0].server.workers == 2


@pytest.mark.parametrize("arguments", [["--root", "sub", "serve"], ["serve", "--root", "sub"]], ids=["before", "after"])
def test_root(arguments: list[str], here: Path, served: Served) -> None:
    run("init", "sub")
    (here / "sub/config/gateway.yaml").write_text(DEMO)
    assert run(*arguments).exit_code == 0
    assert served[0].path("var") == here / "sub/var"


def test_demo_runs_anywhere_with_what_ships(here: Path, served: Served) -> None:
    assert run("demo", "--port", "0").exit_code == 0
    settings = served[0]
    assert settings.server.port == 0
    assert settings.path(settings.keys_file) == shipped("dev-keys.yaml")
    assert settings.path(settings.policies) == shipped("policies")
    assert settings.path(settings.audit.dir) == here / "var/audit"
    assert "*" in settings.models


def test_the_announcement_of_the_demo_is_ready_to_paste(here: Path, served: Served, capsys: Any) -> None:
    run("demo")
    announce(served[0], "http://127.0.0.1:1234", "http://127.0.0.1:1235")
    out, err = capsys.readouterr()
    assert "http://127.0.0.1:1234/v1 " in out
    assert "var/audit" in out
    command = out[out.index("curl") :].strip().replace("\\\n", " ")
    body = json.loads(re.search(r"-d '(.*)'", command)[1])  # type: ignore[index]  # None fails the test
    assert body["model"] == "demo"
    assert f"Authorization: Bearer {DEVELOPMENT_KEY}" in command
    assert "development key is accepted" in err


def test_the_announcement_of_a_real_gateway_shows_no_key(started: Path, served: Served, capsys: Any) -> None:
    create_key(started / "config/keys.yaml", "bot", "developer")
    run("serve")
    announce(served[0], "http://127.0.0.1:1234", "http://127.0.0.1:1235")
    out, err = capsys.readouterr()
    assert "http://127.0.0.1:1234/v1" in out
    assert "yett_" not in out
    assert err == ""


def test_the_development_key_is_the_one_that_ships() -> None:
    ring = KeyRing.load(REPOSITORY / "config/dev-keys.yaml")
    who = ring.authenticate(f"Bearer {DEVELOPMENT_KEY}".encode())
    assert (who.tenant, who.roles) == ("dev", ("developer",))
    assert DEVELOPMENT_KEY in (REPOSITORY / "config/dev.yaml").read_text()


def test_schema_prints_the_schema() -> None:
    assert run("schema").stdout == (REPOSITORY / "config/gateway.schema.json").read_text()


def process(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(YETT), *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_real_command_from_init_to_check(tmp_path: Path) -> None:
    assert process("init", "gate", cwd=tmp_path).returncode == 0
    folder = tmp_path / "gate"
    missing = process("check", "--config", "config/gateway.yaml", cwd=folder)
    assert missing.returncode == 78
    assert re.search(r"gateway\.yaml:\d+: the environment variable OPENAI_API_KEY is not set", missing.stderr)
    key = process("keys", "create", "--agent", "bot", "--role", "developer", cwd=folder).stdout.splitlines()[-1]
    assert KeyRing.load(folder / "config/keys.yaml").authenticate(f"Bearer {key}".encode()).agent == "bot"
    checked = process("check", "--config", "config/gateway.yaml", "--json", cwd=folder, OPENAI_API_KEY="sk-canary-123")
    assert checked.returncode == 0, checked.stderr
    told = json.loads(checked.stdout)  # logs stay off stdout
    assert told["models"] == {"gpt-4o-mini": ["openai/gpt-4o-mini"]}
    assert told["keys"] == {"active": 1, "revoked": 0}
    assert "canary" not in checked.stdout + checked.stderr


def test_help_is_quick(tmp_path: Path) -> None:
    def once() -> float:
        started = time.perf_counter()
        assert process("--help", cwd=tmp_path).returncode == 0
        return time.perf_counter() - started

    assert min(once() for _ in range(3)) < 0.8, "0.2 s on an idle machine"
