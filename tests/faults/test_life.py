"""How the operator begins, ends, and stands beside another one, when the world is slow or there are two."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controlplane.conftest import Operator, until
from faults.api_proxy import PASS, Call, Fault
from faults.conftest import SENSORS, Calm, Scene, result

pytestmark = pytest.mark.faults
Json = dict[str, Any]


def ready(operator: Operator) -> tuple[int, str]:
    """What /readyz answers."""
    until("it serves", lambda: "readyz on port" in operator.log.read_text())
    try:
        return 200, operator.get("/readyz")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_is_ready_when_the_first_lists_are_in_and_not_before(scene: Scene) -> None:
    held = ["pods"]

    def choose(call: Call) -> Fault:
        return Fault(503, "ServiceUnavailable") if call.resource in held and not call.watch else PASS

    scene.proxy.fault = choose
    scene.operator.start()
    until("pods are asked for", lambda: any(call.resource == "pods" for call in scene.proxy.calls))
    assert ready(scene.operator) == (503, "the first full lists of runs, Jobs and pods are not in yet\n")
    scene.begin()
    held.clear()
    until("it is ready", lambda: ready(scene.operator)[0] == 200)
    with scene.pods():
        scene.runs.ended(seconds=120)


def calls_since(scene: Scene, moment: float) -> list[Call]:
    return [call for call in list(scene.proxy.calls) if call.at > moment]


@pytest.mark.timeout(300, func_only=True)
@pytest.mark.parametrize("stuck", ["writes", "everything"])
def test_told_to_stop_in_the_midst_of_work_it_ends_in_time_and_loses_nothing(
    scene: Scene, calm: Calm, stuck: str
) -> None:
    """Its calls are stuck in a server that does not answer: for longer than anybody waits for its end.

    How long it takes at most is not measured here, it is asked of the code: `unit/operator/test_main.py`.
    """

    def choose(call: Call) -> Fault:
        return Fault(delay=3600) if call.number >= 0 or stuck == "everything" else PASS

    scene.operator.start()
    scene.begin(parallelism=0)
    until("it runs", lambda: scene.runs.phase() == "Running")
    before = time.monotonic()
    scene.proxy.fault = choose
    scene.runs.patch({"parallelism": 3})
    until("a call is stuck", lambda: any(choose(call).delay for call in calls_since(scene, before)))
    assert scene.operator.stop() == 0
    scene.proxy.fault = lambda _: PASS
    scene.operator.start()
    with scene.pods():
        run = scene.runs.ended(seconds=120)
    assert result(run) == calm.result


@pytest.fixture
def rival(scene: Scene, tmp_path: Path) -> Iterator[Operator]:
    """Another operator of the namespace, of an installation with a Lease of its own."""
    folder = tmp_path / "rival"
    folder.mkdir()
    namespace = scene.runs.namespace
    lease = {"namespace": namespace, "name": "rival", "durationSeconds": 3}
    operator = Operator(scene.operator.kubeconfig, folder, [namespace], name="rival", lease=lease)
    yield operator
    operator.close()


@pytest.mark.timeout(300, func_only=True)
def test_two_that_act_at_once_end_a_run_as_one_does(scene: Scene, calm: Calm, rival: Operator) -> None:
    scene.operator.start()
    rival.start()
    until("both are ready", lambda: all(ready(each)[0] == 200 for each in (scene.operator, rival)))
    scene.begin()
    with scene.pods():
        until("it has begun", scene.runs.jobs)
        scene.runs.patch({"suspend": True})
        until("it is suspended", lambda: scene.runs.phase() == "Suspended")
        scene.runs.patch({"suspend": False})
        run = scene.runs.ended(seconds=120)
    assert result(run) == calm.result
    made = [job["metadata"]["labels"] for job in scene.runs.jobs()]
    ours = [int(each["sensorscore.dev/chunk"]) for each in made if each["sensorscore.dev/run"] == "hourly"]
    assert sorted(ours) == list(range(len(SENSORS)))
    for operator in (scene.operator, rival):
        assert "Traceback" not in operator.log.read_text()
