"""Presidio's pattern recognisers as data: patterns, scores and context words out of the installed package.

Importing Presidio costs 100 MiB and seconds, so a child process does it once per installed version and the result is
kept as `<cache_dir>/presidio-<version>.json`. Nothing of Presidio is copied into this package, and this process never
imports it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from yett.errors import PluginError

# What no pack can do without; whether the others are there is asked when they are switched on.
NEEDED = frozenset({"EmailRecognizer", "CreditCardRecognizer", "IbanRecognizer", "IpRecognizer", "UsSsnRecognizer"})
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
    """The data of one pattern recogniser; `country` is empty where it belongs to none."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    entity: str = Field(min_length=1)
    country: str
    ignore_case: bool
    patterns: tuple[PresidioPattern, ...] = Field(min_length=1)
    context: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The context words as whole words (Presidio writes `cc ` to say the same)."""
        return tuple(word.strip() for word in self.context)


class Pack(BaseModel):
    """Everything read from one version of Presidio.

    `tlds` are the top-level domains its e-mail check knows, `districts` (by state) the table of its check for Indian
    plates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: str
    recognizers: Mapping[str, Recognizer]
    tlds: frozenset[str]
    districts: Mapping[str, frozenset[str]]


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
    complete = pack.version == installed and pack.recognizers.keys() >= NEEDED and bool(pack.tlds)
    return pack if complete else None


def child_environment() -> dict[str, str]:
    """What a child process sees of our environment."""
    return {name: value for name, value in os.environ.items() if name in CHILD_ENVIRONMENT}


def _run_child(command: list[str], deadline_s: float) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and module, no shell, no outside input
            command,
            capture_output=True,
            check=False,
            timeout=deadline_s,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
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
    from presidio_analyzer import PatternRecognizer, predefined_recognizers

    classes = [value for value in vars(predefined_recognizers).values() if isinstance(value, type)]
    makers: list[Callable[[], Any]] = [c for c in classes if issubclass(c, PatternRecognizer)]
    recognizers = {type(made).__name__: data_of(made) for made in (make() for make in makers)}
    plates = predefined_recognizers.InVehicleRegistrationRecognizer
    prefixes = plates.in_union_territories | plates.in_old_union_territories | plates.in_states
    prefixes |= plates.in_old_states | plates.in_non_standard_state_or_ut
    # No list addresses and no cache: the suffix list that ships with the package, and no network.
    suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None).tlds
    return Pack(
        version=version("presidio-analyzer"),
        recognizers=recognizers,
        tlds=frozenset(suffix.rsplit(".", 1)[-1].lower() for suffix in suffixes),
        districts={
            state: frozenset(codes) for state, codes in plates.state_rto_district_map.items() if state in prefixes
        },
    ).model_dump_json()


def data_of(recognizer: Any) -> Recognizer:
    """The data of an instance of Presidio's PatternRecognizer. For child processes only."""
    patterns = tuple(PresidioPattern(name=p.name, regex=p.regex, score=p.score) for p in recognizer.patterns)
    return Recognizer(
        entity=recognizer.supported_entities[0],
        country=recognizer.country_code() or "",
        ignore_case=bool(recognizer.global_regex_flags & re.IGNORECASE),
        patterns=patterns,
        context=tuple(recognizer.context or ()),
    )
