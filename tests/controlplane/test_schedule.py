"""CronJob → its pod's program → ScoringRun → operator, on a real API server with the real controllers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controlplane.conftest import Operator, Runs, until
from controlplane.kubelet_double import Ending, scored, work_of
from controlplane.scheduling import LABEL, PATHS, Scheduled, ScheduleKubelet
from local.api import Api
from privileges import difference, granted, requests

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
Kubelet = Callable[[Callable[[Json], Ending | None]], AbstractContextManager[ScheduleKubelet]]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RUN: Json = {"sensors": {"names": ["a"]}, "output": {"allowOverwrite": True}}
BY_HAND: Json = {"cron": "0 0 1 1 *", "windowSeconds": 3600, "run": RUN}  # a cron line that does not come


@pytest.fixture
def scheduled(api: Api, namespace: str) -> Scheduled:
    return Scheduled(api, namespace)


@pytest.fixture
def kubelet(api: Api, namespace: str, controlplane: ControlPlane, tmp_path: Path) -> Kubelet:
    @contextmanager
    def start(ends: Callable[[Json], Ending | None]) -> Iterator[ScheduleKubelet]:
        double = ScheduleKubelet(api, namespace, ends, Path(controlplane.kubeconfig), tmp_path)
        try:
            with double:
                yield double
        finally:
            if double.log.exists():
                sys.stderr.write(double.log.read_text())

    return start


def all_scored(pod: Json) -> Ending:
    return scored(work_of(pod))


def newest() -> datetime:
    """Where the newest window is to end: ten minutes ago, so that none ends while a test counts them."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - 10 * MINUTE


def by_hand(end: datetime) -> Json:
    """A schedule whose newest window ends then."""
    return BY_HAND | {"offsetSeconds": int(end.timestamp()) % 3600}


def text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def ends(found: list[Json]) -> list[str]:
    return [run["spec"]["window"]["end"] for run in found]


def succeeded(found: list[Json]) -> bool:
    return all(run.get("status", {}).get("phase") == "Succeeded" for run in found)


def test_the_cronjob_makes_each_windows_run_and_the_operator_runs_it(
    helm: Path, tmp_path: Path, scheduled: Scheduled, kubelet: Kubelet, operator: Operator
) -> None:
    operator.start()
    scheduled.install(helm, tmp_path, minutely={"cron": "* * * * *", "windowSeconds": 60, "run": RUN})
    with kubelet(all_scored):
        until("two windows have their run", lambda: len(scheduled.runs("minutely")) >= 2, 150)
        until("both have succeeded", lambda: succeeded(scheduled.runs("minutely")))
    first, second = scheduled.runs("minutely")[:2]
    assert first["spec"]["window"]["end"] == second["spec"]["window"]["start"]
    end = datetime.fromisoformat(first["spec"]["window"]["end"])
    assert first["metadata"]["name"] == f"minutely-{end:%Y%m%dt%H%Mz}"
    assert first["metadata"]["labels"] == {LABEL: "minutely"}
    spec = first["spec"]
    assert (spec["concurrencyGroup"], spec["concurrencyPolicy"], spec["priority"]) == (
        *("minutely", "Queue"),
        0,
    )
    assert (spec["ttlSecondsAfterFinished"], spec["ttlSecondsAfterFailed"]) == (604800, 2592000)
    mark = scheduled.mark("minutely")
    assert mark is not None
    assert mark["lastWindowEnd"] >= second["spec"]["window"]["end"]
    assert mark["skipped"] == "0"


def test_after_an_outage_the_live_window_goes_first_and_then_the_oldest(
    helm: Path, tmp_path: Path, scheduled: Scheduled, kubelet: Kubelet, operator: Operator, runs: Runs
) -> None:
    """Two of its pods at once, and the marks of an outage of seven windows, of which three are made good."""
    order: list[str] = []
    held = True

    def ends_in_order(pod: Json) -> Ending | None:
        name = work_of(pod)["run"]["name"]
        if name not in order:
            order.append(name)
        return None if held else all_scored(pod)

    end = newest()
    late = by_hand(end)
    scheduled.install(helm, tmp_path, late=late | {"catchUp": {"maxWindows": 3}})
    scheduled.write_mark("late", text(end - 8 * HOUR))
    expected = [text(end - back * HOUR) for back in (3, 2, 1, 0)]
    operator.start()
    with kubelet(ends_in_order):
        for job in ("one", "other"):
            scheduled.start("late", job)
        until("both have ended", lambda: scheduled.ended("one") and scheduled.ended("other"))
        assert (scheduled.ended("one"), scheduled.ended("other")) == ("Complete", "Complete")
        made = scheduled.runs("late")
        assert ends(made) == expected
        assert [run["spec"]["priority"] for run in made] == [-100, -100, -100, 0]
        live = made[-1]["metadata"]["name"]
        until("the live one goes on", lambda: order == [live])
        waiting = [run["metadata"]["name"] for run in made[:-1]]
        until("the others wait", lambda: all(runs.phase(name) == "Waiting" for name in waiting))
        held = False
        until("all have succeeded", lambda: succeeded(scheduled.runs("late")))
    assert order == [live, *waiting]
    mark = scheduled.mark("late")
    assert mark is not None
    assert mark == {
        "runs": f"{expected[0]}/{expected[-1]}",
        "lastWindowEnd": expected[-1],
        "offsetSeconds": str(late["offsetSeconds"]),
        "windowSeconds": "3600",
        "skipped": "4",
        "lastSkipped": f"4 windows ending {text(end - 7 * HOUR)} to {text(end - 4 * HOUR)}",
    }
    (event,) = scheduled.events()
    assert (event["reason"], event["type"]) == ("WindowsSkipped", "Warning")
    assert mark["lastSkipped"] in event["message"]


