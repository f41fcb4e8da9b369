"""From a finished Job and its pods to what became of each of its sensors.

The truth about a sensor is what the scorer said of it, never the Job's condition: a Job that failed may have
scored most of its pack, and one that is Complete may have lost its message. Only for sensors that nobody
decided does the way the last pod died become the reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Generic, Protocol, TypeVar

from scoring_operator.chunks import Chunk
from scoring_operator.contract import (
    ContractError,
    Exit,
    Expected,
    Message,
    PrepareMessage,
    PublishMessage,
    Rows,
    State,
    clean,
    parse_message,
    parse_prepared,
    parse_published,
)
from scoring_operator.records import JobRecord, PodRecord

OUT_OF_MEMORY, TIMEOUT, NEVER_STARTED, EVICTED = "OutOfMemory", "Timeout", "NeverStarted", "Evicted"
MISCONFIGURED, POD_FAILED, OUTCOME_LOST = "Misconfigured", "PodFailed", "OutcomeLost"
DISRUPTED = "Disrupted"
# A finished Job is looked at at each reconcile until its outcome is in the written status.
_parsed = lru_cache(maxsize=512)(parse_message)
_parsed_prepared = lru_cache(maxsize=64)(parse_prepared)
_parsed_published = lru_cache(maxsize=64)(parse_published)
NOT_OF_A_CAUSE = frozenset({"NotStarted", "Interrupted"})  # these only say that nobody came to the sensor


@dataclass(frozen=True, slots=True)
class SensorOutcome:
    """What became of one sensor, and the sentence that explains it (empty when Scored)."""

    state: State
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a Job's pods used: seconds on a node, by Kubernetes' clock, and what they requested meanwhile."""

    pod_seconds: int = 0
    cpu_ms: int = 0


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """What became of a chunk, in its order of sensors; all of them are decided."""

    chunk: Chunk
    job: str
    attempts: int
    sensors: tuple[SensorOutcome, ...]
    rows: Rows
    anomalies: int
    stages_ms: Mapping[str, int]
    ended: datetime | None = None  # when its last pod did, by Kubernetes' clock
    usage: Usage = Usage()
    told: Mapping[int, str] = field(default_factory=dict)  # names by place, of a list in the store

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each sensor."""
        return self.chunk.named(self.told)

    @property
    def succeeded(self) -> bool:
        """Whether no sensor failed."""
        return all(sensor.state is not State.FAILED for sensor in self.sensors)


@dataclass(frozen=True, slots=True)
class Read:
    """What a Job's pods say: the message that decides most, each sensor's state and sentence over all
    messages, and why some could not be read."""

    pods: tuple[PodRecord, ...]
    message: Message | None
    states: tuple[tuple[State, str], ...]
    sentences: Mapping[str, str]
    refused: tuple[str, ...]
    names: Mapping[int, str] = field(default_factory=dict)  # by place, as far as messages tell them

    @property
    def decided(self) -> bool:
        """Whether every sensor is."""
        return all(state is not State.UNDECIDED for state, _ in self.states)

    @property
    def last(self) -> PodRecord | None:
        """The pod that started last."""
        return self.pods[-1] if self.pods else None


def read_pods(job: JobRecord, pods: Sequence[PodRecord], size: int) -> Read:
    """What the Job's pods say, taken together.

    Of each sensor the newest attempt that decided it has the last word: one that died early, or met storage
    away, says only that it did not decide, which must not undo what an earlier one has written. Sums (rows,
    anomalies) are those of the message that decides most, of such the newest: it counts what it found done.
    """
    expected = Expected(job.run_uid, job.chunk, job.incarnation, size)
    ordered = tuple(sorted(pods, key=lambda pod: pod.order))
    best: Message | None = None
    states: list[tuple[State, str]] = [(State.UNDECIDED, "NotStarted")] * size
    sentences: dict[str, str] = {}
    names: dict[int, str] = {}
    refused: list[str] = []
    for pod in ordered:
        if not pod.text:
            continue
        try:
            message = _parsed(pod.text, expected)
        except ContractError as error:
            refused.append(f"pod {pod.namespace}/{pod.name}: {error}")
            continue
        if best is None or message.decided_count >= best.decided_count:
            best = message
        for place, found in enumerate(message.sensors()):
            if found[0] is not State.UNDECIDED or states[place][0] is State.UNDECIDED:
                states[place] = found
        sentences |= message.sentences
        names |= message.names
    return Read(ordered, best, tuple(states), sentences, tuple(refused), names)


def all_seen(job: JobRecord, pods: Iterable[PodRecord]) -> bool:
    """Whether every pod that the Job counted has been seen: its last one may be on its way still."""
    return sum(not pod.taken for pod in pods) >= max(job.attempts, 1)


def decide(
    job: JobRecord, read: Read, chunk: Chunk, cause: tuple[str, str] | None = None
) -> ChunkOutcome | None:
    """The finished Job's outcome; None when nothing that was seen can tell.

    `cause`: reason and sentence for what is not decided, if they are known; else the last pod's end tells.
    """
    last = read.last
    if last is None or (job.state == "Complete" and not read.decided):
        return None
    return ChunkOutcome(
        chunk=chunk,
        job=job.name,
        attempts=max(job.attempts, 1) + job.incarnation,
        sensors=tuple(
            _sensor(name, state, reason, read.sentences, job, last, cause)
            for name, (state, reason) in zip(chunk.named(read.names), read.states, strict=True)
        ),
        rows=read.message.rows if read.message else Rows(),
        anomalies=read.message.anomalies if read.message else 0,
        stages_ms=_stages(job, last, read.message),
        ended=last.ended,
        usage=usage(job, read.pods),
        told=read.names,
    )


def usage(job: JobRecord, pods: Iterable[PodRecord]) -> Usage:
    """What those of the Job's pods used whose end was seen."""
    seconds = sum(
        _milliseconds(since, pod.ended) // 1000
        for pod in pods
        if pod.ended is not None and (since := pod.scheduled or pod.started) is not None
    )
    return Usage(seconds, seconds * job.cpu_milli)


