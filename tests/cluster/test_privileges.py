"""Over the whole suite: each right that a ServiceAccount of ours is granted was used, and no other was."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local import kind
from local.cluster import Cluster
from local.places import Places
from privileges import Difference, difference, granted, requests
from releases import objects
from scoring_operator.contract import job_name
from stack import Manifest, Stack, config_map, run_manifest

pytestmark = pytest.mark.cluster
OURS = "--selector=app.kubernetes.io/part-of=sensorscore"
KINDS = "roles,rolebindings,clusterroles,clusterrolebindings"


def test_what_is_granted_is_used_and_what_is_used_is_granted(stack: Stack) -> None:
    """By the API server's audit log, of all that ran in the cluster since it was brought up."""
    if kind.available():
        pytest.skip("kind's API server keeps no audit log; tests/controlplane proves the operator's rights")
    rare_things(stack)
    rights = granted(objects(stack.tools, KINDS, "--all-namespaces", OURS))
    asked = list(requests(Cluster(Places.here()).plane().audit_log))
    found: dict[str, Difference] = {}
    for user in accounts(stack):
        own = [request for request in asked if request.user == user]
        found[user] = difference(rights.get(user, set()), own)
    said = "\n".join(f"{user}: {each}" for user, each in found.items())
    assert not any(each.not_granted for each in found.values()), f"used without a rule of ours:\n{said}"
    assert not any(each.unused for each in found.values()), f"granted and never used:\n{said}"


def accounts(stack: Stack) -> list[str]:
    """All ServiceAccounts that the chart made, the scorers' too, which have no rights."""
    found = objects(stack.tools, "serviceaccounts", "--all-namespaces", OURS)
    users = [f"system:serviceaccount:{_place(each)}" for each in found]
    assert len(users) >= 3, "the operator's, and a scorer's in each namespace"
    return users


def _place(account: dict[str, Any]) -> str:
    return f"{account['metadata']['namespace']}:{account['metadata']['name']}"


def rare_things(stack: Stack) -> None:
    """What other tests may leave out: each right is provoked, not excused."""
    stack.apply(config_map("rare", "good-0\ncorrupt-model\n"))
    stack.apply(of("rare", {"configMapRef": {"name": "rare"}}))
    uid = stack.wait_ended("rare")["metadata"]["uid"]
    repeated = {"failedOf": {"name": "rare", "uid": uid}}
    stack.apply(of("rare-again", repeated, ttlSecondsAfterFinished=0))
    gone = lambda: "rare-again" not in stack.kubectl("get", "scoringruns", "-o", "name")  # noqa: E731
    stack.wait_for("the run's own end", gone)
    stack.apply(run_manifest("rare-paused", ["good-0", "good-1"], parallelism=1))
    stack.wait_for("its Job", lambda: stack.jobs("rare-paused"))
    stack.patch("scoringrun", "rare-paused", {"spec": {"suspend": True}})
    stack.wait_for("its pause", lambda: stack.status("rare-paused").get("phase") == "Suspended")
    taken(stack)
    without_pods(stack)


def of(name: str, sensors: Manifest, **spec: Any) -> Manifest:
    """A run whose sensors come from somewhere else."""
    manifest = run_manifest(name, [], **spec)
    manifest["spec"]["sensors"] = sensors
    return manifest


def taken(stack: Stack) -> None:
    """A Job has the name that the operator wants: it looks whose that is."""
    stack.apply(run_manifest("rare-taken", ["good-0"], parallelism=0))
    name = job_name("rare-taken", stack.get("scoringrun", "rare-taken")["metadata"]["uid"], 0, 0)
    container = {"name": "own", "image": "localhost/own:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
    stack.kubectl(
        "create", "--filename=-", stdin=json.dumps(job | {"spec": {"suspend": True, "template": template}})
    )
    stack.patch("scoringrun", "rare-taken", {"spec": {"parallelism": 1}})

    def said() -> bool:
        run = stack.get("scoringrun", "rare-taken")
        return "status" in run and stack.condition(run, "Blocked") == ("True", "NameTaken")

    stack.wait_for("it to be said", said)
    stack.kubectl("delete", "job", name)
    assert stack.wait_ended("rare-taken")["status"]["phase"] == "Succeeded"


def without_pods(stack: Stack) -> None:
    """A quota lets no pod be made: the Job's Events say so, and the run."""
    stack.kubectl("create", "quota", "rare", "--hard=pods=0")
    try:
        stack.wait_for(
            "it to count", lambda: stack.get("resourcequota", "rare").get("status", {}).get("used")
        )
        stack.apply(run_manifest("rare-refused", ["good-0"], timeouts={"pendingSeconds": 10}))
        run = stack.wait_ended("rare-refused")
    finally:
        stack.kubectl("delete", "quota", "rare")
    failed = next(each for each in run["status"]["conditions"] if each["type"] == "Failed")
    assert "exceeded quota: rare" in failed["message"]
