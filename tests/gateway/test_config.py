import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from yett.config import Settings, is_loopback, keys_file_of, load_settings, schema_json
from yett.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[2]
MINIMAL = "providers: {p: {kind: demo}}\nmodels: {m: {targets: [{provider: p, model: x}]}}\n"


def load(tmp_path: Path, text: str, **env: str) -> Settings:
    file = tmp_path / "g.yaml"
    file.write_text(text)
    return load_settings(file, root=tmp_path, env=env)


def refusal(tmp_path: Path, text: str, **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **env)
    return str(caught.value).replace(f"{tmp_path}/", "")


def at(settings: Settings, dotted: str) -> object:
    value: Any = settings
    for part in dotted.split("."):
        value = value[part] if isinstance(value, dict) else value[int(part)] if part.isdigit() else getattr(value, part)
    return value


# One row per setting: where it is, its default, another value as YAML, and what that becomes.
CONTRACT = [
    ("server.host", "127.0.0.1", "0.0.0.0", "0.0.0.0"),
    ("server.port", 8080, "9090", 9090),
    ("server.workers", 1, "1", 1),
    ("state", "sqlite:///var/state.db", "redis://cache:6379/0", "redis://cache:6379/0"),
    ("audit.dir", Path("var/audit"), "/log", Path("/log")),
    ("audit.durability", "group", "fsync", "fsync"),
    ("audit.durability", "group", "os", "os"),
    ("audit.on_failure", "deny", "deny", "deny"),
    ("audit.content", "redacted", "none", "none"),
    ("audit.content", "redacted", "sealed", "sealed"),
    ("audit.content_public_key", None, "config/pub.key", Path("config/pub.key")),
    ("audit.content_days", 30, "7", 7),
    ("audit.signing_key", Path("var/keys/audit.pem"), "k.pem", Path("k.pem")),
    ("keys_file", Path("config/keys.yaml"), "k.yaml", Path("k.yaml")),
    ("vault_key", Path("var/keys/vault.key"), "v.key", Path("v.key")),
    ("policies", Path("policies"), "rules/", Path("rules")),
    ("limits.body_bytes", 8388608, "1000", 1000),
    ("limits.header_bytes", 65536, "1000", 1000),
    ("limits.json_depth", 64, "8", 8),
    ("limits.inflight", 1024, "1", 1),
    ("limits.response_bytes", 33554432, "1000", 1000),
    ("limits.max_leaves", 100000, "10", 10),
    ("limits.detector_workers", 2, "1", 1),
    ("timeouts.connect_s", 5.0, "0.5", 0.5),
    ("timeouts.first_byte_s", 600.0, "1", 1.0),
    ("timeouts.idle_s", 60.0, "1", 1.0),
    ("timeouts.total_s", 1800.0, "1", 1.0),
    ("timeouts.receive_s", 30.0, "1", 1.0),
    ("timeouts.header_s", 10.0, "1", 1.0),
    ("admin.host", "127.0.0.1", "'::1'", "::1"),
    ("admin.port", 8081, "0", 0),
    ("media.image", "deny", "allow", "allow"),
    ("media.audio", "deny", "allow", "allow"),
    ("media.video", "deny", "allow", "allow"),
    ("media.file", "deny", "allow", "allow"),
    ("references", "deny", "owned", "owned"),
    ("passthrough", "deny", "allow", "allow"),
    ("passthrough_types", (), "[text/csv]", ("text/csv",)),
    ("cors_origins", (), "[https://a.example]", ("https://a.example",)),
    ("trusted_proxies", (), "[10.0.0.0/8]", ("10.0.0.0/8",)),
]


@pytest.mark.parametrize(("key", "default", "written", "becomes"), CONTRACT, ids=[f"{r[0]}={r[2]}" for r in CONTRACT])
def test_each_setting_has_its_default_and_takes_a_value(
    key: str, default: object, written: str, becomes: object, tmp_path: Path
) -> None:
    assert at(load(tmp_path, MINIMAL), key) == default
    text = ""
    for depth, part in enumerate(key.split(".")):
        text += "  " * depth + part + ":" + ("\n" if depth < key.count(".") else f" {written}\n")
    assert at(load(tmp_path, MINIMAL + text), key) == becomes


