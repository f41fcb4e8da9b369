"""What goes wrong on purpose: how pods end, runs as a schedule makes them, and for each alert its fault."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from controlplane.conftest import until
from controlplane.kubelet_double import Ending, KubeletDouble, failed, message, published, scored, work_of
from faults.api_proxy import PASS, WRITES, Call, Fault
from monitoring.conftest import Scene

Json = dict[str, Any]
NOTHING = {"read": 0, "scored": 0, "rejected": 0, "duplicate": 0}
SENSORS = [f"s{number}" for number in range(10)]
PRICED = {
    "image": "localhost/sensorscore-scorer:test",
    "resources": {"requests": {"cpu": "4"}, "limits": {"memory": "64Mi"}},
    "cpuHourPrice": "1000000",
}
NODES_PRICED = PRICED | {"node": {"pods": 30, "hourPrice": "0.20"}}


def all_scored(pod: Json) -> Ending:
    return scored(work_of(pod))


def corrupt(pod: Json) -> Ending:
    return failed(work_of(pod), "ModelCorrupt", "sha256 differs")


def silent(pod: Json) -> Ending:
    return Ending(0, message(work_of(pod), "N", {"N": "Skipped/NoReadings"}, rows=NOTHING, anomalies=0))


def slow(ends: Callable[[Json], Ending]) -> Callable[[Json], Ending | None]:
    """Pods run for two seconds before they end so: in less one costs nothing, by clocks of whole seconds."""

    def ending(pod: Json) -> Ending | None:
        begun = pod["status"].get("startTime")
        if not begun or pod["status"]["phase"] == "Pending":
            return None
        age = datetime.now(UTC) - datetime.fromisoformat(begun)
        return ends(pod) if age > timedelta(seconds=2) else None

    return ending


def schedule(scene: Scene, seconds: int) -> Json:
    return {"name": "hourly", "namespace": scene.namespace, "windowSeconds": seconds}


def window(end: datetime, seconds: int) -> Json:
    start = end - timedelta(seconds=seconds)
    return {"start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "end": f"{end:%Y-%m-%dT%H:%M:%SZ}"}


def by_schedule(scene: Scene, name: str, end: datetime, seconds: int, **spec: Any) -> None:
    """A run as a schedule makes it."""
    body = {
        "apiVersion": "sensorscore.dev/v1alpha1",
        "kind": "ScoringRun",
        "metadata": {"name": name, "labels": {"sensorscore.dev/schedule": "hourly"}},
        "spec": {
            "window": window(end, seconds),
            "sensors": {"names": ["a"]},
            "concurrencyGroup": "hourly",
            "output": {"allowOverwrite": True},  # windows shorter than the usual paths can tell apart
            **spec,
        },
    }
    path = f"/apis/sensorscore.dev/v1alpha1/namespaces/{scene.namespace}/scoringruns"
    scene.api.call("POST", path, body)


# The faults: each begins with a healthy operator and ends with what the alert is about


def no_run_is_made(scene: Scene) -> None:
    """A schedule's windows end, and nobody makes their runs."""
    scene.start(schedules=[schedule(scene, 5)])
    by_schedule(scene, "the-last", datetime.now(UTC), 5)
    with KubeletDouble(scene.api, scene.namespace, all_scored):
        scene.runs.ended("the-last")


def runs_fail_again_and_again(scene: Scene) -> None:
    """Runs are made in time, but none succeeds: what was scored falls behind."""
    scene.start(schedules=[schedule(scene, 5)])
    with KubeletDouble(scene.api, scene.namespace, corrupt):
        for number in range(3):
            by_schedule(scene, f"bad-{number}", datetime.now(UTC), 5)
            scene.runs.ended(f"bad-{number}")


def a_run_fails(scene: Scene) -> None:
    scene.start()
    scene.runs.create("good")
    with KubeletDouble(scene.api, scene.namespace, all_scored):
        scene.runs.ended("good")
    scene.runs.create("bad")
    with KubeletDouble(scene.api, scene.namespace, corrupt):
        assert scene.runs.ended("bad")["status"]["phase"] == "Failed"


def sensors_fail(scene: Scene) -> None:
    """A run with patience for failed sensors: it is Complete, and half of them were not scored."""
    scene.start()
    scene.runs.create(sensors={"names": SENSORS}, failurePolicy={"maxFailedSensors": "100%"})
    with KubeletDouble(scene.api, scene.namespace, corrupt):
        scene.runs.ended()


