"""What is found out about a Job whose pods do not start."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from scoring_operator.actions import Actor
from scoring_operator.cluster import EVENTS, PODS, ApiError, Cluster
from scoring_operator.decision import Trouble
from scoring_operator.ratelimit import TokenBucket
from scoring_operator.view import View
from unit.operator.api_double import ApiDouble, Json, serving, status
from unit.operator.given import NOW, a_job, settings

JOB = a_job()


@pytest.fixture
def api() -> ApiDouble:
    return ApiDouble()


@pytest.fixture
async def cluster(api: ApiDouble) -> AsyncIterator[Cluster]:
    async with serving(api) as connected:
        yield connected


@pytest.fixture
def actor(cluster: Cluster) -> Actor:
    return Actor(cluster, View(lambda _: None), TokenBucket(50, lambda: 0.0), settings())


def put_pod(api: ApiDouble, reason: str, said: str = "") -> None:
    state = {"waiting": {"reason": reason, "message": said}}
    pod: Json = {"metadata": {"name": "p", "uid": "u"}, "status": {"phase": "Pending"}}
    pod["status"]["containerStatuses"] = [{"name": "scorer", "state": state}]
    api.put(PODS.path("scoring", "p"), pod)


def put_event(api: ApiDouble, message: str, **times: Any) -> None:
    body = {"metadata": {"name": "e"}, "message": message, **times}
    api.put(EVENTS.path("scoring", f"e{api.version}"), body)


async def test_pods_that_nobody_makes(api: ApiDouble, actor: Actor) -> None:
    assert await actor.hindrance(JOB, NOW) is None
    put_event(api, "forbidden once")
    put_event(api, "forbidden: no ServiceAccount")
    words = f"Kubernetes has made no pod for Job {JOB.name}: forbidden: no ServiceAccount"
    assert await actor.hindrance(JOB, NOW) == Trouble("PodsNotCreated", words)


async def test_a_pod_that_cannot_start(api: ApiDouble, actor: Actor) -> None:
    put_event(api, "of something else")
    put_pod(api, "CreateContainerConfigError", 'secret "storage" not found')
    words = 'pod p: CreateContainerConfigError: secret "storage" not found'
    assert await actor.hindrance(JOB, NOW) == Trouble("PodsNotStarting", words)


async def test_a_pod_that_waits_for_a_volume(api: ApiDouble, actor: Actor) -> None:
    put_pod(api, "ContainerCreating")
    assert await actor.hindrance(JOB, NOW) is None
    put_event(api, 'MountVolume.SetUp failed for volume "store": secret "storage" not found')
    found = await actor.hindrance(JOB, NOW)
    assert found is not None
    assert found.message.startswith("pod p: MountVolume.SetUp failed")


async def test_a_pod_that_waits_for_a_node_is_not_held_up_by_anybody(api: ApiDouble, actor: Actor) -> None:
    pod: Json = {"metadata": {"name": "p", "uid": "u"}, "status": {"phase": "Pending"}}
    api.put(PODS.path("scoring", "p"), pod)
    put_event(api, "0/1 nodes are available")
    assert await actor.hindrance(JOB, NOW) is None


@pytest.mark.parametrize(
    ("times", "still"),
    [
        ({"lastTimestamp": "2026-01-01T12:57:31Z"}, True),
        ({"lastTimestamp": "2026-01-01T12:57:29Z"}, False),
        ({"lastTimestamp": None, "eventTime": "2026-01-01T12:57:31.123456Z"}, True),
        ({"lastTimestamp": None, "eventTime": "2026-01-01T12:57:29.123456Z"}, False),
        (
            {
                "eventTime": "2026-01-01T12:00:00.000000Z",
                "series": {"lastObservedTime": "2026-01-01T13:00:00.000000Z"},
            },
            True,
        ),
    ],
)
async def test_a_volume_that_was_waited_for_once_is_no_hindrance_now(
    api: ApiDouble, actor: Actor, times: Json, still: bool
) -> None:
    put_pod(api, "ContainerCreating")
    put_event(api, "MountVolume.SetUp failed", **times)
    assert (await actor.hindrance(JOB, NOW) is not None) == still


async def test_that_it_cannot_be_found_out_is_said(api: ApiDouble, actor: Actor) -> None:
    api.fault = lambda _: status(403, "Forbidden")
    with pytest.raises(ApiError):
        await actor.hindrance(JOB, NOW)
