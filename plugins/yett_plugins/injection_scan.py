"""The scanner of the `injection` detector: signals and classifier, on a text and on what is encoded inside it."""

from __future__ import annotations

from collections.abc import Sequence

from yett.detector import Found
from yett.wire.decoding import decoded_texts
from yett.wire.squash import squash
from yett_plugins.injection_glued import taken_apart
from yett_plugins.injection_model import Model, load_model
from yett_plugins.injection_signals import Signals

CLASSIFIER = "injection.classifier"
MOST_DECODED = 64  # encoded runs that are read in one text


class InjectionScanner:
    """Finds the signals of `signals`, and how much `model` (if any) suspects the text, signals counted in.

    The classifier gives one finding for each text, whatever the score: the core drops it below the code's `min_score`.
    From `exact_from` on the finding is the worst window, below it the whole text.
    """

    def __init__(self, signals: Signals, model: Model | None, exact_from: float) -> None:
        self._signals = signals
        self._model = model
        self._exact_from = exact_from

    def scan(self, texts: Sequence[str]) -> list[list[Found]]:
        """See `yett.detector.Scanner`."""
        return [self._scan(text) for text in texts]

    def _scan(self, text: str) -> list[Found]:
        found, suspicion = self._read(text)
        for count, (start, end, decoded) in enumerate(decoded_texts(text)):
            if count == MOST_DECODED:
                break
            inside, inner = self._read(decoded)
            found += [Found(start, end, one.code, one.score) for one in inside]
            if inner is not None and (suspicion is None or inner.score > suspicion.score):
                suspicion = inner._replace(start=start, end=end)
        if suspicion is not None:
            found.append(suspicion)
        return found

    def _read(self, text: str) -> tuple[list[Found], Found | None]:
        """The signals in `text`, and the classifier's finding."""
        squashed = squash(text)
        found = self._signals.find(text, squashed)
        if self._model is None or not text:
            return found, None
        apart = taken_apart(squashed.text, self._model.knows)
        if apart is not None:
            place = squashed.span(apart.start, apart.end)
            found += [Found(*place, one.code, one.score) for one in self._signals.find_worded(apart.text)]
        worst = self._model.worst(squashed.text if apart is None else apart.text)
        score = worst.score
        if found:  # two kinds of evidence, taken as independent
            score = 1 - (1 - score) * (1 - max(one.score for one in found))
        start, end = 0, len(text)
        if apart is None and score >= self._exact_from and worst.last > worst.first:
            start, end = squashed.span(*self._model.span(squashed.text, worst))
        return found, Found(start, end, CLASSIFIER, score)


def make_scanner(
    *, languages: Sequence[str], codes: Sequence[str], classifier: bool, exact_from: float
) -> InjectionScanner:
    """The scanner; see `injection.Injection.Config` for what the options mean."""
    return InjectionScanner(Signals(languages, codes), load_model() if classifier else None, exact_from)
