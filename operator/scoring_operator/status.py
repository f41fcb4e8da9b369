"""A ScoringRun's status as a frozen value: changed by reconcile, written whole (`status_json` has its text).

Everything that is counted once (sums, histograms, recorded Jobs) lies in here and changes in one write, so
that a restart of the operator at any moment neither loses nor doubles anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scoring_operator.contract import Guard, Published, Rows, clean
from scoring_operator.histogram import Histogram
from scoring_operator.ranges import RangeSet

FAILURES_LIMIT = 50
REASONS_LIMIT = 63  # the schema's 64, and one for Other: reasons come from pods and could be any word
MESSAGE_LIMIT = 1000  # bytes of a condition's message

PENDING, WAITING, RUNNING, SUSPENDED = "Pending", "Waiting", "Running", "Suspended"
SUCCEEDED, FAILED = "Succeeded", "Failed"
PHASES = (PENDING, WAITING, RUNNING, SUSPENDED, SUCCEEDED, FAILED)
COMPLETE_CONDITION, FAILED_CONDITION = "Complete", "Failed"
SUSPENDED_CONDITION, BLOCKED_CONDITION, WAITING_CONDITION = "Suspended", "Blocked", "Waiting"
READINGS_CONDITION = "WaitingForReadings"
DELIVERED_CONDITION = "AnomaliesDelivered"
PREPARE, SCORE, PUBLISH, DONE = "Prepare", "Score", "Publish", "Done"  # stages, in their order


@dataclass(frozen=True, slots=True)
class Condition:
    """A standard Kubernetes condition, but for its type."""

    status: bool
    reason: str
    message: str
    since: datetime
    generation: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A sensor that failed or was skipped, and the sentence that explains it."""

    sensor: str
    index: int
    state: str
    reason: str
    message: str
    job: str

    @property
    def order(self) -> tuple[bool, int]:
        """Failed first, then as listed: which 50 are kept must not depend on who ended first."""
        return self.state != "Failed", self.index


@dataclass(frozen=True, slots=True)
class Pinned:
    """The sensor list that the run holds to: a ConfigMap's, or if that is empty the one in the store.

    `shards`: how many sensors of a list in the store each shard has, if predictions go into shards.
    """

    total: int
    sha256: str
    config_map: str
    shards: tuple[int, ...] = ()

    @property
    def in_store(self) -> bool:
        """Whether the operator does not know the names."""
        return not self.config_map


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ends: which condition becomes True, and why. It is decided before the run is published."""

    condition: str
    reason: str
    message: str

    @property
    def complete(self) -> bool:
        """Whether the run did what it was to do."""
        return self.condition == COMPLETE_CONDITION


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """How long a run has been going on: `seconds`, and what has passed since `since` if it goes on now."""

    seconds: int = 0
    since: datetime | None = None

    def going(self, now: datetime) -> Stopwatch:
        """Started, if it stood still."""
        return self if self.since else Stopwatch(self.seconds, now)

    def stopped(self, now: datetime) -> Stopwatch:
        """Stopped, if it ran; whole seconds are kept."""
        return Stopwatch(int(self.elapsed(now)))

    def elapsed(self, now: datetime) -> float:
        """Seconds in all."""
        return self.seconds + (max(timedelta(), now - self.since).total_seconds() if self.since else 0.0)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run's pods have used, in whole numbers, so that it adds up the same whoever adds it.

    `cpu_ms` is thousandths of a CPU requested for a second; `money` is billionths of the currency.
    `estimated` of the seconds are of pods that were stopped, whose end nobody saw. `node_seconds` and
    `node_money` are an estimate of what nodes take beside that: while they boot, and while they are idle.
    """

    pod_seconds: int = 0
    cpu_ms: int = 0
    money: int = 0
    estimated: int = 0
    node_seconds: int = 0
    node_money: int = 0

    def __add__(self, other: Cost) -> Cost:
        """The sum of both."""
        return Cost(
            self.pod_seconds + other.pod_seconds,
            self.cpu_ms + other.cpu_ms,
            self.money + other.money,
            self.estimated + other.estimated,
            self.node_seconds + other.node_seconds,
            self.node_money + other.node_money,
        )


@dataclass(frozen=True, slots=True)
class Status:
    """All of `.status`; defaults are those of a run that nobody has looked at."""

    observed_generation: int = 0
    phase: str = ""
    stage: str = ""
    start: datetime | None = None
    completion: datetime | None = None
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    scored: int = 0
    skipped: int = 0
    failed: int = 0
    jobs: int = 0
    active_jobs: int = 0
    retried_jobs: int = 0
    done: RangeSet = field(default_factory=RangeSet)
    failed_sensors: RangeSet = field(default_factory=RangeSet)
    incarnations: Mapping[int, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    rows: Rows = field(default_factory=Rows)
    anomalies: int = 0
    latency: Mapping[str, Histogram] = field(default_factory=dict)
    pinned: Pinned | None = None
    models_as_of: datetime | None = None
    image: str = ""
    verdict: Verdict | None = None
    prepare_incarnation: int = 0
    publish_incarnation: int = 0
    published: Published | None = None
    guard: Guard | None = None
    stopwatch: Stopwatch = Stopwatch()
    pending_since: datetime | None = None
    stopping: RangeSet = field(default_factory=RangeSet)  # Jobs by place in their stage; see `stopping`
    cost: Cost = Cost()
    currency: str = ""

    @property
    def begun(self) -> bool:
        """Whether the run has had its turn."""
        return bool(self.stage) or self.pinned is not None

    @property
    def decided(self) -> int:
        """Sensors that are Scored, Skipped or Failed."""
        return self.scored + self.skipped + self.failed

    @property
    def total(self) -> int:
        """All sensors, 0 until the list is pinned."""
        return self.pinned.total if self.pinned else 0

    def holds(self, kind: str) -> bool:
        """Whether the condition `kind` is True."""
        condition = self.conditions.get(kind)
        return condition is not None and condition.status

    @property
    def ended(self) -> bool:
        """Whether the run is Complete or Failed, for ever."""
        return self.holds(COMPLETE_CONDITION) or self.holds(FAILED_CONDITION)

    def stops(self, chunk: int) -> bool:
        """Whether the chunk's Job, or that of a stage of one Job, is deleted and what it costs counted."""
        return max(chunk, 0) in self.stopping

    def having(
        self, kind: str, status: bool, reason: str, message: str, now: datetime, generation: int
    ) -> Status:
        """With the condition `kind` set; its time moves only when its status does."""
        old = self.conditions.get(kind)
        since = old.since if old is not None and old.status == status else now
        condition = Condition(status, reason, clean(message, MESSAGE_LIMIT), since, generation)
        return replace(self, conditions={**self.conditions, kind: condition})
