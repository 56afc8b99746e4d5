"""Refusals before authentication, counted per reason and written to the audit every ten seconds, not one by one.

Anybody can cause them, so one record each would let a stranger fill the disk.
"""

from __future__ import annotations

from collections import Counter

from yett.audit import record
from yett.audit.sink import AuditLog
from yett.errors import HttpError

INTERVAL_S = 10.0


class Refusals:
    """Counts refusals since the last flush."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self._counts: Counter[str] = Counter()

    def add(self, error: HttpError) -> None:
        """Count one."""
        self.add_code(error.code)

    def add_code(self, code: str) -> None:
        """Count one by its code: the protocol refuses before there is a request."""
        self._counts[code] += 1

    def flush(self) -> None:
        """Write what was counted as one event; keep counting if the log cannot take it now."""
        if not self._counts:
            return
        try:
            self._audit.append(record.event("refused_before_authentication", counts=dict(self._counts)))
        except HttpError:
            return
        self._counts.clear()
