"""A child process that holds users' own Presidio recognisers and runs their checks.

Importing Presidio costs 100 MiB and seconds, and a user's check may hang: neither may happen in the gateway. The child
is started with the plugin and tells what its recognisers are; it is kept only if one of them has a check of its own.
A check that takes longer than its deadline is killed with the process, which then starts anew; until it is ready, every
check fails, and a failed check is a refused request.
"""

from __future__ import annotations

import importlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from yett.errors import PluginError
from yett_plugins.presidio import CHILD_DEADLINE_S, Recognizer, child_environment, data_of

CHILD = "from yett_plugins.pii_child import serve; serve()"
CHECK_DEADLINE_S = 0.25
_PIECE = 1 << 16

log = structlog.get_logger("yett.plugins.pii_child")


class OwnRecognizer(Recognizer):
    """A user's recogniser; `validates`: it has a check of its own, which the child runs."""

    name: str
    path: str
    validates: bool


class _Loaded(BaseModel):
    """What the child says when it is ready: its recognisers, or why there are none."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    recognizers: tuple[OwnRecognizer, ...] = ()
    error: str = ""


class RecognizerProcess:
    """The child for recognisers named by dotted path. Raises PluginError where one cannot be loaded."""

    def __init__(self, paths: Sequence[str], *, deadline_s: float = CHECK_DEADLINE_S) -> None:
        self._paths = tuple(paths)
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._ready = False
        self._start()
        self.recognizers = self._load()
        if not any(recognizer.validates for recognizer in self.recognizers):
            self.close()

    def check(self, path: str, text: str) -> bool | None:
        """The answer of the check of the recogniser at `path`. Raises TimeoutError or RuntimeError."""
        with self._lock:
            if not self._ready:  # killed before: the new one needs its seconds
                self._read_line(0.0)
                self._ready = True
            self._write(json.dumps([path, text]))
            answer = self._read_line(self._deadline_s)
        if answer in {b"true", b"false", b"null"}:
            return {b"true": True, b"false": False}.get(answer)
        raise RuntimeError("the check failed")  # what it said may hold the text

    def close(self) -> None:
        """End the child; checks fail from now on."""
        self._process.kill()
        self._process.communicate()
        self._selector.close()

    def _start(self) -> None:
        # The child finds what the gateway finds: the users' modules may stand anywhere on its path.
        command = [sys.executable, "-P", "-c", CHILD, json.dumps(sys.path), *self._paths]
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            bufsize=0,
        )
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe(self._process.stdout), selectors.EVENT_READ)

    def _load(self) -> tuple[OwnRecognizer, ...]:
        try:
            loaded = _Loaded.model_validate_json(self._read_line(CHILD_DEADLINE_S, restart=False))
        except (ValidationError, TimeoutError, RuntimeError, OSError) as error:
            self.close()
            raise PluginError(f"pii: recognizers: the child process gave {type(error).__name__}") from None
        if loaded.error:
            self.close()
            raise PluginError(f"pii: recognizers: {loaded.error}")
        self._ready = True
        return loaded.recognizers

    def _write(self, line: str) -> None:
        try:
            os.write(self._pipe(self._process.stdin), line.encode() + b"\n")
        except OSError:
            self._restart()
            raise RuntimeError("the child process ended") from None

    def _read_line(self, deadline_s: float, *, restart: bool = True) -> bytes:
        line, until = b"", time.monotonic() + deadline_s
        while not line.endswith(b"\n"):
            if not self._selector.select(max(0.0, until - time.monotonic())):
                if restart and self._ready:
                    self._restart()
                raise TimeoutError("the check ran out of time")
            piece = os.read(self._pipe(self._process.stdout), _PIECE)
            if not piece:
                if restart:
                    self._restart()
                raise RuntimeError("the child process ended")
            line += piece
        return line.strip()

    def _restart(self) -> None:
        log.warning("pii_child_restarted", recognizers=self._paths)
        self.close()
        self._ready = False
        self._start()

    @staticmethod
    def _pipe(stream: Any) -> int:
        return int(stream.fileno())


def serve() -> None:
    """For the child process: load what the command line names, say what it is, answer checks until the parent ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what users' code prints is no answer
    sys.path[:] = json.loads(sys.argv[1])  # noqa: TID251  # from our own parent
    recognizers: dict[str, Any] = {}
    try:
        for path in sys.argv[2:]:
            recognizers[path] = _instance(path)
        loaded = _Loaded(recognizers=tuple(_described(path, one) for path, one in recognizers.items()))
    except _Refused as error:
        loaded = _Loaded(error=str(error))
    answers.write(loaded.model_dump_json() + "\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(_answer(recognizers, line) + "\n")
        answers.flush()


class _Refused(Exception):
    """A recogniser that cannot be used; says which and why."""


def _instance(path: str) -> Any:
    from presidio_analyzer import EntityRecognizer, PatternRecognizer

    module_name, _, class_name = path.partition(":")
    try:
        value = getattr(importlib.import_module(module_name), class_name)
        made = value() if isinstance(value, type) else value
    except Exception as error:
        raise _Refused(f"{path}: {type(error).__name__}: {error}") from error
    if not isinstance(made, PatternRecognizer):
        raise _Refused(f"{path}: not a PatternRecognizer")
    if type(made).analyze is not PatternRecognizer.analyze:
        raise _Refused(f"{path}: has an `analyze` of its own; only patterns and checks are read")
    if type(made).enhance_using_context is not EntityRecognizer.enhance_using_context:
        raise _Refused(f"{path}: has an `enhance_using_context` of its own; only context words are read")
    return made


def _described(path: str, made: Any) -> OwnRecognizer:
    from presidio_analyzer import PatternRecognizer

    validates = (
        type(made).validate_result is not PatternRecognizer.validate_result
        or type(made).invalidate_result is not PatternRecognizer.invalidate_result
    )
    try:
        return OwnRecognizer(**data_of(made).model_dump(), name=str(made.name), path=path, validates=validates)
    except ValidationError as error:
        raise _Refused(f"{path}: {error.errors(include_input=False)[0]['msg']}") from error


def _answer(recognizers: Mapping[str, Any], line: str) -> str:
    try:
        path, text = json.loads(line)  # noqa: TID251  # from our own parent
        recognizer = recognizers[path]
        valid = recognizer.validate_result(text)
        if recognizer.invalidate_result(text):
            valid = False
        return json.dumps(valid if valid is None else bool(valid))
    except Exception as error:  # noqa: BLE001  # foreign code; the parent takes anything else for a failure
        return json.dumps(type(error).__name__)
