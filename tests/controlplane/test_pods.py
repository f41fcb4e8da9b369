"""What happens to pods: the reason that the status names for it, at whose expense, and how the run ends.

On the real API server, scheduler and Job controller; the kubelet's part is its double's. What only a real
kubelet and a real kernel can do (a container killed, or out of memory; a node under pressure; an image that
is not there) is in tests/cluster as well.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from controlplane.conftest import Operator, Runs, condition, until
from controlplane.kubelet_double import Ending, KubeletDouble, scored, work_of
from local.api import Api, ApiError

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]

# Ends ------------------------------------------------------------------------------------------------------
#
# A dead pod costs one of its Job's attempts (backoffLimit), unless Kubernetes took it away.


class Fault(NamedTuple):
    """How a sensor's pods end, each of them; what its status says; how many pods were made of it."""

    ends: Ending
    reason: str
    pods: int
    says: str


ATTEMPTS = 2  # backoffLimit: 1
TAKEN = 3  # disruptionsPerChunk: 2
PULLING = "ImagePullBackOff: Back-off pulling image"
FAULTS = {
    "sigkill": Fault(Ending(137), "PodFailed", ATTEMPTS, "failed with exit code 137"),
    "oom": Fault(
        Ending(137, reason="OOMKilled"), "OutOfMemory", ATTEMPTS, "ran out of memory; wanted: a higher"
    ),
    "crash": Fault(Ending(139, "Segmentation fault"), "PodFailed", ATTEMPTS, "139: Segmentation fault"),
    "internal": Fault(Ending(70), "PodFailed", ATTEMPTS, "failed with exit code 70"),
    "deadline": Fault(Ending(124), "Timeout", ATTEMPTS, "ran into its time limit"),
    "usage": Fault(Ending(64, "no store is named"), "Misconfigured", 1, "cannot begin: no store is named"),
    "disk-full": Fault(Ending(137, pod_reason="Evicted"), "Evicted", ATTEMPTS, "was evicted from its node"),
    # SIGTERM is answered with 143, which costs the Job nothing: but for this the pod has but itself to blame.
    "disk-full-143": Fault(
        Ending(143, pod_reason="Evicted"), "Evicted", ATTEMPTS, "was evicted from its node"
    ),
    "no-image": Fault(
        Ending(1, pod_reason="DeadlineExceeded", waiting=PULLING),
        *(
            "NeverStarted",
            ATTEMPTS,
            "never started (ImagePullBackOff: Back-off pulling image); wanted its image",
        ),
    ),
    "reclaimed": Fault(
        Ending(143), "Disrupted", TAKEN, "taken from its node, as 2 before it; wanted at most 2"
    ),
}


def test_how_pods_die_is_named_and_costs_what_it_should(
    controlplane: ControlPlane, api: Api, namespace: str, tmp_path: Path, runs: Runs
) -> None:
    made: dict[str, set[str]] = {}

    def ends(pod: Json) -> Ending:
        (sensor,) = work_of(pod)["sensors"]["names"]
        made.setdefault(sensor, set()).add(pod["metadata"]["name"])
        return FAULTS[sensor].ends if sensor in FAULTS else scored(work_of(pod))

    limits = {"disruptionsPerChunk": TAKEN - 1}
    operator = Operator(controlplane.kubeconfig, tmp_path, [namespace], limits=limits)
    operator.start()
    try:
        names = {"names": [*FAULTS, "good"]}
        runs.create(
            sensors=names, retry={"backoffLimit": ATTEMPTS - 1}, failurePolicy={"maxFailedSensors": "99%"}
        )
        with KubeletDouble(api, namespace, ends):
            run = runs.ended(seconds=150)
    finally:
        operator.close()
        print(operator.log.read_text()[-10_000:])  # noqa: T201 - shown when the test fails
    found = {each["sensor"]: each for each in run["status"]["failures"]}
    told = {sensor: (each["reason"], len(made[sensor])) for sensor, each in found.items()}
    assert told == {sensor: (fault.reason, fault.pods) for sensor, fault in FAULTS.items()}
    for sensor, fault in FAULTS.items():
        assert fault.says in found[sensor]["message"]
    assert condition(run, "Complete")["reason"] == "SomeFailed"
    assert (run["status"]["counts"]["scored"], run["status"]["counts"]["failed"]) == (1, len(FAULTS))
    until("no Job goes on", lambda: not [job for job in runs.jobs() if job["status"].get("active")])


# Taken away ------------------------------------------------------------------------------------------------


def evicted(api: Api, path: str, name: str) -> None:
    """`kubectl drain` does this."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    api.call("POST", f"{path}/{name}/eviction", body)


def deleted(api: Api, path: str, name: str) -> None:
    """By hand, and by Karpenter when a node's time is over: nothing on the pod says why."""
    api.call("DELETE", f"{path}/{name}")


