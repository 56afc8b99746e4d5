"""The settings of one gateway: typed, frozen, strict. Every key is explained in config/gateway.yaml.

An unknown key, a wrong value or a missing variable is a ConfigError that names file and line.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, PrivateAttr

from yett import strictyaml
from yett.shape import Shape, check, several
from yett.strictyaml import Document, Location, nearest
from yett.values import (
    AllowDeny,
    Count,
    Credential,
    Days,
    Depth,
    FileName,
    HeaderName,
    HeaderValue,
    Host,
    HttpUrl,
    MediaType,
    Name,
    Network,
    Origin,
    Port,
    Seconds,
    StateUrl,
    Workers,
)
from yett.variables import expand

ANY_MODEL = "*"


def _as_plugin(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _as_builtin(value: object) -> object:
    """`false` switches a built-in off; a mapping is its configuration."""
    if isinstance(value, bool):
        return {"enabled": value}
    if isinstance(value, dict):
        return {"config": value}
    raise ValueError("a mapping of the plugin's settings is expected, or false to switch it off")


class Server(Shape):
    """Where clients connect."""

    host: Host = Field(default="127.0.0.1", description="Address the data port listens on.")
    port: Port = Field(default=8080, description="Data port; 0 picks a free one.")
    workers: Workers = Field(default=1, description="Processes. More than one needs a shared `state` (redis://).")


class Audit(Shape):
    """Where decisions are written and how hard."""

    dir: FileName = Field(default=Path("var/audit"), description="Folder of the log.")
    durability: Literal["os", "group", "fsync"] = Field(
        default="group", description="os: written; group: on disk within 5 ms; fsync: on disk before dispatch."
    )
    on_failure: Literal["deny"] = Field(default="deny", description="No record, no answer: 503.")
    content: Literal["none", "redacted", "sealed"] = Field(default="redacted", description="What is kept of texts.")
    signing_key: FileName = Field(
        default=Path("var/keys/audit.pem"), description="Ed25519 key, outside `dir`; made when missing."
    )
    content_public_key: FileName | None = Field(
        default=None, description="For sealed: file with the operator's X25519 public key, 32 bytes in base64."
    )
    content_days: Days = Field(default=30, description="Days the content store keeps a leaf.")


class Provider(Shape):
    """One service that runs models."""

    kind: Literal["openai", "demo"] = Field(description="openai: the OpenAI API shape; demo: built in, no network.")
    base_url: HttpUrl | None = Field(default=None, description="With its /v1.")
    api_key: Credential | None = Field(default=None, description="Bearer token; write ${NAME} or ${file:/path}.")
    transport: Literal["yett", "aiohttp"] = Field(default="yett", description="HTTP client; aiohttp is the reference.")
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict,
        description="Extra request headers.",
        repr=False,  # may carry a credential
    )


class ModelTarget(Shape):
    """One place a model may run."""

    provider: Name = Field(description="A name under `providers`.")
    model: Name = Field(description="The model's name there; '*' under the '*' model: the name the caller wrote.")


class Model(Shape):
    """A model that callers may name."""

    targets: tuple[ModelTarget, ...] = Field(min_length=1, description="Where it runs, first choice first.")


class Limits(Shape):
    """What a request and an answer may weigh."""

    body_bytes: Count = Field(default=8388608, description="Largest request body.")
    header_bytes: Count = Field(default=65536, description="Largest request head.")
    json_depth: Depth = Field(default=64, description="Deepest nesting of a JSON body.")
    inflight: Count = Field(default=1024, description="Requests at once per process; more get 503.")
    response_bytes: Count = Field(default=33554432, description="Largest answer of a provider, decoded.")
    max_leaves: Count = Field(default=100000, description="Most texts in one request or answer.")
    detector_workers: Workers = Field(default=2, description="Processes for detectors that run in workers.")


class Timeouts(Shape):
    """How long each step may take."""

    connect_s: Seconds = Field(default=5.0, description="To connect to a provider, TLS included.")
    first_byte_s: Seconds = Field(default=600.0, description="To the first byte of its answer.")
    idle_s: Seconds = Field(default=60.0, description="Between two bytes of an answer.")
    total_s: Seconds = Field(default=1800.0, description="For the whole exchange.")
    receive_s: Seconds = Field(default=30.0, description="For the client to send its body.")
    header_s: Seconds = Field(default=10.0, description="For the client to send its head.")


class Admin(Shape):
    """The operator's own port: /readyz with detail, /metrics, the admin API."""

    host: Host = Field(default="127.0.0.1", description="Address; one that is not loopback needs `token`.")
    port: Port = Field(default=8081, description="Admin port; 0 picks a free one.")
    token: Credential | None = Field(default=None, description="Bearer token of the admin port.")


