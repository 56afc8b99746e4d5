"""Text that hides something: in characters that show nothing, by order turned round, in encodings too long to read."""

from __future__ import annotations

from collections.abc import Iterable

from yett.detector import Detector
from yett.hookspecs import hookimpl
from yett.obfuscation import DETECTORS


class Obfuscation:
    """Finds hidden text, misleading text direction, and encoded runs that are longer than what is read in one piece."""

    name = "obfuscation"

    @hookimpl
    def register_detectors(self) -> Iterable[Detector]:
        """The scan engine finds these while it makes its view of a text; see docs/scan-view.md."""
        return DETECTORS
