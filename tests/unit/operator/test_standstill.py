from dataclasses import replace

import pytest

from scoring_operator.decision import Trouble
from scoring_operator.records import JobRecord, mounting, why_stuck
from scoring_operator.standstill import AGAIN_SECONDS, FIRST_SECONDS, Standstill
from unit.operator.given import Json, a_finished_job, a_job, after

TROUBLE = Trouble("PodsNotCreated", "no ServiceAccount")


def seen(still: Standstill, now: float, *jobs: JobRecord) -> float | None:
    still.see(jobs, now)
    return still.wait(now)


def test_a_job_without_a_pod_is_looked_at_after_a_while_and_then_now_and_again() -> None:
    still = Standstill()
    assert seen(still, 100.0, a_job()) == FIRST_SECONDS
    assert seen(still, 100.0 + FIRST_SECONDS, a_job()) == 0.0
    assert still.found(TROUBLE, 110.0)
    assert seen(still, 110.0, a_job()) == AGAIN_SECONDS
    assert not still.found(TROUBLE, 140.0)
    assert still.found(None, 170.0)


@pytest.mark.parametrize(
    "jobs",
    [
        (),
        (a_job(0, runs=True), a_job(1)),
        (a_finished_job(0),),
        (a_job(0, terminating=True),),
    ],
)
def test_nothing_is_looked_at_while_a_pod_runs_or_none_is_to_start(jobs: tuple[JobRecord, ...]) -> None:
    still = Standstill(job=a_job(), trouble=TROUBLE)
    assert seen(still, 100.0, *jobs) is None
    assert still.trouble is None


def test_it_moves_when_the_oldest_job_is_another() -> None:
    still = Standstill()
    first, second = a_job(0), a_job(1, created=after(-5))
    seen(still, 100.0, first, second)
    assert seen(still, 109.0, second) == FIRST_SECONDS
    assert seen(still, 109.0, second, replace(a_job(2), created=after(0))) == FIRST_SECONDS


def pod(reason: str, said: str = "") -> Json:
    waiting = {"reason": reason, "message": said} if said else {"reason": reason}
    container = {"name": "scorer", "state": {"waiting": waiting}}
    return {"metadata": {"name": "p"}, "status": {"phase": "Pending", "containerStatuses": [container]}}


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ([], ""),
        ([pod("ContainerCreating")], ""),
        ([{"metadata": {"name": "p"}, "status": {"phase": "Pending"}}], ""),
        (
            [pod("ContainerCreating"), pod("CreateContainerConfigError", 'secret "storage" not found')],
            'pod p: CreateContainerConfigError: secret "storage" not found',
        ),
        (
            [pod("ImagePullBackOff", "Back-off pulling image")],
            "pod p: ImagePullBackOff: Back-off pulling image",
        ),
    ],
)
def test_what_pods_say_that_somebody_has_to_mend(pods: list[Json], words: str) -> None:
    assert why_stuck(pods) == words


def test_a_pod_that_waits_for_a_volume_is_told_from_one_that_waits_for_an_image() -> None:
    assert mounting(pod("ContainerCreating"))
    assert not mounting(pod("ErrImagePull"))
    assert not mounting({"metadata": {"name": "p"}, "status": {}})