# Settings without a plain default: a YAML text, where to look, what is there.
PARTS = [
    ("admin: {token: '${T}'}", "admin.token", "**********"),
    ("providers: {p: {kind: openai, base_url: http://h/v1}}", "providers.p.base_url", "http://h/v1"),
    ("providers: {p: {kind: openai, base_url: http://h, api_key: ${T}}}", "providers.p.api_key", "**********"),
    ("providers: {p: {kind: openai, base_url: http://h, transport: aiohttp}}", "providers.p.transport", "aiohttp"),
    ("providers: {p: {kind: openai, base_url: http://h, headers: {x-a: '${T}'}}}", "providers.p.headers.x-a", "tok"),
    ("providers: {p: {kind: demo}}", "providers.p.kind", "demo"),
    ("models: {m: {targets: [{provider: p, model: y}]}}", "models.m.targets.0.model", "y"),
    ("plugins: [mypkg.mod:Class]", "plugins.0.name", "mypkg.mod:Class"),
    ("plugins: [{name: a, config: {x: [1]}}]", "plugins.0.config.x", [1]),
    ("plugins: [{name: a, on_error: allow}]", "plugins.0.on_error", "allow"),
    ("plugins: [a]", "plugins.0.on_error", "deny"),
    ("plugins: [a]", "plugins.0.deadline_s", 2.0),
    ("plugins: [{name: a, deadline_s: 0.5}]", "plugins.0.deadline_s", 0.5),
    ("builtins: {pii: {pack: presidio}}", "builtins.pii.config.pack", "presidio"),
    ("builtins: {pii: false}", "builtins.pii.enabled", False),
    ("builtins: {pii: true}", "builtins.pii.enabled", True),
    ("server: {port: '${PORT}'}", "server.port", 9999),
]


@pytest.mark.parametrize(("text", "key", "there"), PARTS, ids=[p[0] for p in PARTS])
def test_structured_settings(text: str, key: str, there: object, tmp_path: Path) -> None:
    merged = yaml.safe_load(MINIMAL) | yaml.safe_load(text.replace("${T}", "TOKEN"))
    settings = load(tmp_path, json.dumps(merged).replace("TOKEN", "${T}"), T="tok", PORT="9999")
    found = at(settings, key)
    assert (str(found) if there == "**********" else found) == there


def test_every_setting_is_in_the_contract() -> None:
    told = {row[0] for row in CONTRACT} | {row[1] for row in PARTS}
    for name, field in Settings.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            assert {f"{name}.{part}" for part in inner.model_fields} <= told
        else:
            assert any(key.split(".")[0] == name for key in told), name


