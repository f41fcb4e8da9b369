"""Every series that the operator serves, as data: what serves, documents and tests them reads it here.

Names and units are by Prometheus' conventions: base units, `_total` for counters. A label is never a sensor,
a Job or a run: that would make 10,000 series an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

# Some of those in which a run's status counts; the last one is 30 minutes. As few as tell a pack that takes a
# second from one that takes two, and a warm node from one that boots: each costs a series for every stage,
# result and namespace.
JOB_BUCKETS = (0.025, 0.1, 0.5, 1, 2.5, 10, 30, 60, 300, 600, 1800)
RUN_BUCKETS = (30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
LAG_BUCKETS = (0.5, 1, 2, 3, 5, 10, 30, 60, 300)
RECONCILE_BUCKETS = (0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)


@dataclass(frozen=True)
class Series:
    """One family: `name` as it is queried, with `_total` where it counts; `unit` of its values."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    help: str
    more: str = ""  # for the documentation
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True)
class Part:
    """Series that belong together."""

    title: str
    series: tuple[Series, ...]


RUNS = Part(
    "Runs and schedules",
    (
        Series(
            "sensorscore_runs",
            "gauge",
            "runs",
            ("namespace", "schedule", "phase"),
            "Runs that exist.",
            "Ended ones too, until their time to live is over.",
        ),
        Series(
            "sensorscore_runs_ended_total",
            "counter",
            "runs",
            ("namespace", "schedule", "result", "reason"),
            "Runs ended.",
            "Complete is also a run in which some sensors failed, fewer than its `failurePolicy` allows.",
        ),
        Series(
            "sensorscore_run_duration_seconds",
            "histogram",
            "seconds",
            ("namespace", "result"),
            "From a run's creation to its end.",
            "Waiting for its turn and for readings is in it.",
            RUN_BUCKETS,
        ),
        Series(
            "sensorscore_run_pending_seconds",
            "gauge",
            "seconds",
            ("namespace",),
            "The longest that a run's Jobs have been waiting while none of its pods runs; 0: none waits.",
            "The pool cannot grow, a quota is used up, an image cannot be pulled.",
        ),
        Series(
            "sensorscore_schedule_window_lag_seconds",
            "gauge",
            "seconds",
            ("namespace", "schedule"),
            "Since the end of the newest window whose run is Complete; of none, since the operator began, or"
            " `startFrom` if that is later.",
            "How old the newest predictions are. It rises to a little over one window before each run ends.",
        ),
        Series(
            "sensorscore_schedule_last_success_timestamp_seconds",
            "gauge",
            "seconds since 1970",
            ("namespace", "schedule"),
            "When the latest run that is Complete ended.",
            "Absent until there is one.",
        ),
        Series(
            "sensorscore_schedule_newest_window_end_timestamp_seconds",
            "gauge",
            "seconds since 1970",
            ("namespace", "schedule"),
            "The end of the newest window that a run was made for, whatever became of it.",
            "Absent until there is one. It stands still when nobody makes runs.",
        ),
        Series(
            "sensorscore_schedule_window_seconds",
            "gauge",
            "seconds",
            ("namespace", "schedule"),
            "Length of the schedule's windows.",
        ),
        Series(
            "sensorscore_schedule_settle_seconds",
            "gauge",
            "seconds",
            ("namespace", "schedule"),
            "How long after a window's end its run is made.",
        ),
        Series(
            "sensorscore_schedule_suspended",
            "gauge",
            "0 or 1",
            ("namespace", "schedule"),
            "Whether the schedule is suspended.",
        ),
    ),
)

JOBS = Part(
    "Jobs, sensors, rows",
    (
        Series(
            "sensorscore_job_duration_seconds",
            "histogram",
            "seconds",
            ("namespace", "stage", "result", "reason"),
            "Time of a Job by stage; Failed if one of its sensors failed. reason: only of stage total.",
            "`pending` (pod made to scheduled), `start` (scheduled to process, image pull included) and"
            " `total` (Job made to process ended) are by Kubernetes' clocks, ±1 s. `import`, `read`, `score`"
            " and `write` are by the pod's own millisecond clock, summed over its sensors: it reads some"
            " while it scores others, so that their sum may be more than `total`. `prepare` (with waiting for"
            " readings) and `publish` are of a whole run, by their pods' clocks. `reason` is empty but for"
            ' `stage="total", result="Failed"`: for every stage it would be four times as many series.',
            JOB_BUCKETS,
        ),
        Series(
            "sensorscore_jobs_unfinished",
            "gauge",
            "Jobs",
            ("namespace",),
            "Jobs that are not over.",
        ),
        Series(
            "sensorscore_jobs_retried_total",
            "counter",
            "Jobs",
            ("namespace",),
            "Jobs that needed more than one attempt.",
        ),
        Series(
            "sensorscore_sensors_total",
            "counter",
            "sensors",
            ("namespace", "result", "reason"),
            "Sensors decided.",
            "Skipped has nothing to score (no readings in the window, no model); Failed should have been"
            " scored. `reason` is empty for Scored.",
        ),
        Series("sensorscore_rows_total", "counter", "rows", ("namespace", "result"), "Rows of readings."),
        Series(
            "sensorscore_anomalies_total", "counter", "rows", ("namespace",), "Rows predicted as anomalies."
        ),
        Series(
            "sensorscore_guard_warnings_total",
            "counter",
            "sensors",
            ("namespace", "reason"),
            "Sensors that the guard warned of, at the end of a run.",
            "A warning is counted once, when it begins; see [guard.md](guard.md).",
        ),
        Series(
            "sensorscore_sink_events_total",
            "counter",
            "sensors",
            ("namespace", "sink", "result"),
            "Sensors with anomalies, by what became of these at a sink, at the end of a run.",
            "`delivered`; `deadlettered`: given up, they lie among the dead letters; `suppressed`: by the"
            " sink's rule; `skipped`: the window is too old, a route drops it, or an earlier run has told the"
            " same. See [sinks.md](sinks.md).",
        ),
    ),
)

