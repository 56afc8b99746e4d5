"""Redaction of a growing text: for every chunking the client sees what it would see had the text come in one piece.

`TextStream` holds back exactly what could still become part of a match (`yett.holdback`), edits what is final and
releases it. `redact` does the same to a whole text. Sans-IO: text in, text out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from yett.detector import Span
from yett.errors import Unavailable
from yett.hits import Hit, clusters, settle
from yett.lanes import Lanes
from yett.reading import TAG
from yett.scan import ScanEngine
from yett.vault import TAG as TAG_REGEX
from yett.verdict import Action, Edit, merge_edits
from yett.wire.guard import Blocked, Released
from yett.wire.unicode import ScanView

_DENIED_PRIORITY = 1 << 30


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policy says about one span. `replacement` None leaves the text as it is; `message` is for a block."""

    action: Action
    replacement: str | None = None
    message: str = ""


# Called once per final span, by position, with the span and the text it covers; nothing after a denied span is asked.
Judge = Callable[[Span, str], Judgement]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Merged edits by position and, if something was denied, where that begins and what to say."""

    edits: Sequence[Edit]
    denied_at: int | None = None
    message: str = ""


class TextStream:
    """One text channel of a streamed answer (`yett.wire.guard.TextChannel`). After an exception it gives nothing more.

    `restores` maps pseudonyms to the caller's own values; where a finding overlaps one, the finding wins. Restored
    text is not scanned again.
    """

    __slots__ = ("_blocked", "_failed", "_judge", "_lanes", "_pending", "_restores", "_sent", "_text")

    def __init__(self, engine: ScanEngine, judge: Judge, restores: Mapping[str, str]) -> None:
        self._judge = judge
        self._restores = restores
        self._lanes = Lanes(engine.rules, engine.signs)
        self._text = ""  # what is not released yet
        self._sent = 0  # position of its first character in the provider's text
        self._pending: list[Hit] = []
        self._blocked: str | None = None
        self._failed = False

    @property
    def held(self) -> int:
        """Characters that wait for more text."""
        return len(self._text)

    def feed(self, text: str) -> Released:
        """Add what the provider sent; return what may leave. Raises Blocked, or Unavailable if a detector fails."""
        return self._step(text, final=False)

    def finish(self) -> Released:
        """No more text will come: return the rest. Raises Blocked, or Unavailable if a detector fails."""
        return self._step("", final=True)

    def _step(self, text: str, *, final: bool) -> Released:
        if self._blocked is not None:
            raise Blocked(self._blocked, Released("", self._sent, self._sent))
        if self._failed:
            raise Unavailable("a guard failed on this stream before", code="guard_failed")
        self._failed = True  # until this step has ended well: half a step must not be taken up again
        self._text += text
        self._pending += self._lanes.feed(text, final=final)
        limit = self._lanes.limit
        closed, limit = self._close(limit) if self._pending else ([], limit)
        spans = settle(self._lanes.close(closed)) if closed else ()
        outcome = _decide(spans, self._text, self._sent, self._judge, self._restores) if spans else _NOTHING
        if outcome.denied_at is not None:
            self._blocked = outcome.message
            raise Blocked(outcome.message, self._release(outcome.denied_at, outcome.edits))
        self._lanes.forget(limit)
        self._failed = False
        return self._release(limit, outcome.edits)

    def _close(self, limit: int) -> tuple[list[Hit], int]:
        """The hits that no later hit can overlap, and `limit` moved to the start of those that one might."""
        self._pending.sort(key=lambda hit: (hit.start, hit.end))
        closed: list[Hit] = []
        for cluster in clusters(self._pending):
            if max(hit.end for hit in cluster) > limit:
                limit = min(limit, cluster[0].start)
                break
            closed += cluster
        self._pending = self._pending[len(closed) :]
        return closed, limit

    def _release(self, limit: int, edits: Sequence[Edit]) -> Released:
        start, size = self._sent, limit - self._sent
        text, self._text, self._sent = self._text[:size], self._text[size:], limit
        if not edits:
            return Released(text, start, limit)
        return Released(_edited(text, start, edits), start, limit, _spans(edits))


def redact(
    spans: Sequence[Span], text: str, judge: Judge, restores: Mapping[str, str]
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """What a `TextStream` makes of `text`, whose `spans` the same engine found; and the merged spans it edited.

    Raises Blocked with what stands before the denied span.
    """
    tags = _tags(text) if restores else []
    everything = sorted((*spans, *tags), key=lambda s: (s.start, s.end, s.detector.name)) if tags else spans
    outcome = _decide(everything, text, 0, judge, restores)
    if outcome.denied_at is not None:
        end = outcome.denied_at
        before = _edited(text[:end], 0, outcome.edits)
        raise Blocked(outcome.message, Released(before, 0, end, _spans(outcome.edits)))
    return (_edited(text, 0, outcome.edits), _spans(outcome.edits)) if outcome.edits else (text, ())


_NOTHING = _Outcome(())


def _tags(text: str) -> list[Span]:
    view = ScanView()
    return [Span(*view.span(*found.span()), TAG, 1.0) for found in TAG_REGEX.finditer(view.add(text, final=True))]


def _decide(spans: Sequence[Span], text: str, shift: int, judge: Judge, restores: Mapping[str, str]) -> _Outcome:
    """Judge `spans` (sorted; text[0] stands at position `shift`), one overlapping group after the other."""
    edits: list[Edit] = []
    known = [span for span in spans if span.detector is not TAG or _tag(span, text, shift) in restores]
    for group in clusters(known):
        wanted, denied = [], []
        for span in group:
            judgement = _judgement(span, text, shift, judge, restores)
            if judgement.action is Action.DENY:
                denied.append((span, judgement.message))
            elif judgement.replacement is not None:
                detector = span.detector
                wanted.append(Edit("", (span.start, span.end), judgement.replacement, detector.code, detector.priority))
        if denied:
            return _denial(edits, wanted, denied)
        edits += merge_edits(wanted).get("", ())
    return _Outcome(edits)


def _denial(edits: list[Edit], wanted: list[Edit], denied: list[tuple[Span, str]]) -> _Outcome:
    """The outcome when `denied` spans stand among `wanted` edits: all before the first of them, merged, remains."""
    walls = [Edit("", (span.start, span.end), "", priority=_DENIED_PRIORITY) for span, _ in denied]
    for edit in merge_edits([*wanted, *walls])[""]:
        start = (edit.span or (0, 0))[0]
        if edit.priority == _DENIED_PRIORITY:
            return _Outcome(edits, start, denied[0][1])
        edits.append(edit)
    raise AssertionError("a merged edit of the highest priority exists")


def _judgement(span: Span, text: str, shift: int, judge: Judge, restores: Mapping[str, str]) -> Judgement:
    if span.detector is TAG:
        return Judgement(Action.ALLOW, restores[_tag(span, text, shift)])
    return judge(span, text[span.start - shift : span.end - shift])


def _tag(span: Span, text: str, shift: int) -> str:
    return ScanView().add(text[span.start - shift : span.end - shift], final=True)


def _edited(text: str, shift: int, edits: Iterable[Edit]) -> str:
    pieces: list[str] = []
    done = 0
    for edit in edits:
        start, end = edit.span or (shift, shift)
        pieces += (text[done : start - shift], edit.replacement)
        done = end - shift
    pieces.append(text[done:])
    return "".join(pieces)


def _spans(edits: Iterable[Edit]) -> tuple[tuple[int, int], ...]:
    return tuple(edit.span for edit in edits if edit.span is not None)
