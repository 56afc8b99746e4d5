"""The detectors of one gateway that answer at once, for what is tried while policy is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from yett.callables import CallableScans
from yett.detector import Detector, Span
from yett.errors import ConfigError, HttpError
from yett.flow import Phase, Role
from yett.scan import ScanEngine


class DetectorsAtHand:
    """The declarative detectors and the inline callable ones (see `yett.policy.examples.Detectors`).

    Those in worker processes are not asked, and no check hook is. `codes` is what `scan` can find, `known` what any
    detector of the gateway can.
    """

    def __init__(self, engine: ScanEngine, detectors: Sequence[Detector], callables: CallableScans) -> None:
        declared = frozenset(one.code for one in detectors)
        self.codes = declared | callables.codes(inline=True)
        self.known = declared | callables.codes()
        self._engine = engine
        self._callables = callables

    def scan(self, text: str, role: Role, phase: Phase) -> Sequence[Span]:
        """What stands in `text`. Raises ConfigError, without the text, if a detector fails."""
        try:
            return [*self._engine.scan(text), *self._callables.find_now(phase, role, text)]
        except HttpError as error:
            raise ConfigError(f"an example cannot be tried: {error.message}") from None