def lost(job: JobRecord, chunk: Chunk) -> ChunkOutcome:
    """The outcome of a chunk whose Jobs ended, again and again, without anything to read."""
    ended = clean(job.message, 120) or job.state
    sentence = f"Job {job.name} ended ({ended}) but none of its pods left a message that could be read"
    failed = SensorOutcome(State.FAILED, OUTCOME_LOST, clean(sentence))
    return ChunkOutcome(
        chunk, job.name, job.attempts + job.incarnation, (failed,) * len(chunk), Rows(), 0, {}
    )


def _sensor(
    name: str,
    state: State,
    reason: str,
    sentences: Mapping[str, str],
    job: JobRecord,
    last: PodRecord,
    known: tuple[str, str] | None,
) -> SensorOutcome:
    sentence = sentences.get(name, "")
    if state is State.UNDECIDED:
        sentence = sentence or sentences.get("", "")  # another attempt may have decided the others
        cause, why = known or cause_of(last, next(iter(sentences.values()), ""))
        if reason in NOT_OF_A_CAUSE or not reason:
            return SensorOutcome(State.FAILED, cause, why)
        return SensorOutcome(State.FAILED, reason, sentence or why)
    if state is State.SCORED:
        return SensorOutcome(state, "", "")
    return SensorOutcome(state, reason, sentence or _default_sentence(name, state, reason, job))


def cause_of(pod: PodRecord, told: str = "") -> tuple[str, str]:
    """Why a pod died, and the sentence that says it; `told` is what its message says of any sensor."""
    where = f"pod {pod.name}"
    if pod.exit_code == Exit.USAGE:
        return MISCONFIGURED, clean(f"{where} cannot begin: {told or _last_words(pod.text)}")
    if pod.started is None and pod.reason == "DeadlineExceeded":
        waiting = f" ({pod.waiting})" if pod.waiting else ""
        return (
            NEVER_STARTED,
            clean(
                f"the container of {where} never started{waiting}; wanted its image, Secret and volumes there"
            ),
        )
    if pod.exit_reason == "OOMKilled":
        return (
            OUT_OF_MEMORY,
            f"{where} ran out of memory; wanted: a higher limit in the runtime, or fewer sensorsPerJob",
        )
    if pod.exit_code == Exit.TIMEOUT or pod.reason == "DeadlineExceeded":
        return (
            TIMEOUT,
            f"{where} ran into its time limit; wanted: more perAttemptSeconds, or fewer sensorsPerJob",
        )
    if pod.reason == "Evicted":
        return EVICTED, f"{where} was evicted from its node"
    said = _last_words(pod.text)
    exited = f"exit code {pod.exit_code}" if pod.exit_code is not None else pod.reason or "no exit code"
    return POD_FAILED, clean(f"{where} failed with {exited}{': ' + said if said else ''}")