class Media(Shape):
    """Parts that no text detector can read."""

    image: AllowDeny = Field(default="deny", description="Images in messages.")
    audio: AllowDeny = Field(default="deny", description="Audio in messages and answers.")
    video: AllowDeny = Field(default="deny", description="Video in messages.")
    file: AllowDeny = Field(default="deny", description="Files in messages.")


class PluginSettings(Shape):
    """A plugin beside the built-in ones."""

    name: Name = Field(description="An entry point's name, or package.module:Class.")
    config: dict[str, JsonValue] = Field(default_factory=dict, description="The plugin's own settings.")
    on_error: AllowDeny = Field(default="deny", description="What its failure means for the request.")
    deadline_s: Seconds = Field(default=2.0, description="How long one call may take.")


class BuiltinSettings(Shape):
    """A built-in plugin: switched off, or its own settings."""

    enabled: bool = True
    config: dict[str, JsonValue] = Field(default_factory=dict)


PluginEntry = Annotated[PluginSettings, BeforeValidator(_as_plugin, json_schema_input_type=str | PluginSettings)]
BuiltinEntry = Annotated[
    BuiltinSettings, BeforeValidator(_as_builtin, json_schema_input_type=bool | dict[str, JsonValue])
]


class Settings(Shape):
    """Everything one gateway is told. `providers` and `models` have no default."""

    server: Server = Server()
    state: StateUrl = Field(
        default="sqlite:///var/state.db",
        description="sqlite:///PATH (one process), redis://HOST:PORT/DB or unix:///PATH (a shared Redis).",
        repr=False,  # a redis URL may carry a password
    )
    audit: Audit = Audit()
    keys_file: FileName = Field(default=Path("config/keys.yaml"), description="Hashed API keys and whose they are.")
    vault_key: FileName = Field(default=Path("var/keys/vault.key"), description="Key of pseudonyms; made when missing.")
    policies: FileName = Field(default=Path("policies"), description="Folder of the policy files.")
    providers: dict[Name, Provider] = Field(min_length=1, description="Services that run models, by name.")
    models: dict[Name, Model] = Field(min_length=1, description="Models that callers may name.")
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    admin: Admin = Admin()
    media: Media = Media()
    references: Literal["deny", "owned"] = Field(default="deny", description="Provider-held ids in requests.")
    passthrough: AllowDeny = Field(default="deny", description="Other /v1 paths; allowed ones are still scanned.")
    passthrough_types: tuple[MediaType, ...] = Field(
        default=(), description="Media types that may pass unscanned when passthrough is allowed."
    )
    cors_origins: tuple[Origin, ...] = Field(default=(), description="Browser origins that may call the data port.")
    trusted_proxies: tuple[Network, ...] = Field(default=(), description="Networks whose X-Forwarded-For is believed.")
    plugins: tuple[PluginEntry, ...] = Field(default=(), description="Plugins beside the built-in ones.")
    builtins: dict[Name, BuiltinEntry] = Field(
        default_factory=dict, description="Settings of built-in plugins by name; false switches one off."
    )

    _root: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any, /) -> None:  # the signature is pydantic's
        """Remember the folder that relative paths stand in."""
        if isinstance(context, dict) and isinstance(context.get("root"), Path):
            self._root = context["root"]

    @property
    def root(self) -> Path:
        """The folder that relative paths resolve against."""
        return self._root

    def path(self, value: str | Path) -> Path:
        """`value` as a path, relative ones below `root`."""
        return self._root / value

    def sqlite_path(self) -> Path | None:
        """The state database's file; None where state is shared. `sqlite:////x` is absolute, `sqlite:///x` is not."""
        return self.path(self.state.removeprefix("sqlite:///")) if self.state.startswith("sqlite:///") else None

    def serving(self, host: str | None = None, port: int | None = None, workers: int | None = None) -> Settings:
        """These settings with what the command line says about `server`. Raises ConfigError."""
        given = {"host": host, "port": port, "workers": workers}
        section = Document("command line", {k: v for k, v in given.items() if v is not None}, {})
        said = check(Server, section)
        changed = self.model_copy(update={"server": self.server.model_copy(update=said.model_dump(exclude_unset=True))})
        wrong = _server_checks(changed)
        if wrong:
            raise several([("command line", message) for _, message in wrong])
        return changed

    def warnings(self) -> tuple[str, ...]:
        """What the operator opened or may regret: shown by `yett check`, in the log at start and in /readyz."""
        told = [f"builtins.{name}: switched off" for name, one in self.builtins.items() if not one.enabled]
        told += [f"plugins: {one.name} fails open (on_error: allow)" for one in self.plugins if one.on_error == "allow"]
        told += [f"media.{kind}: allowed, passes unscanned" for kind, how in self.media if how == "allow"]
        if self.passthrough == "allow":
            told.append("passthrough: paths without a dialect are forwarded")
        if "*" in self.cors_origins:
            told.append("cors_origins: every web page may call the gateway with a key it knows")
        if any(self.providers[t.provider].kind != "demo" for m in _any_model(self) for t in m.targets):
            told.append("models: '*' lets callers name any model of a real provider")
        return tuple(told)


