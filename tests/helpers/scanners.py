"""Scanners for worker processes: good ones, and each kind of bad one."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from yett.detector import CallableDetector, Detector, Found

CODE = "x.word"
FOUND = Detector("x.word", CODE, "WORD", ())
HANG = "a" * 64 + "!"  # (a+)+$ looks at it for longer than anybody waits, holding the interpreter's lock


class Digits:
    """Every run of digits is a `my.any`."""

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        return [[Found(*found.span(), "my.any", 1.0) for found in re.finditer(r"\d+", text)] for text in texts]


class Words:
    """Finds `word`. Texts of the form `!name` make it misbehave."""

    def __init__(self, word: str = "needle") -> None:
        self._word = word

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        return [self._found(text) for text in texts]

    def _found(self, text: str) -> list[Found]:
        if text == "!hang":
            re.fullmatch("(a+)+$", HANG)
        elif text == "!die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif text == "!exit":
            os._exit(0)
        elif text == "!raise":
            raise RuntimeError("the text is secret")
        elif text == "!print":
            print("noise\n" * 1000, flush=True)
            print("noise\n" * 1000, file=sys.stderr, flush=True)
        elif text == "!memory":
            bytearray(1 << 33)
        elif text == "!junk":
            own_socket().sendall(b"\x00\x00\x00\x04nope")
        elif text == "!huge":
            own_socket().sendall(b"\xff\xff\xff\xff")
        elif text == "!early":
            own_socket().sendall(b'\x00\x00\x00\x0c{"found":[]}\x00')
        return [Found(at.start(), at.end(), CODE, 0.5) for at in re.finditer(re.escape(self._word), text)]


class Answers:
    """Answers every scan with the same, whatever it is."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def scan(self, texts: Sequence[str]) -> object:
        del texts
        return self._answer


class Marks:
    """Writes a line to `path` for each scan it begins and, before a text `!wait`, waits until `path.go` is there."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        with self._path.open("a") as file:
            file.write(f"{len(texts)}\n")
        if "!wait" in texts:
            fifo = self._path.with_suffix(".go")
            fifo.read_bytes()  # a FIFO: blocks until the test opens it
        return [[] for _ in texts]


class Told:
    """Finds nothing, but tells of its process: the code of a finding is what was asked."""

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        facts = {
            "pid": str(os.getpid()),
            "environment": " ".join(sorted(os.environ)),
            "session": str(os.getsid(0) == os.getpid()),
            "core": str(__import__("resource").getrlimit(__import__("resource").RLIMIT_CORE)[0]),
            "modules": " ".join(sorted(sys.modules)),
        }
        return [[Found(0, len(text), facts[text], 1.0)] for text in texts]


def own_socket() -> socket.socket:
    """The worker's end of its connection, as a scanner that means harm would find it."""
    return socket.socket(fileno=os.dup(int(sys.argv[1])))


def words(word: str = "needle") -> Words:
    return Words(word)


def noisy() -> Words:
    print("noise at import" * 1000, flush=True)
    return Words()


def answers(answer: object) -> Answers:
    return Answers(answer)


def marks(path: str) -> Marks:
    return Marks(path)


def told() -> Told:
    return Told()


def broken() -> Words:
    raise RuntimeError("no such model")


def exits() -> Words:
    sys.exit(3)


def dies() -> Words:
    os._exit(0)


def once(path: str) -> Words:
    """Can be made only as long as `path` is not there."""
    if Path(path).exists():
        raise RuntimeError("gone")
    return Words()


def detector(factory: str = "words", name: str = "words", **options: object) -> CallableDetector:
    """A callable detector made by `factory` of this module."""
    return CallableDetector(name, f"helpers.scanners:{factory}", (FOUND,), options)
