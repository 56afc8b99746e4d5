"""The detectors of one gateway that answer at once, for what is tried while policy is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from yett.callables import CallableScans
from yett.detector import Detector, Span
from yett.errors import ConfigError, HttpError
from yett.flow import Phase, Role
from yett.policy.conditions import any_glob
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

    def scan(self, text: str, role: Role, phase: Phase, globs: Sequence[str]) -> Sequence[Span]:
        """What stands in `text` by the detectors of codes that fit `globs`, and by some others.

        Raises ConfigError, without the text, if a detector fails that must not.
        """
        codes = {code for code in self.codes if any_glob(globs, code)}
        try:
            declared = [span for span in self._engine.scan(text) if phase in span.detector.phases]
            return [*declared, *self._callables.find_now(phase, role, text, codes)]
        except HttpError as error:
            raise ConfigError(f"an example cannot be tried: {error.message}") from None
