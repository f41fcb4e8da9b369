"""A day of a cluster that never was, as Prometheus would have scraped it: for pictures and tests of queries.

Two schedules: `pumps` scores 10,000 sensors an hour, ten a Job, and `boilers` 600, one a Job. In that day a
store refuses a tenth of the pumps' sensors and their run fails, a window is missed, the pool is slow to grow,
the operator is restarted, a device batch goes silent, and at the end the guard warns. Every series is one of
the operator's catalogue, with its labels: another name or label is refused.
"""

from __future__ import annotations

import json
import math
import random
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import product

from scorer.ingest.series import CATALOGUE as INGEST
from scoring_operator.metrics.catalogue import CATALOGUE, PROCESS
from scoring_operator.metrics.reasons import SINK_RESULTS

START = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
SCRAPE = 150.0
OFFSET = 37.0
"""Seconds of the first scrape: no scraper is in step with the clock."""

HOURS = 24
END = START + HOURS * 3600
TARGET = {"job": "sensorscore", "instance": "10.244.0.7:8080"}
OPERATOR_NAMESPACE = "sensorscore-system"
STAGES = ("pending", "start", "import", "read", "score", "write")
COUNTED = ("jobs_retried", "anomalies", "pod_seconds", "cpu_requested_seconds", "nodes_seconds_estimate")
REASON_CLASSES = ("Input", "Storage", "Pod", "Cluster")
Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]


@dataclass(frozen=True)
class Schedule:
    """What one schedule scores each hour."""

    name: str
    namespace: str
    sensors: int
    per_job: int
    parallelism: int

    @property
    def jobs(self) -> int:
        """Jobs of a run."""
        return self.sensors // self.per_job


PUMPS = Schedule("pumps", "plant-north", 10_000, 10, 100)
BOILERS = Schedule("boilers", "plant-south", 600, 1, 40)
SCHEDULES = (PUMPS, BOILERS)
MISSED, REFUSED, SLOW_POOL, SILENT, RESTART = 13, 9, 19, range(4, 6), 11.42
"""Hours of the day at which something is wrong."""


@dataclass
class Recorder:
    """The series of a target as they stand, and what was scraped of them."""

    target: dict[str, str] = field(default_factory=TARGET.copy)
    now: dict[Key, float] = field(default_factory=dict)
    scraped: dict[Key, list[tuple[float, float]]] = field(default_factory=dict)

    def set(self, name: str, value: float, **labels: str) -> None:
        """A gauge, or a counter's first value."""
        self.now[_key(name, tuple(labels.items()))] = value

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        """To a counter."""
        key = _key(name, tuple(labels.items()))
        self.now[key] = self.now.get(key, 0.0) + amount

    def begin(self, name: str, **labels: str) -> None:
        """A histogram of nothing yet."""
        buckets, added, count = _histogram(name, tuple(labels.items()))
        self.now.update(dict.fromkeys((*buckets, added, count), 0.0))

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Into a histogram."""
        buckets, added, count = _histogram(name, tuple(labels.items()))
        place = bisect_left(CATALOGUE[name].buckets, value)
        for index, key in enumerate(buckets):
            self.now[key] = self.now.get(key, 0.0) + (index >= place)
        self.now[added] = self.now.get(added, 0.0) + value
        self.now[count] = self.now.get(count, 0.0) + 1

    def restart(self) -> None:
        """The operator's process begins anew: its counters with it."""
        for key in self.now:
            if not key[0].endswith(("_per_day", "_info")):
                self.now[key] = 0.0

    def scrape(self, time: float) -> None:
        """What Prometheus gets at that time."""
        for key, value in self.now.items():
            self.scraped.setdefault(key, []).append((time, value))

    def lines(self) -> Iterator[str]:
        """All that was scraped, in OpenMetrics' text form with times: what promtool makes blocks of."""
        for (name, labels), points in sorted(self.scraped.items()):
            shown = {"namespace": OPERATOR_NAMESPACE, **self.target, **dict(labels)}
            inside = ",".join(f"{key}={json.dumps(value)}" for key, value in sorted(shown.items()))
            head = f"{name}{{{inside}}}"
            yield from (f"{head} {value:.10g} {time:.0f}" for time, value in points)


