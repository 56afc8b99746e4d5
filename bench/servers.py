"""What is measured: each server is a command, an address and the headers its clients send."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEY = "sk-bench-upstream-0000000000000000"


class Absent(Exception):  # a reason to skip, told in the report
    """This server cannot be measured here; the message says why and what would install it."""


@dataclass(frozen=True)
class Server:
    """One server to measure. `bodies` names the loads it gets: plain, pii, stream."""

    name: str
    command: tuple[str, ...]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    bodies: tuple[str, ...] = ("plain", "stream")
    start_limit_s: float = 15.0
    note: str = ""


Make = Callable[[Path, str], Server]  # (scratch folder, upstream base URL with /v1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx(scratch: Path, upstream: str) -> Server:
    """The yardstick: a plain reverse proxy with keep-alive to the provider, one worker, no log."""
    port, host = free_port(), upstream.removeprefix("http://").removesuffix("/v1")
    temporary = "".join(
        f"  {kind}_temp_path {scratch}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (scratch / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {scratch}/nginx.pid; error_log stderr crit;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{\n{temporary}  access_log off; keepalive_requests 1000000;\n"
        f"  upstream provider {{ server {host}; keepalive 64; keepalive_requests 1000000; }}\n"
        f"  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://provider; proxy_http_version 1.1;\n"
        '    proxy_set_header Connection ""; } }\n}\n'
    )
    command = ("nginx", "-p", str(scratch), "-e", "stderr", "-c", str(scratch / "nginx.conf"))
    return Server("nginx", command, f"http://127.0.0.1:{port}/v1/chat/completions")


def yett(name: str, *, guards: bool) -> Make:
    """Yett with its default detectors and `group` durability, or with the detectors off and `os` durability."""

    def make(scratch: Path, upstream: str) -> Server:
        port, admin = free_port(), free_port()
        config = {
            "server": {"host": "127.0.0.1", "port": port},
            "state": f"sqlite:///{scratch}/state.db",
            "audit": {
                "dir": f"{scratch}/audit",
                "durability": "group" if guards else "os",
                "content": "redacted" if guards else "none",
                "signing_key": f"{scratch}/keys/audit.pem",
            },
            "keys_file": f"{scratch}/keys.yaml",
            "vault_key": f"{scratch}/keys/vault.key",
            "policies": str(ROOT / "policies"),
            "providers": {"bench": {"kind": "openai", "base_url": upstream, "api_key": KEY}},
            "models": {"gpt-4o-mini": {"targets": [{"provider": "bench", "model": "gpt-4o-mini"}]}},
            "admin": {"host": "127.0.0.1", "port": admin},
            "builtins": {"pii": {"cache_dir": str(ROOT / "var/cache")}} if guards else {"pii": False, "secrets": False},
        }
        (scratch / "gateway.yaml").write_text(json.dumps(config))  # JSON is YAML
        command = str(Path(sys.executable).with_name("yett"))
        made = [command, "keys", "create", "--agent", "bench", "--role", "developer"]
        done = subprocess.run(
            [*made, "--keys-file", f"{scratch}/keys.yaml"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        key = done.stdout.strip().splitlines()[-1]
        return Server(
            name,
            (command, "serve", "--config", str(scratch / "gateway.yaml")),
            f"http://127.0.0.1:{port}/v1/chat/completions",
            headers={"authorization": f"Bearer {key}"},
            bodies=("plain", "pii", "stream") if guards else ("plain", "stream"),
        )

    return make


def peers_dir() -> Path:
    return ROOT / "bench" / ".venvs"


def ferrogw(scratch: Path, upstream: str) -> Server:
    """Ferro Labs AI Gateway (Go), from PyPI."""
    command = peers_dir() / "ferrogw" / "bin" / "ferrogw"
    if not command.exists():
        raise Absent("ferrogw is not installed: `make bench-peers`")
    port, key = free_port(), "fgw_" + "0" * 32
    (scratch / "ferrogw.yaml").write_text("strategy: {mode: fallback}\ntargets: [{virtual_key: openai}]\n")
    env = {
        "PORT": str(port),
        "GATEWAY_CONFIG": str(scratch / "ferrogw.yaml"),
        "MASTER_KEY": key,
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": upstream,
        "LOG_LEVEL": "error",
        "RATE_LIMIT_RPS": "1000000",  # its default refuses most of the load
        "RATE_LIMIT_BURST": "1000000",
        "FERRO_MODEL_CATALOG_TIMEOUT": "0",
    }
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return Server("ferrogw", (str(command), "serve"), url, {"authorization": f"Bearer {key}"}, env)


def portkey(scratch: Path, upstream: str) -> Server:
    """Portkey's open-source gateway (Node), from npm."""
    script = peers_dir() / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not script.exists():
        raise Absent("@portkey-ai/gateway is not installed: `make bench-peers`")
    port = free_port()
    headers = {"authorization": f"Bearer {KEY}", "x-portkey-provider": "openai", "x-portkey-custom-host": upstream}
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    command = ("node", str(script), f"--port={port}", "--headless")
    return Server("portkey", command, url, headers, {"NODE_ENV": "production", "HOME": str(scratch)})


def litellm(scratch: Path, upstream: str) -> Server:
    """LiteLLM's proxy (Python), from PyPI in its own environment."""
    command = peers_dir() / "litellm" / "bin" / "litellm"
    if not command.exists():
        raise Absent("litellm is not installed: `make bench-peers`")
    port, key = free_port(), "sk-bench-litellm"
    params = {"model": "openai/gpt-4o-mini", "api_base": upstream, "api_key": KEY}
    config = {"model_list": [{"model_name": "gpt-4o-mini", "litellm_params": params}]}
    (scratch / "litellm.yaml").write_text(json.dumps(config))
    env = {
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
    }
    serve = ("--config", str(scratch / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(port))
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    headers = {"authorization": f"Bearer {key}"}
    return Server("litellm", (str(command), *serve), url, headers, env, start_limit_s=90.0)


def environment(server: Server) -> dict[str, str]:
    """What the server's process is given: the surroundings, without proxies, plus its own variables."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "PYTHONUNBUFFERED": "1", **server.env}
