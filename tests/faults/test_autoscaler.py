"""A real node autoscaler: the scoring pool grows from nothing, goes back to it, and its nodes come and go.

Karpenter makes and takes the nodes, KWOK says that they are Ready, the real scheduler places the pods, and
the kubelets' double ends them. A node that is gone has no kubelet: what becomes of its pods is Kubernetes'
doing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from controlplane.conftest import Operator, Runs, condition, until
from controlplane.kubelet_double import Ending, KubeletDouble, publishes, scored, work_of
from faults.conftest import WHOLE
from local import karpenter, kwok
from local.api import Api, ApiError
from local.places import Places

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
NODES = "/api/v1/nodes"
CLAIMS = "/apis/karpenter.sh/v1/nodeclaims"
LABEL = {"sensorscore.dev/pool": "scoring"}
TAINT = {"key": "sensorscore.dev/scoring", "value": "true", "effect": "NoSchedule"}
RUNTIME = {
    "image": "localhost/sensorscore-scorer:test",
    "resources": {"requests": {"cpu": "500m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
    "nodeSelector": LABEL,
    "tolerations": [{"key": TAINT["key"], "operator": "Exists", "effect": TAINT["effect"]}],
}


@pytest.fixture(scope="module")
def pool(controlplane: ControlPlane, api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An autoscaler with the scoring pool, which has no nodes. KWOK looks after nodes only."""
    stages = tmp_path_factory.mktemp("kwok") / "stages.yaml"
    every = yaml.safe_load_all(kwok.STAGES.read_text())
    of_nodes = [stage for stage in every if stage["spec"]["resourceRef"]["kind"] == "Node"]
    stages.write_text(yaml.safe_dump_all(of_nodes))
    daemons = controlplane.daemons
    try:
        kwok.start(Places.here(), daemons, controlplane.kubeconfig, 0, stages)
        karpenter.start(Places.here(), daemons, controlplane.kubeconfig)
        karpenter.pool(api, "scoring", LABEL, [TAINT])
        yield api
    finally:
        for name in (karpenter.NAME, kwok.NAME):
            print(daemons.log_tail(name))  # noqa: T201 - shown when a test fails
            daemons.stop(name, grace=5)


