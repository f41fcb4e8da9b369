"""Counting outcomes into a run's status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from scoring_operator.histogram import Histogram
from scoring_operator.outcomes import ChunkOutcome, PublishOutcome, Usage
from scoring_operator.status import FAILURES_LIMIT, REASONS_LIMIT, Cost, Failure, Status

MILLI_CPU_HOUR = 3_600_000  # thousandths of a CPU-second in a CPU-hour


def record(status: Status, outcomes: Iterable[ChunkOutcome], cpu_hour_price: Decimal) -> Status:
    """With the outcomes counted, each once: a chunk that is in `done` is never looked at again."""
    done: list[int] = []
    failed_sensors: list[int] = []
    failures = list(status.failures)
    reasons = dict(status.reasons)
    latency = dict(status.latency)
    tally = {"Scored": status.scored, "Skipped": status.skipped, "Failed": status.failed}
    rows, anomalies, retried, cost = status.rows, status.anomalies, status.retried_jobs, status.cost
    for outcome in outcomes:
        done.append(outcome.chunk.number)
        rows, anomalies = rows + outcome.rows, anomalies + outcome.anomalies
        retried += outcome.attempts > 1
        cost += cost_of(outcome.usage, cpu_hour_price)
        for stage, milliseconds in outcome.stages_ms.items():
            latency[stage] = latency.get(stage, Histogram()).observe(milliseconds)
        for index, (name, sensor) in enumerate(
            zip(outcome.chunk.names, outcome.sensors, strict=True), start=outcome.chunk.first
        ):
            tally[sensor.state] += 1
            if not sensor.reason:
                continue
            _count_reason(reasons, f"{sensor.state}/{sensor.reason}")
            failures.append(Failure(name, index, sensor.state, sensor.reason, sensor.sentence, outcome.job))
            if sensor.state == "Failed":
                failed_sensors.append(index)
    if not done:
        return status
    return replace(
        status,
        scored=tally["Scored"],
        skipped=tally["Skipped"],
        failed=tally["Failed"],
        retried_jobs=retried,
        done=status.done.union(done),
        failed_sensors=status.failed_sensors.union(failed_sensors),
        failures=tuple(sorted(failures, key=lambda failure: failure.order)[:FAILURES_LIMIT]),
        reasons=reasons,
        rows=rows,
        anomalies=anomalies,
        latency=latency,
        cost=cost,
    )


def record_published(status: Status, outcome: PublishOutcome, cpu_hour_price: Decimal) -> Status:
    """With what the Job that publishes said and cost: it is looked at once, since the run ends by it."""
    status = replace(status, cost=status.cost + cost_of(outcome.usage, cpu_hour_price))
    if outcome.message is None:
        return status
    took = status.latency.get("publish", Histogram()).observe(outcome.message.total_ms)
    return replace(
        status,
        published=outcome.message.published,
        guard=outcome.message.guard,
        latency={**status.latency, "publish": took},
    )


def cost_of(usage: Usage, cpu_hour_price: Decimal) -> Cost:
    """What pods used, and what their requested CPU costs, in billionths of the currency, rounded down."""
    money = cpu_hour_price * 10**9 * usage.cpu_ms / MILLI_CPU_HOUR
    return Cost(usage.pod_seconds, usage.cpu_ms, int(money))


def _count_reason(reasons: dict[str, int], reason: str) -> None:
    if reason not in reasons and len(reasons) >= REASONS_LIMIT:
        reason = "Other"
    reasons[reason] = reasons.get(reason, 0) + 1
