"""How many series there are: as many with 15 sensors as with 10,000."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import yaml

from privileges import rights_of
from scoring_operator.chunks import Chunk
from scoring_operator.contract import Guard, Rows, Sent, State
from scoring_operator.metrics import Bounds, Metrics, Sources, ViewCollector
from scoring_operator.metrics.reasons import GUARD_REASONS, JOB_STAGES, RUN_REASONS, SENSOR_REASONS
from scoring_operator.outcomes import ChunkOutcome, SensorOutcome
from scoring_operator.resource import parse_run
from scoring_operator.settings import ScheduleSettings
from scoring_operator.sinks import Sink
from scoring_operator.status import Condition, Cost, Status
from scoring_operator.view import View
from unit.operator.given import NOW, after, run_body, settings

STREAMS = ("jobs", "pods", "scoringruns", "lease", "loop")
README = Path(__file__).parents[3] / "operator" / "README.md"
# Every call that the operator may make by its rights, but kopf's own, and how the API refuses some of them on
# an unsteady day.
GRANTED = [
    right
    for block in re.findall(r"```yaml\n(rules:.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    for right in rights_of(yaml.safe_load(block)["rules"])
]
WELL = {
    (right.verb, right.resource.partition("/")[0], 201 if right.verb == "create" else 200)
    for right in GRANTED
}
REFUSED = {
    *(("create", "jobs", code) for code in (0, 403, 409, 429, 500)),
    *(("delete", "jobs", code) for code in (0, 404, 429)),
    *(("patch", "scoringruns", code) for code in (0, 409, 500)),
    *(("list", resource, 500) for resource in ("jobs", "pods", "scoringruns")),
}
CALLS = sorted((WELL - {("watch", "scoringruns", 200)}) | REFUSED)
SINKS = [Sink("mail", {}), Sink("ops", {})]


def outcome(number: int, state: State, reason: str) -> ChunkOutcome:
    chunk = Chunk(number, number, (f"sensor-{number}",))
    stages = dict.fromkeys(JOB_STAGES, 20 + number % 7000)
    said = SensorOutcome(state, reason, "a sentence")
    return ChunkOutcome(chunk, f"job-{number}", 1, (said,), Rows(9, 9), 1, stages, after(-2))


def worked(namespaces: int, schedules: int, sensors: int, runs: int) -> Metrics:
    """After so many sensors, of whom one in seven does not end Scored, for every reason there is."""
    known = [ScheduleSettings(f"s-{n}", f"ns-{n % namespaces}") for n in range(schedules)]
    bounds = Bounds([f"ns-{n}" for n in range(namespaces)], known, SINKS)
    metrics = Metrics("1", bounds, "EUR")
    view = View(lambda _: None)
    sources = Sources(lambda: 1, lambda: dict.fromkeys(STREAMS, 0.5), lambda: True, lambda: True, lambda: NOW)
    metrics.registry.register(
        ViewCollector(view, bounds, settings(currency="EUR", budgetPerDay="9"), sources, metrics.marks)
    )
    wrong = cycle((state, reason) for state, all_ in SENSOR_REASONS.items() for reason in all_ if reason)
    for number in range(sensors):
        state, reason = next(wrong) if number % 7 == 0 else (State.SCORED, "")
        metrics.recorded(f"ns-{number % namespaces}", [outcome(number, state, reason)], NOW)
    ends = cycle((result, reason) for result, reasons in RUN_REASONS.items() for reason in reasons)
    for number in range(runs):
        namespace = f"ns-{number % namespaces}"
        body = run_body()
        body["metadata"] |= {"name": f"r{number}", "uid": f"u{number}", "namespace": namespace}
        body["metadata"]["labels"] = {"sensorscore.dev/schedule": f"s-{number % max(1, schedules)}"}
        result, reason = next(ends)
        status = Status(
            phase="Failed", completion=after(60), conditions={result: Condition(True, reason, "", NOW, 1)}
        )
        run = parse_run(body)
        metrics.meet(namespace)
        metrics.ended(run, status)
        metrics.spent(namespace, Cost(), Cost(9, 9, 9, 0, 9, 9))
        metrics.guarded(namespace, Guard(dict.fromkeys(GUARD_REASONS, 1), {}, ()))
        metrics.sent(namespace, {sink.name: Sent(1, 1, 1, 1) for sink in SINKS})
        for stage in ("prepare", "publish"):
            metrics.staged(namespace, stage, 2000)
        view.put_run(replace(run, status=status))
    for call in CALLS:
        metrics.api_call(*call)
    return metrics


def series(metrics: Metrics) -> int:
    return sum(not line.startswith("#") for line in metrics.text().decode().splitlines())


def test_calls_are_those_that_the_operator_makes() -> None:
    assert {call[:2] for call in REFUSED} <= {call[:2] for call in WELL}
    assert len(CALLS) > 30


def test_one_namespace_and_schedule_have_fewer_than_500_series_with_every_kind_of_failure() -> None:
    count = series(worked(namespaces=1, schedules=1, sensors=10_000, runs=40))
    print(f"{count} series: 10,000 sensors, one namespace, one schedule, every kind of failure")  # noqa: T201
    assert count < 500


def test_no_series_grows_with_sensors_or_runs() -> None:
    few = series(worked(namespaces=2, schedules=3, sensors=600, runs=40))
    many = series(worked(namespaces=2, schedules=3, sensors=10_000, runs=2_000))
    print(f"{many} series: 10,000 sensors, 2,000 runs, two namespaces, three schedules")  # noqa: T201
    assert many == few


def test_a_further_schedule_or_namespace_costs_what_the_documentation_says() -> None:
    one = series(worked(1, 1, 1_000, 80))
    schedule = series(worked(1, 2, 1_000, 80)) - one
    namespace = (series(worked(2, 3, 10_000, 120)) - one) - 2 * schedule
    print(f"a further schedule {schedule}, a further namespace {namespace}")  # noqa: T201
    assert schedule <= 35
    assert namespace <= 450