BAD = [
    ("prot: 1", "g.yaml:3: unknown key 'prot'"),
    ("sever: {}", "g.yaml:3: unknown key 'sever' (did you mean 'server'?)"),
    ("server:\n  host: h\n  prot: 1", "g.yaml:5: unknown key 'server.prot' (did you mean 'port'?)"),
    ("server: {port: 8080", "g.yaml:4: not valid YAML"),
    ("server: {port: 1}\nserver: {port: 2}", "g.yaml:4: the key 'server' stands here twice"),
    ("server: [1]", "g.yaml:3: server: Input should be"),
    ("server:", "g.yaml:3: server: Input should be"),
    ("server: {port: true}", "g.yaml:3: server.port: a whole number"),
    ("server: {port: 70000}", "g.yaml:3: server.port: Input should be less"),
    ("server: {workers: 0}", "g.yaml:3: server.workers: Input should be greater"),
    ("server: {workers: 2}", "g.yaml:3: server.workers: more than one process needs a shared state"),
    ("state: mysql://x", "g.yaml:3: state: sqlite:///PATH, redis"),
    ("audit: {durability: often}", "g.yaml:3: audit.durability: Input should be 'os', 'group' or 'fsync'"),
    ("audit: {on_failure: allow}", "g.yaml:3: audit.on_failure: Input should be 'deny'"),
    ("audit: {dir: a, signing_key: a/k.pem}", "g.yaml:3: audit.signing_key: must lie outside audit.dir"),
    ("limits: {json_depth: 1e9}", "g.yaml:3: limits.json_depth: a whole number"),
    ("timeouts: {idle_s: -1}", "g.yaml:3: timeouts.idle_s: Input should be greater"),
    ("timeouts: {idle_s: soon}", "g.yaml:3: timeouts.idle_s: a number"),
    ("admin: {port: 8080}", "g.yaml:3: admin.port: the same as server.port"),
    ("admin: {host: 0.0.0.0}", "g.yaml:3: admin.host: an address that others can reach needs admin.token"),
    ("media: {image: extract}", "g.yaml:3: media.image: Input should be 'deny' or 'allow'"),
    ("media: {images: deny}", "g.yaml:3: unknown key 'media.images' (did you mean 'image'?)"),
    ("references: allow", "g.yaml:3: references: Input should be 'deny' or 'owned'"),
    ("cors_origins: https://a.example", "g.yaml:3: cors_origins: Input should be a valid tuple"),
    ("cors_origins: [a.example]", "g.yaml:3: cors_origins[0]: an origin such as"),
    ("trusted_proxies: [proxy]", "g.yaml:3: trusted_proxies[0]: an IP address"),
    ("plugins: [{nam: x}]", "g.yaml:3: unknown key 'plugins[0].nam' (did you mean 'name'?)"),
    ("plugins:\n  - a\n  - a", "g.yaml:5: plugins: 'a' is named twice"),
    ("plugins: [1]", "g.yaml:3: plugins[0]: Input should be"),
    ("builtins: {pii: 3}", "g.yaml:3: builtins.pii: a mapping of the plugin's settings"),
    ("keys_file: ${KEYS}", "g.yaml:3: the environment variable KEYS is not set"),
    ("keys_file: ''", "g.yaml:3: keys_file: a file or folder name"),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[b[0].replace("\n", "/") for b in BAD])
def test_bad_settings_are_told_with_file_and_line(text: str, told: str, tmp_path: Path) -> None:
    assert told in refusal(tmp_path, MINIMAL + text)


BAD_PROVIDERS = [
    ("", "g.yaml: providers: this key is required"),
    ("providers: {}\nmodels: {}", "g.yaml:1: providers: Dictionary should have at least 1 item"),
    (
        "providers: {a: {kind: openai}}\nmodels: {m: {targets: [{provider: a, model: x}]}}",
        "g.yaml:1: providers.a.base_url: this key is required for kind openai",
    ),
    (
        "providers: {a: {kind: demo, api_key: k}}\nmodels: {m: {targets: [{provider: a, model: x}]}}",
        "g.yaml:1: providers.a: the demo provider takes no",
    ),
    ("providers: {a: {kind: opena}}\nmodels: {}", "g.yaml:1: providers.a.kind: Input should be 'openai' or 'demo'"),
    (
        "providers: {alpha: {kind: demo}}\nmodels:\n  m: {targets: [{provider: alhpa, model: x}]}",
        "g.yaml:3: models.m: no provider 'alhpa' (did you mean 'alpha'?)",
    ),
    (
        "providers: {a: {kind: demo}}\nmodels:\n  m:\n    targets: []",
        "g.yaml:4: models.m.targets: Tuple should have at least 1 item",
    ),
    (
        "providers: {a: {kind: demo}}\nmodels:\n  m:\n    targets:\n      - {provider: a, model: '*'}",
        "g.yaml:5: models.m: only the '*' model can have a target model '*'",
    ),
]


