"""Installs the gateways that Yett is compared with, each in its own folder below bench/.venvs. Failures are told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from servers import peers_dir

# LiteLLM's proxy imports opentelemetry's SDK at start without depending on it.
PYTHON = {"ferrogw": ["ferrogw==1.5.10"], "litellm": ["litellm[proxy]==1.106.2", "opentelemetry-sdk"]}
NODE = {"portkey": "@portkey-ai/gateway@1.15.2"}


def install_python(name: str, packages: list[str]) -> None:
    folder = peers_dir() / name
    if not (folder / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", *packages], check=True, timeout=900)


def install_node(name: str, package: str) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not on this machine")
    folder = peers_dir() / name
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(folder), package]
    subprocess.run(command, check=True, timeout=600)


def main() -> int:
    Path(peers_dir()).mkdir(parents=True, exist_ok=True)
    failed = 0
    jobs = {name: partial(install_python, name, packages) for name, packages in PYTHON.items()}
    jobs |= {name: partial(install_node, name, package) for name, package in NODE.items()}
    for name, install in jobs.items():
        print(f"bench-peers: installing {name}", flush=True)
        try:
            install()
        except (OSError, subprocess.SubprocessError) as error:
            failed += 1
            print(f"bench-peers: {name} NOT installed: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
