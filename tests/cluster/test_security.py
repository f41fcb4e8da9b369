"""What the installed operator and its pods may do."""

from __future__ import annotations

import pytest

from stack import Stack, run_manifest

pytestmark = pytest.mark.cluster


def test_both_namespaces_enforce_the_restricted_pod_security_standard(stack: Stack) -> None:
    """All other tests ran under it; a pod that promises nothing is refused here."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "careless"},
        "spec": {"containers": [{"name": "careless", "image": "localhost/careless:1"}]},
    }
    for namespace in (stack.namespace, stack.release_namespace):
        assert "restricted" in stack.refused(pod, namespace)


def test_scoring_pods_get_no_api_token_and_no_key_in_their_manifest(stack: Stack) -> None:
    """The connection string is a reference to a Secret; nothing else names the account's key."""
    stack.apply(run_manifest("safe", ["good-0"]))
    stack.wait_ended("safe")
    job = stack.jobs("safe")[0]
    assert stack.account_key not in str(job)
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("verb", "resource"),
    [("get", "secrets"), ("list", "secrets"), ("create", "pods"), ("update", "jobs"), ("get", "nodes")],
)
def test_the_operator_may_not(stack: Stack, verb: str, resource: str) -> None:
    """Its rights end at ScoringRuns, Jobs, pods' end and its own lists of sensors."""
    assert stack.can_operator(verb, resource) == "no"
