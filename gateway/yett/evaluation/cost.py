"""What finding costs: time per KB and per text, of texts that were not seen before, and on which machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from yett.evaluation.cases import Case
from yett.evaluation.intervals import quantile
from yett.evaluation.subject import Outcome, Spent

TOTAL = "all together"


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage, or all of them.

    KB are 1,024 bytes of UTF-8. Times are what passed, but for `cpu_us_per_kb`: what this process computed, without
    waiting for a core or for a worker.
    """

    stage: str
    texts: int
    kb: float
    us_per_kb: float
    cpu_us_per_kb: float
    p50_us: float
    p95_us: float
    p99_us: float
    texts_per_s: float


def costs(cases: Sequence[Case], outcomes: Sequence[Outcome]) -> list[StageCost]:
    """Per stage and in total, over the first time that each text was scanned: nothing is answered from a cache."""
    seen: set[str] = set()
    stages: dict[str, list[tuple[Spent, int]]] = {}
    for case, outcome in zip(cases, outcomes, strict=True):
        if case.text in seen or outcome.failed or not outcome.spent:
            continue
        seen.add(case.text)
        size = len(case.text.encode("utf-8", "surrogatepass"))
        for stage, spent in outcome.spent.items():
            stages.setdefault(stage, []).append((spent, size))
        together = Spent(*map(sum, zip(*outcome.spent.values(), strict=True)))
        stages.setdefault(TOTAL, []).append((together, size))
    total = stages.pop(TOTAL, [])
    if len(stages) > 1:
        stages[TOTAL] = total
    return [_cost(stage, texts) for stage, texts in stages.items()]


def machine() -> dict[str, object]:
    """The facts that a time means nothing without."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _cost(stage: str, texts: Sequence[tuple[Spent, int]]) -> StageCost:
    wall_s, cpu_s = sum(spent.wall_s for spent, _ in texts), sum(spent.cpu_s for spent, _ in texts)
    kb = sum(size for _, size in texts) / 1024
    times_us = sorted(spent.wall_s * 1e6 for spent, _ in texts)
    return StageCost(
        stage=stage,
        texts=len(texts),
        kb=round(kb, 1),
        us_per_kb=round(wall_s * 1e6 / kb, 2),
        cpu_us_per_kb=round(cpu_s * 1e6 / kb, 2),
        p50_us=round(quantile(times_us, 0.5), 1),
        p95_us=round(quantile(times_us, 0.95), 1),
        p99_us=round(quantile(times_us, 0.99), 1),
        texts_per_s=round(len(texts) / wall_s, 1) if wall_s else 0.0,
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
