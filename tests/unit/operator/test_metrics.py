from typing import Any

import pytest

from scoring_operator.decision import Decision, Observation, Observed
from scoring_operator.metrics import Bounds, Metrics
from scoring_operator.metrics.bounds import NAMESPACES_LIMIT
from scoring_operator.metrics.reasons import RUN_REASONS, SENSOR_REASONS, STAGES, class_of
from scoring_operator.reconcile import reconcile
from scoring_operator.records import JobRecord
from scoring_operator.resource import Run, parse_run
from scoring_operator.settings import ScheduleSettings
from scoring_operator.status import Condition, Cost, Status
from unit.operator.given import (
    NO_ROWS,
    NOW,
    a_failed_pod,
    a_finished_job,
    a_message,
    a_pod,
    a_run,
    after,
    chunks_of,
    has_published,
    publishing,
    run_body,
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


def ended(metrics: Metrics, result: str, reason: str, schedule: str = "") -> float | None:
    labels = {"schedule": schedule, "result": result, "reason": reason}
    return value(metrics, "sensorscore_runs_ended_total", **labels)


def of_schedule(name: str, run: Run | None = None) -> Run:
    body = run_body()
    body["metadata"]["labels"] = {"sensorscore.dev/schedule": name}
    return parse_run(body)


def failed(reason: str) -> Status:
    condition = Condition(True, reason, "", NOW, 1)
    return Status(completion=NOW, conditions={"Failed": condition})


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
    read = {"stage": "read", "result": "Succeeded", "reason": ""}
    assert value(metrics, "sensorscore_job_duration_seconds_sum", **read) == 0.024
    failed = {"stage": "total", "result": "Failed", "reason": "Pod"}
    assert value(metrics, "sensorscore_job_duration_seconds_count", **failed) == 1
    waited = {"stage": "pending", "result": "Failed", "reason": ""}
    assert value(metrics, "sensorscore_job_duration_seconds_count", **waited) == 1
    assert metrics.registry.get_sample_value("sensorscore_operator_status_lag_seconds_count") == 3


def test_a_run_that_ends_is_counted_with_its_reason() -> None:
    metrics = Metrics("1")
    run = a_run(publishing(sensors()))
    metrics.ended(run, decide(run, has_published()).status)
    assert ended(metrics, "Complete", "AllSucceeded") == 1
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
    publish = {"stage": "publish", "result": "Succeeded", "reason": ""}
    assert value(metrics, "sensorscore_job_duration_seconds_sum", **publish) == 1.834


def test_counters_begin_at_zero() -> None:
    metrics = Metrics("1")
    metrics.meet("scoring")
    metrics.meet("scoring")
    for state, reasons in SENSOR_REASONS.items():
        for reason in reasons:
            assert value(metrics, "sensorscore_sensors_total", result=state, reason=reason) == 0
    for result, reasons in RUN_REASONS.items():
        for reason in reasons:
            assert ended(metrics, result, reason) == 0
    for name in (
        "pod_seconds",
        "cpu_requested_seconds",
        "nodes_seconds_estimate",
        "anomalies",
        "jobs_retried",
    ):
        assert value(metrics, f"sensorscore_{name}_total") == 0


def test_counters_begin_at_zero_wherever_runs_are_expected() -> None:
    bounds = Bounds.of(settings(namespaces=["team-a"], knownNamespaces=["scoring"]))
    assert bounds.namespaces == {"team-a", "scoring"}
    assert value(Metrics("1", bounds), "sensorscore_anomalies_total") == 0


HOURLY = Bounds(schedules=[ScheduleSettings("hourly", "scoring")])


def test_the_first_jobs_that_go_well_are_an_increase_too() -> None:
    metrics = Metrics("1", Bounds(["scoring"]))
    for stage in STAGES:
        labels = {"stage": stage, "result": "Succeeded", "reason": ""}
        assert value(metrics, "sensorscore_job_duration_seconds_count", **labels) == 0
    assert value(metrics, "sensorscore_run_duration_seconds_count", result="Complete") == 0


def test_a_run_counts_for_the_schedule_that_its_label_names_if_the_settings_do() -> None:
    metrics = Metrics("1", HOURLY)
    assert ended(metrics, "Failed", "PublishFailed", "hourly") == 0
    for name in ("hourly", "made-up"):
        metrics.ended(of_schedule(name), failed("PublishFailed"))
    assert ended(metrics, "Failed", "PublishFailed", "hourly") == 1
    assert ended(metrics, "Failed", "PublishFailed", "made-up") is None
    assert ended(metrics, "Failed", "PublishFailed") == 1


def test_a_run_that_failed_for_an_unknown_reason_counts_as_other() -> None:
    metrics = Metrics("1")
    metrics.ended(a_run(), failed("Whatever"))
    assert ended(metrics, "Failed", "Other") == 1


def test_namespaces_that_nobody_has_named_are_bounded() -> None:
    metrics = Metrics("1", Bounds(["scoring"], [ScheduleSettings("hourly", "scheduled")]))
    assert value(metrics, "sensorscore_anomalies_total") == 0
    for number in range(NAMESPACES_LIMIT + 3):
        metrics.spent(f"team-{number}", Cost(), Cost(pod_seconds=5))
    metrics.spent("scheduled", Cost(), Cost(pod_seconds=7))
    assert metrics.bounds.namespace("team-0") == "team-0"
    seconds = "sensorscore_pod_seconds_total"
    assert value(metrics, seconds, namespace="Other") == 15
    assert value(metrics, seconds, namespace="scheduled") == 7


def test_cost_is_counted_by_how_much_a_status_says_more() -> None:
    metrics = Metrics("1", currency="EUR")
    before = Cost(pod_seconds=10, cpu_ms=1000, money=2 * 10**9, node_seconds=60, node_money=10**8)
    after_it = Cost(pod_seconds=15, cpu_ms=3500, money=3 * 10**9, node_seconds=90, node_money=3 * 10**8)
    metrics.spent("scoring", before, after_it)
    assert value(metrics, "sensorscore_pod_seconds_total") == 5
    assert value(metrics, "sensorscore_cpu_requested_seconds_total") == 2.5
    assert value(metrics, "sensorscore_cost_total", currency="EUR") == 1
    assert value(metrics, "sensorscore_nodes_seconds_estimate_total") == 30
    assert value(metrics, "sensorscore_nodes_cost_estimate_total", currency="EUR") == 0.2


def test_a_status_that_says_less_than_before_takes_nothing_away() -> None:
    metrics = Metrics("1")
    metrics.spent("scoring", Cost(pod_seconds=10), Cost(pod_seconds=15))
    metrics.spent("scoring", Cost(pod_seconds=15), Cost(pod_seconds=1))
    assert value(metrics, "sensorscore_pod_seconds_total") == 5


def test_without_a_currency_nothing_is_counted_in_money() -> None:
    metrics = Metrics("1")
    metrics.spent("scoring", Cost(), Cost(money=10**9))
    assert b"sensorscore_cost_total{" not in metrics.text()


@pytest.mark.parametrize(
    ("codes", "legend", "kind"),
    [
        ("AB", {"A": "Failed/ModelCorrupt", "B": "Skipped/NoReadings"}, "Input"),
        ("ABB", {"A": "Failed/ModelCorrupt", "B": "Failed/StorageDenied"}, "Storage"),
        ("A", {"A": "Failed/PluginFailed"}, "Pod"),
        ("A", {"A": "Failed/Unheard"}, "Other"),
        ("S", {"S": "Scored"}, ""),
        ("A", {"A": "Skipped/NoReadings"}, ""),
    ],
)
def test_a_job_failed_for_what_most_of_its_sensors_failed_for(
    codes: str, legend: dict[str, str], kind: str
) -> None:
    names = ("a", "b", "c")[: len(codes)]
    run = a_run(sensorsPerJob=len(codes))
    job = a_finished_job(0)
    says = a_message(codes, legend, rows=NO_ROWS, anomalies=0)
    chunks = chunks_of(sensors(*names), spec_of(run))
    seen_now = Observed(sensors=chunks, jobs=seen(Observation(job, (a_pod(job, says),))))
    (outcome,) = reconcile(run, seen_now, settings(), NOW).recorded
    assert class_of(outcome) == kind


def test_no_created_series_double_the_counters() -> None:
    metrics = Metrics("1")
    metrics.meet("scoring")
    assert b"_created" not in metrics.text()
