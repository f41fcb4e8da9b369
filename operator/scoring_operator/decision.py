"""What reconcile is given to look at, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from scoring_operator.chunks import Chunk, Chunks
from scoring_operator.contract import Json
from scoring_operator.outcomes import ChunkOutcome, PublishOutcome
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

    `jobs` is by chunk and incarnation, with the publishing ones under `records.PUBLISHES`; recorded ones that
    have ended may be missing. `peers` are the others of its concurrencyGroup. `allowance`: how many Jobs may
    be made now. `rejected`: the API's word on a Job that it will not take. `why`: why no pod starts, if that
    was asked for.
    """

    sensors: Chunks | Missing | Unusable | None = None
    jobs: Mapping[tuple[int, int], Observation] = field(default_factory=dict)
    peers: tuple[Peer, ...] = ()
    allowance: int = 1_000_000
    rejected: str = ""
    trouble: Trouble | None = None
    why: str = ""


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
class Publish:
    """Pin what was decided, and make the Job that publishes it."""

    chunks: Chunks
    incarnation: int
    decisions: Json


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


Action = PinSensors | CreateJob | Publish | DeleteJob | ReadPods | AskWhy | DeleteRun


@dataclass(frozen=True, slots=True)
class Decision:
    """The wanted status, what to do once it is written, what it newly counts, seconds until the next look."""

    status: Status
    actions: tuple[Action, ...] = ()
    recorded: tuple[ChunkOutcome, ...] = ()
    published: PublishOutcome | None = None
    notes: tuple[str, ...] = ()  # for the log
    after: float | None = None
