"""The bell: heard once, never missed, whoever rings it."""

from __future__ import annotations

import threading
import time

from yett.audit.bell import Bell


def test_a_ring_before_the_wait_is_not_missed() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    before = time.monotonic()
    bell.wait(5)
    assert time.monotonic() - before < 1


def test_it_is_heard_once() -> None:
    bell = Bell()
    bell.ring()
    bell.wait(5)
    before = time.monotonic()
    bell.wait(0.02)
    assert time.monotonic() - before >= 0.02


def test_another_thread_wakes_the_one_that_waits() -> None:
    bell, heard = Bell(), threading.Event()
    waiting = threading.Thread(target=lambda: (bell.wait(), heard.set()))
    waiting.start()
    bell.ring()
    assert heard.wait(5)
    waiting.join(5)
    assert not waiting.is_alive()
