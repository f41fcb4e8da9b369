"""What an operator sees of the world may be late, have gaps, and go back in time: it comes to the same end.

The three patterns are those of Sieve (Sun et al., OSDI 2022): staleness against one's own writes, states that
are not observed, and time travel after a restart. Each history is made by chance from a fixed seed. The API
server is the real one; the proxy before it delays watches, breaks them with a gap until the next list, and
answers the lists of a restarted operator as they once were, so that the watches after them repeat the past.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter, defaultdict
from typing import Any

import pytest

from controlplane.conftest import until
from faults.api_proxy import PASS, Call, Fault
from faults.conftest import SENSORS, WHOLE, Calm, Scene, result
from local.api import ApiError

pytestmark = pytest.mark.faults
Json = dict[str, Any]

SEEDS = range(10) if WHOLE else range(2)
RESTARTS = 4
WATCHED = ("scoringruns", "jobs", "pods")


class History:
    """Chooses what befalls each watch and list; `rewind` makes the next lists old ones."""

    def __init__(self, seed: int, *, late: float, gaps: float) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - which histories are tried, no secret
        self._late = late
        self._gaps = gaps
        self._lists: dict[str, list[bytes]] = defaultdict(list)
        self._rewound: dict[str, bytes] = {}
        self._slow: set[str] = set()

    def __call__(self, call: Call) -> Fault:
        if (
            call.method != "GET"
            or call.resource not in WATCHED
            or call.path.rsplit("/", 1)[-1] not in WATCHED
        ):
            return PASS
        return self._watch(call.resource) if call.watch else self._list(call.resource)

    def _watch(self, resource: str) -> Fault:
        fate = self._chance.random()
        delay = self._chance.uniform(0.2, 2.5) if self._chance.random() < self._late else 0.0
        if fate < self._gaps:
            self._slow.add(resource)  # what happens until it lists again is not seen one by one
            return Fault(gone=True, lines=self._chance.randint(1, 6), delay=delay)
        return Fault(delay=delay)

    def _list(self, resource: str) -> Fault:
        if (old := self._rewound.pop(resource, None)) is not None:
            return Fault(rewound=old)
        wait = self._chance.uniform(0.5, 3.0) if resource in self._slow else 0.0
        self._slow.discard(resource)
        return Fault(delay=wait, heard=self._lists[resource].append)

    def rewind(self) -> None:
        """The next lists are some that were given before, each of its own time."""
        self._rewound = {name: self._chance.choice(given) for name, given in self._lists.items() if given}

    def told(self) -> bool:
        """Whether all old lists were asked for."""
        return not self._rewound

    def one_of(self, things: list[Json]) -> Json:
        """One by chance."""
        return self._chance.choice(things)

    def pause(self, least: float, most: float) -> None:
        """Let something happen."""
        time.sleep(self._chance.uniform(least, most))


def check(scene: Scene, calm: Calm, run: Json) -> None:
    """The same end, each sensor counted once, and no second Job of any chunk."""
    assert result(run) == calm.result
    jobs = (*scene.runs.jobs(), *scene.runs.publish_jobs())
    made = Counter(chunk_of(job) for job in jobs if run_of(job) == "hourly")
    assert made <= Counter(["", *map(str, range(len(SENSORS)))])
    assert "Traceback" not in scene.operator.log.read_text()


def run_of(job: Json) -> str:
    return str(job["metadata"]["labels"]["sensorscore.dev/run"])


def chunk_of(job: Json) -> str:
    """Its chunk's number; empty for the one that publishes."""
    return str(job["metadata"]["labels"].get("sensorscore.dev/chunk", ""))


def delete_one(scene: Scene, history: History) -> None:
    """Delete a Job of the run that has not ended, while perhaps nobody sees it go."""
    jobs = [job for job in scene.runs.jobs() if run_of(job) == "hourly" and "conditions" not in job["status"]]
    if jobs:
        job = history.one_of(jobs)["metadata"]
        path = f"/apis/batch/v1/namespaces/{job['namespace']}/jobs/{job['name']}"
        with contextlib.suppress(ApiError):  # it has gone meanwhile
            scene.api.call("DELETE", path, {"propagationPolicy": "Background"})


@pytest.mark.timeout(180, func_only=True)
@pytest.mark.parametrize("seed", SEEDS)
def test_it_sees_its_own_writes_late(scene: Scene, calm: Calm, seed: int) -> None:
    scene.proxy.fault = History(seed, late=1.0, gaps=0.0)
    scene.operator.start()
    scene.begin()
    with scene.pods():
        run = scene.runs.ended(seconds=120)
    check(scene, calm, run)


@pytest.mark.timeout(180, func_only=True)
@pytest.mark.parametrize("seed", SEEDS)
def test_it_does_not_see_every_state(scene: Scene, calm: Calm, seed: int) -> None:
    history = History(seed, late=0.3, gaps=0.8)
    scene.proxy.fault = history
    scene.operator.start()
    scene.begin()
    until("its first Jobs are there", scene.runs.jobs)
    with scene.pods():
        for _ in range(3):
            history.pause(0.2, 1.0)
            delete_one(scene, history)
        run = scene.runs.ended(seconds=120)
    check(scene, calm, run)


@pytest.mark.timeout(240, func_only=True)
@pytest.mark.parametrize("seed", SEEDS)
def test_after_a_restart_it_sees_the_past_again(scene: Scene, calm: Calm, seed: int) -> None:
    history = History(seed, late=0.3, gaps=0.5)
    scene.proxy.fault = history
    scene.operator.start()
    scene.begin(parallelism=1)
    with scene.pods():
        for decided in range(1, RESTARTS + 1):
            wait_decided(scene, decided)
            scene.kill()
            history.rewind()
            scene.operator.start()
            until("it has been told the past", history.told, 120)
        run = scene.runs.ended(seconds=120)
    check(scene, calm, run)


def wait_decided(scene: Scene, sensors: int) -> None:
    """Until so many sensors are decided."""

    def decided() -> bool:
        progress = scene.runs.get().get("status", {}).get("progress", "0/6")
        return int(progress.partition("/")[0]) >= sensors

    until(f"{sensors} are decided", decided, 120)