@cache
def _key(name: str, labels: Labels) -> Key:
    """The series. ValueError: neither the operator nor ingest has it with those labels."""
    if name not in PROCESS and name != "ALERTS":
        wanted = INGEST[name].labels if name in INGEST else CATALOGUE[name].labels
        if sorted(wanted) != sorted(label for label, _ in labels):
            raise ValueError(f"{name} has the labels {wanted}, not {labels}")
    return name, tuple(sorted(labels))


@cache
def _histogram(name: str, labels: Labels) -> tuple[list[Key], Key, Key]:
    """The series of a histogram: its buckets, sum and count."""
    shown = _key(name, labels)[1]
    bounds = [*map(float, CATALOGUE[name].buckets), math.inf]
    texts = ["+Inf" if math.isinf(bound) else str(bound) for bound in bounds]
    buckets = [(f"{name}_bucket", tuple(sorted((*shown, ("le", text))))) for text in texts]
    return buckets, (f"{name}_sum", shown), (f"{name}_count", shown)


@dataclass
class Day:
    """What happens, in order: (second of the day, what it does to the series)."""

    record: Recorder = field(default_factory=Recorder)
    dice: random.Random = field(default_factory=lambda: random.Random(20260302))  # noqa: S311
    events: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    complete: dict[str, float] = field(default_factory=dict)
    newest: dict[str, float] = field(default_factory=dict)
    success: dict[str, float] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, float] = field(default_factory=dict)
    kept: dict[tuple[str, str], int] = field(default_factory=dict)
    unfinished: dict[str, int] = field(default_factory=dict)

    def at(self, second: float, what: Callable[[], None]) -> None:
        """Let something happen."""
        self.events.append((second, what))


def lines() -> Iterator[str]:
    """The whole day in OpenMetrics' text form, without its end."""
    day = Day()
    _begin(day)
    for hour in range(HOURS):
        for schedule in SCHEDULES:
            if not (schedule is PUMPS and hour == MISSED):
                _run(day, schedule, hour)
    day.at(RESTART * 3600, lambda: _restart(day))
    events = sorted(day.events, key=lambda event: event[0])
    place = 0
    for tick in range(int(HOURS * 3600 / SCRAPE)):
        second = tick * SCRAPE + OFFSET
        while place < len(events) and events[place][0] <= second:
            events[place][1]()
            place += 1
        _gauges(day, second)
        day.record.scrape(START + second)
    return day.record.lines()