@pytest.mark.parametrize(
    ("text", "told"), BAD_PROVIDERS, ids=[b[1].split(": ")[1] + str(n) for n, b in enumerate(BAD_PROVIDERS)]
)
def test_bad_providers_and_models(text: str, told: str, tmp_path: Path) -> None:
    assert told in refusal(tmp_path, text)


SECRET = "sk-canary-0123456789"
LEAKS = [
    "providers: {p: {kind: demo, api_key: '${K}'}}",
    "providers: {p: {kind: openai, base_url: 'https://u:${K}@h', api_key: '${K}'}}",
    "providers: {p: {kind: openai, base_url: https://h, api_key: '${K} x'}}",
    "providers: {p: {kind: '${K}', base_url: https://h}}",
    "providers: {p: {kind: openai, base_url: https://h, headers: {'x-a': \"${K}\\n\"}}}",
    "server: {port: '${K}'}",
    "state: '${K}'",
]


@pytest.mark.parametrize("text", LEAKS)
def test_a_secret_is_never_in_a_message(text: str, tmp_path: Path) -> None:
    merged = yaml.safe_load(MINIMAL) | yaml.safe_load(text)
    assert SECRET not in refusal(tmp_path, yaml.safe_dump(merged), K=SECRET)


def test_a_secret_is_never_in_a_repr_or_dump(tmp_path: Path) -> None:
    text = (
        "providers: {p: {kind: openai, base_url: https://h, api_key: ${K}, headers: {x-key: ${K}}}}\n"
        "models: {m: {targets: [{provider: p, model: x}]}}\n"
        "admin: {token: ${K}}\nstate: redis://:${K}@h/0\n"
    )
    settings = load(tmp_path, text, K=SECRET)
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.providers["p"])
    key = settings.providers["p"].api_key
    assert key is not None
    assert key.get_secret_value() == SECRET


def test_the_contract_of_the_issue_loads_as_written(tmp_path: Path) -> None:
    text = """
server: {host: 127.0.0.1, port: 8080, workers: 1}
state: sqlite:///var/state.db
audit: {dir: var/audit, durability: group, on_failure: deny, content: redacted, signing_key: var/keys/audit.pem}   # x
keys_file: config/keys.yaml          # hashed keys -> principal {id, tenant, roles, agent}
policies: policies/
providers:
  openai: {kind: openai, base_url: https://api.openai.com/v1, api_key: ${OPENAI_API_KEY}}
  demo:   {kind: demo}
models:
  gpt-4o-mini: {targets: [{provider: openai, model: gpt-4o-mini}]}
limits: {body_bytes: 8388608, header_bytes: 65536, json_depth: 64, inflight: 1024}
timeouts: {connect_s: 5, first_byte_s: 600, idle_s: 60, total_s: 1800}
admin: {host: 127.0.0.1, port: 8081}  # own port; /readyz detail and /metrics only there
media: {image: deny, audio: deny, file: deny}
references: deny                     # provider-held ids: deny | owned
passthrough: deny
cors_origins: []
trusted_proxies: []
plugins: []                          # dotted paths or entry-point names, with their config
"""
    settings = load(tmp_path, text, OPENAI_API_KEY="sk-x")
    assert settings.providers["openai"].base_url == "https://api.openai.com/v1"
    assert "g.yaml:8: the environment variable OPENAI_API_KEY is not set" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("builtins: {pii: false}", "builtins.pii: switched off", id="built-in off"),
        pytest.param("plugins: [{name: a, on_error: allow}]", "a fails open", id="plugin fails open"),
        pytest.param("media: {image: allow}", "media.image: allowed", id="media"),
        pytest.param("passthrough: allow", "passthrough:", id="passthrough"),
        pytest.param("cors_origins: ['*']", "cors_origins:", id="any origin"),
    ],
)
def test_what_is_opened_is_loud(text: str, told: str, tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL).warnings() == ()
    assert told in load(tmp_path, MINIMAL + text).warnings()[0]


