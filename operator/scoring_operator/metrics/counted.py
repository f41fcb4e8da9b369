"""What is counted: each thing once, after the status that records it is written.

Over a restart of the operator a thing is counted at most once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from scoring_operator.contract import Guard, Sent
from scoring_operator.metrics.bounds import Bounds
from scoring_operator.metrics.catalogue import CATALOGUE
from scoring_operator.metrics.reasons import (
    ERROR_KINDS,
    FAILED,
    GUARD_REASONS,
    ROW_KINDS,
    RUN_REASONS,
    SENSOR_REASONS,
    SINK_RESULTS,
    STAGES,
    SUCCEEDED,
    class_of,
    known,
)
from scoring_operator.metrics.schedules import Marks
from scoring_operator.outcomes import ChunkOutcome
from scoring_operator.resource import Run
from scoring_operator.status import COMPLETE_CONDITION, FAILED_CONDITION, Cost, Status

BILLION = Decimal(10**9)  # parts of the currency in which a status counts money


class Metrics:
    """All series, in a registry of their own."""

    def __init__(self, version: str, bounds: Bounds | None = None, currency: str = "") -> None:
        # Else each counter has a second series, of which this text format makes no use.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.bounds = bounds or Bounds()
        self.marks = Marks()
        self._currency = currency
        self._met: set[str] = set()
        self._about_runs()
        self._about_cost()
        self._about_the_operator()
        ProcessCollector(registry=self.registry)
        build = CATALOGUE["sensorscore_operator_build_info"]
        Gauge(build.name, build.help, build.labels, registry=self.registry).labels(version).set(1)
        for namespace in sorted(self.bounds.namespaces):
            self.meet(namespace)

    def _counter(self, name: str) -> Counter:
        series = CATALOGUE[name]
        return Counter(name, series.help, series.labels, registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        series = CATALOGUE[name]
        return Histogram(name, series.help, series.labels, buckets=series.buckets, registry=self.registry)

    def _about_runs(self) -> None:
        self.job_duration = self._histogram("sensorscore_job_duration_seconds")
        self.sensors = self._counter("sensorscore_sensors_total")
        self.rows = self._counter("sensorscore_rows_total")
        self.anomalies = self._counter("sensorscore_anomalies_total")
        self.jobs_retried = self._counter("sensorscore_jobs_retried_total")
        self.guard_warnings = self._counter("sensorscore_guard_warnings_total")
        self.sink_events = self._counter("sensorscore_sink_events_total")
        self.runs = self._counter("sensorscore_runs_ended_total")
        self.run_duration = self._histogram("sensorscore_run_duration_seconds")

    def _about_cost(self) -> None:
        self.pod_seconds = self._counter("sensorscore_pod_seconds_total")
        self.cpu_seconds = self._counter("sensorscore_cpu_requested_seconds_total")
        self.money = self._counter("sensorscore_cost_total")
        self.node_seconds = self._counter("sensorscore_nodes_seconds_estimate_total")
        self.node_money = self._counter("sensorscore_nodes_cost_estimate_total")

    def _about_the_operator(self) -> None:
        self.status_lag = self._histogram("sensorscore_operator_status_lag_seconds")
        self.reconcile_duration = self._histogram("sensorscore_operator_reconcile_duration_seconds")
        self.reconcile_errors = self._counter("sensorscore_operator_reconcile_errors_total")
        for kind in ERROR_KINDS:
            self.reconcile_errors.labels(kind)
        self.api_requests = self._counter("sensorscore_operator_api_requests_total")

    def api_call(self, verb: str, resource: str, code: int) -> None:
        """Count a call to the Kubernetes API."""
        self.api_requests.labels(verb, resource, str(code)).inc()

    def meet(self, namespace: str) -> None:
        """Begin at 0 what a namespace's runs will count: an increase over what begins at 15 misses the 15.

        Of histograms only what any run that goes well observes: a first run may be over before the first
        scrape. The others would be hundreds of series of things that may never happen.
        """
        place = self.bounds.namespace(namespace)
        if place in self._met:
            return
        self._met.add(place)
        for state, reasons in SENSOR_REASONS.items():
            for reason in reasons:
                self.sensors.labels(place, state, reason)
        for schedule in self.bounds.schedules_of(place):
            for result, reasons in RUN_REASONS.items():
                for reason in reasons:
                    self.runs.labels(place, schedule, result, reason)
        for kind in ROW_KINDS:
            self.rows.labels(place, kind)
        for reason in GUARD_REASONS:
            self.guard_warnings.labels(place, reason)
        for sink in self.bounds.sinks_of(place):
            for result in SINK_RESULTS:
                self.sink_events.labels(place, sink, result)
        for counter in (self.anomalies, self.jobs_retried, self.pod_seconds, self.cpu_seconds):
            counter.labels(place)
        self.node_seconds.labels(place)
        for stage in STAGES:
            self.job_duration.labels(place, stage, SUCCEEDED, "")
        self.run_duration.labels(place, COMPLETE_CONDITION)
        if self._currency:
            self.money.labels(place, self._currency)
            self.node_money.labels(place, self._currency)

    def recorded(self, namespace: str, outcomes: Iterable[ChunkOutcome], now: datetime) -> None:
        """Count outcomes that were just recorded in a status."""
        place = self.bounds.namespace(namespace)
        for outcome in outcomes:
            if outcome.ended is not None:
                self.status_lag.observe(max(0.0, (now - outcome.ended).total_seconds()))
            self._job(place, outcome)
            for sensor in outcome.sensors:
                reason = known(sensor.reason, SENSOR_REASONS[sensor.state])
                self.sensors.labels(place, sensor.state, reason).inc()
            for kind in ROW_KINDS:
                self.rows.labels(place, kind).inc(getattr(outcome.rows, kind))
            self.anomalies.labels(place).inc(outcome.anomalies)
            if outcome.attempts > 1:
                self.jobs_retried.labels(place).inc()

    def _job(self, place: str, outcome: ChunkOutcome) -> None:
        kind = class_of(outcome)
        for stage, milliseconds in outcome.stages_ms.items():
            if stage in STAGES:
                labels = (place, stage, FAILED if kind else SUCCEEDED, kind if stage == "total" else "")
                self.job_duration.labels(*labels).observe(milliseconds / 1000)

    def staged(self, namespace: str, stage: str, milliseconds: int) -> None:
        """Count the one Job of a run's stage, which was just recorded in its status."""
        labels = (self.bounds.namespace(namespace), stage, SUCCEEDED, "")
        self.job_duration.labels(*labels).observe(milliseconds / 1000)

    def guarded(self, namespace: str, guard: Guard | None) -> None:
        """Count what the guard said of a run that was just published."""
        place = self.bounds.namespace(namespace)
        for reason, sensors in (guard.warnings if guard else {}).items():
            self.guard_warnings.labels(place, known(reason, GUARD_REASONS)).inc(sensors)

    def sent(self, namespace: str, sinks: Mapping[str, Sent]) -> None:
        """Count what became of the anomalies of a run that was just published."""
        place = self.bounds.namespace(namespace)
        for name, sent in sinks.items():
            sink = self.bounds.sink(name)
            for result in SINK_RESULTS:
                self.sink_events.labels(place, sink, result).inc(getattr(sent, result))

    def spent(self, namespace: str, before: Cost, after: Cost) -> None:
        """Count by how much a run's cost has grown in the status that was just written."""
        place = self.bounds.namespace(namespace)
        self.pod_seconds.labels(place).inc(_grown(before.pod_seconds, after.pod_seconds))
        self.cpu_seconds.labels(place).inc(_grown(before.cpu_ms, after.cpu_ms) / 1000)
        self.node_seconds.labels(place).inc(_grown(before.node_seconds, after.node_seconds))
        if self._currency:
            money, nodes = _grown(before.money, after.money), _grown(before.node_money, after.node_money)
            self.money.labels(place, self._currency).inc(float(money / BILLION))
            self.node_money.labels(place, self._currency).inc(float(nodes / BILLION))

    def ended(self, run: Run, status: Status) -> None:
        """Count a run that just ended; it may be deleted before anybody looks at what there is."""
        if self.bounds.schedule(run) and status.completion:
            self.marks.move([replace(run, status=status)], status.completion)
        place, schedule = self.bounds.namespace(run.namespace), self.bounds.schedule(run)
        for result in (COMPLETE_CONDITION, FAILED_CONDITION):
            if status.holds(result) and status.completion:
                reason = known(status.conditions[result].reason, RUN_REASONS[result])
                self.runs.labels(place, schedule, result, reason).inc()
                seconds = (status.completion - run.created).total_seconds()
                self.run_duration.labels(place, result).observe(max(0.0, seconds))

    def text(self) -> bytes:
        """As Prometheus scrapes it."""
        return generate_latest(self.registry)


def _grown(before: int, after: int) -> int:
    """By how much; a status that somebody has edited may say less than before, a counter cannot."""
    return max(0, after - before)
