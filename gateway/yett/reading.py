r"""The readings of a whole text: as it stands, and with its sequences (`%40`, `\u0040`) read.

A sequence may make a value (`ada%40corp.example`) and may break one up (a password with `%2F` in it), so a text with
sequences is searched both ways.
"""

from __future__ import annotations

from yett.detector import Detector, Pattern
from yett.hits import Hit, ReadHit, place
from yett.rules import RuleSet
from yett.surrogates import SURROGATE_MAX_LEN, SURROGATE_PATTERNS
from yett.vault import TAG_MAX_LEN, TAG_PATTERN
from yett.wire.sequences import has_sequences
from yett.wire.unicode import ScanView

# Pseudonyms are found like everything else, so that a stream holds back half of one; they are no findings.
TAG = Detector(
    name="yett.tag",
    code="yett.tag",
    entity="TAG",
    patterns=(
        Pattern("tag", TAG_PATTERN, 1.0),
        *(Pattern(entity, form, 1.0) for entity, form in SURROGATE_PATTERNS.items()),
    ),
    max_len=max(TAG_MAX_LEN, SURROGATE_MAX_LEN),
    priority=-(1 << 30),
)

_JSON_STARTS = ("{", "[", '"')


def views(text: str) -> list[ScanView]:
    """Empty views for all readings of `text`: as it stands and, where it has sequences, with those read."""
    return [ScanView(), ScanView(reads=True)] if has_sequences(text) else [ScanView()]


def readings(text: str) -> list[str]:
    """What the views of `text` show."""
    return [view.add(text, final=True) for view in views(text)]


def placed(hit: Hit, view: ScanView) -> Hit:
    """`hit`, found on one reading, in positions of the text."""
    hit = place(hit, view)
    return ReadHit(*hit) if view.reads else hit


def is_json(text: str) -> bool:
    """Whether `text` looks like JSON, in which escapes must stay whole."""
    return text.lstrip()[:1] in _JSON_STARTS


def search(rules: RuleSet, text: str, depth: int) -> list[Hit]:
    """Hits in a short text that was found in so many encodings; where they stand in it does not matter."""
    hits: list[Hit] = []
    for shown in readings(text):
        hits += rules.find(shown, 0, len(shown), {}, without=TAG, depth=depth)
    return hits
