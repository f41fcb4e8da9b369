"""What stopped Jobs cost is counted once, whenever the operator is killed: the status alone remembers it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scoring_operator.chunks import InStore
from scoring_operator.decision import CreateJob, Decision, DeleteJob, Observation, Observed, Prepare, Publish
from scoring_operator.ranges import RangeSet
from scoring_operator.reconcile import reconcile
from scoring_operator.records import PREPARES, PUBLISHES
from scoring_operator.status import Cost, Status
from scoring_operator.status_json import of_api, to_api
from scoring_operator.stopping import STOPS_AT_A_TIME
from unit.operator import given as values
from unit.operator.given import (
    NOW,
    a_failed_pod,
    a_job,
    a_pod,
    a_run,
    after,
    chunks_of,
    pinned,
    publishing,
    scored,
    seen,
    sensors,
    spec_of,
)

SETTINGS = values.settings()
ABC = sensors()
LATER = 30  # seconds between two reconciles: what is counted again would be seen


class Turns:
    """Reconciles one after the other, each by an operator that knows what was written and what there is."""

    def __init__(self, status: Status, **spec: Any) -> None:
        self.status = status
        self.spec = spec
        self.clock = 0

    def decide(self, *jobs: Any, suspend: bool = False) -> Decision:
        """What is decided; its status is written, and nothing else of it may have been done."""
        run = a_run(self.status, suspend=suspend, **self.spec)
        listed = InStore() if self.status.stage == "Prepare" else chunks_of(ABC, spec_of(run))
        now = NOW + timedelta(seconds=self.clock)
        decision = reconcile(run, Observed(listed, jobs=seen(*jobs)), SETTINGS, now)
        self.status = of_api(to_api(decision.status))
        self.clock += LATER
        return decision

    @property
    def cost(self) -> Cost:
        return replace(self.status.cost, money=0)


def running(chunk: int = 0, **more: Any) -> Any:
    return a_job(chunk, created=after(-40), runs=True, cpu_milli=100, **more)


def stopped(decision: Decision) -> list[int]:
    return [action.job.chunk for action in decision.actions if isinstance(action, DeleteJob)]


def made(decision: Decision) -> list[int]:
    return [action.chunk.number for action in decision.actions if isinstance(action, CreateJob)]


ONE = Cost(40, 4000, 0, 40)


@pytest.mark.parametrize("deleted", range(4), ids=lambda number: f"killed after {number} deletes")
@pytest.mark.parametrize("kills", [1, 3])
def test_it_is_counted_once_wherever_the_operator_is_killed(deleted: int, kills: int) -> None:
    turns = Turns(pinned(ABC))
    jobs = [running(number) for number in range(3)]
    assert stopped(turns.decide(*jobs, suspend=True)) == [0, 1, 2]
    assert turns.cost == ONE + ONE + ONE
    for _ in range(kills):
        assert stopped(turns.decide(*jobs[deleted:], suspend=True)) == [0, 1, 2][deleted:]
    turns.decide(suspend=True)
    assert made(turns.decide()) == [0, 1, 2]
    assert (turns.cost, turns.status.stopping) == (ONE + ONE + ONE, RangeSet())


def test_the_next_job_of_that_name_is_counted_too() -> None:
    turns = Turns(pinned(ABC))
    for _ in range(2):
        turns.decide(running(0), suspend=True)
        turns.decide(suspend=True)
        turns.decide()
    assert turns.cost.estimated == 40 + (3 * LATER + 40)


def test_one_that_is_made_again_leaves_the_set_before() -> None:
    """The status that is written before a Job is made does not have the one of its name any more."""
    turns = Turns(pinned(ABC))
    turns.decide(running(0), suspend=True)
    assert 0 in made(turns.decide())
    assert turns.status.stopping == RangeSet()


def test_one_that_ends_before_it_is_deleted_is_recorded_and_has_cost_what_is_counted() -> None:
    turns = Turns(pinned(ABC))
    turns.decide(running(0), suspend=True)
    turns.decide(scored(0), suspend=True)
    assert (turns.status.scored, turns.cost) == (1, ONE)
    assert turns.status.stopping == RangeSet()


def test_while_it_is_suspended_their_going_is_one_write() -> None:
    turns = Turns(pinned(ABC))
    jobs = [running(number) for number in range(3)]
    turns.decide(*jobs, suspend=True)
    before = turns.status
    turns.decide(replace(jobs[0], terminating=True), *jobs[1:], suspend=True)
    turns.decide(jobs[2], suspend=True)
    assert turns.status.stopping == before.stopping
    turns.decide(suspend=True)
    assert turns.status.stopping == RangeSet()


def test_one_that_is_given_up_as_it_is_stopped_has_cost_what_was_seen() -> None:
    turns = Turns(pinned(ABC))
    job = running(0)
    drained = {"disrupted": True, "scheduled": after(-30), "started": after(-30), "ended": after(-20)}
    pods = tuple(a_failed_pod(job, 143, number=number, **drained) for number in range(11))
    turns.decide(Observation(job, pods), suspend=True)
    assert (turns.status.reasons, turns.cost) == ({"Failed/Disrupted": 1}, Cost(110, 11_000))
    turns.decide(Observation(job, pods), suspend=True)
    assert turns.cost == Cost(110, 11_000)


def test_one_whose_outcome_is_lost_then_is_made_again_and_has_cost_what_is_counted() -> None:
    turns = Turns(pinned(ABC))
    turns.decide(running(0), suspend=True)
    job = running(0, state="Complete", finished=after(-60), attempts=1)
    pod = a_pod(job, "no message", scheduled=after(-70), started=after(-70), ended=after(-60))
    turns.decide(Observation(job, (pod,), pods_read=True), suspend=True)
    assert (turns.status.incarnations, turns.cost) == ({0: 1}, ONE)
    assert turns.status.stopping == RangeSet()
    assert stopped(turns.decide(running(0, incarnation=1), suspend=True)) == [0]
    assert turns.cost.estimated == 40 + 2 * LATER + 40


def test_a_run_that_is_resumed_meanwhile_goes_on_when_they_are_deleted() -> None:
    turns = Turns(pinned(ABC), parallelism=3)
    jobs = [running(number) for number in range(2)]
    turns.decide(*jobs, suspend=True)
    resumed = turns.decide(jobs[1])
    assert (resumed.status.phase, stopped(resumed), made(resumed)) == ("Suspended", [1], [])
    going = turns.decide(replace(jobs[1], terminating=True))
    assert (going.status.phase, stopped(going), made(going)) == ("Running", [], [0, 2])
    assert turns.status.stopping == RangeSet.of([1])
    assert made(turns.decide(a_job(0), a_job(2))) == [1]
    assert (turns.status.stopping, turns.cost) == (RangeSet(), ONE + ONE)


def test_those_that_are_stopped_at_the_verdict_are_counted_by_the_stage_that_it_begins() -> None:
    turns = Turns(pinned(ABC), timeouts={"runSeconds": 10})
    turns.status = replace(turns.status, stopwatch=replace(turns.status.stopwatch, seconds=99))
    jobs = [running(0), running(1)]
    for suspend in (False, False, True):
        assert stopped(turns.decide(*jobs, suspend=suspend)) == [0, 1]
        assert (turns.status.stage, turns.cost) == ("Publish", ONE + ONE)
        assert turns.status.stopping == RangeSet()


def test_a_run_that_fails_meanwhile_counts_them_once() -> None:
    turns = Turns(pinned(ABC))
    turns.decide(running(0), suspend=True)
    turns.spec = {"runtime": "gone"}
    turns.decide(running(0), suspend=True)
    assert turns.status.ended
    turns.decide(running(0))
    assert (turns.cost, turns.status.stopping) == (ONE, RangeSet())


@pytest.mark.parametrize("number", [PREPARES, PUBLISHES])
def test_the_job_of_a_stage_of_one_job_is_counted_once(number: int) -> None:
    prepares = number == PREPARES
    turns = Turns(pinned(ABC, stage="Prepare", pinned=None) if prepares else publishing(ABC))
    job = running(number)
    for _ in range(3):
        assert stopped(turns.decide(job, suspend=True)) == [number]
    assert stopped(turns.decide(job)) == [number]  # it goes on when that is deleted
    assert (turns.status.phase, turns.cost) == ("Suspended", ONE)
    [again] = turns.decide().actions
    assert isinstance(again, Prepare if prepares else Publish)
    assert (turns.cost, turns.status.stopping) == (ONE, RangeSet())


@pytest.mark.parametrize("number", [PREPARES, PUBLISHES])
def test_a_stages_job_that_ends_before_it_is_deleted_has_cost_what_is_counted(number: int) -> None:
    prepares = number == PREPARES
    turns = Turns(pinned(ABC, stage="Prepare", pinned=None) if prepares else publishing(ABC))
    turns.decide(running(number), suspend=True)
    job = running(number, state="Failed", finished=after(-60), attempts=1)
    pod = a_pod(job, "", succeeded=False, scheduled=after(-70), started=after(-70), ended=after(-60))
    turns.decide(Observation(job, (pod,), pods_read=True), suspend=True)
    assert (turns.status.ended, turns.cost) == (True, ONE)


def test_many_are_stopped_some_at_a_time_so_that_the_status_can_hold_them() -> None:
    listed = sensors(*(f"s{number:03}" for number in range(2 * STOPS_AT_A_TIME + 1)))
    run = a_run(pinned(listed), suspend=True, parallelism=1000)
    jobs = [running(number) for number in range(len(listed))]
    rounds = []
    while jobs:
        observed = Observed(chunks_of(listed, spec_of(run)), jobs=seen(*jobs))
        decision = reconcile(run, observed, SETTINGS, NOW)
        gone = set(stopped(decision))
        rounds.append(len(gone))
        assert len(decision.status.stopping) == len(gone)
        run = replace(run, status=decision.status)
        jobs = [job for job in jobs if job.chunk not in gone]
    assert rounds == [STOPS_AT_A_TIME, STOPS_AT_A_TIME, 1]
    assert run.status.cost.estimated == 40 * len(listed)
