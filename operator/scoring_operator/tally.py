"""Counting outcomes into a run's status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from scoring_operator.decision import Decision, Situation
from scoring_operator.histogram import Histogram
from scoring_operator.outcomes import ChunkOutcome, PrepareOutcome, PublishOutcome, Usage, usage
from scoring_operator.records import PREPARES, PUBLISHES, JobRecord, PodRecord
from scoring_operator.spec import Spec
from scoring_operator.status import FAILURES_LIMIT, REASONS_LIMIT, SCORE, Cost, Failure, Status

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
        if not status.stops(outcome.chunk.number):
            cost += cost_of(outcome.usage, cpu_hour_price)
        for stage, milliseconds in outcome.stages_ms.items():
            latency[stage] = latency.get(stage, Histogram()).observe(milliseconds)
        for index, (name, sensor) in enumerate(
            zip(outcome.names, outcome.sensors, strict=True), start=outcome.chunk.first
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


def record_prepared(status: Status, outcome: PrepareOutcome, cpu_hour_price: Decimal) -> Status:
    """With what the Job that prepares said and cost: it is looked at once, since the stage ends by it."""
    if not status.stops(PREPARES):
        status = replace(status, cost=status.cost + cost_of(outcome.usage, cpu_hour_price))
    if outcome.message is None:
        return status
    took = status.latency.get("prepare", Histogram()).observe(outcome.message.total_ms)
    return replace(status, latency={**status.latency, "prepare": took})


def record_published(status: Status, outcome: PublishOutcome, cpu_hour_price: Decimal) -> Status:
    """With what the Job that publishes said and cost: it is looked at once, since the run ends by it."""
    if not status.stops(PUBLISHES):
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


def cost_of_lost(
    status: Status, found: Iterable[tuple[JobRecord, Iterable[PodRecord]]], cpu_hour_price: Decimal
) -> Cost:
    """What the pods of Jobs cost that are made again, since nothing could be read of them."""
    new = ((job, pods) for job, pods in found if not status.stops(job.chunk))
    return sum((cost_of(usage(job, pods), cpu_hour_price) for job, pods in new), Cost())


def estimate_nodes(at: Situation, decision: Decision) -> Decision:
    """With what nodes take beside their pods' time: as many as hold the most Jobs that were unfinished.

    The Jobs of other stages run beside the scoring pool, on nodes that are there anyway.
    """
    spec = at.run.spec
    runtime = at.settings.runtimes.get(spec.runtime) if isinstance(spec, Spec) else None
    if runtime is None or runtime.node is None or decision.status.stage != SCORE:
        return decision
    node, cost = runtime.node, decision.status.cost
    nodes = -(-decision.status.active_jobs // node.pods)
    seconds = nodes * (node.boot_seconds + node.idle_seconds)
    if seconds <= cost.node_seconds:
        return decision
    cost = replace(cost, node_seconds=seconds, node_money=int(node.hour_price * 10**9 * seconds / 3600))
    return replace(decision, status=replace(decision.status, cost=cost))


def _count_reason(reasons: dict[str, int], reason: str) -> None:
    if reason not in reasons and len(reasons) >= REASONS_LIMIT:
        reason = "Other"
    reasons[reason] = reasons.get(reason, 0) + 1
