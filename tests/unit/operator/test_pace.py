"""Many runs at the operator's pace: no worker waits for it, no status does, and nothing is lost or doubled.

By a clock that only the test moves, and with the test as the one worker: whoever waited would hang it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from scoring_operator.actions import Actor
from scoring_operator.chunks import InStore, Left
from scoring_operator.cluster import JOBS, RUNS, Cluster
from scoring_operator.controller import Controller
from scoring_operator.decision import (
    Action,
    CreateJob,
    DeleteJob,
    DeleteRun,
    KeepPinned,
    Prepare,
    Publish,
    ReadPods,
)
from scoring_operator.health import Echo
from scoring_operator.metrics import Metrics
from scoring_operator.publishing import decisions
from scoring_operator.ratelimit import TokenBucket
from scoring_operator.status_json import to_api
from scoring_operator.view import View
from unit.operator.api_double import ApiDouble, serving
from unit.operator.clock import Clock
from unit.operator.given import (
    NOW,
    Json,
    a_job,
    a_run,
    chunks_of,
    pinned,
    publishing,
    run_body,
    sensors,
    settings,
    spec_of,
)

RATE = 10
MANY = 30  # runs: at this pace the Jobs of all take seconds, however few each has


class Office:
    """A controller on the double, whose one worker is the test."""

    def __init__(self, api: ApiDouble, cluster: Cluster) -> None:
        self.api = api
        self.clock = Clock()
        chosen = settings(
            timing={"debounceMilliseconds": 0, "statusSeconds": 1},
            namespaces=["scoring"],
            limits={"writesPerSecond": RATE},
        )
        echo = Echo(self.clock)
        self.controller = Controller(cluster, chosen, Metrics("1"), echo, lambda: NOW, self.clock)

    def apply(self, number: int, status: Json | None = None, **spec: Any) -> None:
        body = run_body(**spec) | ({"status": status} if status else {})
        own = {"name": f"run-{number}", "uid": f"6f0c1a2e-0000-4000-8000-{number:012d}"}
        body["metadata"] |= own
        path = RUNS.path("scoring", own["name"])
        self.controller.run_event("ADDED", self.api.put(path, body))

    async def work(self, seconds: float = 0.0) -> None:
        """Reconcile whatever is due, now and in the following seconds."""
        end = self.clock.now + seconds
        async with asyncio.timeout(120):
            while True:
                while len(self.controller.queue):
                    key = await self.controller.queue.take()
                    await self.controller._reconcile(key)
                    self.controller.queue.done(key)
                if self.clock.now >= end:
                    return
                self.clock.now += 0.25

    def status(self, number: int) -> Json:
        found: Json = self.api.objects[RUNS.path("scoring", f"run-{number}")].get("status", {})
        return found

    @property
    def writes(self) -> int:
        return sum(method != "GET" for method, _ in self.api.calls)


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    api = ApiDouble()
    async with serving(api) as cluster:
        yield Office(api, cluster)


SCORES: Json = {"sensors": {"names": ["a", "b"]}}
PREPARES: Json = {"sensors": {"table": {"path": "fleet.parquet"}}}
PUBLISHES: Json = {"status": to_api(publishing(sensors()))}


@pytest.mark.parametrize(
    ("kind", "jobs"),
    [(SCORES, 2), (PREPARES, 1), (PUBLISHES, 1)],
    ids=["that score", "that prepare", "that publish"],
)
async def test_a_status_waits_for_none_of_many_runs_whose_jobs_are_all_made_in_time(
    office: Office, kind: Json, jobs: int
) -> None:
    for number in range(MANY):
        office.apply(number, **kind)
    await office.work()
    begun, made = [bool(office.status(number)) for number in range(MANY)], office.api.count("POST", "/jobs")
    assert all(begun)
    assert made <= RATE
    office.apply(MANY, suspend=True)
    await office.work()
    assert office.status(MANY)["phase"] == "Suspended"
    assert office.api.count("POST", "/jobs") == made
    began, before = office.clock.now, office.writes
    await office.work(seconds=60)
    assert office.api.count("POST", "/jobs") == len(office.api.objects_of(JOBS)) == MANY * jobs
    owners = Counter(job["metadata"]["ownerReferences"][0]["uid"] for job in office.api.objects_of(JOBS))
    assert set(owners.values()) == {jobs}
    assert office.writes <= before + RATE * (office.clock.now - began)


async def test_many_jobs_of_runs_that_are_suspended_go_at_the_pace_and_their_status_at_once(
    office: Office,
) -> None:
    names = [f"s-{number}" for number in range(MANY)]
    for number in range(2):
        office.apply(number, sensors={"names": names}, parallelism=MANY)
    await office.work(seconds=60)
    assert len(office.api.objects_of(JOBS)) == 2 * MANY
    for number in range(2):
        office.apply(number, office.status(number), sensors={"names": names}, suspend=True)
    await office.work()
    assert [office.status(number)["phase"] for number in range(2)] == ["Suspended"] * 2
    assert len(office.api.objects_of(JOBS)) >= 2 * MANY - RATE
    await office.work(seconds=60)
    assert office.api.objects_of(JOBS) == []
    assert office.api.count("DELETE") == 2 * MANY


async def test_each_of_many_runs_gets_a_job_before_one_has_all_of_its_own(office: Office) -> None:
    for number in range(4):
        office.apply(number, sensors={"names": [f"s-{sensor}" for sensor in range(100)]}, parallelism=100)
    await office.work(seconds=15)
    made = Counter(job["metadata"]["labels"]["sensorscore.dev/run"] for job in office.api.objects_of(JOBS))
    assert len(made) == 4
    assert max(made.values()) < 100


# One action


CHUNKS = chunks_of(sensors(), spec_of(a_run()))
TOLD = decisions(publishing(sensors()), CHUNKS)
LEFT = Left("first-uid", "b" * 64, {"v": 1, "total": 6, "failed": "2", "undecided": "4-5"})


@pytest.mark.parametrize(
    ("action", "writes"),
    [
        (CreateJob(CHUNKS[0], 0), ["POST jobs"]),
        (Prepare(0, None, InStore()), ["POST jobs"]),
        (Prepare(0, None, InStore(LEFT)), ["POST configmaps", "POST jobs"]),
        (Publish(CHUNKS, 0, TOLD), ["POST configmaps", "POST jobs"]),
        (KeepPinned(CHUNKS), ["POST configmaps"]),
        (DeleteJob(a_job(2)), ["DELETE jobs"]),
        (DeleteRun(), ["DELETE scoringruns"]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "+".join(value),
)
async def test_what_the_pace_does_not_let_through_is_late_and_done_next_time(
    action: Action, writes: list[str]
) -> None:
    api, clock = ApiDouble(), Clock()
    run = a_run(pinned(sensors()), sensors={"table": {"path": "fleet.parquet"}})
    there = a_job(2)
    api.put(JOBS.path("scoring", there.name), {"metadata": {"name": there.name, "uid": there.uid}})
    api.put(RUNS.path("scoring", run.name), run_body())
    bucket = TokenBucket(1, clock)
    async with serving(api) as cluster:
        actor = Actor(cluster, View(lambda _: None), bucket, settings())
        assert bucket.take()
        late = await actor.act(run, [action, ReadPods(a_job(1))])
        assert (late.late, late.checked, late.tried, late.error) == (True, False, False, None)
        assert [path.rpartition("/")[2] for method, path in api.calls if method == "GET"][-1] == "pods"
        assert [call for call in api.calls if call[0] != "GET"] == []
        clock.now += 1.0  # for one write: what it has begun with that, it finishes
        done = await actor.act(run, [action])
    assert (done.late, done.rejected, done.error) == (False, "", None)
    did = [
        (method, path.split("/scoring/")[1].split("/")[0]) for method, path in api.calls if method != "GET"
    ]
    assert [" ".join(call) for call in did] == writes
    clock.now += 1.0
    assert bucket.take() == (len(writes) == 1)  # and the rest is counted
