"""What wakes the thread that syncs the log."""

from __future__ import annotations

import threading
from contextlib import suppress


class Bell:
    """Rung by any thread, heard once by the one that waits: an event that resets itself.

    Waiting is one call into C. `threading.Event` runs a page of Python around its lock, for which a waking thread needs
    the interpreter that the event loop is using.
    """

    def __init__(self) -> None:
        self._silence = threading.Lock()
        self._silence.acquire()

    def ring(self) -> None:
        """Wake the thread that waits, or let the next `wait` return at once."""
        with suppress(RuntimeError):  # rung already
            self._silence.release()

    def wait(self, timeout_s: float | None = None) -> None:
        """Return when the bell was rung since the last `wait`, or after `timeout_s`."""
        self._silence.acquire(timeout=-1 if timeout_s is None else timeout_s)
