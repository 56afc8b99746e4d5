"""Where the files lie that ship with Yett: inside the package in a wheel, in the repository's folders in a checkout."""

from __future__ import annotations

from pathlib import Path

from yett.errors import ConfigError

POLICIES = "policies"


def shipped(name: str) -> Path:
    """The shipped file or folder `name`: `policies`, or a file of the `config` folder. Raises ConfigError."""
    package = Path(__file__).resolve().parent
    repository = package.parent.parent
    in_checkout = repository / name if name == POLICIES else repository / "config" / name
    for path in (package / "starter" / name, in_checkout):
        if path.exists():
            return path
    raise ConfigError("a file that ships with Yett is missing: install it again", name)
