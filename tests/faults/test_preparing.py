"""A run whose sensors are in the store: the operator is killed at each of its writes until Jobs score."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from controlplane.kubelet_double import Ending, message, prepared, prepares, scored, work_of
from faults.conftest import WHOLE, Scene, result
from faults.test_kills import killed_at

pytestmark = pytest.mark.faults
Json = dict[str, Any]
SPEC: Json = {
    "sensors": {"table": {"path": "tables/fleet.csv"}},
    "readings": {"waitFor": {"timeoutSeconds": 3600}},
    "sensorsPerJob": 2,
}
NO_ROWS = {"read": 0, "scored": 0, "rejected": 0, "duplicate": 0}


def ends(pod: Json) -> Ending:
    """Five sensors are found; the last one fails for good: the same whoever asks, and when."""
    work = work_of(pod)
    if prepares(pod):
        return prepared(work, sensors={"total": 5, "sha256": "b" * 64, "shards": []})
    if work["chunk"] == 2:
        failure = {"sensor": "pump-7", "reason": "ModelCorrupt", "message": "pump-7: sha256", "place": 0}
        body = message(work, "A", {"A": "Failed/ModelCorrupt"}, failures=[failure], rows=NO_ROWS, anomalies=0)
        return Ending(65, body)
    return scored(work)


@pytest.mark.timeout(1800, func_only=True)
def test_it_is_killed_at_each_write_of_a_run_that_is_prepared(scene: Scene) -> None:
    scene.begin = partial(scene.begin, **SPEC)  # type: ignore[method-assign]
    scene.pods = partial(scene.pods, ends)  # type: ignore[method-assign]
    scene.operator.start()
    scene.begin("calm")
    with scene.pods():
        calm = result(scene.runs.ended("calm", 120))
    scene.operator.stop()
    writes = [f"{call.method} {call.resource}" for call in scene.proxy.writes()]
    assert (calm["progress"], calm["failures"][0]["sensor"]) == ("5/5", "pump-7")
    jobs = [number for number, write in enumerate(writes) if write == "POST jobs"]
    last = len(writes) - 1 if WHOLE else jobs[1]  # the first Job that scores
    for write in range(last):
        found = killed_at(scene, f"kill-{write}", write, accepted=True)
        assert found == calm, f"killed at write {write}: {writes[write]}"