def test_a_star_model_of_a_real_provider_is_loud(tmp_path: Path) -> None:
    star = "models: {'*': {targets: [{provider: p, model: '*'}]}}\n"
    real = load(tmp_path, "providers: {p: {kind: openai, base_url: https://h}}\n" + star)
    assert "any model of a real provider" in real.warnings()[0]
    assert load(tmp_path, "providers: {p: {kind: demo}}\n" + star).warnings() == ()


def test_paths_resolve_against_root(tmp_path: Path) -> None:
    settings = load(tmp_path, MINIMAL)
    assert settings.path(settings.audit.dir) == tmp_path / "var/audit"
    assert settings.path("/abs") == Path("/abs")
    assert settings.sqlite_path() == tmp_path / "var/state.db"
    assert load(tmp_path, MINIMAL + "state: sqlite:////x.db").sqlite_path() == Path("/x.db")
    assert load(tmp_path, MINIMAL + "state: redis://h/0").sqlite_path() is None
    assert load(tmp_path, MINIMAL + "server: {workers: 4}\nstate: redis://h/0").server.workers == 4


def test_the_command_line_is_checked_like_the_file(tmp_path: Path) -> None:
    settings = load(tmp_path, MINIMAL)
    changed = settings.serving(host="::1", port=0)
    assert (changed.server.host, changed.server.port, changed.server.workers) == ("::1", 0, 1)
    assert changed.root == tmp_path
    with pytest.raises(ConfigError, match=r"command line: server\.workers"):
        settings.serving(workers=2)
    with pytest.raises(ConfigError, match="command line: port"):
        settings.serving(port=70000)
    with pytest.raises(ConfigError, match=r"admin\.port: the same"):
        settings.serving(port=8081)


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(tmp_path, MINIMAL).server.port = 1  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("text", "file"),
    [
        pytest.param("keys_file: k.yaml\nproviders: broken", "k.yaml", id="rest is wrong"),
        pytest.param("providers: {}", "config/keys.yaml", id="default"),
        pytest.param("keys_file: ${K}", "from-env.yaml", id="variable"),
    ],
)
def test_the_keys_file_is_found_without_the_rest(text: str, file: str, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(text)
    assert keys_file_of(tmp_path / "g.yaml", root=tmp_path, env={"K": "from-env.yaml"}) == tmp_path / file


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("db", False)]
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_the_schema_file_is_not_stale() -> None:
    stored = (REPOSITORY / "config/gateway.schema.json").read_text()
    assert stored == schema_json(), "run: yett schema > config/gateway.schema.json"


@pytest.mark.parametrize("name", ["gateway.yaml", "dev.yaml"])
def test_shipped_configurations_load_fit_the_schema_and_name_it(name: str) -> None:
    file = REPOSITORY / "config" / name
    text = file.read_text()
    assert text.splitlines()[0] == "# yaml-language-server: $schema=gateway.schema.json"
    settings = load_settings(file, root=REPOSITORY, env={"OPENAI_API_KEY": "sk-x"})
    assert settings.warnings() == ()
    schema = json.loads(schema_json())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(text.replace("${OPENAI_API_KEY}", "x")), schema)


def test_gateway_yaml_shows_every_key_with_its_default() -> None:
    text = (REPOSITORY / "config/gateway.yaml").read_text()
    settings = load_settings(REPOSITORY / "config/gateway.yaml", root=REPOSITORY, env={"OPENAI_API_KEY": "x"})
    written = yaml.safe_load(text.replace("${OPENAI_API_KEY}", "x"))
    assert set(written) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        if not field.is_required():
            assert getattr(settings, name) == field.get_default(call_default_factory=True), name
    for section in ("server", "audit", "limits", "timeouts", "media", "admin"):
        for key in type(getattr(settings, section)).model_fields:
            assert f"{key}:" in text, f"{section}.{key}"


def test_only_the_development_configuration_has_a_star_model() -> None:
    stars = [f.name for f in (REPOSITORY / "config").glob("*.yaml") if '"*":' in f.read_text()]
    assert stars == ["dev.yaml"]
