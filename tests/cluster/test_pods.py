"""What only a real kubelet and a real kernel do to pods; the table: tests/controlplane/test_pods.py."""

from __future__ import annotations

import pytest

from stack import Manifest, Stack, run_manifest

pytestmark = pytest.mark.cluster

ONE_ATTEMPT = {"retry": {"backoffLimit": 0}}


def failure(run: Manifest) -> tuple[str, str]:
    """Reason and sentence of the run's only failure."""
    (found,) = run["status"]["failures"]
    return found["reason"], found["message"]


def test_a_container_that_is_killed_has_its_exit_code_as_reason(stack: Stack) -> None:
    """SIGKILL leaves no word; that a second attempt does the work is in test_interruptions."""
    with stack.storage_stopped():  # so that the pod is sure to be at work
        stack.apply(run_manifest("sigkill", ["slow"], **ONE_ATTEMPT))
        stack.wait_for("its pod to run, and die", lambda: stack.kill_scorer("sigkill"))
    run = stack.wait_ended("sigkill")
    assert stack.condition(run, "Failed") == ("True", "TooManyFailedSensors")
    reason, message = failure(run)
    assert reason == "PodFailed"
    assert "failed with exit code 137" in message


def test_a_container_out_of_memory_says_so_and_is_tried_again(stack: Stack) -> None:
    """The kernel kills it; the sentence says what to change."""
    # Its imports alone take more, without the pages of libraries, which the node may hold already.
    small = {"resources": {"requests": {"memory": "12Mi"}, "limits": {"memory": "12Mi"}}}
    stack.apply(run_manifest("oom", ["good-0"], template=small, retry={"backoffLimit": 1}))
    run = stack.wait_ended("oom")
    assert stack.condition(run, "Failed") == ("True", "TooManyFailedSensors")
    reason, message = failure(run)
    assert reason == "OutOfMemory"
    assert "wanted: a higher limit" in message
    assert stack.pod_count("oom") == 2


@pytest.mark.parametrize("politely", [True, False], ids=["evicted", "deleted"])
def test_a_pod_that_is_taken_away_costs_no_attempt(stack: Stack, politely: bool) -> None:
    """The scorer answers SIGTERM by its exit code; a drain leaves a condition, Karpenter's delete none."""
    name = "evicted" if politely else "deleted"
    with stack.storage_stopped():
        stack.apply(run_manifest(name, ["slow"], **ONE_ATTEMPT))
        stack.wait_for("its pod to run", lambda: stack.scorers(name))
        taken = stack.take_pod(name, politely)
        stack.wait_for("another in its place", lambda: {taken} != set(stack.unfinished_pods(name)) != set())
    run = stack.wait_ended(name)
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    (job,) = stack.jobs(name)
    assert job["status"].get("failed", 0) == 0


def test_an_image_that_is_not_there_ends_the_run_with_the_kubelets_words(stack: Stack) -> None:
    """Only with `pendingSeconds`: without it the run waits for somebody to push the image."""
    stack.apply(run_manifest("no-image", ["good-0"], runtime="absent", timeouts={"pendingSeconds": 20}))
    run = stack.wait_ended("no-image")
    assert stack.condition(run, "Failed") == ("True", "PendingDeadlineExceeded")
    message = next(each["message"] for each in run["status"]["conditions"] if each["type"] == "Failed")
    assert "nobody-has-this" in message or "ImagePullBackOff" in message or "ErrImagePull" in message
