from __future__ import annotations

import time

from yett.evaluation.subject import Spent, timed


def test_waiting_passes_time_and_computes_nothing() -> None:
    spent: dict[str, Spent] = {}
    with timed(spent, "wait"):
        time.sleep(0.02)
    with timed(spent, "compute"):
        sum(range(200_000))
    assert list(spent) == ["wait", "compute"]
    assert spent["wait"].wall_s >= 0.02
    assert spent["wait"].cpu_s < 0.01
    assert 0 < spent["compute"].cpu_s <= spent["compute"].wall_s * 1.5
