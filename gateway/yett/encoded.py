"""Encoded runs (base64, hexadecimal) as rules: what is found in a decoded run is found in the text, over the whole run.

A run is matched like everything else, so a stream waits for its end and finds in it what a whole text shows. A run that
decodes to nothing readable is no hit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from yett.detector import Detector, Pattern
from yett.hits import Finder, Hit
from yett.reading import search
from yett.rules import Rule, RuleSet
from yett.wire.decoding import BASE64_RUN, HEX_PAIRS, NESTED, RUN_MAX_CHARS, decoded_run

ENCODED = Detector(
    name="yett.encoded",
    code="yett.encoded",
    entity="ENCODED",
    patterns=(Pattern("base64", BASE64_RUN, 1.0), Pattern("hex_pairs", HEX_PAIRS, 1.0)),
    max_len=RUN_MAX_CHARS,
    priority=-(1 << 30),
)


class EncodedRule(Rule):
    """A pattern for encoded runs. `oversize`: what reports readable runs longer than what is read as one."""

    __slots__ = ("_oversize",)

    def __init__(self, pattern: Pattern, order: int, oversize: Finder | None) -> None:
        super().__init__(ENCODED, pattern, order)
        self._oversize = oversize

    def hits(self, rules: RuleSet, text: str, found: re.Match[str], shift: int, depth: int) -> Sequence[Hit]:
        """What stands in the decoded run, each detector once, with its best score."""
        if depth >= NESTED:
            return ()
        start, end = found.start() + shift, found.end() + shift
        best: dict[str, Hit] = {}
        for decoded in decoded_run(found.group()):
            for hit in search(rules, decoded, depth + 1):
                name = hit.rule.detector.name
                if name not in best or hit.score > best[name].score:
                    best[name] = Hit(start, end, hit.score, hit.rule)
            if self._oversize is not None and end - start >= RUN_MAX_CHARS - 2:
                best[self._oversize.detector.name] = Hit(start, end, 1.0, self._oversize)
        return tuple(best.values())
