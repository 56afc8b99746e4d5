"""Metrics as Prometheus reads them."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from yett.telemetry import BUCKETS_S, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.expose().decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_flows_and_decisions_are_counted_by_label() -> None:
    metrics = Metrics()
    for outcome in ("ok", "ok", "denied"):
        metrics.decided("request", "ALLOW")
        metrics.completed("openai_chat", outcome, 0.01)
    found = samples(metrics)
    assert found["yett_decisions_total", (("action", "ALLOW"), ("phase", "request"))] == 3
    assert found["yett_flows_total", (("dialect", "openai_chat"), ("outcome", "ok"))] == 2
    assert found["yett_flows_total", (("dialect", "openai_chat"), ("outcome", "denied"))] == 1


@pytest.mark.parametrize("bound", BUCKETS_S)
def test_a_duration_counts_at_its_bound_and_above(bound: float) -> None:
    metrics = Metrics()
    metrics.completed("d", "ok", bound)
    metrics.completed("d", "ok", bound * 1.001)
    found = samples(metrics)

    def below(le: str) -> float:
        return found["yett_flow_duration_seconds_bucket", (("dialect", "d"), ("le", le))]

    assert below(str(float(bound))) == 1
    assert below("+Inf") == found["yett_flow_duration_seconds_count", (("dialect", "d"),)] == 2
    assert found["yett_flow_duration_seconds_sum", (("dialect", "d"),)] == pytest.approx(bound * 2.001)


def test_two_gateways_count_apart() -> None:
    one, two = Metrics(), Metrics()
    one.audit_failed()
    one.decided("request", "DENY")
    assert samples(two)["yett_audit_failures_total", ()] == 0
    assert not [name for name, _ in samples(two) if name == "yett_decisions_total"]
