"""What runs in a worker process: it makes the scanners it is told of and scans what it is sent.

Started by `yett.worker_process` as `python -P -m yett.worker FD PARENT`: the socket to answer on, and whom to die with.
A frame is four bytes of length (big endian) and JSON. The first one is `{path, memory_bytes, scanners: [[name, make,
options], ...]}`, answered by `{}` or `{failed: name, why: text}`. Each further one is `[name, [[text, ...], ...]]`,
the texts of one or more calls, answered by `{found: [[[start, end, code, score], ...] per text]}` or `{error: type}`.

It imports little, because every worker pays for it in memory and in the time a replacement takes.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from operator import index
from typing import Any, BinaryIO

import orjson

from yett.detector import Scanner

HEADER_BYTES = 4
PR_SET_PDEATHSIG = 1
WHY_MAX_CHARS = 300


def main(arguments: Sequence[str]) -> None:
    """Serve until the parent closes its end or ends."""
    fd, parent = (int(argument) for argument in arguments)
    _die_with(parent)
    # The parent says when it is over: a signal to the whole group must not take scans that are still awaited.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold prompts
    os.set_inheritable(fd, False)
    with socket.socket(fileno=fd) as channel:
        serve(channel)


def serve(channel: socket.socket) -> None:
    """Answer the frames that come on `channel` until it is closed."""
    with channel.makefile("rb") as incoming:
        first = _read(incoming)
        if first is None:
            return
        scanners, answer = _make_all(orjson.loads(first))
        channel.sendall(frame(orjson.dumps(answer)))
        gc.freeze()  # what is loaded by now stays: no collection needs to look at it again
        while (payload := _read(incoming)) is not None:
            channel.sendall(frame(_answer(scanners, payload)))


def frame(payload: bytes) -> bytes:
    """`payload` with its length before it."""
    return len(payload).to_bytes(HEADER_BYTES) + payload


def _read(incoming: BinaryIO) -> bytes | None:
    header = incoming.read(HEADER_BYTES)
    size = int.from_bytes(header)
    payload = incoming.read(size) if len(header) == HEADER_BYTES else b""
    return payload if len(header) == HEADER_BYTES and len(payload) == size else None


def _make_all(told: Mapping[str, Any]) -> tuple[dict[str, Scanner], dict[str, str]]:
    """The scanners, and what to answer."""
    sys.path[:] = told["path"]  # what the gateway can import, its workers can
    if told["memory_bytes"]:
        resource.setrlimit(resource.RLIMIT_AS, (told["memory_bytes"], told["memory_bytes"]))
    scanners: dict[str, Scanner] = {}
    for name, make, options in told["scanners"]:
        module, _, factory = make.partition(":")
        try:
            scanners[name] = getattr(importlib.import_module(module), factory)(**options)
        except BaseException as error:  # noqa: BLE001  # code of others may raise anything, SystemExit too
            return scanners, {"failed": name, "why": f"{type(error).__name__}: {error}"[:WHY_MAX_CHARS]}
    return scanners, {}


def _answer(scanners: Mapping[str, Scanner], payload: bytes) -> bytes:
    name, calls = orjson.loads(payload)
    texts = [text for call in calls for text in call]
    try:
        found = [_places(text, one) for text, one in zip(texts, scanners[name].scan(texts), strict=True)]
        return orjson.dumps({"found": found})
    except Exception as error:  # noqa: BLE001  # code of others may raise anything; its words may hold the text
        return orjson.dumps({"error": type(error).__name__})


def _places(text: str, found: Sequence[Any]) -> list[tuple[int, int, str, float]]:
    """`found` as plain values (a model's numbers are numpy's). Raises ValueError or TypeError for what is none."""
    places = []
    for start, end, code, score in found:
        place = index(start), index(end), code, float(score)
        if not (0 <= place[0] < place[1] <= len(text) and isinstance(code, str) and 0 <= place[3] <= 1):
            raise ValueError("no place in the text, no code, or a score outside 0 to 1")
        places.append(place)
    return places


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process with its parent, even within a C call; elsewhere the closed socket does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we could ask
        sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