def _last_words(text: str) -> str:
    """The last line of a log that stands in a message's place: the scorer's are JSON with a `message`."""
    line = text.strip().rpartition("\n")[2]
    try:
        words = json.loads(line)
    except (ValueError, RecursionError):
        return clean(line, 200)
    message = words.get("message") if isinstance(words, dict) else None
    return clean(message, 200) if isinstance(message, str) else ""


def _default_sentence(name: str, state: State, reason: str, job: JobRecord) -> str:
    plain = {"NoReadings": "has no readings in the window", "NoModel": "has no model"}.get(reason)
    if plain:
        return f"sensor {name} {plain}"
    detail = f"runs/{job.run_uid}/outcomes/{job.chunk:05d}.*.json"
    return f"sensor {name} is {state}: {reason}; its message did not fit, see {detail} in the store"


def _stages(job: JobRecord, pod: PodRecord, message: Message | None) -> dict[str, int]:
    """Milliseconds by stage: pending, start and total by Kubernetes' clocks (± 1 s), others by the pod's."""
    stages = {stage: ms for stage, ms in message.stages_ms.items() if stage != "total"} if message else {}
    for stage, since, until in (
        ("pending", pod.created, pod.scheduled),
        ("start", pod.scheduled, pod.started),
        ("total", job.created, pod.ended),
    ):
        if since is not None and until is not None:
            stages[stage] = _milliseconds(since, until)
    return stages


def _milliseconds(since: datetime, until: datetime) -> int:
    return max(0, (until - since) // timedelta(milliseconds=1))


# The other stages -------------------------------------------------------------------------------------------


class StageMessage(Protocol):
    """What a pod of a stage with one Job says."""

    @property
    def finished(self) -> bool:
        """Whether it has done what it was to do."""

    @property
    def failure(self) -> str:
        """Why it could not, as `Reason: sentence`; empty if it does not say."""


M = TypeVar("M", bound=StageMessage)


@dataclass(frozen=True, slots=True)
class StageOutcome(Generic[M]):
    """How a stage's Job ended: what its pod says, or why it did not, as `Reason: sentence`."""

    message: M | None
    failure: str = ""
    usage: Usage = Usage()


PrepareOutcome = StageOutcome[PrepareMessage]
PublishOutcome = StageOutcome[PublishMessage]
Parse = Callable[[str, str, int], M]


def prepared(job: JobRecord, pods: Sequence[PodRecord]) -> tuple[PrepareOutcome | None, tuple[str, ...]]:
    """What became of the Job that prepares, None if nothing that was seen can tell; and what was refused."""
    return _of_stage(job, pods, _parsed_prepared)


def published(job: JobRecord, pods: Sequence[PodRecord]) -> tuple[PublishOutcome | None, tuple[str, ...]]:
    """What became of the Job that publishes, likewise."""
    return _of_stage(job, pods, _parsed_published)


def _of_stage(
    job: JobRecord, pods: Sequence[PodRecord], parse: Parse[M]
) -> tuple[StageOutcome[M] | None, tuple[str, ...]]:
    """One attempt that has done it is enough, whatever came after it: done twice is done once.

    Only when a Job has failed does the way its last pod ended explain why.
    """
    ordered = sorted(pods, key=lambda pod: pod.order)
    used = usage(job, ordered)
    told = ""
    refused = []
    for pod in reversed(ordered):
        if not pod.text:
            continue
        try:
            message = parse(pod.text, job.run_uid, job.incarnation)
        except ContractError as error:
            refused.append(f"pod {pod.namespace}/{pod.name}: {error}")
            continue
        if message.finished:
            return StageOutcome(message, usage=used), tuple(refused)
        if pod is ordered[-1]:
            told = message.failure
    if job.state == "Complete" or not ordered:
        return None, tuple(refused)
    return StageOutcome(None, told or ": ".join(cause_of(ordered[-1])), used), tuple(refused)
