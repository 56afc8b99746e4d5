"""The built-in detectors for tests: what Presidio's patterns are is read once per checkout, into var/cache."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from yett.detector import Detector
from yett.scan import ScanEngine
from yett_plugins import Pii, Secrets

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = CHECKOUT / ".." / "shared" / "data"
CACHE = CHECKOUT / "var" / "cache"


def pii(pack: str = "yett", **more: Any) -> tuple[Detector, ...]:
    return tuple(Pii(Pii.Config(pack=pack, cache_dir=CACHE, **more)).register_detectors())


def secrets(**more: Any) -> tuple[Detector, ...]:
    return tuple(Secrets(Secrets.Config(**more)).register_detectors())


def engine(detectors: Sequence[Detector], *, cache_entries: int = 1) -> ScanEngine:
    """An engine that trusts the examples; `test_*` of each plugin check those, detector by detector."""
    return ScanEngine([replace(d, hit=(), miss=()) for d in detectors], cache_entries=cache_entries)


def codes(scanner: ScanEngine, text: str) -> dict[str, list[str]]:
    """What was found in `text`: code -> the texts."""
    found: dict[str, list[str]] = {}
    for span in scanner.scan(text):
        found.setdefault(span.detector.code, []).append(text[span.start : span.end])
    return found


def rows(name: str) -> Iterator[dict[str, Any]]:
    """The rows of one data file; skips the test, saying so, where the data is not there."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"external data is not there: {path}")
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)
