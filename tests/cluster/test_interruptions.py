"""What happens in the middle of a run must not show at its end."""

from __future__ import annotations

import time

import pytest

from stack import Stack, run_manifest

pytestmark = pytest.mark.cluster

GOOD = [f"good-{number}" for number in range(8)]


def test_an_operator_killed_in_the_middle_changes_nothing(stack: Stack) -> None:
    """Killed twice, once before the first outcome and once after: each sensor is scored once, by one Job."""
    stack.apply(run_manifest("killed", GOOD, parallelism=2))
    stack.wait_for("its first Jobs", lambda: stack.jobs("killed"))
    stack.kill_operator()
    stack.wait_for("its first outcomes", lambda: stack.scored("killed") >= 2)
    stack.kill_operator()
    run = stack.wait_ended("killed")
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    assert run["status"]["counts"]["scored"] == len(GOOD)
    assert run["status"]["rows"]["read"] == len(GOOD) * stack.rows_per_sensor
    assert len(stack.jobs("killed")) == len(GOOD)
    assert stack.pod_count("killed") == len(GOOD)
    assert run["status"]["latency"]["total"]["count"] == len(GOOD)
    assert run["status"]["latency"]["publish"]["count"] == 1


def test_a_run_deleted_in_the_middle_leaves_nothing_behind(stack: Stack) -> None:
    """Jobs, pods and the pinned list go with the run; no finalizer holds it."""
    stack.apply(run_manifest("deleted", GOOD, parallelism=3))
    stack.wait_for("its first Jobs", lambda: stack.jobs("deleted"))
    uid = stack.get("scoringrun", "deleted")["metadata"]["uid"]
    stack.kubectl("delete", "scoringrun", "deleted", "--timeout=30s")
    stack.wait_for("all of it to be gone", lambda: not stack.left_of(uid))
    time.sleep(3)  # nothing may come back
    assert not stack.left_of(uid)


def test_a_suspended_run_stops_its_pods_and_goes_on_where_it_was(stack: Stack) -> None:
    """What is decided stays decided; the rest is done after the resume."""
    stack.apply(run_manifest("paused", GOOD, parallelism=2))
    stack.wait_for("its first outcomes", lambda: stack.scored("paused") >= 1)
    stack.patch("scoringrun", "paused", {"spec": {"suspend": True}})
    stack.wait_for("the suspension", lambda: stack.status("paused")["phase"] == "Suspended")
    stack.wait_for("its pods to stop", lambda: not stack.unfinished_pods("paused"))
    decided = stack.status("paused")["counts"]["scored"]
    assert 1 <= decided < len(GOOD)
    stack.patch("scoringrun", "paused", {"spec": {"suspend": False}})
    run = stack.wait_ended("paused")
    assert run["status"]["phase"] == "Succeeded"
    assert run["status"]["counts"]["scored"] == len(GOOD)


def test_a_container_that_is_killed_is_tried_again(stack: Stack) -> None:
    """A pod that dies without a word costs an attempt, not the sensor."""
    with stack.storage_stopped():  # so that the pod is sure to be at work
        stack.apply(run_manifest("retried", ["slow"]))
        stack.wait_for("its pod to run, and die", lambda: stack.kill_scorer("retried"))
    run = stack.wait_ended("retried")
    assert stack.condition(run, "Complete") == ("True", "AllSucceeded")
    assert run["status"]["counts"]["retriedJobs"] == 1
    assert stack.pod_count("retried") == 2
