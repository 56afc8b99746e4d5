"""A worker's side of the conversation, in a thread instead of a process."""

import os
import resource
import signal
import socket
import threading

import orjson
import pytest

from helpers.scanners import CODE
from yett import worker


class Conversation:
    """One end of a socket pair; a thread serves the other."""

    def __init__(self, scanners, memory_bytes=None):
        import sys

        self.here, there = socket.socketpair()
        self.here.settimeout(20)

        def serve():
            with there:
                worker.serve(there)

        self.thread = threading.Thread(target=serve)
        self.thread.start()
        self.first = {"path": list(sys.path), "memory_bytes": memory_bytes, "scanners": scanners}

    def say(self, value):
        self.here.sendall(worker.frame(orjson.dumps(value)))
        return self.hear()

    def hear(self):
        size = int.from_bytes(self._read(worker.HEADER_BYTES))
        return orjson.loads(self._read(size))

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = self.here.recv(size - len(data))
            assert more, "the worker closed the connection"
            data += more
        return data

    def close(self):
        self.here.close()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def talk(monkeypatch):
    """Begin a conversation; the garbage collector of this process is left alone."""
    monkeypatch.setattr("gc.freeze", lambda: None)
    begun = []

    def begin(*scanners):
        begun.append(Conversation(list(scanners)))
        return begun[-1]

    yield begin
    for one in begun:
        one.close()


WORDS = ["words", "helpers.scanners:words", {}]


def test_it_says_when_its_scanners_are_made_then_scans(talk):
    conversation = talk(WORDS, ["hay", "helpers.scanners:words", {"word": "hay"}])
    assert conversation.say(conversation.first) == {}
    assert conversation.say(["words", [["a needle"], ["", "needle"]]]) == {
        "found": [[[2, 8, CODE, 0.5]], [], [[0, 6, CODE, 0.5]]]
    }
    assert conversation.say(["hay", [["hay"]]]) == {"found": [[[0, 3, CODE, 0.5]]]}


def test_it_names_the_scanner_that_cannot_be_made(talk):
    conversation = talk(WORDS, ["bad", "helpers.scanners:broken", {}])
    assert conversation.say(conversation.first) == {"failed": "bad", "why": "RuntimeError: no such model"}


def test_an_error_is_told_without_its_words(talk):
    conversation = talk(WORDS)
    conversation.say(conversation.first)
    assert conversation.say(["words", [["!raise"]]]) == {"error": "RuntimeError"}
    assert conversation.say(["nobody", [["text"]]]) == {"error": "KeyError"}
    assert conversation.say(["words", [["needle"]]]) == {"found": [[[0, 6, CODE, 0.5]]]}


def test_a_models_numbers_become_plain_ones(talk, monkeypatch):
    import numpy as np

    found = [[(np.int64(0), np.int32(4), CODE, np.float32(0.5))]]
    monkeypatch.setattr("helpers.scanners.Answers.scan", lambda self, texts: found)
    conversation = talk(["words", "helpers.scanners:answers", {"answer": None}])
    conversation.say(conversation.first)
    assert conversation.say(["words", [["text"]]]) == {"found": [[[0, 4, CODE, 0.5]]]}


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x00\x00\x09short"], ids=["nothing", "header", "payload"])
def test_it_ends_when_the_connection_does(talk, data):
    conversation = talk(WORDS)
    conversation.here.sendall(data)
    conversation.close()
    conversation = talk(WORDS)
    conversation.say(conversation.first)
    conversation.here.sendall(data)
    conversation.close()


def test_it_does_not_outlive_a_parent_that_ended_before_it_began():
    with pytest.raises(SystemExit) as caught:
        worker._die_with(os.getpid())  # this process is not its own parent
    assert caught.value.code == 0
    worker.ctypes.CDLL(None).prctl(worker.PR_SET_PDEATHSIG, 0)


def test_main_ignores_signals_and_writes_no_core(monkeypatch):
    handlers = {}
    here, there = socket.socketpair()
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(worker, "_die_with", lambda parent: None)
    limits = {}
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    here.close()
    worker.main([str(there.detach()), "1"])
    assert handlers == dict.fromkeys((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN)
    assert limits == {resource.RLIMIT_CORE: (0, 0)}