def _begin(day: Day) -> None:
    record = day.record
    record.set("sensorscore_operator_build_info", 1, version="0.1.0")
    record.set("sensorscore_cost_budget_per_day", 18, currency="EUR")
    record.set("process_start_time_seconds", START - 86_400 * 3)
    record.set("process_max_fds", 1_048_576)
    for reason in ("api", "defect"):
        record.set("sensorscore_operator_reconcile_errors_total", 0, reason=reason)
    for schedule in SCHEDULES:
        there = {"namespace": schedule.namespace}
        day.complete[schedule.name] = day.newest[schedule.name] = -3600.0
        day.success[schedule.name] = -3400.0
        for result, reason in (("Scored", ""), ("Skipped", "NoReadings"), ("Failed", "StorageDenied")):
            record.set("sensorscore_sensors_total", 0, result=result, reason=reason, **there)
        for reason in ("ReadingsCorrupt", "ModelCorrupt", "OutOfMemory", "Disrupted"):
            record.set("sensorscore_sensors_total", 0, result="Failed", reason=reason, **there)
        for reason in ("FlagRate", "ConstantValue", "OutsideTrainingRange"):
            record.set("sensorscore_guard_warnings_total", 0, reason=reason, **there)
        for result in SINK_RESULTS:
            record.set("sensorscore_sink_events_total", 0, sink="ops", result=result, **there)
        for stage, result in product((*STAGES, "total"), ("Succeeded", "Failed")):
            reasons = REASON_CLASSES if (stage, result) == ("total", "Failed") else ("",)
            for reason in reasons:
                labels = {"stage": stage, "result": result, "reason": reason}
                record.begin("sensorscore_job_duration_seconds", **labels, **there)
        for result, reason in (("Complete", "SomeFailed"), ("Failed", "TooManyFailedSensors")):
            labels = {"result": result, "reason": reason, "schedule": schedule.name}
            record.set("sensorscore_runs_ended_total", 0, **labels, **there)
        for counter in COUNTED:
            record.set(f"sensorscore_{counter}_total", 0, **there)
        for counter in ("cost", "nodes_cost_estimate"):
            record.set(f"sensorscore_{counter}_total", 0, currency="EUR", **there)
        for kind in ("scored", "rejected", "duplicate"):
            record.set("sensorscore_rows_total", 0, result=kind, **there)


def _restart(day: Day) -> None:
    day.record.restart()
    day.record.set("process_start_time_seconds", START + RESTART * 3600)
    day.record.set("process_max_fds", 1_048_576)


def _run(day: Day, schedule: Schedule, hour: int) -> None:
    """A run of the window that ended at `hour`, made two minutes after it."""
    begins = hour * 3600 + 120.0
    slow = hour == SLOW_POOL
    wait = 1500.0 if slow else day.dice.uniform(120, 260)  # a node boots
    pods_wait = [max(1.0, day.dice.gauss(wait, 12)) for _ in range(schedule.parallelism)]

    def made() -> None:
        day.newest[schedule.name] = hour * 3600.0
        day.running[schedule.name] = 1
        day.unfinished[schedule.namespace] = schedule.jobs
        day.waiting[schedule.namespace] = begins
        day.record.observe(
            *("sensorscore_job_duration_seconds", day.dice.uniform(1, 4)),
            **{"namespace": schedule.namespace, "stage": "prepare", "result": "Succeeded", "reason": ""},
        )

    day.at(begins, made)
    day.at(begins + min(pods_wait), lambda: day.waiting.pop(schedule.namespace, None))
    free = [begins + each for each in pods_wait]
    ends = begins
    for number in range(schedule.jobs):
        worker = min(range(len(free)), key=free.__getitem__)
        pending = pods_wait[worker] if number < schedule.parallelism else day.dice.uniform(0.4, 2.0)
        stages = _stages(day, schedule, pending)
        free[worker] += sum(stages.values()) - (pending if number < schedule.parallelism else 0)
        ends = max(ends, free[worker])
        _job(day, schedule, hour, free[worker], stages)
    _end(day, schedule, hour, begins, ends + day.dice.uniform(8, 15))


def _stages(day: Day, schedule: Schedule, pending: float) -> dict[str, float]:
    """Seconds of a Job's stages."""
    dice, sensors = day.dice, schedule.per_job
    return {
        "pending": pending,
        "start": dice.lognormvariate(0.5, 0.35),
        "import": dice.lognormvariate(-1.35, 0.15),
        "read": sum(dice.lognormvariate(-3.0, 0.5) for _ in range(sensors)),
        "score": sensors * dice.lognormvariate(-5.5, 0.3),
        "write": sum(dice.lognormvariate(-2.9, 0.4) for _ in range(sensors)),
    }


