r"""Text that was written as a JSON string inside another text: `"line\n4111 1111 ..."`, `ada\u0040corp.example`.

Tools answer with JSON, people paste it. A detector that reads the escapes as letters misses what a JSON reader sees, so
such a text is scanned a second time with its escapes read, and what is found there is placed in the text as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from yett.detector import Span

_ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])')
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Unescaped:
    """A text with its escapes read; `starts[i]` is where its i-th character begins in the original, plus the end."""

    text: str
    starts: Sequence[int]

    def place(self, span: Span) -> Span:
        """`span` of the read text as a span of the original."""
        return Span(self.starts[span.start], self.starts[span.end], span.detector, span.score)


def unescape(text: str) -> Unescaped | None:
    """`text` with its JSON escapes read once; None if it has none. Halves of surrogate pairs become `?`."""
    if "\\" not in text:
        return None
    pieces: list[str] = []
    starts: list[int] = []
    done = 0
    for found in _ESCAPE.finditer(text):
        start, end = found.span()
        pieces.append(text[done:start])
        starts += range(done, start)
        pieces.append(_character(found.group()))
        starts.append(start)
        done = end
    if not done:
        return None
    pieces.append(text[done:])
    starts += range(done, len(text) + 1)
    return Unescaped("".join(pieces), starts)


def united(text: str, raw: Sequence[Span], read: Sequence[Span], view: Unescaped) -> list[Span]:
    r"""What was found in `text` as it stands (`raw`) and with its escapes read (`read`), without repetitions.

    In JSON, a raw span that begins in the middle of an escape (the `n` of `\n`) gives way to the read span it overlaps:
    an edit there would break the string.
    """
    placed = [view.place(span) for span in read]
    if text.lstrip()[:1] in ("{", "[", '"'):
        whole = set(view.starts)
        raw = [s for s in raw if s.start in whole or not any(p.start < s.end and s.start < p.end for p in placed)]
    found = {(span.start, span.end, span.detector.name): span for span in placed}
    found.update({(span.start, span.end, span.detector.name): span for span in raw})
    return [found[key] for key in sorted(found)]


def _character(escape: str) -> str:
    if escape[1] != "u":
        return _SHORT.get(escape[1], escape[1])
    code = int(escape.removeprefix("\\u"), base=16)
    return "?" if code in _SURROGATES else chr(code)