def load_settings(path: Path, *, root: Path, env: Mapping[str, str] = os.environ) -> Settings:
    """Read, expand and check the configuration at `path`. Raises ConfigError with `file:line`."""
    document = expand(strictyaml.load(path), env, root)
    settings = check(Settings, document, {"root": root})
    wrong = [(document.where(at), message) for at, message in _cross_checks(settings)]
    if wrong:
        raise several(wrong)
    return settings


def keys_file_of(path: Path, *, root: Path, env: Mapping[str, str] = os.environ) -> Path:
    """The keys file that the configuration at `path` names, without needing the rest of it to be right."""
    document = strictyaml.load(path)
    named = document.value.get("keys_file") if isinstance(document.value, dict) else None
    if not isinstance(named, str):
        return root / "config/keys.yaml"
    alone = expand(Document(document.file, {"keys_file": named}, document.lines), env, root).value
    return root / str(alone["keys_file"]) if isinstance(alone, dict) else root / named


def schema_json() -> str:
    """The JSON Schema of the configuration file, for editors: config/gateway.schema.json."""
    schema = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Yett gateway configuration"
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _any_model(settings: Settings) -> list[Model]:
    return [settings.models[ANY_MODEL]] if ANY_MODEL in settings.models else []


def _cross_checks(settings: Settings) -> list[tuple[Location, str]]:
    """What no single key can know: (location, message) of each contradiction."""
    wrong = _target_checks(settings) + _server_checks(settings)
    for name, provider in settings.providers.items():
        if provider.kind == "openai" and provider.base_url is None:
            wrong.append((("providers", name), f"providers.{name}.base_url: this key is required for kind openai"))
        if provider.kind == "demo" and (provider.base_url or provider.api_key or provider.headers):
            wrong.append((("providers", name), f"providers.{name}: the demo provider takes no address, key or headers"))
    names = [plugin.name for plugin in settings.plugins]
    for index, name in enumerate(names):
        if name in names[:index]:
            wrong.append((("plugins", index), f"plugins: {name!r} is named twice"))
    log, key = settings.path(settings.audit.dir), settings.path(settings.audit.signing_key)
    if key.is_relative_to(log):
        wrong.append((("audit", "signing_key"), "audit.signing_key: must lie outside audit.dir"))
    return wrong


def _target_checks(settings: Settings) -> list[tuple[Location, str]]:
    wrong: list[tuple[Location, str]] = []
    for name, model in settings.models.items():
        for index, target in enumerate(model.targets):
            at: Location = ("models", name, "targets", index)
            if target.provider not in settings.providers:
                hint = nearest(target.provider, settings.providers)
                wrong.append(((*at, "provider"), f"models.{name}: no provider {target.provider!r}{hint}"))
            if target.model == ANY_MODEL and name != ANY_MODEL:
                wrong.append(((*at, "model"), f"models.{name}: only the '*' model can have a target model '*'"))
    return wrong


def _server_checks(settings: Settings) -> list[tuple[Location, str]]:
    wrong: list[tuple[Location, str]] = []
    server, admin = settings.server, settings.admin
    if server.workers > 1 and settings.state.startswith("sqlite:"):
        told = "server.workers: more than one process needs a shared state: set `state: redis://...`"
        wrong.append((("server", "workers"), told))
    if server.port and server.port == admin.port and server.host == admin.host:
        wrong.append((("admin", "port"), "admin.port: the same as server.port"))
    if not is_loopback(admin.host) and admin.token is None:
        wrong.append((("admin", "host"), "admin.host: an address that others can reach needs admin.token"))
    return wrong