@pytest.mark.parametrize("take", [evicted, deleted])
def test_a_pod_that_is_taken_away_costs_nothing_until_the_cap(
    controlplane: ControlPlane, api: Api, namespace: str, tmp_path: Path, runs: Runs,
    take: Callable[[Api, str, str], None],
) -> None:  # fmt: skip
    """One sensor is taken away once, another again and again; neither has an attempt to lose."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    seen: dict[str, set[str]] = {"once": set(), "again-and-again": set()}

    def ends(pod: Json) -> Ending | None:
        (sensor,) = work_of(pod)["sensors"]["names"]
        if sensor == "once" and seen[sensor]:
            return scored(work_of(pod)) if pod["metadata"]["name"] not in seen[sensor] else None
        if pod["status"]["phase"] == "Running" and pod["metadata"]["name"] not in seen[sensor]:
            seen[sensor].add(pod["metadata"]["name"])
            take(api, path, pod["metadata"]["name"])
        return None

    operator = Operator(controlplane.kubeconfig, tmp_path, [namespace], limits={"disruptionsPerChunk": 1})
    operator.start()
    try:
        runs.create(
            sensors={"names": list(seen)},
            retry={"backoffLimit": 0},
            failurePolicy={"maxFailedSensors": 1},
        )
        with KubeletDouble(api, namespace, ends):
            run = runs.ended(seconds=120)
    finally:
        operator.close()
        print(operator.log.read_text()[-10_000:])  # noqa: T201
    assert run["status"]["reasons"] == {"Failed/Disrupted": 1}
    (failure,) = run["status"]["failures"]
    assert failure["sensor"] == "again-and-again"
    assert len(seen["again-and-again"]) == 2
    assert ("EvictionByEvictionAPI" in failure["message"]) == (take is evicted)
    assert run["status"]["counts"]["scored"] == 1


# Never made ------------------------------------------------------------------------------------------------


def no_pods_quota(api: Api, namespace: str) -> None:
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api.create(quotas, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    until("the quota is counted", lambda: api.call("GET", f"{quotas}/none").get("status", {}).get("used"))


def pods_too_small(api: Api, namespace: str) -> None:
    limits = {"limits": [{"type": "Container", "min": {"memory": "1Gi"}}]}
    path = f"/api/v1/namespaces/{namespace}/limitranges"
    api.create(path, {"metadata": {"name": "large"}, "spec": limits})


@pytest.mark.parametrize(
    ("refuse", "says"),
    [
        (no_pods_quota, "exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0"),
        (pods_too_small, "minimum memory usage per Container is 1Gi, but request is 64Mi"),
    ],
)
def test_pods_that_are_never_made_fail_the_run_with_kubernetes_words(
    api: Api, namespace: str, operator: Operator, runs: Runs, refuse: Callable[[Api, str], None], says: str
) -> None:
    """Their Jobs are there and wait. Pods that find no node: `test_policies`."""
    refuse(api, namespace)
    operator.start()
    runs.create(timeouts={"pendingSeconds": 10})
    with KubeletDouble(api, namespace, lambda pod: scored(work_of(pod))):
        run = runs.ended(seconds=90)
    failed = condition(run, "Failed")
    assert failed["reason"] == "PendingDeadlineExceeded"
    assert says in failed["message"]
    assert (
        "publishing failed" in failed["message"]
    )  # that Job gets no pod either, and is not waited for longer


POLICIES = "/apis/admissionregistration.k8s.io/v1"


@pytest.mark.parametrize(("word", "ends"), [("Invalid", True), ("Forbidden", False)])
def test_an_admission_policy_that_refuses_jobs(
    api: Api, namespace: str, operator: Operator, runs: Runs, word: str, ends: bool
) -> None:
    """`Invalid` is said of what will never be taken; `Forbidden` may be mended by who forbids it."""
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [
                {
                    "apiGroups": ["batch"],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["jobs"],
                }
            ],
        },
        "validations": [
            {"expression": "'team' in object.metadata.labels", "message": "Jobs want a team", "reason": word}
        ],
    }
    policy, binding = (
        f"{POLICIES}/validatingadmissionpolicies",
        f"{POLICIES}/validatingadmissionpolicybindings",
    )
    api.create(policy, {"metadata": {"name": namespace}, "spec": spec})
    api.create(
        binding,
        {"metadata": {"name": namespace}, "spec": {"policyName": namespace, "validationActions": ["Deny"]}},
    )
    until("it is in force", lambda: refused(api, namespace))
    operator.start()
    runs.create()
    with KubeletDouble(api, namespace, lambda pod: scored(work_of(pod))):
        if ends:
            failed = condition(runs.ended(), "Failed")
            assert failed["reason"] == "JobRejected"
            assert "Jobs want a team" in failed["message"]
            return
        until("it is said", lambda: condition(runs.get(), "Blocked").get("status") == "True")
        blocked = condition(runs.get(), "Blocked")
        assert (blocked["reason"], runs.phase()) == ("Forbidden", "Running")
        assert "Jobs want a team" in blocked["message"]
        api.call("DELETE", f"{binding}/{namespace}")
        assert condition(runs.ended(seconds=90), "Complete")["reason"] == "AllSucceeded"


def refused(api: Api, namespace: str) -> bool:
    pod = {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}
    body = {"metadata": {"generateName": "x-"}, "spec": {"suspend": True, "template": {"spec": pod}}}
    try:
        api.call("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs?dryRun=All", body)
    except ApiError as error:
        return "team" in str(error)
    return False
