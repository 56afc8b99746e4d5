"""Metrics and logs. Labels are bounded, and neither ever carries text, keys or names that a client chose."""

from __future__ import annotations

import logging
import sys
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class FlowCounts(Collector):
    """What is counted for every flow, as plain numbers: a counter of the client library takes a lock each time.

    Counted on the event loop alone; Prometheus asks there too.
    """

    def __init__(self) -> None:
        self._decided: dict[tuple[str, str], int] = {}
        self._ended: dict[tuple[str, str], int] = {}
        self._seconds: dict[str, _Seconds] = {}

    def decided(self, phase: str, action: str) -> None:
        """Count a decision."""
        key = (phase, action)
        self._decided[key] = self._decided.get(key, 0) + 1

    def ended(self, dialect: str, outcome: str, seconds: float) -> None:
        """Count the end of a flow and its duration."""
        key = (dialect, outcome)
        self._ended[key] = self._ended.get(key, 0) + 1
        durations = self._seconds.get(dialect)
        if durations is None:
            durations = self._seconds[dialect] = _Seconds()
        durations.sum += seconds
        durations.counts[bisect_left(BUCKETS_S, seconds)] += 1

    def collect(self) -> Iterator[Metric]:
        """See `prometheus_client.registry.Collector`."""
        decisions = CounterMetricFamily("yett_decisions", "Decisions by phase and action", labels=["phase", "action"])
        flows = CounterMetricFamily("yett_flows", "Flows ended, by dialect and outcome", labels=["dialect", "outcome"])
        for family, counts in ((decisions, self._decided), (flows, self._ended)):
            for labels, count in counts.items():
                family.add_metric(labels, count)
            yield family
        seconds = HistogramMetricFamily(
            "yett_flow_duration_seconds", "From first byte to last record", labels=["dialect"]
        )
        for dialect, durations in self._seconds.items():
            seconds.add_metric([dialect], durations.buckets(), durations.sum)
        yield seconds


class _Seconds:
    """One histogram of durations."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.sum = 0.0
        self.counts = [0] * (len(BUCKETS_S) + 1)

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds with what lies at or below them, as Prometheus wants them."""
        bounds = [*(str(float(bound)) for bound in BUCKETS_S), "+Inf"]
        return list(zip(bounds, accumulate(self.counts), strict=True))


class Metrics:
    """One gateway's metrics, in a registry of its own so that two gateways can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        flows = FlowCounts()
        self.registry.register(flows)
        self.decided = flows.decided
        self.completed = flows.ended
        self._plugin_failures = Counter(
            "yett_plugin_failures", "Hook calls that failed", ["plugin", "hook"], registry=self.registry
        )
        self._audit_failures = Counter(
            "yett_audit_failures", "Records that could not be stored", registry=self.registry
        )
        self._rejected_reloads = Counter(
            "yett_rejected_reloads", "Policy or key files that were refused", ["what"], registry=self.registry
        )
        self.live = Gauge("yett_flows_in_flight", "Flows in flight", registry=self.registry)
        self.opened = Gauge("yett_guards_opened", "Plugins that the operator lets fail open", registry=self.registry)

    def plugin_failed(self, plugin: str, hook: str) -> None:
        """Count a failed hook call."""
        self._plugin_failures.labels(plugin, hook).inc()

    def audit_failed(self) -> None:
        """Count a record that no sink could store."""
        self._audit_failures.inc()

    def reload_rejected(self, what: str) -> None:
        """Count a refused policy or key file."""
        self._rejected_reloads.labels(what).inc()

    def expose(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)


def configure_logging(*, colours: bool | None = None) -> None:
    """Structured logs on stderr: coloured lines on a terminal, one JSON object a line elsewhere."""
    pretty = sys.stderr.isatty() if colours is None else colours
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=True) if pretty else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _no_tracebacks,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever it is when the line is written
        cache_logger_on_first_use=False,
    )


def told(error: BaseException) -> dict[str, object]:
    """What a log may say of an unexpected error: its type and where it happened. Its message may hold a prompt."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return {"error": type(error).__name__, "where": places[-6:]}


def _no_tracebacks(logger: object, name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """No log line carries a traceback, whoever wrote it."""
    del logger, name
    if event.pop("exc_info", None):
        error = sys.exc_info()[1]
        event.update(told(error) if error is not None else {})
    return event