def sensors_are_skipped(scene: Scene) -> None:
    scene.start()
    scene.runs.create(sensors={"names": SENSORS})
    with KubeletDouble(scene.api, scene.namespace, silent):
        scene.runs.ended()


def no_node_for_pods(scene: Scene) -> None:
    """No pod ever starts; since when is put back an hour in the status, for the alert asks for a quarter."""
    scene.start()
    scene.runs.create(timeouts={"pendingSeconds": 86_400})
    until("its Jobs wait", lambda: len(scene.runs.pods()) == 3)
    until("it is said", lambda: scene.runs.get()["status"].get("pendingSince"))
    since = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    path = f"/apis/sensorscore.dev/v1alpha1/namespaces/{scene.namespace}/scoringruns/hourly/status"
    scene.operator.kill()  # it keeps in memory what it wrote
    scene.api.call("PATCH", path, {"status": {"pendingSince": since}}, "application/merge-patch+json")
    scene.operator.start()


def the_operator_dies(scene: Scene) -> None:
    scene.start()
    scene.operator.kill()


def another_holds_the_lease(scene: Scene) -> None:
    """It runs and is scraped, but may not act: it sees nothing, and nobody else acts either."""
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{scene.namespace}/leases"
    scene.start()
    scene.operator.stop()
    name = scene.api.call("GET", leases)["items"][0]["metadata"]["name"]
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    held = {"holderIdentity": "nobody", "leaseDurationSeconds": 3600, "renewTime": now, "acquireTime": now}
    scene.api.call("PATCH", f"{leases}/{name}", {"spec": held}, "application/merge-patch+json")
    scene.operator.start()


def writes_fail(scene: Scene) -> None:
    """The API server answers every write with an error: no reconcile ends well.

    Of one run errors come ever more seldom, and the alert wants them all the time: so new runs are made.
    """

    def refuse(call: Call) -> Fault:
        ours = call.method in WRITES and "leases" not in call.path
        return Fault(500, "InternalError") if ours else PASS

    scene.start()
    scene.proxy.fault = refuse
    made = 0
    begun = time.monotonic()

    def fires_while_runs_are_made() -> bool:
        nonlocal made
        if time.monotonic() - begun >= 2 * made:
            scene.runs.create(f"hourly-{made}")
            made += 1
        return bool(scene.watch.firing("SensorscoreReconcileErrors"))

    until("errors that go on are an alert", fires_while_runs_are_made, 120)


def the_guard_warns(scene: Scene) -> None:
    def warns(pod: Json) -> Ending:
        return published(work_of(pod), warnings={"FlagRate": 2, "AllFlagged": 1})

    scene.start()
    scene.runs.create()
    with KubeletDouble(scene.api, scene.namespace, all_scored, warns):
        scene.runs.ended()


def a_sink_takes_nothing(scene: Scene) -> None:
    def gives_up(pod: Json) -> Ending:
        return published(
            work_of(pod), sinks={"ops": {"deadlettered": 2, "reason": "DeadLettered: answered 503"}}
        )

    scene.start(sinks={"ops": {"type": "webhook", "url": "https://events.example.com/"}})
    scene.runs.create(sinks=["ops"])
    with KubeletDouble(scene.api, scene.namespace, all_scored, gives_up):
        scene.runs.ended()


def it_costs_too_much(scene: Scene) -> None:
    scene.start(currency="EUR", budgetPerDay="0.01", runtimes={"default": PRICED})
    scene.runs.create(sensors={"names": SENSORS})
    with KubeletDouble(scene.api, scene.namespace, slow(all_scored)):
        scene.runs.ended()


FAULTS: dict[str, Callable[[Scene], None]] = {
    "SensorscoreRunMissed": no_run_is_made,
    "SensorscoreRunFailed": a_run_fails,
    "SensorscoreSensorsFailing": sensors_fail,
    "SensorscoreSensorsSkipped": sensors_are_skipped,
    "SensorscoreWindowLag": runs_fail_again_and_again,
    "SensorscorePendingTooLong": no_node_for_pods,
    "SensorscoreOperatorDown": the_operator_dies,
    "SensorscoreOperatorBlind": another_holds_the_lease,
    "SensorscoreReconcileErrors": writes_fail,
    "SensorscoreModelGuard": the_guard_warns,
    "SensorscoreSinkFailing": a_sink_takes_nothing,
    "SensorscoreCostOverBudget": it_costs_too_much,
}
