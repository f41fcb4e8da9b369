from typing import Any

from scoring_operator.decision import Decision, Observation, Observed
from scoring_operator.metrics import SENSOR_REASONS, Metrics, ViewCollector
from scoring_operator.reconcile import reconcile
from scoring_operator.records import JobRecord
from scoring_operator.resource import Run
from scoring_operator.view import View
from unit.operator.given import (
    NO_ROWS,
    NOW,
    a_failed_pod,
    a_finished_job,
    a_job,
    a_message,
    a_pod,
    a_run,
    after,
    chunks_of,
    has_published,
    publishing,
    scored,
    seen,
    sensors,
    settings,
    spec_of,
)


def decide(run: Run, *jobs: Any) -> Decision:
    chunks = chunks_of(sensors(), spec_of(run))
    return reconcile(run, Observed(sensors=chunks, jobs=seen(*jobs)), settings(), NOW)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"namespace": "scoring", **labels})


def unknown_reason(job: JobRecord) -> Observation:
    message = a_message("X", {"X": "Skipped/Whatever"}, job.chunk, rows=NO_ROWS, anomalies=0)
    return Observation(job, (a_pod(job, message),))


def test_what_is_recorded_is_counted() -> None:
    metrics = Metrics("1")
    killed = a_finished_job(1, "Failed", attempts=3)
    pods = tuple(a_failed_pod(killed, 137, number=n, exit_reason="OOMKilled") for n in range(3))
    decision = decide(a_run(), scored(0), Observation(killed, pods), unknown_reason(a_finished_job(2)))
    metrics.recorded("scoring", decision.recorded, after(5))
    assert value(metrics, "sensorscore_sensors_total", result="Scored", reason="") == 1
    assert value(metrics, "sensorscore_sensors_total", result="Failed", reason="OutOfMemory") == 1
    assert value(metrics, "sensorscore_sensors_total", result="Skipped", reason="Other") == 1
    assert value(metrics, "sensorscore_rows_total", result="rejected") == 2
    assert value(metrics, "sensorscore_anomalies_total") == 3
    assert value(metrics, "sensorscore_jobs_retried_total") == 1
    read = {"stage": "read", "result": "Succeeded"}
    assert value(metrics, "sensorscore_job_duration_seconds_sum", **read) == 0.024
    failed = {"stage": "total", "result": "Failed"}
    assert value(metrics, "sensorscore_job_duration_seconds_count", **failed) == 1
    assert metrics.registry.get_sample_value("sensorscore_operator_status_lag_seconds_count") == 3


def test_a_run_that_ends_is_counted_with_its_reason() -> None:
    metrics = Metrics("1")
    run = a_run(publishing(sensors()))
    metrics.ended(run, decide(run, has_published()).status)
    assert value(metrics, "sensorscore_runs_ended_total", result="Complete", reason="AllSucceeded") == 1
    assert value(metrics, "sensorscore_run_duration_seconds_sum", result="Complete") == 23


def test_what_the_guard_warns_of_is_counted_by_known_reasons() -> None:
    metrics = Metrics("1")
    metrics.meet("scoring")
    warnings = {"FlagRate": 2, "ConstantValue": 1, "Unheard": 4}
    run = a_run(publishing(sensors()))
    outcome = decide(run, has_published(warnings=warnings, notes={"UnusualFlagRate": 9})).published
    assert outcome is not None
    assert outcome.message is not None
    metrics.guarded("scoring", outcome.message.guard)
    metrics.staged("scoring", "publish", outcome.message.total_ms)
    assert value(metrics, "sensorscore_guard_warnings_total", reason="FlagRate") == 2
    assert value(metrics, "sensorscore_guard_warnings_total", reason="MissingRows") == 0
    assert value(metrics, "sensorscore_guard_warnings_total", reason="Other") == 4
    publish = {"stage": "publish", "result": "Succeeded"}
    assert value(metrics, "sensorscore_job_duration_seconds_sum", **publish) == 1.834


def test_counters_begin_at_zero() -> None:
    metrics = Metrics("1")
    metrics.meet("scoring")
    metrics.meet("scoring")
    for state, reasons in SENSOR_REASONS.items():
        for reason in reasons:
            assert value(metrics, "sensorscore_sensors_total", result=state, reason=reason) == 0
    assert value(metrics, "sensorscore_runs_ended_total", result="Failed", reason="JobRejected") == 0


def test_gauges_are_of_the_view() -> None:
    metrics = Metrics("1")
    view = View(lambda _: None)
    metrics.registry.register(ViewCollector(view, lambda: 7, lambda: {"jobs": 3.5}))
    view.put_run(a_run(decide(a_run()).status))
    view.put_job(a_job(0))
    assert value(metrics, "sensorscore_runs", phase="Running") == 1
    assert value(metrics, "sensorscore_runs", phase="Failed") == 0
    assert value(metrics, "sensorscore_jobs_unfinished") == 1
    view.drop_job(("scoring", a_job(0).name))
    assert value(metrics, "sensorscore_jobs_unfinished") == 0
    sample = metrics.registry.get_sample_value
    assert sample("sensorscore_operator_queue_depth") == 7
    assert sample("sensorscore_operator_stream_age_seconds", {"resource": "jobs"}) == 3.5


def test_no_series_grows_with_sensors_jobs_or_runs() -> None:
    def series(count: int) -> int:
        metrics = Metrics("1")
        metrics.meet("scoring")
        for _ in range(count):
            metrics.recorded("scoring", decide(a_run(), scored(0), scored(1)).recorded, NOW)
        return len(metrics.text().splitlines())

    assert series(20) == series(1)
    assert series(1) < 500
