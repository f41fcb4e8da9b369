"""The operator as the chart's own ServiceAccount: it uses each right that it is granted, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controlplane.conftest import RUNS, Operator, Runs, condition, until
from controlplane.kubelet_double import Ending, KubeletDouble, failed, scored, work_of
from controlplane.rights import RELEASE, as_account, install, rendered
from local.api import Api, ApiError
from privileges import Request, difference, granted, requests
from scoring_operator.contract import job_name

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]


@pytest.fixture(params=["namespaced", "cluster-wide"])
def scope(request: pytest.FixtureRequest) -> str:
    """Whether it watches one namespace, or all."""
    return str(request.param)


@pytest.fixture
def roles(helm: Path, api: Api, namespace: str, scope: str) -> list[Json]:
    """The chart's accounts, roles and bindings, installed in the test's namespace."""
    watched = [namespace] if scope == "namespaced" else []
    return install(api, rendered(helm, namespace, watchNamespaces=watched))


@pytest.fixture
def account(
    controlplane: ControlPlane, namespace: str, roles: list[Json], scope: str, tmp_path: Path
) -> Iterator[Operator]:
    """The operator with the token of its own account, not started yet."""
    watched = [namespace] if scope == "namespaced" else []
    config = as_account(controlplane, namespace, RELEASE, tmp_path)
    lease = {"namespace": namespace, "name": RELEASE, "durationSeconds": 3}
    operator = Operator(config, tmp_path, watched, lease=lease)
    yield operator
    operator.close()


class Ends:
    """Sensors that are bad fail, and long ones run on until they are let go."""

    released = False

    def __call__(self, pod: Json) -> Ending | None:
        work = work_of(pod)
        name = work["sensors"]["names"][0]
        if name.startswith("bad"):
            return failed(work, "ModelCorrupt", "sha256 differs")
        return None if name.startswith("long") and not self.released else scored(work)


def test_each_right_is_used_and_no_other_is_asked_for(
    controlplane: ControlPlane, api: Api, namespace: str, account: Operator, roles: list[Json], runs: Runs
) -> None:
    user = f"system:serviceaccount:{namespace}:{RELEASE}"
    account.start()
    ends = Ends()
    with KubeletDouble(api, namespace, ends):
        whole_life(api, namespace, runs, ends)
    asked = mine(controlplane.audit_log, user)
    found = difference(granted(roles)[user], asked)
    assert not found.forbidden, f"asked for and refused: {found.forbidden}"
    assert not found.not_granted, f"used without a rule of ours: {found.not_granted}"
    assert not found.unused, f"granted and never used: {found.unused}"


def mine(log: Path, user: str) -> list[Request]:
    return [request for request in requests(log) if request.user == user]


def whole_life(api: Api, namespace: str, runs: Runs, ends: Ends) -> None:
    """All that ever happens to runs, rare things too."""
    listed = {"metadata": {"name": "fleet"}, "data": {"sensors": "a\nbad\n"}}
    api.create(f"/api/v1/namespaces/{namespace}/configmaps", listed)
    first = runs.create("first", sensors={"configMapRef": {"name": "fleet"}})
    runs.ended("first")
    repeated = {"failedOf": {"name": "first", "uid": first["metadata"]["uid"]}}
    runs.create("again", sensors=repeated, ttlSecondsAfterFinished=0)
    until("it is gone again", lambda: runs.gone("again"))
    suspended(runs)
    name_taken(api, namespace, runs)
    refused_pods(api, namespace, runs)
    ends.released = True


def suspended(runs: Runs) -> None:
    """Its Jobs are deleted."""
    runs.create("paused", sensors={"names": ["long"]})
    until("its pod runs", lambda: any(pod["status"]["phase"] == "Running" for pod in runs.pods()))
    runs.patch({"suspend": True}, "paused")
    until("it is suspended", lambda: runs.phase("paused") == "Suspended")
    until("its Job is gone", lambda: not runs.jobs_of("paused"))


def name_taken(api: Api, namespace: str, runs: Runs) -> None:
    """A Job of the name that it wants is there already: it looks whose it is."""
    run = runs.create("taken", sensors={"names": ["a"]}, parallelism=0)
    name = job_name("taken", run["metadata"]["uid"], 0, 0)
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    api.create(jobs, foreign_job(name))
    runs.patch({"parallelism": 1}, "taken")
    blocked = lambda: condition(runs.get("taken"), "Blocked").get("reason") == "NameTaken"  # noqa: E731
    until("it says so", blocked)
    api.call("DELETE", f"{jobs}/{name}", {"propagationPolicy": "Background"})
    assert condition(runs.ended("taken"), "Complete")["reason"] == "AllSucceeded"


def foreign_job(name: str) -> Json:
    """A Job of somebody's own, suspended."""
    safe = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {"name": "own", "image": "localhost/own:1", "securityContext": safe}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {"metadata": {"name": name}, "spec": {"suspend": True, "template": pod}}


def refused_pods(api: Api, namespace: str, runs: Runs) -> None:
    """No pod may be made: after pendingSeconds it asks the Job's Events why."""
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api.create(quotas, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    until("it counts", lambda: "used" in api.call("GET", f"{quotas}/none").get("status", {}))
    runs.create("refused", sensors={"names": ["a"]}, timeouts={"pendingSeconds": 10})
    run = runs.ended("refused", 180)
    api.call("DELETE", f"{quotas}/none")
    assert "exceeded quota: none" in condition(run, "Failed")["message"]


def test_the_scorers_account_may_do_nothing(
    controlplane: ControlPlane, api: Api, helm: Path, namespace: str, tmp_path: Path
) -> None:
    """It is for signing in to a store; no rule speaks of it, and its pods get no token."""
    manifests = rendered(helm, namespace, scoringNamespaces=[namespace], watchNamespaces=[namespace])
    roles = install(api, manifests)
    assert set(granted(roles)) == {f"system:serviceaccount:{namespace}:{RELEASE}"}
    accounts = [one for one in roles if one["kind"] == "ServiceAccount"]
    assert [one["automountServiceAccountToken"] for one in accounts] == [False] * len(accounts)
    scorer = Api(as_account(controlplane, namespace, "sensorscore-scorer", tmp_path))
    for path in (f"{RUNS}/namespaces/{namespace}/scoringruns", f"/api/v1/namespaces/{namespace}/secrets"):
        with pytest.raises(ApiError, match="403"):
            scorer.call("GET", path)