def _job(day: Day, schedule: Schedule, hour: int, when: float, stages: dict[str, float]) -> None:
    failed, reason = _failed(day, schedule, hour)
    skipped = _skipped(day, schedule, hour)
    result = "Failed" if failed else "Succeeded"
    classes = {"StorageDenied": "Storage", "OutOfMemory": "Pod", "Disrupted": "Cluster"}
    record, there = day.record, {"namespace": schedule.namespace}

    def ended() -> None:
        name = "sensorscore_job_duration_seconds"
        for stage, seconds in stages.items():
            record.observe(name, seconds, stage=stage, result=result, reason="", **there)
        kind = classes.get(reason, "Input") if failed else ""
        record.observe(name, sum(stages.values()), stage="total", result=result, reason=kind, **there)
        for state, number, why in (
            ("Scored", schedule.per_job - failed - skipped, ""),
            ("Skipped", skipped, "NoReadings"),
            ("Failed", failed, reason),
        ):
            if number:
                record.add("sensorscore_sensors_total", number, result=state, reason=why, **there)
        rows = 60 * max(0, schedule.per_job - failed - skipped)
        flagged = _about(day, rows * (0.012 + 0.006 * math.sin(hour / 4)))
        record.add("sensorscore_rows_total", rows, result="scored", **there)
        record.add("sensorscore_rows_total", _about(day, rows * 0.004), result="rejected", **there)
        record.add("sensorscore_rows_total", _about(day, rows * 0.011), result="duplicate", **there)
        record.add("sensorscore_anomalies_total", flagged, **there)
        record.observe("sensorscore_operator_status_lag_seconds", day.dice.uniform(0.3, 2.4))
        day.unfinished[schedule.namespace] -= 1
        if day.dice.random() < 0.004:
            record.add("sensorscore_jobs_retried_total", **there)
        on_node = sum(stages.values()) - stages["pending"]
        record.add("sensorscore_pod_seconds_total", on_node, **there)
        record.add("sensorscore_cpu_requested_seconds_total", on_node * 0.25, **there)
        record.add("sensorscore_cost_total", on_node * 0.25 / 3600 * 0.048, currency="EUR", **there)
        record.add("sensorscore_nodes_seconds_estimate_total", 8.0, **there)
        record.add("sensorscore_nodes_cost_estimate_total", 8.0 / 3600 * 0.19, currency="EUR", **there)
        _calls(day)

    day.at(when, ended)


def _calls(day: Day) -> None:
    """What the operator asks of the API for a Job, by and large."""
    for verb, resource, number in (
        ("create", "jobs", 1),
        ("list", "pods", 0.02),
        ("patch", "scoringruns", 0.04),
    ):
        if day.dice.random() < number:
            code = "409" if verb == "patch" and day.dice.random() < 0.02 else "200"
            labels = {"verb": verb, "resource": resource, "code": "201" if verb == "create" else code}
            day.record.add("sensorscore_operator_api_requests_total", **labels)
    if day.dice.random() < 0.05:
        day.record.observe(
            "sensorscore_operator_reconcile_duration_seconds", day.dice.lognormvariate(-3.5, 0.9)
        )


def _about(day: Day, amount: float) -> int:
    """A whole number that is `amount` on average."""
    return math.floor(amount + day.dice.random())


def _failed(day: Day, schedule: Schedule, hour: int) -> tuple[int, str]:
    if schedule is PUMPS and hour == REFUSED:
        return (round(schedule.per_job * 0.8), "StorageDenied") if day.dice.random() < 0.12 else (0, "")
    if day.dice.random() < 0.004 * schedule.per_job**0.5:
        reasons = ("ReadingsCorrupt", "ReadingsCorrupt", "ModelCorrupt", "OutOfMemory", "Disrupted")
        return 1, day.dice.choice(reasons)
    return 0, ""


