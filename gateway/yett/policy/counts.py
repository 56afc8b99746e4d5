"""How often a rule was met lately, per principal: sliding windows in the memory of one process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

MAX_WINDOWS = 4096


class Counts:
    """Sliding windows by rule and principal. Bounded: past `max_windows` the one unused for longest is forgotten.

    Per process and gone with it: with several workers each counts what it sees.
    """

    __slots__ = ("_clock", "_max_windows", "_seen")

    def __init__(self, clock: Callable[[], float] = time.monotonic, max_windows: int = MAX_WINDOWS) -> None:
        self._clock = clock
        self._max_windows = max_windows
        self._seen: dict[tuple[str, str, str], deque[float]] = {}

    def reached(self, rule: str, tenant: str, principal: str, at_least: int, window_s: float) -> bool:
        """Note one more time; whether it is at least the `at_least`th within `window_s` seconds."""
        key = (rule, tenant, principal)
        times = self._seen.pop(key, None)
        if times is None or times.maxlen != at_least:
            times = deque(times or (), maxlen=at_least)
        now = self._clock()
        times.append(now)
        self._seen[key] = times  # now the one used last
        if len(self._seen) > self._max_windows:
            del self._seen[next(iter(self._seen))]
        return len(times) == at_least and now - times[0] < window_s
