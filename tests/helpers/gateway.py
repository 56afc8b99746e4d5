"""A real gateway process for tests: configuration, a key and `yett serve` on free ports, stopped at the end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from yett.auth import create_key

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT_S = 30
STOP_LIMIT_S = 30
MODELS = ("gpt-4o-mini", "text-embedding-3-small", "gpt-3.5-turbo-instruct", "omni-moderation-latest")
_DATA = re.compile(r"(http://[\d.]+:\d+)/v1")
_ADMIN = re.compile(r"(http://[\d.]+:\d+)/readyz")


class RunningGateway(NamedTuple):
    """A gateway that answers. `base_url` ends in /v1, as the OpenAI clients want it."""

    base_url: str
    key: str
    admin_url: str
    audit_dir: Path
    process: subprocess.Popen[bytes]

    @property
    def root(self) -> Path:
        """The folder of its configuration, keys, state and log."""
        return self.audit_dir.parent.parent

    @property
    def log(self) -> str:
        """What it printed so far."""
        return (self.root / "gateway.log").read_text(errors="replace")


@contextlib.contextmanager
def running_gateway(
    root: Path,
    providers: Mapping[str, Any] | None = None,
    models: Mapping[str, Any] | None = None,
    policies: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
    *,
    role: str = "developer",
    env: Mapping[str, str] | None = None,
) -> Iterator[RunningGateway]:
    """A gateway in `root`, stopped by SIGTERM. Raises RuntimeError with its log if it does not start or end well.

    providers  as in the configuration; default: the demo provider
    models     as in the configuration; default: MODELS, each at the first provider under its own name
    policies   file name -> text, written over a copy of the repository's policies
    extra      further top-level keys of the configuration
    """
    config = write_config(root, providers, models, policies, extra)
    key = create_key(root / "config/keys.yaml", agent="tester", role=role, tenant="default")
    command = [str(ROOT / ".venv/bin/yett"), "--root", str(root), "serve", "--config", str(config)]
    if not Path(command[0]).exists():
        command[0] = str(Path(sys.executable).with_name("yett"))
    with (root / "gateway.log").open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=root, env=_environment(env)
        )
    try:
        data, admin = _wait(root / "gateway.log", process)
        yield RunningGateway(f"{data}/v1", key, admin, root / "var/audit", process)
    except BaseException:
        _stop(process)
        raise
    alive = process.poll() is None
    code = _stop(process)
    if alive and code != 0:
        raise RuntimeError(f"the gateway ended with {code}:\n{_tail(root / 'gateway.log')}")


def write_config(
    root: Path,
    providers: Mapping[str, Any] | None = None,
    models: Mapping[str, Any] | None = None,
    policies: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write config/gateway.yaml and policies/ below `root`; the gateway picks the ports."""
    providers = providers or {"demo": {"kind": "demo"}}
    first = next(iter(providers))
    models = models or {name: {"targets": [{"provider": first, "model": name}]} for name in MODELS}
    config = {
        "server": {"host": "127.0.0.1", "port": 0},
        "admin": {"host": "127.0.0.1", "port": 0},
        "providers": dict(providers),
        "models": dict(models),
        # What is read out of Presidio takes seconds and is the same for all: one cache for all tests.
        "builtins": {"pii": {"cache_dir": str(ROOT / "var/cache")}},
        **(extra or {}),
    }
    (root / "config").mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "policies", root / "policies", dirs_exist_ok=True)
    for name, text in (policies or {}).items():
        (root / "policies" / name).write_text(text)
    target = root / "config/gateway.yaml"
    target.write_text(json.dumps(config, indent=1))  # JSON is YAML
    return target


def get(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """(status, body) of a GET. Raises OSError while nobody listens."""
    return _request("GET", url, None, headers)


def post(url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """(status, body) of a POST."""
    return _request("POST", url, body, headers)


def _request(method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request(method, parts.path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**kept, "PYTHONUNBUFFERED": "1", **(env or {})}


def _wait(log: Path, process: subprocess.Popen[bytes]) -> tuple[str, str]:
    """The two addresses it prints, once /readyz says yes."""
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the gateway ended with {process.returncode} at start:\n{_tail(log)}")
        text = log.read_text(errors="replace")
        data, admin = _DATA.search(text), _ADMIN.search(text)
        if data and admin and _ready(data.group(1)):
            return data.group(1), admin.group(1)
        time.sleep(0.02)
    raise RuntimeError(f"the gateway was not ready within {START_LIMIT_S} s:\n{_tail(log)}")


def _ready(url: str) -> bool:
    try:
        return get(f"{url}/readyz")[0] == 200
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> int:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait(STOP_LIMIT_S)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-30:])