@pytest.fixture
def operator(controlplane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """The operator, whose scoring pods want the pool."""
    operator = Operator(controlplane.kubeconfig, tmp_path, [namespace], runtimes={"default": RUNTIME})
    operator.start()
    yield operator
    operator.close()
    print(operator.log.read_text()[-10_000:])  # noqa: T201


def nodes(api: Api) -> dict[str, Json]:
    """The pool's nodes."""
    items = api.call("GET", f"{NODES}?labelSelector=sensorscore.dev/pool%3Dscoring")["items"]
    return {each["metadata"]["name"]: each for each in items}


def by_node(runs: Runs) -> dict[str, list[str]]:
    """Names of the pods that run, by their node."""
    found: dict[str, list[str]] = {}
    for pod in runs.pods():
        if pod["status"]["phase"] == "Running" and not pod["metadata"].get("deletionTimestamp"):
            found.setdefault(pod["spec"]["nodeName"], []).append(pod["metadata"]["name"])
    return found


@dataclass
class Kubelets:
    """The pool's kubelets: pods of `held` sensors run on, others are scored; of lost nodes are silent."""

    held: set[str]
    lost: set[str] = field(default_factory=set)

    def ends(self, pod: Json) -> Ending | None:
        work = work_of(pod)
        return None if self.held & set(work["sensors"]["names"]) else scored(work)

    def running(self, runs: Runs) -> KubeletDouble:
        return KubeletDouble(
            *(runs.api, runs.namespace, self.ends),
            binds=publishes,
            lost=lambda pod: pod["spec"].get("nodeName") in self.lost,
        )


def test_the_pool_grows_from_nothing_and_goes_back_to_it(pool: Api, operator: Operator, runs: Runs) -> None:
    """A node in little use stays for its last pod, and no pod is asked to move: `do-not-disrupt`."""
    assert nodes(pool) == {}
    kubelets = Kubelets({"last"})
    runs.create(sensors={"names": ["a", "b", "c", "d", "e", "f", "last"]})
    with kubelets.running(runs):
        until("the last runs", lambda: len(nodes(pool)) >= 2 and by_node(runs), 60)
        assert all(TAINT in nodes(pool)[name]["spec"]["taints"] for name in by_node(runs))
        until("all but one are scored", lambda: runs.get()["status"]["progress"] == "6/7", 60)
        until("the others' nodes have left", lambda: len(nodes(pool)) == 1, 90)
        last = by_node(runs)
        time.sleep(5)
        assert by_node(runs) == last
        kubelets.held.clear()
        run = runs.ended()
        until("the pool is empty", lambda: not nodes(pool), 90)
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    assert run["status"]["counts"]["scored"] == 7
    assert [job["status"].get("failed", 0) for job in runs.jobs()] == [0] * 7


def evict(api: Api, namespace: str, node: str, pods: list[str]) -> None:
    """As `kubectl drain` does."""
    api.call("PATCH", f"{NODES}/{node}", {"spec": {"unschedulable": True}}, "application/merge-patch+json")
    for name in pods:
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        api.call("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", body)


def reclaim(api: Api, node: str) -> None:
    """As Karpenter itself does when the cloud says that it takes a spot node back: it has half a minute."""
    claims = api.call("GET", CLAIMS)["items"]
    claim = next(each for each in claims if each["status"].get("nodeName") == node)
    path = f"{CLAIMS}/{claim['metadata']['name']}"
    annotation = "karpenter.sh/nodeclaim-termination-timestamp"
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 30))
    body = {"metadata": {"annotations": {annotation: soon}}}
    api.call("PATCH", path, body, "application/merge-patch+json")
    api.call("DELETE", path)


def lose(api: Api, node: str) -> None:
    """The machine is gone without a word, and with it its Node, as a cloud's controller sees to."""
    path = f"{NODES}/{node}"
    api.call("DELETE", path, {"gracePeriodSeconds": 0})
    with contextlib.suppress(ApiError):
        api.call("PATCH", path, {"metadata": {"finalizers": None}}, "application/merge-patch+json")


@pytest.mark.skipif(not WHOLE, reason="takes two minutes of Kubernetes' clocks: `make test-faults` runs it")
def test_nodes_that_are_drained_reclaimed_and_lost_cost_no_sensor(
    pool: Api, operator: Operator, runs: Runs
) -> None:
    """In mid-run, all at once; nor does it cost any of backoffLimit."""
    sensors = [f"s{number:02}" for number in range(12)]
    kubelets = Kubelets(set(sensors))
    runs.create(sensors={"names": sensors}, retry={"backoffLimit": 0})
    with kubelets.running(runs):
        until("all run", lambda: sum(map(len, by_node(runs).values())) == len(sensors), 90)
        before = by_node(runs)
        assert len(before) >= 4
        drained, reclaimed, lost, *_ = before
        evict(pool, runs.namespace, drained, before[drained])
        reclaim(pool, reclaimed)
        kubelets.lost.add(lost)
        lose(pool, lost)
        taken = {*before[drained], *before[reclaimed], *before[lost]}
        until(
            "their pods are gone",
            lambda: taken.isdisjoint(each["metadata"]["name"] for each in runs.pods()),
            150,
        )
        until("all run again", lambda: sum(map(len, by_node(runs).values())) == len(sensors), 90)
        assert {drained, reclaimed, lost}.isdisjoint(by_node(runs))
        kubelets.held.clear()
        run = runs.ended(seconds=60)
        until("the pool is empty", lambda: not nodes(pool), 90)
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    counts = run["status"]["counts"]
    assert (counts["scored"], counts["failed"], counts["jobs"]) == (len(sensors), 0, len(sensors))
    assert run["status"]["rows"]["scored"] == 9 * len(sensors)
    assert [job["status"].get("failed", 0) for job in runs.jobs()] == [0] * len(sensors)
