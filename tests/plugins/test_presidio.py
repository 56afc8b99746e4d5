"""Presidio's patterns come out of the installed package through a child process, once, and never silently wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from helpers.detectors import CACHE
from yett.errors import PluginError
from yett_plugins import presidio

VERSION = version("presidio-analyzer")


@pytest.fixture(scope="module")
def dump() -> bytes:
    presidio.load(CACHE)
    return (CACHE / f"presidio-{VERSION}.json").read_bytes()


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch, dump: bytes) -> list[list[str]]:
    """The commands that were run; each prints the dump."""
    commands: list[list[str]] = []

    def run(command: list[str], deadline_s: float) -> bytes:
        commands.append(command)
        assert deadline_s > 10
        return dump

    monkeypatch.setattr(presidio, "_run_child", run)
    return commands


def test_the_real_child_reads_all_recognisers_without_the_parent_importing_presidio(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from yett_plugins import presidio;"
        f"pack = presidio.load(Path({str(tmp_path)!r}));"
        "assert not any(m.split('.')[0] in ('presidio_analyzer', 'spacy', 'tldextract') for m in sys.modules);"
        "print(len(pack.recognizers), 'com' in pack.tlds, len(pack.tlds) > 1000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout.splitlines()[-1] == "90 True True"
    assert [path.name for path in tmp_path.iterdir()] == [f"presidio-{VERSION}.json"]


def test_a_second_start_reads_the_cache(tmp_path: Path, child: list[list[str]]) -> None:
    first = presidio.load(tmp_path)
    assert presidio.load(tmp_path) == first
    assert len(child) == 1


DAMAGED = {
    "empty": b"",
    "half": b'{"version": "',
    "no JSON object": b"[]",
    "unknown key": b'{"version": "%s", "recognizers": {}, "tlds": ["com"], "districts": {}, "x": 1}' % VERSION.encode(),
    "no recognisers": b'{"version": "%s", "recognizers": {}, "tlds": ["com"], "districts": {}}' % VERSION.encode(),
    "of an older Yett": b'{"version": "%s", "recognizers": {}, "tlds": ["com"]}' % VERSION.encode(),
    "not UTF-8": b"\xff\xfe",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_cache_is_read_anew_and_replaced(
    tmp_path: Path, child: list[list[str]], dump: bytes, name: str
) -> None:
    path = tmp_path / f"presidio-{VERSION}.json"
    path.write_bytes(DAMAGED[name])
    presidio.load(tmp_path)
    assert len(child) == 1
    assert path.read_bytes() == dump


EMPTY = {"entity": "EMAIL_ADDRESS", "country": "", "ignore_case": True, "patterns": [], "context": []}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": "0.0.1"}, id="another version"),
        pytest.param({"tlds": []}, id="no top-level domains"),
        pytest.param({"recognizers": {"EmailRecognizer": EMPTY}}, id="no patterns"),
    ],
)
def test_an_incomplete_cache_counts_as_none(
    tmp_path: Path, child: list[list[str]], dump: bytes, change: dict[str, object]
) -> None:
    (tmp_path / f"presidio-{VERSION}.json").write_text(json.dumps(json.loads(dump) | change))
    presidio.load(tmp_path)
    assert len(child) == 1


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path: Path, child: list[list[str]]) -> None:
    (tmp_path / "file").touch()
    assert presidio.load(tmp_path / "file" / "cache").version == VERSION
    assert len(child) == 1


CHILDREN = {
    "fails": ("raise RuntimeError('boom')", "exit 1: RuntimeError: boom"),
    "is killed": ("import os; os.kill(os.getpid(), 9)", "exit -9"),
    "prints garbage": ("print('hello')", "printed something else"),
    "prints nothing": ("pass", "printed something else"),
    "hangs": ("import threading; threading.Event().wait()", "TimeoutExpired"),
}


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_that_fails_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    code, message = CHILDREN[name]
    monkeypatch.setattr(presidio, "CHILD", code)
    monkeypatch.setattr(presidio, "CHILD_DEADLINE_S", 1.0)
    with pytest.raises(PluginError, match="pii: presidio's patterns could not be read") as caught:
        presidio.load(tmp_path)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_child_does_not_see_provider_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    monkeypatch.setattr(
        presidio, "CHILD", "import os, sys; sys.exit('key' if 'OPENAI_API_KEY' in os.environ else 'none')"
    )
    with pytest.raises(PluginError, match="exit 1: none"):
        presidio.load(tmp_path)


def test_presidio_missing_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise presidio.PackageNotFoundError(name)

    monkeypatch.setattr(presidio, "version", missing)
    with pytest.raises(PluginError, match="not installed"):
        presidio.load(tmp_path)


def test_every_recogniser_has_its_entity_country_and_flags(dump: bytes) -> None:
    data = presidio.Pack.model_validate_json(dump)
    assert (data.recognizers["PlPeselRecognizer"].entity, data.recognizers["PlPeselRecognizer"].country) == (
        "PL_PESEL",
        "pl",
    )
    assert data.recognizers["CreditCardRecognizer"].country == ""
    assert [name for name, one in data.recognizers.items() if not one.ignore_case] == ["IbanRecognizer"]
    assert {"01", "02"} <= data.districts["KA"]
