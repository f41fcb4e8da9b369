"""The stage Score: look at the Jobs of all chunks, record their outcomes, then end, stop or start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from scoring_operator.chunks import Chunk, Chunks
from scoring_operator.decision import (
    Action,
    AskWhy,
    CreateJob,
    Decision,
    DeleteJob,
    Observation,
    ReadPods,
    Situation,
)
from scoring_operator.disruptions import given_up
from scoring_operator.ending import pending_verdict, stops_new, time_left, verdict, with_pending
from scoring_operator.outcomes import ChunkOutcome, all_seen, decide, lost, read_pods, usage
from scoring_operator.phases import earliest, running, suspended
from scoring_operator.pins import keep_pinned
from scoring_operator.publishing import close
from scoring_operator.records import JobRecord, PodRecord
from scoring_operator.spec import Spec
from scoring_operator.status import Status
from scoring_operator.stopping import to_stop
from scoring_operator.tally import cost_of_lost, record
from scoring_operator.unread import Unread, told, unread

OPEN_INCARNATIONS = 500  # chunks being made again at once; more wait: the status has to hold them
STARVED_SECONDS = 2.0  # when to look again if other runs use up what the operator may have unfinished


def score(at: Situation, spec: Spec, status: Status, chunks: Chunks) -> Decision:
    """What a run needs whose sensors are being scored."""
    found = _look(at, spec, status, chunks)
    price = at.settings.runtimes[spec.runtime].cpu_hour_price
    status = record(status, found.outcomes, price)
    incarnations = {**status.incarnations, **found.again}
    status = replace(
        status,
        active_jobs=len(found.active),
        cost=status.cost + cost_of_lost(status, found.unreadable, price),
        incarnations={number: n for number, n in incarnations.items() if number not in status.done},
    )
    status = with_pending(at, spec, status, found.waiting, moved=bool(found.outcomes))
    decision = _next(at, spec, status, chunks, found)
    return replace(decision, recorded=tuple(found.outcomes), notes=tuple(found.notes))


def _next(at: Situation, spec: Spec, status: Status, chunks: Chunks, found: _Findings) -> Decision:
    """End, stop or start."""
    all_decided = status.decided >= status.total
    stops = to_stop(at, spec, found.waiting)
    if stops is not None and not all_decided and not at.observed.rejected:
        return Decision(suspended(at, status), (*_tidy(found), *stops), after=found.wait)
    # Of a chunk that is taken an outcome may still come, but not if it would have to be made again for it.
    end = verdict(at, spec, status, going_on=bool(found.taken))
    asked = pending_verdict(at, spec, status, found.waiting) if end is None else None
    if isinstance(asked, AskWhy):
        return Decision(running(at, status), (*_tidy(found), asked), after=found.wait)
    if end := end or asked:
        return close(at, spec, status, chunks, end)
    creates, hungry = _starts(at, spec, status, chunks, found)
    starved = (0.0 if at.observed.allowance else STARVED_SECONDS) if hungry else None
    after = earliest(found.wait, starved, time_left(at, spec, status))
    kept = keep_pinned(at, found.waiting, chunks)
    return Decision(running(at, status), (*_tidy(found), *kept, *creates), after=after)


def _tidy(found: _Findings) -> Iterator[Action]:
    yield from (DeleteJob(job) for job in found.superfluous)
    yield from (ReadPods(job) for job in found.unread)


def _starts(
    at: Situation, spec: Spec, status: Status, chunks: Chunks, found: _Findings
) -> tuple[list[CreateJob], bool]:
    """The Jobs to make now, lowest chunk first; and whether more would be made if the operator might."""
    if stops_new(spec, status):
        return [], False
    room = max(0, spec.parallelism - len(found.active))
    waiting = (number for number in status.done.missing(status.jobs) if number not in found.taken)
    creates = [
        CreateJob(chunks[number], status.incarnations.get(number, 0))
        for number in islice(waiting, min(room, at.observed.allowance))
    ]
    return creates, room > at.observed.allowance and next(waiting, None) is not None


# Looking at Jobs --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Findings:
    """What a look at the run's Jobs gave."""

    active: list[JobRecord] = field(default_factory=list)  # unfinished Jobs
    superfluous: list[JobRecord] = field(default_factory=list)  # unfinished, but nobody waits for them
    taken: set[int] = field(default_factory=set)  # chunks that need no new Job now
    outcomes: list[ChunkOutcome] = field(default_factory=list)
    again: dict[int, int] = field(default_factory=dict)  # chunk → incarnation to make next
    unread: list[JobRecord] = field(default_factory=list)
    unreadable: list[tuple[JobRecord, tuple[PodRecord, ...]]] = field(default_factory=list)  # made again
    notes: list[str] = field(default_factory=list)
    wait: float | None = None

    @property
    def waiting(self) -> list[JobRecord]:
        """Unfinished Jobs that are not on their way out: their pods run, or wait to."""
        return [job for job in self.active if not job.terminating]


def _look(at: Situation, spec: Spec, status: Status, chunks: Chunks) -> _Findings:
    """Sort the run's Jobs by what they mean for it."""
    found = _Findings()
    for (number, incarnation), seen in at.observed.jobs.items():
        wanted = 0 <= number < status.jobs and number not in status.done
        if not wanted or incarnation != status.incarnations.get(number, 0):
            if seen.job.unfinished and not seen.job.terminating:
                found.superfluous.append(seen.job)
            continue
        found.taken.add(number)
        if seen.job.unfinished:
            found.active.append(seen.job)
            if seen.pods:
                _look_at_taken(at, spec, found, seen, chunks[number])
        else:
            _look_at_finished(at, found, seen, chunks[number])
    return found


def _look_at_taken(at: Situation, spec: Spec, found: _Findings, seen: Observation, chunk: Chunk) -> None:
    """Give a chunk up whose pods were taken away too often; its Job is superfluous once that is recorded."""
    limit = at.settings.limits.disruptions_per_chunk
    cause = given_up(seen.pods, limit, spec.backoff_limit)
    outcome = cause and decide(seen.job, read_pods(seen.job, seen.pods, len(chunk)), chunk, cause)
    if outcome:
        found.outcomes.append(outcome)
        found.taken.discard(chunk.number)


def _look_at_finished(at: Situation, found: _Findings, seen: Observation, chunk: Chunk) -> None:
    """Take a finished Job's outcome; else wait, read its pods, make it again, give it up: in this order."""
    job = seen.job
    read = read_pods(job, seen.pods, len(chunk))
    outcome = decide(job, read, chunk)
    if outcome and (read.decided or seen.pods_read or all_seen(job, read.pods)):
        found.outcomes.append(outcome)
        found.notes.extend(read.refused)
        found.taken.discard(chunk.number)
        return
    step = unread(at, seen)
    if step is Unread.AGAIN and len(at.run.status.incarnations) + len(found.again) >= OPEN_INCARNATIONS:
        step = STARVED_SECONDS
    if not isinstance(step, Unread):
        found.wait = earliest(found.wait, step)
        return
    if step is Unread.READ:
        found.unread.append(job)
        return
    found.notes.extend((*read.refused, told(seen, step)))
    found.taken.discard(chunk.number)
    if step is Unread.AGAIN:
        found.again[chunk.number] = job.incarnation + 1
        found.unreadable.append((job, read.pods))
    else:
        found.outcomes.append(replace(lost(job, chunk), usage=usage(job, read.pods)))
