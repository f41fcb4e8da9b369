"""Two operators by accident: one acts, the other stands by until it may, against a real API server."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controlplane.conftest import Operator, Runs, condition, until
from controlplane.kubelet_double import Ending, KubeletDouble, scored, work_of
from local.api import Api

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]


def all_scored(pod: Json) -> Ending:
    return scored(work_of(pod))


@pytest.fixture
def second(controlplane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """Another operator of the same namespace, from another pod."""
    folder = tmp_path / "second"
    folder.mkdir()
    operator = Operator(Path(controlplane.kubeconfig), folder, [namespace], name="second")
    yield operator
    operator.close()


def holder(api: Api, namespace: str) -> str:
    leases = api.call("GET", f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")["items"]
    return "".join(lease["spec"]["holderIdentity"] for lease in leases)


def says(operator: Operator, path: str) -> tuple[int, str]:
    """What it answers, once it serves."""
    until("it serves", lambda: "readyz on port" in operator.log.read_text())
    try:
        return 200, operator.get(path)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def ready(operator: Operator) -> bool:
    return says(operator, "/readyz")[0] == 200


def test_the_second_stands_by_and_goes_on_when_the_first_is_gone_without_a_word(
    api: Api, namespace: str, operator: Operator, second: Operator, runs: Runs
) -> None:
    operator.start()
    until("the first has it", lambda: ready(operator) and holder(api, namespace) == "operator")
    second.start()
    until("the second has looked", lambda: "standing by" in second.log.read_text())
    code, why = says(second, "/readyz")
    assert (code, why.strip()) == (
        503,
        f"standing by: Lease {namespace}/sensorscore-operator is held by operator",
    )
    assert says(second, "/healthz") == (200, "ok\n")
    runs.create()
    until("the first has made its Jobs", lambda: len(runs.jobs()) == 3)
    operator.kill()
    with KubeletDouble(api, namespace, all_scored):
        run = runs.ended()
    assert condition(run, "Complete")["reason"] == "AllSucceeded"
    assert (run["status"]["counts"]["scored"], len(runs.jobs())) == (3, 3)
    assert holder(api, namespace) == "second"
    assert "ready:" in second.log.read_text()


def test_one_that_was_stopped_lets_go_of_it(
    api: Api, namespace: str, operator: Operator, second: Operator
) -> None:
    operator.start()
    until("the first is ready", lambda: ready(operator))
    assert operator.stop() == 0
    assert holder(api, namespace) == ""
    second.start()
    until("the second is ready", lambda: ready(second))
    assert "standing by" not in second.log.read_text()


def test_one_that_lost_it_ends(api: Api, namespace: str, operator: Operator) -> None:
    operator.start()
    until("it is ready", lambda: ready(operator))
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/sensorscore-operator"
    stolen = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 600}}
    api.call("PATCH", path, stolen, "application/merge-patch+json")
    until("it has ended", lambda: not operator.runs())
    assert operator.stop() == 1
    assert "is held by thief now" in operator.log.read_text()
