"""Metrics and logs. Labels are bounded, and neither ever carries text, keys or names that a client chose."""

from __future__ import annotations

import logging
import sys

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """One gateway's metrics, in a registry of its own so that two gateways can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._decisions = Counter(
            "yett_decisions", "Decisions by phase and action", ["phase", "action"], registry=self.registry
        )
        self._flows = Counter(
            "yett_flows", "Flows ended, by dialect and outcome", ["dialect", "outcome"], registry=self.registry
        )
        self._seconds = Histogram(
            "yett_flow_duration_seconds",
            "From first byte to last record",
            ["dialect"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
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
        # Label look-ups cost a lock each; the few combinations there are get remembered.
        self._decided: dict[tuple[str, str], Counter] = {}
        self._completed: dict[tuple[str, str], tuple[Counter, Histogram]] = {}

    def decided(self, phase: str, action: str) -> None:
        """Count a decision."""
        counter = self._decided.get((phase, action))
        if counter is None:
            counter = self._decided[phase, action] = self._decisions.labels(phase, action)
        counter.inc()

    def completed(self, dialect: str, outcome: str, seconds: float) -> None:
        """Count the end of a flow and its duration."""
        both = self._completed.get((dialect, outcome))
        if both is None:
            both = self._flows.labels(dialect, outcome), self._seconds.labels(dialect)
            self._completed[dialect, outcome] = both
        both[0].inc()
        both[1].observe(seconds)

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
