"""How often a rule was met lately, per principal: sliding windows in the memory of one process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

MAX_WINDOWS = 4096
MAX_TIMES = 1 << 18  # about 8 MB


class Counts:
    """Sliding windows by rule and principal. Bounded: past the bounds the one unused for longest is forgotten.

    Per process and gone with it: with several workers each counts what it sees.
    """

    __slots__ = ("_clock", "_held", "_max_times", "_max_windows", "_seen")

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        max_windows: int = MAX_WINDOWS,
        max_times: int = MAX_TIMES,
    ) -> None:
        self._clock = clock
        self._max_windows = max_windows
        self._max_times = max_times
        self._held = 0
        self._seen: dict[tuple[str, str, str], deque[float]] = {}

    def reached(self, rule: str, tenant: str, principal: str, at_least: int, window_s: float) -> bool:
        """Note one more time; whether it is at least the `at_least`th within `window_s` seconds."""
        key = (rule, tenant, principal)
        times = self._seen.pop(key, None)
        if times is None:
            times = deque(maxlen=at_least)
        self._held -= len(times)
        if times.maxlen != at_least:  # the rule was changed
            times = deque(times, maxlen=at_least)
        now = self._clock()
        times.append(now)
        self._held += len(times)
        self._seen[key] = times  # now the one used last
        while len(self._seen) > self._max_windows or (self._held > self._max_times and len(self._seen) > 1):
            self._held -= len(self._seen.pop(next(iter(self._seen))))
        return len(times) == at_least and now - times[0] < window_s
