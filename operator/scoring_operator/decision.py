"""What reconcile is given to look at, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from scoring_operator.chunks import Chunk, Chunks, InStore
from scoring_operator.contract import Json
from scoring_operator.outcomes import ChunkOutcome, PrepareOutcome, PublishOutcome
from scoring_operator.records import JobRecord, PodRecord
from scoring_operator.resource import Run
from scoring_operator.settings import Settings
from scoring_operator.status import Status


@dataclass(frozen=True, slots=True)
class Missing:
    """The sensor list is not there (yet)."""

    message: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """The sensor list is there and wrong: no time mends it."""

    message: str


Sensors = Chunks | InStore | Missing | Unusable


@dataclass(frozen=True, slots=True)
class Trouble:
    """What kept the last actions from being done, for people to see."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observation:
    """A Job and those of its pods that have ended.

    `pods_read`: its pods were listed after it had ended, so that no further one is on its way.
    """

    job: JobRecord
    pods: tuple[PodRecord, ...] = ()
    pods_read: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """Another run of the group that has not ended. `begun`: it has, or is just about to."""

    run: Run
    begun: bool


@dataclass(frozen=True, slots=True)
class Observed:
    """What is seen of a run.

    `jobs` is by chunk and incarnation, with those of other stages under `records.PREPARES` and `PUBLISHES`;
    recorded ones that have ended may be missing. `peers` are those of its concurrencyGroup that its turn can
    depend on. `allowance`: how many Jobs may be made now. `rejected`: the API's word on a Job that it will
    not take. `why`: why no pod starts, if that was asked for. `unchecked`: nobody has looked for a while
    whether what was pinned is still there.
    """

    sensors: Sensors | None = None
    jobs: Mapping[tuple[int, int], Observation] = field(default_factory=dict)
    peers: tuple[Peer, ...] = ()
    allowance: int = 1_000_000
    rejected: str = ""
    trouble: Trouble | None = None
    why: str = ""
    unchecked: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a decision may depend on."""

    run: Run
    observed: Observed
    settings: Settings
    now: datetime

    def having(self, status: Status, kind: str, holds: bool, reason: str, message: str) -> Status:
        """`status` with a condition set, as seen now."""
        return status.having(kind, holds, reason, message, self.now, self.run.generation)


@dataclass(frozen=True, slots=True)
class PinSensors:
    """Find the sensor list and keep an immutable copy of it; then reconcile again."""


@dataclass(frozen=True, slots=True)
class CreateJob:
    """Make the Job of a chunk."""

    chunk: Chunk
    incarnation: int


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make the Job that waits for the run's readings up to `until`, and finds its sensors in the store."""

    incarnation: int
    until: datetime | None
    sensors: InStore | None


@dataclass(frozen=True, slots=True)
class Publish:
    """Pin what was decided, and make the Job that publishes it."""

    chunks: Chunks
    incarnation: int
    decisions: Json


@dataclass(frozen=True, slots=True)
class KeepPinned:
    """Look whether what was pinned for the run's pods is still there, and make it again if it is not.

    `decisions` are none before the run is published.
    """

    chunks: Chunks
    decisions: Json | None = None


@dataclass(frozen=True, slots=True)
class DeleteJob:
    """Delete a Job and, in the background, its pods."""

    job: JobRecord


@dataclass(frozen=True, slots=True)
class ReadPods:
    """List a finished Job's pods: their end was not seen."""

    job: JobRecord


@dataclass(frozen=True, slots=True)
class AskWhy:
    """Find out why a Job's pod does not start; then reconcile again."""

    job: JobRecord


@dataclass(frozen=True, slots=True)
class DeleteRun:
    """Delete the run itself: its time to live is over."""


Action = PinSensors | Prepare | CreateJob | Publish | KeepPinned | DeleteJob | ReadPods | AskWhy | DeleteRun


@dataclass(frozen=True, slots=True)
class Decision:
    """The wanted status, what to do once it is written, what it newly counts, seconds until the next look."""

    status: Status
    actions: tuple[Action, ...] = ()
    recorded: tuple[ChunkOutcome, ...] = ()
    prepared: PrepareOutcome | None = None
    published: PublishOutcome | None = None
    notes: tuple[str, ...] = ()  # for the log
    after: float | None = None