def test_a_run_that_was_deleted_is_not_made_again(
    helm: Path, tmp_path: Path, scheduled: Scheduled, kubelet: Kubelet, runs: Runs
) -> None:
    scheduled.install(helm, tmp_path, daily=by_hand(newest()))
    with kubelet(all_scored):
        scheduled.start("daily", "first")
        until("it has ended", lambda: scheduled.ended("first"))
        (run,) = scheduled.runs("daily")
        runs.delete(run["metadata"]["name"])
        scheduled.start("daily", "second")
        until("it has ended", lambda: scheduled.ended("second"))
    assert run["metadata"]["name"] not in [each["metadata"]["name"] for each in scheduled.runs("daily")]


def test_a_run_of_somebody_elses_with_the_windows_name_is_left_alone_and_said(
    helm: Path, tmp_path: Path, scheduled: Scheduled, kubelet: Kubelet, runs: Runs
) -> None:
    end = newest()
    scheduled.install(helm, tmp_path, daily=by_hand(end))
    theirs = f"daily-{end:%Y%m%dt%H%Mz}"
    runs.create(theirs)
    with kubelet(all_scored) as double:
        scheduled.start("daily", "first")
        until("it was tried", lambda: scheduled.job("first").get("failed"))
        log = double.log.read_text()
    assert f"run {theirs} is there, but is not of this schedule: its label {LABEL} is None" in log
    assert runs.get(theirs)["spec"]["sensors"] == {"names": ["a", "b", "c"]}
    mark = scheduled.mark("daily")
    assert mark is not None
    assert mark["lastWindowEnd"] == text(end - HOUR)
    assert [event["reason"] for event in scheduled.events()] == ["WindowRefused"]


def test_a_spec_that_the_api_server_refuses_is_said_and_not_tried_again(
    helm: Path, api: Api, tmp_path: Path, scheduled: Scheduled, kubelet: Kubelet, namespace: str
) -> None:
    """The chart refuses it too; this file was changed behind its back."""
    scheduled.install(helm, tmp_path, daily=BY_HAND)
    path = f"{PATHS['ConfigMap'].format(namespace)}/sensorscore-schedule-daily.settings"
    body = api.call("GET", path)
    body["data"]["schedule.yaml"] = body["data"]["schedule.yaml"].replace(
        "sensors:", "sensorz: 1\n  sensors:"
    )
    api.call("PUT", path, body)
    with kubelet(all_scored) as double:
        scheduled.start("daily", "first")
        assert until("it has ended", lambda: scheduled.ended("first")) == "Failed"
        log = double.log.read_text()
    assert 'unknown field \\"spec.sensorz\\"' in log
    assert scheduled.job("first")["failed"] == 1
    assert [event["reason"] for event in scheduled.events()] == ["RunRefused"]
    assert scheduled.runs("daily") == []


def test_schedules_use_each_right_that_they_are_granted_and_no_other(
    helm: Path,
    api: Api,
    tmp_path: Path,
    scheduled: Scheduled,
    kubelet: Kubelet,
    runs: Runs,
    controlplane: ControlPlane,
) -> None:
    """Of this one all rights; of whichever other tests had before none that is not granted."""
    end = newest()
    scheduled.install(helm, tmp_path, daily=by_hand(end))
    theirs = f"daily-{end:%Y%m%dt%H%Mz}"
    runs.create(theirs)
    with kubelet(all_scored):
        scheduled.start("daily", "first")
        until("it was tried", lambda: scheduled.job("first").get("failed"))
        runs.delete(theirs)
        scheduled.start("daily", "second")
        until("it has ended", lambda: scheduled.ended("second"))
    asked = [
        each for each in requests(controlplane.audit_log) if each.user.endswith(":sensorscore-scheduler")
    ]
    roles = [*listed(api, "Role", "roles"), *listed(api, "RoleBinding", "rolebindings")]
    found = {
        user: difference(rights, [each for each in asked if each.user == user])
        for user, rights in granted(roles).items()
        if user.endswith(":sensorscore-scheduler")
    }
    assert found[f"system:serviceaccount:{runs.namespace}:sensorscore-scheduler"].unused == []
    assert {user: each.not_granted for user, each in found.items() if each.not_granted} == {}
    assert {user: each.forbidden for user, each in found.items() if each.forbidden} == {}


def listed(api: Api, kind: str, plural: str) -> list[Json]:
    return [item | {"kind": kind} for item in api.call("GET", f"{RBAC}/{plural}")["items"]]
