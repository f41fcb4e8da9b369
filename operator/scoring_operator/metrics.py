"""Prometheus metrics of runs and of the operator itself.

Labels are bounded: namespace, stage, result, reason, phase; never a sensor, Job or run, which would make
10,000 series an hour. Gauges are computed from the view when they are scraped, so that they cannot drift.
What is counted once is observed after the status that records it is written: over a restart of the operator
at most once.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from scoring_operator.contract import Guard, State
from scoring_operator.histogram import BOUNDS
from scoring_operator.outcomes import ChunkOutcome
from scoring_operator.resource import Run
from scoring_operator.status import COMPLETE_CONDITION, FAILED_CONDITION, PHASES, Status
from scoring_operator.view import View

STAGES = ("pending", "start", "import", "read", "score", "write", "total")
OTHER = "Other"
# Reasons come from pods: any word that is not known here counts as Other, so that no pod can make series.
SENSOR_REASONS = {
    State.SCORED: ("",),
    State.SKIPPED: ("NoReadings", "NoModel", "Superseded", OTHER),
    State.FAILED: (
        *("NoReadings", "NoModel", "ModelCorrupt", "ModelIncompatible", "ReadingsCorrupt", "SchemaMismatch"),
        *("ReadingsTooLarge", "OutputCorrupt", "OutputTooLarge", "PluginFailed", "PluginTimeout"),
        *("PluginOutOfMemory", "StorageDenied", "StorageUnavailable", "Crashed", "OutOfMemory", "Timeout"),
        *("NeverStarted", "Misconfigured", "Evicted", "Disrupted", "PodFailed", "OutcomeLost", OTHER),
    ),
}
RUN_RESULTS = (
    ("Complete", "AllSucceeded"),
    ("Complete", "SomeFailed"),
    *(
        ("Failed", reason)
        for reason in (
            *("TooManyFailedSensors", "TooManySkippedSensors", "DeadlineExceeded", "PendingDeadlineExceeded"),
            *("PublishFailed", "JobRejected", "InvalidSensors", "InvalidSpec", "UnknownStore"),
            *("PrepareFailed", "ReadingsNotReady"),
            *("UnknownRuntime", "TemplateRefused", "ConcurrencyForbidden", "Replaced"),
        )
    ),
)
# What the guard warns of; as with sensors, another word counts as Other.
GUARD_REASONS = (
    *("FlagRate", "AllFlagged", "ConstantValue", "OutsideTrainingRange", "MissingRows"),
    OTHER,
)
ROW_KINDS = ("scored", "rejected", "duplicate")
RUN_BOUNDS = (5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)


class Metrics:
    """All series, in a registry of their own."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self._namespaces: set[str] = set()
        self._about_runs()
        self._about_the_operator()
        build = Gauge(
            "sensorscore_operator_build_info", "The operator's version.", ["version"], registry=self.registry
        )
        build.labels(version).set(1)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(name, words, labels, registry=self.registry)

    def _histogram(self, name: str, words: str, bounds: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, words, labels, buckets=bounds, registry=self.registry)

    def _about_runs(self) -> None:
        self.job_duration = self._histogram(
            "sensorscore_job_duration_seconds",
            "Time of a Job by stage. pending (pod made to scheduled), start (scheduled to process, image pull"
            " included) and total (Job made to process ended) are by Kubernetes' clocks, +-1 s; import, read,"
            " score and write are summed over the pod's sensors by its own clock; prepare (with waiting for"
            " readings) and publish are of a whole run, by their pods' own clocks. result: Failed if a sensor"
            " of the Job failed.",
            BOUNDS,
            *("namespace", "stage", "result"),
        )
        self.sensors = self._counter(
            "sensorscore_sensors", "Sensors decided.", "namespace", "result", "reason"
        )
        self.rows = self._counter("sensorscore_rows", "Rows of readings.", "namespace", "result")
        self.anomalies = self._counter("sensorscore_anomalies", "Rows predicted as anomalies.", "namespace")
        self.jobs_retried = self._counter(
            "sensorscore_jobs_retried", "Jobs that needed more than one attempt.", "namespace"
        )
        self.guard_warnings = self._counter(
            "sensorscore_guard_warnings",
            "Sensors that the guard warned of, at the end of a run.",
            *("namespace", "reason"),
        )
        self.runs = self._counter("sensorscore_runs_ended", "Runs ended.", "namespace", "result", "reason")
        self.run_duration = self._histogram(
            "sensorscore_run_duration_seconds",
            "From a run's creation to its end.",
            RUN_BOUNDS,
            *("namespace", "result"),
        )

    def _about_the_operator(self) -> None:
        self.status_lag = self._histogram(
            "sensorscore_operator_status_lag_seconds",
            "From the end of a Job's last pod (whole seconds) to its outcome in the run's status.",
            (0.5, 1, 2, 3, 5, 10, 30, 60, 300),
        )
        self.reconcile_duration = self._histogram(
            "sensorscore_operator_reconcile_duration_seconds",
            "One reconcile, its API calls included.",
            (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
        )
        self.reconcile_errors = self._counter(
            "sensorscore_operator_reconcile_errors",
            "Reconciles that ended in an error and come again.",
            "reason",
        )
        for reason in ("api", "defect"):
            self.reconcile_errors.labels(reason)
        self.api_requests = self._counter(
            "sensorscore_operator_api_requests",
            "Calls to the Kubernetes API; code 0: no answer. kopf's own are not counted.",
            *("verb", "resource", "code"),
        )

    def api_call(self, verb: str, resource: str, code: int) -> None:
        """Count a call to the Kubernetes API."""
        self.api_requests.labels(verb, resource, str(code)).inc()

    def meet(self, namespace: str) -> None:
        """Begin a namespace's counters at 0: a rate over a counter that begins at 1 misses the first one."""
        if namespace in self._namespaces:
            return
        self._namespaces.add(namespace)
        for state, reasons in SENSOR_REASONS.items():
            for reason in reasons:
                self.sensors.labels(namespace, state, reason)
        for result, reason in RUN_RESULTS:
            self.runs.labels(namespace, result, reason)
        for kind in ROW_KINDS:
            self.rows.labels(namespace, kind)
        for reason in GUARD_REASONS:
            self.guard_warnings.labels(namespace, reason)
        self.anomalies.labels(namespace)
        self.jobs_retried.labels(namespace)

    def recorded(self, namespace: str, outcomes: Iterable[ChunkOutcome], now: datetime) -> None:
        """Count outcomes that were just recorded in a status."""
        for outcome in outcomes:
            if outcome.ended is not None:
                self.status_lag.observe(max(0.0, (now - outcome.ended).total_seconds()))
            result = "Succeeded" if outcome.succeeded else "Failed"
            for stage, milliseconds in outcome.stages_ms.items():
                if stage in STAGES:
                    self.job_duration.labels(namespace, stage, result).observe(milliseconds / 1000)
            for sensor in outcome.sensors:
                reason = sensor.reason if sensor.reason in SENSOR_REASONS[sensor.state] else OTHER
                self.sensors.labels(namespace, sensor.state, reason).inc()
            for kind in ROW_KINDS:
                self.rows.labels(namespace, kind).inc(getattr(outcome.rows, kind))
            self.anomalies.labels(namespace).inc(outcome.anomalies)
            if outcome.attempts > 1:
                self.jobs_retried.labels(namespace).inc()

    def staged(self, namespace: str, stage: str, milliseconds: int) -> None:
        """Count the one Job of a run's stage, which was just recorded in its status."""
        self.job_duration.labels(namespace, stage, "Succeeded").observe(milliseconds / 1000)

    def guarded(self, namespace: str, guard: Guard | None) -> None:
        """Count what the guard said of a run that was just published."""
        for reason, sensors in (guard.warnings if guard else {}).items():
            known = reason if reason in GUARD_REASONS else OTHER
            self.guard_warnings.labels(namespace, known).inc(sensors)

    def ended(self, run: Run, status: Status) -> None:
        """Count a run that just ended."""
        for result in (COMPLETE_CONDITION, FAILED_CONDITION):
            if status.holds(result) and status.completion:
                self.runs.labels(run.namespace, result, status.conditions[result].reason).inc()
                seconds = (status.completion - run.created).total_seconds()
                self.run_duration.labels(run.namespace, result).observe(max(0.0, seconds))

    def text(self) -> bytes:
        """As Prometheus scrapes it."""
        return generate_latest(self.registry)


class ViewCollector(Collector):
    """Gauges that are computed from the view at each scrape."""

    def __init__(
        self, view: View, queue_depth: Callable[[], int], ages: Callable[[], dict[str, float]]
    ) -> None:
        self._view = view
        self._queue_depth = queue_depth
        self._ages = ages

    def collect(self) -> Iterator[Metric]:
        """Runs by phase, Jobs unfinished, the queue, and the streams' ages."""
        runs: Tally[tuple[str, str]] = Tally()
        namespaces = set()
        for run in self._view.runs():
            namespaces.add(run.namespace)
            runs[run.namespace, run.status.phase or "Pending"] += 1
        phases = GaugeMetricFamily("sensorscore_runs", "Runs that exist.", labels=["namespace", "phase"])
        for namespace in sorted(namespaces):
            for phase in PHASES:
                phases.add_metric([namespace, phase], runs[namespace, phase])
        yield phases
        unfinished = Tally(job.namespace for job in self._view.unfinished())
        jobs = GaugeMetricFamily(
            "sensorscore_jobs_unfinished", "Jobs that are not over.", labels=["namespace"]
        )
        for namespace in sorted(namespaces | set(unfinished)):
            jobs.add_metric([namespace], unfinished[namespace])
        yield jobs
        depth = "Runs that are due for a reconcile or in one."
        yield GaugeMetricFamily("sensorscore_operator_queue_depth", depth, value=self._queue_depth())
        ages = GaugeMetricFamily(
            "sensorscore_operator_stream_age_seconds",
            "Since the stream's last event, bookmark or list.",
            labels=["resource"],
        )
        for resource, age in sorted(self._ages().items()):
            ages.add_metric([resource], age)
        yield ages
