"""What a run's pods cost, also those of Jobs that are deleted or made again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from scoring_operator.chunks import InStore
from scoring_operator.decision import Decision, DeleteJob, Observation, Observed
from scoring_operator.ranges import RangeSet
from scoring_operator.reconcile import reconcile
from scoring_operator.records import PREPARES, PUBLISHES, JobRecord
from scoring_operator.resource import Run
from scoring_operator.settings import NodeCost
from scoring_operator.status import Cost
from scoring_operator.status_json import of_api, to_api
from scoring_operator.unread import INCARNATIONS
from unit.operator import given as values
from unit.operator.given import (
    NOW,
    a_finished_job,
    a_job,
    a_pod,
    a_publish_job,
    a_run,
    after,
    chunks_of,
    pinned,
    publishing,
    seen,
    sensors,
    spec_of,
)

SETTINGS = values.settings()
ABC = sensors()
CREATED = after(-40)


def decide(run: Run, *jobs: Observation | Any, **observed: Any) -> Decision:
    given = {"sensors": chunks_of(ABC, spec_of(run)), "jobs": seen(*jobs)}
    return reconcile(run, Observed(**given | observed), SETTINGS, NOW)


def suspended() -> Run:
    return a_run(pinned(ABC), suspend=True)


def running(chunk: int = 0, **more: Any) -> Any:
    return a_job(chunk, created=CREATED, runs=True, cpu_milli=100, **more)


def test_pods_that_are_stopped_are_estimated_and_said_to_be() -> None:
    decision = decide(suspended(), running(0), running(1))
    assert len([each for each in decision.actions if isinstance(each, DeleteJob)]) == 2
    assert decision.status.cost == Cost(pod_seconds=80, cpu_ms=8000, estimated=80)


def test_a_job_without_a_running_pod_costs_nothing_when_it_is_deleted() -> None:
    assert decide(suspended(), a_job(0, created=CREATED)).status.cost == Cost()


def test_attempts_that_ended_before_their_job_is_deleted_count_as_seen() -> None:
    job = running(0)
    pod = a_pod(job, scheduled=after(-30), started=after(-30), ended=after(-20))
    cost = decide(suspended(), Observation(job, (pod,))).status.cost
    assert (cost.pod_seconds, cost.estimated) == (10 + 20, 20)


def test_a_recorded_chunks_job_that_is_deleted_is_not_counted_again() -> None:
    job = running(0)
    pod = a_pod(job, scheduled=after(-30), started=after(-30), ended=after(-20))
    status = pinned(ABC, done=RangeSet.of([0]), scored=1, cost=Cost(pod_seconds=10))
    decision = decide(a_run(status), Observation(job, (pod,)))
    assert DeleteJob(job) in decision.actions
    assert decision.status.cost == status.cost


def test_a_job_that_is_made_again_for_its_lost_outcome_has_cost_what_it_did() -> None:
    job = a_finished_job(0, finished=after(-60), cpu_milli=100)
    pod = a_pod(job, "no message", scheduled=after(-70), started=after(-70), ended=after(-60))
    decision = decide(a_run(pinned(ABC)), Observation(job, (pod,), pods_read=True))
    assert decision.status.incarnations == {0: 1}
    assert decision.status.cost == Cost(pod_seconds=10, cpu_ms=1000)
    assert decide(replace(a_run(), status=decision.status), Observation(job, (pod,), True)).status.cost == (
        decision.status.cost
    )


@pytest.mark.parametrize("price", ["0", "0.05"])
def test_an_estimate_has_its_price(price: str) -> None:
    runtime = replace(SETTINGS.runtimes["default"], cpu_hour_price=Decimal(price))
    settings = replace(SETTINGS, runtimes={"default": runtime})
    run = suspended()
    observed = Observed(sensors=chunks_of(ABC, spec_of(run)), jobs=seen(running(0)))
    assert reconcile(run, observed, settings, NOW).status.cost.money == int(
        Decimal(price) * 10**9 * 4000 / 3_600_000
    )


def priced_nodes() -> Any:
    node = NodeCost(pods=2, boot_seconds=200, idle_seconds=600, hour_price=Decimal("0.9"))
    return replace(SETTINGS, runtimes={"default": replace(SETTINGS.runtimes["default"], node=node)})


@pytest.mark.parametrize(("jobs", "nodes"), [(0, 0), (1, 1), (2, 1), (3, 2)])
def test_what_nodes_take_besides_is_estimated_for_the_most_jobs_at_once(jobs: int, nodes: int) -> None:
    run = a_run(pinned(ABC))
    observed = Observed(chunks_of(ABC, spec_of(run)), jobs=seen(*(running(number) for number in range(jobs))))
    status = reconcile(run, observed, priced_nodes(), NOW).status
    assert (status.cost.node_seconds, status.cost.node_money) == (800 * nodes, 200_000_000 * nodes)
    assert of_api(to_api(status)).cost == status.cost
    fewer = reconcile(replace(run, status=status), replace(observed, jobs={}), priced_nodes(), NOW).status
    assert fewer.cost.node_seconds == 800 * nodes


@pytest.mark.parametrize("job", [a_job(PREPARES, runs=True), a_publish_job(runs=True)])
def test_the_jobs_of_other_stages_take_no_scoring_node(job: JobRecord) -> None:
    prepares = job.chunk == PREPARES
    run = a_run(pinned(ABC, stage="Prepare", pinned=None) if prepares else publishing(ABC))
    listed = InStore() if prepares else chunks_of(ABC, spec_of(run))
    status = reconcile(run, Observed(listed, jobs=seen(job)), priced_nodes(), NOW).status
    assert (status.active_jobs, status.cost.node_seconds) == (1, 0)


@pytest.mark.parametrize("incarnation", [0, INCARNATIONS - 1], ids=["made again", "given up"])
@pytest.mark.parametrize("number", [PREPARES, PUBLISHES])
def test_a_stages_job_whose_outcome_is_lost_has_cost_what_it_did(number: int, incarnation: int) -> None:
    ended: Any = {"state": "Complete", "finished": after(-60), "attempts": 1, "cpu_milli": 100}
    job = a_job(number, incarnation, **ended)
    pod = a_pod(job, "no message", scheduled=after(-70), started=after(-70), ended=after(-60))
    tried: Any = {"prepare_incarnation": incarnation, "publish_incarnation": incarnation}
    prepares = number == PREPARES
    begun = pinned(ABC, stage="Prepare", pinned=None, **tried) if prepares else publishing(ABC, **tried)
    listed = InStore() if prepares else chunks_of(ABC, spec_of(a_run()))
    decision = decide(a_run(begun), Observation(job, (pod,), pods_read=True), sensors=listed)
    assert decision.status.ended == (incarnation > 0)
    assert decision.status.cost == Cost(pod_seconds=10, cpu_ms=1000)


def test_without_word_of_the_nodes_nothing_is_estimated() -> None:
    assert "estimatedNodeSeconds" not in to_api(decide(a_run(pinned(ABC)), running(0)).status)["cost"]
