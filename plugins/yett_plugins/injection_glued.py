"""Words that were written without blanks between them (`ignoreallpreviousinstructions`), taken apart again.

Tricks with separators end like this too: when `i.g.n.o.r.e a.l.l` is ironed out, its words have run together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import re2

SHORTEST_RUN = 18  # letters; few words are as long, and what is taken apart wrongly says nothing
LONGEST_RUN = 400
MOST_LETTERS = 2000  # of all runs; about four milliseconds
LONGEST_WORD = 16
_RUN = re.compile(rf"[a-z]{{{SHORTEST_RUN},{LONGEST_RUN}}}")
# What a word costs, one of less than three letters, and a letter that is no word's.
_KNOWN, _SHORT, _UNKNOWN = 2, 3, 5
_SHORT_WORDS = frozenset(
    re.findall(r"\w+", "a am an as at be by do go he i if in is it me my no of on or so to up us we")
)


class Apart(NamedTuple):
    """A text with its glued words taken apart; `start` and `end`: from the first such run to the last."""

    text: str
    start: int
    end: int


def taken_apart(text: str, knows: Callable[[str], bool]) -> Apart | None:
    """The squashed `text` with blanks between the words of long runs of letters; None where there are no such runs.

    `knows` says whether something is a word.
    """
    if _has_run().search(text) is None:
        return None
    start = end = done = 0
    pieces: list[str] = []
    letters = 0
    for run in _RUN.finditer(text):
        letters += len(run.group())
        if letters > MOST_LETTERS:
            break
        words = _words(run.group(), knows)
        if len(words) < 3:
            continue
        start = start if pieces else run.start()
        pieces += (text[done : run.start()], " ".join(words))
        done = end = run.end()
    return Apart("".join([*pieces, text[done:]]), start, end) if pieces else None


@cache
def _has_run() -> re2._Regexp[str]:
    """RE2, which says no five times faster."""
    return re2.compile(f"[a-z]{{{SHORTEST_RUN}}}")


def _words(run: str, knows: Callable[[str], bool]) -> list[str]:
    """The cheapest way to cut `run` into words; letters that are no word's stand alone."""
    best = [0] + [0] * len(run)
    cut = [0] * (len(run) + 1)
    for end in range(1, len(run) + 1):
        best[end], cut[end] = best[end - 1] + _UNKNOWN, end - 1
        for start in range(max(0, end - LONGEST_WORD), end):
            word = run[start:end]
            short = end - start < 3
            if word in _SHORT_WORDS if short else knows(word):
                cost = best[start] + (_SHORT if short else _KNOWN)
                if cost < best[end]:
                    best[end], cut[end] = cost, start
    words: list[str] = []
    end = len(run)
    while end:
        words.append(run[cut[end] : end])
        end = cut[end]
    return words[::-1]
