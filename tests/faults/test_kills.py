"""The operator is killed at every one of its writes, and at random: the run ends as if it never had been."""

from __future__ import annotations

import calendar
import random
import time
from typing import Any

import pytest

from controlplane.conftest import until
from faults.api_proxy import PASS, Call, Fault
from faults.conftest import SENSORS, WHOLE, Calm, Scene, result

pytestmark = pytest.mark.faults
Json = dict[str, Any]

RANDOM_KILLS = 20
SEEDS = range(10)
ENDED = ("Succeeded", "Failed")
SOME_SECONDS = 5


def killed_at(scene: Scene, name: str, write: int, *, accepted: bool) -> Json:
    """The end of a run whose operator died at that write of it, before or after it was carried out."""
    first = len(scene.proxy.writes())
    hit: list[Call] = []
    fired: list[Call] = []

    def strike() -> None:
        scene.kill()
        fired.extend(hit)  # only now: the next operator must not be the one that is killed

    def choose(call: Call) -> Fault:
        if hit or call.number - first != write:
            return PASS
        hit.append(call)
        return Fault(reset=True, accepted=accepted, **{"after" if accepted else "before": strike})

    scene.proxy.fault = choose
    scene.operator.start()
    scene.begin(name)
    with scene.pods():
        until(f"write {write} of {name}", lambda: fired or scene.runs.phase(name) in ENDED)
        scene.kill()
        scene.operator.start()
        run = scene.runs.ended(name)
    scene.kill()
    assert fired, f"the run made fewer than {write + 1} writes"
    return result(run)


@pytest.mark.timeout(1800, func_only=True)
@pytest.mark.parametrize("accepted", [True, False] if WHOLE else [True])
def test_it_is_killed_at_each_of_its_writes(scene: Scene, calm: Calm, accepted: bool) -> None:
    # The last one is an Event, which nobody waits for.
    for write in range(len(calm.writes) - 1):
        found = killed_at(scene, f"kill-{write}", write, accepted=accepted)
        assert found == calm.result, f"killed at write {write}: {calm.writes[write]}"


@pytest.mark.timeout(1800, func_only=True)
@pytest.mark.parametrize("seed", SEEDS if WHOLE else ())
def test_it_is_killed_at_random(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - which moments are tried, no secret
    scene.operator.start()
    killed, names = 0, []
    with scene.pods():
        while killed < RANDOM_KILLS:
            names.append(f"stormy-{len(names)}")
            begin_many(scene, names[-1])
            while killed < RANDOM_KILLS and scene.runs.phase(names[-1]) not in ENDED:
                time.sleep(chance.uniform(0.1, 3.0))
                killed += scene.runs.phase(names[-1]) not in ENDED
                scene.kill()
                scene.operator.start()
        ends = [result(scene.runs.ended(name)) for name in names]
    for found in ends:
        assert (found["phase"], found["progress"]) == ("Succeeded", "30/30")
        assert (found["counts"]["scored"], found["counts"]["jobs"]) == (30, 30)
        assert found["rows"] == {"read": 360, "scored": 270, "rejected": 60, "duplicate": 30}
        assert found["timed"]["total"] == 30


@pytest.mark.timeout(600, func_only=True)
def test_what_it_stops_is_counted_once_though_it_is_killed_meanwhile(scene: Scene) -> None:
    fatal = "PATCH scoringruns/status"
    fired: list[str] = []

    def strike() -> None:
        if not fired and scene.runs.phase() == "Suspended":
            scene.kill()
            fired.append(fatal)

    scene.proxy.fault = lambda call: (
        Fault(after=strike) if f"{call.method} {call.resource}" == fatal else PASS
    )
    scene.operator.start()
    scene.begin()
    with scene.pods(lambda _: None):
        until("its pods run for a while", lambda: sum(runs_long(job) for job in scene.runs.jobs()) == 3)
        scene.runs.patch({"suspend": True})
        until("what they cost is written", lambda: fired)
        assert len(scene.runs.jobs()) == 3
        cost = scene.runs.get()["status"]["cost"]
        assert cost["estimatedPodSeconds"] > 0
        fatal = "DELETE jobs"
        fired.clear()
        scene.operator.start()
        until("the first is deleted", lambda: fired)
        scene.operator.start()
        until("all are, and it is known", lambda: "stopping" not in scene.runs.get()["status"])
        assert scene.runs.jobs() == []
        assert scene.runs.get()["status"]["cost"] == cost


def runs_long(job: Json) -> bool:
    """Whether its pod has been running for some seconds: long enough to be seen, and to cost something."""
    since = calendar.timegm(time.strptime(job["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ"))
    return job["status"].get("ready") == 1 and time.time() - since > SOME_SECONDS


def begin_many(scene: Scene, name: str) -> None:
    """Make a run of five of each sensor."""
    sensors = [f"{kind}{number}" for number in range(5) for kind in SENSORS]
    scene.begin(name, sensors={"names": sensors}, parallelism=4, failurePolicy={"maxFailedSensors": 5})
