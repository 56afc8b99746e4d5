"""`make bench-detectors`: what the default detectors cost, in process, without sockets; printed beside the targets.

Texts are new in every round, so that no cache helps where none is meant to. Each figure is the best of several rounds;
p99 is over single scans.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import bodies
import report

from yett.callables import make_scanner
from yett.lanes import Lanes
from yett.recent import Recent, text_key
from yett.registry import Registry, load_builtins
from yett.scan import ScanEngine

# What issue and handbook ask for, in microseconds (and characters, the last).
TARGETS = {
    "patterns, scan view and injection phrases, 1 KB clean": 80.0,
    "injection classifier, 1 KB clean": 60.0,
    "all, 1 KB with 6 PII items": 200.0,
    "all, 1 KB clean, p99": 1000.0,
    "all, 8 KB clean": 1200.0,
    "30-turn conversation, per turn": 400.0,
    "stream, per 4-character delta": 15.0,
    "stream, characters held, p95": 12.0,
    "200 rules against 20, clean text, ratio": 1.5,
}


class Everything:
    """The detectors of a default gateway, declarative and inline."""

    def __init__(self) -> None:
        registry = Registry()
        for plugin in load_builtins():
            if not getattr(plugin, "optional", False):
                registry.add(plugin, {}, source="builtin")
        self.detectors = registry.detectors()
        started = time.perf_counter()
        self.engine = ScanEngine(self.detectors)
        self.compile_s = time.perf_counter() - started
        inline = [one.detector for one in registry.callables() if one.detector.isolation == "inline"]
        self._scanners = [make_scanner(detector) for detector in inline]
        bare = [
            replace(one, options={**one.options, "classifier": False}) for one in inline if "classifier" in one.options
        ]
        self._unclassified = [make_scanner(detector) for detector in bare]
        self._seen = Recent[bool](10_000)

    def patterns(self, text: str) -> None:
        """The fused pass over a text, if it is new."""
        self.engine.scan(text)

    def inline(self, text: str) -> None:
        """The inline detectors, if the text is new: the gateway keeps their results too."""
        key = text_key(text)
        if self._seen.get(key) is None:
            self._seen.put(key, True)
            for scanner in self._scanners:
                scanner.scan([text])

    def unclassified(self, text: str) -> None:
        """The inline detectors without the classifier, uncached."""
        for scanner in self._unclassified:
            scanner.scan([text])

    def all(self, text: str) -> None:
        """Both."""
        self.engine.scan(text)
        self.inline(text)


def fresh(text: str, number: int) -> str:
    """`text` with other words in front, so that it was never seen before."""
    return f"Note {number}: {text}"


def best_us(scan: Callable[[str], None], texts: Callable[[int], Sequence[str]], rounds: int) -> float:
    """Microseconds per text: the best round's mean."""
    found = []
    for number in range(rounds):
        batch = texts(number)
        started = time.perf_counter()
        for text in batch:
            scan(text)
        found.append((time.perf_counter() - started) / len(batch))
    return min(found) * 1e6


def batches(text: str, size: int) -> Callable[[int], list[str]]:
    return lambda number: [fresh(text, number * size + at) for at in range(size)]


def p99_us(scan: Callable[[str], None], texts: Sequence[str]) -> float:
    taken = []
    for text in texts:
        started = time.perf_counter()
        scan(text)
        taken.append(time.perf_counter() - started)
    return statistics.quantiles(taken, n=100)[98] * 1e6


def conversation_us(everything: Everything, clean: str, turns: int = 30) -> float:
    """Microseconds per turn of a conversation that resends all it said: only the newest text is new."""
    sentences = [f"{sentence.strip()}." for sentence in clean.split(".") if sentence.strip()]
    taken = []
    for run in range(5):
        rng, said, started = random.Random(run), [], time.perf_counter()
        for turn in range(turns):
            said.append(fresh(" ".join(rng.choices(sentences, k=8)), run * turns + turn))
            everything.engine.scan_all(said)
            for text in said:
                everything.inline(text)
        taken.append((time.perf_counter() - started) / turns)
    return min(taken) * 1e6