def _skipped(day: Day, schedule: Schedule, hour: int) -> int:
    chance = 0.18 if schedule is PUMPS and hour in SILENT else 0.006
    return min(schedule.per_job // 3 + 1, sum(day.dice.random() < chance for _ in range(schedule.per_job)))


def _end(day: Day, schedule: Schedule, hour: int, begins: float, ends: float) -> None:
    record, there = day.record, {"namespace": schedule.namespace}
    fails = schedule is PUMPS and hour == REFUSED
    result = "Failed" if fails else "Complete"
    reason = "TooManyFailedSensors" if fails else "SomeFailed"

    def over() -> None:
        record.add(
            "sensorscore_runs_ended_total", schedule=schedule.name, result=result, reason=reason, **there
        )
        record.observe("sensorscore_run_duration_seconds", ends - begins, result=result, **there)
        published = {"stage": "publish", "result": "Succeeded", "reason": ""}
        record.observe("sensorscore_job_duration_seconds", day.dice.uniform(2, 9), **published, **there)
        day.running[schedule.name] = 0
        phase = "Failed" if fails else "Succeeded"
        day.kept[schedule.name, phase] = day.kept.get((schedule.name, phase), 0) + 1
        if not fails:
            day.complete[schedule.name], day.success[schedule.name] = hour * 3600.0, ends
        record.add("sensorscore_sink_events_total", 3, sink="ops", result="delivered", **there)
        record.add("sensorscore_sink_events_total", 1, sink="ops", result="suppressed", **there)
        if schedule is PUMPS and hour >= 20:
            for why, number in (("FlagRate", 6), ("OutsideTrainingRange", 3), ("ConstantValue", 1)):
                record.add("sensorscore_guard_warnings_total", number * (hour - 19), reason=why, **there)
        if hour == RESTART // 1:
            record.add("sensorscore_operator_reconcile_errors_total", 3, reason="api")

    day.at(ends, over)


def _gauges(day: Day, second: float) -> None:
    record = day.record
    for schedule in SCHEDULES:
        which = {"namespace": schedule.namespace, "schedule": schedule.name}
        for name, value in (
            ("window_lag_seconds", second - day.complete[schedule.name]),
            ("window_seconds", 3600.0),
            ("settle_seconds", 120.0),
            ("suspended", 0.0),
            ("last_success_timestamp_seconds", START + day.success[schedule.name]),
            ("newest_window_end_timestamp_seconds", START + day.newest[schedule.name]),
        ):
            record.set(f"sensorscore_schedule_{name}", value, **which)
        running = day.running.get(schedule.name, 0)
        for phase in ("Pending", "Waiting", "Running", "Suspended", "Succeeded", "Failed"):
            number = running if phase == "Running" else day.kept.get((schedule.name, phase), 0)
            record.set("sensorscore_runs", number, phase=phase, **which)
        there = {"namespace": schedule.namespace}
        since = day.waiting.get(schedule.namespace)
        record.set("sensorscore_run_pending_seconds", 0 if since is None else second - since, **there)
        record.set("sensorscore_jobs_unfinished", day.unfinished.get(schedule.namespace, 0), **there)
    busy = sum(day.running.values())
    for resource in ("jobs", "pods", "scoringruns", "lease", "loop"):
        quiet = {"lease": 4, "loop": 0.05, "scoringruns": 1}.get(resource, 2 if busy else 55)
        record.set("sensorscore_operator_stream_age_seconds", day.dice.uniform(0, quiet), resource=resource)
    record.set("sensorscore_operator_active", 1)
    record.set("sensorscore_operator_queue_depth", day.dice.choice((0, 0, 1, 2)) if busy else 0)
    record.add("process_cpu_seconds_total", SCRAPE * (0.23 if busy else 0.01) * day.dice.uniform(0.8, 1.2))
    record.set("process_resident_memory_bytes", 96e6 + 22e6 * busy + day.dice.uniform(0, 2e6))
    record.set("process_open_fds", 21 + 3 * busy)
    if second > 21.5 * 3600:
        alert = {"alertname": "SensorscoreModelGuard", "severity": "warning", "alertstate": "firing"}
        record.set("ALERTS", 1, namespace=PUMPS.namespace, **alert)