COST = Part(
    "Cost",
    (
        Series(
            "sensorscore_pod_seconds_total",
            "counter",
            "seconds",
            ("namespace",),
            "Time that pods of runs were on nodes.",
            "Of pods that were stopped it is an estimate.",
        ),
        Series(
            "sensorscore_cpu_requested_seconds_total",
            "counter",
            "CPU-seconds",
            ("namespace",),
            "CPU that pods of runs requested, times the time they had it.",
        ),
        Series(
            "sensorscore_cost_total",
            "counter",
            "currency",
            ("namespace", "currency"),
            "What that requested CPU costs by the runtimes' prices.",
            "Absent without a `currency`.",
        ),
        Series(
            "sensorscore_cost_budget_per_day",
            "gauge",
            "currency",
            ("currency",),
            "What a day may cost, by the settings.",
            "Absent where `budgetPerDay` is 0.",
        ),
        Series(
            "sensorscore_nodes_seconds_estimate_total",
            "counter",
            "seconds",
            ("namespace",),
            "Estimate of the time that nodes boot and stand idle for runs, beside their pods' time.",
            "Only of runtimes that have `node` settings.",
        ),
        Series(
            "sensorscore_nodes_cost_estimate_total",
            "counter",
            "currency",
            ("namespace", "currency"),
            "Estimate of what that costs.",
            "Not in `sensorscore_cost_total`. Absent without a `currency`.",
        ),
    ),
)

OPERATOR = Part(
    "The operator itself",
    (
        Series(
            "sensorscore_operator_active",
            "gauge",
            "0 or 1",
            (),
            "Whether this process holds the Lease and so acts.",
        ),
        Series(
            "sensorscore_operator_build_info", "gauge", "always 1", ("version",), "The operator's version."
        ),
        Series(
            "sensorscore_operator_stream_age_seconds",
            "gauge",
            "seconds",
            ("resource",),
            "Since the stream's last event, bookmark or list.",
            "`lease`: since the Lease was renewed; `loop`: by how much the event loop is late;"
            " `scoringruns`: how long a status that was written has not been seen again. Over"
            " `streamStaleSeconds` (300) the liveness probe fails.",
        ),
        Series(
            "sensorscore_operator_queue_depth",
            "gauge",
            "runs",
            (),
            "Runs that are due for a reconcile or in one.",
        ),
        Series(
            "sensorscore_operator_status_lag_seconds",
            "histogram",
            "seconds",
            (),
            "From the end of a Job's last pod (whole seconds) to its outcome in the run's status.",
            buckets=LAG_BUCKETS,
        ),
        Series(
            "sensorscore_operator_reconcile_duration_seconds",
            "histogram",
            "seconds",
            (),
            "One reconcile, its API calls included.",
            buckets=RECONCILE_BUCKETS,
        ),
        Series(
            "sensorscore_operator_reconcile_errors_total",
            "counter",
            "reconciles",
            ("reason",),
            "Reconciles that ended in an error and come again.",
            "`api`: the API refused, or did not answer; `defect`: the operator is wrong.",
        ),
        Series(
            "sensorscore_operator_api_requests_total",
            "counter",
            "calls",
            ("verb", "resource", "code"),
            "Calls to the Kubernetes API; code 0: no answer. kopf's own are not counted.",
        ),
    ),
)

PARTS = (RUNS, JOBS, COST, OPERATOR)
CATALOGUE = {series.name: series for part in PARTS for series in part.series}
# Of prometheus-client: Linux' figures of the process. Python's garbage collector answers no question here.
PROCESS = {
    "process_cpu_seconds_total": "CPU time used, in seconds.",
    "process_resident_memory_bytes": "Memory used, in bytes.",
    "process_virtual_memory_bytes": "Memory mapped, in bytes.",
    "process_start_time_seconds": "When the process began, in seconds since 1970.",
    "process_open_fds": "Open files and connections.",
    "process_max_fds": "Most that it may open.",
}
