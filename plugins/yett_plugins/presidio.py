"""Presidio's pattern recognisers as data: patterns, scores and context words out of the installed package.

Importing Presidio costs 100 MiB and seconds, so a child process does it once per installed version and the result is
kept as `<cache_dir>/presidio-<version>.json`. Nothing of Presidio is copied into this package, and this process never
imports it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from yett.errors import PluginError

RECOGNIZERS = (
    "EmailRecognizer",
    "CreditCardRecognizer",
    "IbanRecognizer",
    "IpRecognizer",
    "UsSsnRecognizer",
    "CryptoRecognizer",
)
CHILD = "from yett_plugins.presidio import dump; print(dump())"
CHILD_DEADLINE_S = 120.0
# The child needs to find Python's packages, not the gateway's provider keys.
CHILD_ENVIRONMENT = frozenset(
    {"HOME", "LANG", "LC_ALL", "PATH", "PYTHONHOME", "PYTHONPATH", "SYSTEMROOT", "TMPDIR", "USERPROFILE", "VIRTUAL_ENV"}
)

log = structlog.get_logger("yett.plugins.presidio")


class PresidioPattern(BaseModel):
    """One pattern of a recogniser, as Presidio has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    regex: str = Field(min_length=1)
    score: float = Field(ge=0, le=1)


class Recognizer(BaseModel):
    """The data of one of Presidio's pattern recognisers."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    patterns: tuple[PresidioPattern, ...] = Field(min_length=1)
    context: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The context words as whole words (Presidio writes `cc ` to say the same)."""
        return tuple(word.strip() for word in self.context)


class Pack(BaseModel):
    """Everything read from one version of Presidio; `tlds` are the top-level domains its e-mail check knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str
    recognizers: Mapping[str, Recognizer]
    tlds: frozenset[str]


def load(cache_dir: Path) -> Pack:
    """The installed Presidio's pack, from the cache or through a child process. Raises PluginError."""
    try:
        installed = version("presidio-analyzer")
    except PackageNotFoundError as error:
        raise PluginError("pii: presidio-analyzer is not installed") from error
    path = cache_dir / f"presidio-{installed}.json"
    pack = _from_cache(path, installed)
    if pack is not None:
        return pack
    started = time.monotonic()
    dump = _run_child([sys.executable, "-P", "-c", CHILD], CHILD_DEADLINE_S)
    pack = _parse(dump, installed)
    if pack is None:
        raise PluginError("pii: presidio's patterns could not be read: the child process printed something else")
    _write(path, dump)
    log.info("presidio_patterns_read", version=installed, seconds=round(time.monotonic() - started, 1))
    return pack


def _from_cache(path: Path, installed: str) -> Pack | None:
    try:
        return _parse(path.read_bytes(), installed)
    except OSError:
        return None  # not there yet, or not readable: the child is asked instead


def _parse(dump: bytes, installed: str) -> Pack | None:
    """The pack in `dump`, or None where it is damaged, incomplete or of another version."""
    try:
        pack = Pack.model_validate_json(dump)
    except ValidationError:
        return None
    complete = pack.version == installed and pack.recognizers.keys() >= set(RECOGNIZERS) and bool(pack.tlds)
    return pack if complete else None


def _run_child(command: list[str], deadline_s: float) -> bytes:
    environment = {name: value for name, value in os.environ.items() if name in CHILD_ENVIRONMENT}
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and module, no shell, no outside input
            command, capture_output=True, check=False, timeout=deadline_s, env=environment, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PluginError(f"pii: presidio's patterns could not be read: {type(error).__name__}") from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
        raise PluginError(f"pii: presidio's patterns could not be read: exit {done.returncode}: {last[:200]}")
    return done.stdout


def _write(path: Path, dump: bytes) -> None:
    """Store the dump so that a reader sees all of it or nothing; a folder we may not write costs time, not safety."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            file.write(dump)
        Path(file.name).replace(path)
    except OSError as error:
        log.warning("presidio_cache_not_written", folder=str(path.parent), error=type(error).__name__)


def dump() -> str:
    """The installed Presidio's data as JSON. Imports Presidio: for the child process only."""
    import tldextract
    from presidio_analyzer import predefined_recognizers

    recognizers = {}
    for name in RECOGNIZERS:
        recognizer = getattr(predefined_recognizers, name)
        patterns = tuple(PresidioPattern(name=p.name, regex=p.regex, score=p.score) for p in recognizer.PATTERNS)
        recognizers[name] = Recognizer(patterns=patterns, context=tuple(recognizer.CONTEXT))
    # No list addresses and no cache: the suffix list that ships with the package, and no network.
    suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None).tlds
    tlds = frozenset(suffix.rsplit(".", 1)[-1].lower() for suffix in suffixes)
    return Pack(version=version("presidio-analyzer"), recognizers=recognizers, tlds=tlds).model_dump_json()