def stream(everything: Everything, text: str, size: int = 4) -> tuple[float, float]:
    """(microseconds per delta, characters held at the 95th percentile) for prose in deltas of `size` characters."""
    deltas = [text[at : at + size] for at in range(0, len(text), size)]
    taken, held = [], []
    for _ in range(5):
        lanes = Lanes(everything.engine.rules, everything.engine.signs)
        started = time.perf_counter()
        for delta in deltas:
            lanes.feed(delta)
        taken.append((time.perf_counter() - started) / len(deltas))
    lanes, given = Lanes(everything.engine.rules, everything.engine.signs), 0
    for delta in deltas:
        lanes.feed(delta)
        given += len(delta)
        held.append(given - lanes.limit)
    return min(taken) * 1e6, sorted(held)[len(held) * 95 // 100]


def rule_growth(everything: Everything, clean: str) -> float:
    """Cost of 200 rules over cost of 20, on clean text that is new each time."""
    detectors = sorted(everything.detectors, key=lambda one: one.name)
    rules = [(one, pattern) for one in detectors for pattern in one.patterns]
    costs = []
    for wanted in (20, min(200, len(rules))):
        chosen = _with_patterns(rules[:wanted])
        costs.append(best_us(ScanEngine(chosen).scan, batches(clean, 200), 7))  # type: ignore[arg-type]
    return costs[1] / costs[0]


def _with_patterns(rules: list[tuple[object, object]]) -> list[object]:
    found: dict[str, object] = {}
    for detector, pattern in rules:
        name = detector.name  # type: ignore[attr-defined]
        mine = found.get(name)
        patterns = (*mine.patterns, pattern) if mine else (pattern,)  # type: ignore[attr-defined]
        found[name] = replace(detector, patterns=patterns, hit=(), miss=())  # type: ignore[type-var]
    return list(found.values())


def measure(rounds: int) -> dict[str, float]:
    everything = Everything()
    clean = json.loads(bodies.chat())["messages"][1]["content"]
    personal = json.loads(bodies.chat(personal=True))["messages"][1]["content"]
    many = batches(clean, 200)
    patterns_us, phrases_us = best_us(everything.patterns, many, rounds), best_us(everything.unclassified, many, rounds)
    gc.freeze()
    delta_us, held = stream(everything, clean * 4)
    return {
        "patterns, scan view and injection phrases, 1 KB clean": patterns_us + phrases_us,
        "injection classifier, 1 KB clean": best_us(everything.inline, many, rounds) - phrases_us,
        "all, 1 KB with 6 PII items": best_us(everything.all, batches(personal, 100), rounds),
        "all, 1 KB clean, p99": p99_us(everything.all, [fresh(clean, -at) for at in range(1, 2001)]),
        "all, 8 KB clean": best_us(everything.all, batches(clean * 8, 30), rounds),
        "30-turn conversation, per turn": conversation_us(everything, clean),
        "stream, per 4-character delta": delta_us,
        "stream, characters held, p95": held,
        "200 rules against 20, clean text, ratio": rule_growth(everything, clean),
        "rules in all": float(sum(len(one.patterns) for one in everything.detectors)),
        "compiling them, s": everything.compile_s,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args()
    figures = measure(given.rounds)
    if given.json:
        sys.stdout.write(json.dumps({"commit": report.commit(), "machine": report.machine(), **figures}) + "\n")
        return 0
    sys.stdout.write(f"detectors, commit {report.commit()}, {report.machine()['cpu']}, one core\n")
    for name, figure in figures.items():
        target = TARGETS.get(name)
        verdict = "" if target is None else f"   {'met' if figure <= target else 'MISSED'} (at most {target:g})"
        sys.stdout.write(f"{figure:12,.1f}  {name}{verdict}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
