"""A landed hour is corrected → its list in the store → a schedule's second CronJob → a ScoringRun."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controlplane.conftest import Operator, Runs, until
from controlplane.kubelet_double import Ending, prepared, prepares, scored, work_of
from controlplane.scheduling import LABEL, Scheduled, ScheduleKubelet
from local.api import Api
from scorer.storage import Store, open_store

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = pytest.mark.controlplane
Json = dict[str, Any]
HOUR = timedelta(hours=1)
SCHEDULE: Json = {
    "cron": "0 0 1 1 *",  # it does not come
    "run": {"sensors": {"table": {"path": "fleet.csv"}}, "readings": {"waitFor": {"timeoutSeconds": 60}}},
    "rescore": {"horizonSeconds": 86_400, "cron": "0 0 1 1 *", "clientId": "reader"},
}


class Fleet:
    """How the runs' pods end; of the sensors of the last run none was corrected."""

    def __init__(self) -> None:
        self.orders: list[Json] = []
        self.empty = False

    def __call__(self, pod: Json) -> Ending:
        work = work_of(pod)
        if not prepares(pod):
            return scored(work)
        self.orders.append(work)
        none = {"sensors": {"total": 0, "sha256": "a" * 64, "shards": []}}
        return prepared(work, **(none if self.empty else {}))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return open_store(f"file://{tmp_path}/store")


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def kubelet(
    api: Api, namespace: str, controlplane: ControlPlane, fleet: Fleet, tmp_path: Path
) -> Iterator[ScheduleKubelet]:
    double = ScheduleKubelet(api, namespace, fleet, Path(controlplane.kubeconfig), tmp_path)
    with double:
        yield double
    if double.log.exists():
        sys.stderr.write(double.log.read_text())


class Hour:
    """The last hour that has ended, and its list of corrected sensors."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self.run = f"hourly-{self.end:%Y%m%dt%H%Mz}"
        self.list = f"readings/{self.end - HOUR:%Y/%m/%d/%H}/_corrected.csv"

    def corrected(self, count: int) -> None:
        self.store.put(self.list, b"sensor\na\n", {"count": str(count)})


def test_each_correction_of_a_scored_hour_makes_one_run_of_its_sensors(
    helm: Path,
    tmp_path: Path,
    namespace: str,
    api: Api,
    kubelet: ScheduleKubelet,
    operator: Operator,
    runs: Runs,
    store: Store,
    fleet: Fleet,
) -> None:
    hour, scheduled, looks = Hour(store), Scheduled(api, namespace), iter(range(100))

    def look() -> None:
        name = f"look-{next(looks)}"
        scheduled.start("hourly", name, "rescore")
        assert until("it has looked", lambda: scheduled.ended(name), 180) == "Complete"

    def made() -> list[str]:
        """The runs of that hour: another one may end meanwhile."""
        names = [run["metadata"]["name"] for run in scheduled.runs("hourly")]
        return sorted(name for name in names if name.startswith(hour.run))

    scheduled.install(helm, tmp_path, hourly=SCHEDULE)
    scheduled.write_mark("hourly", f"{hour.end - HOUR:%Y-%m-%dT%H:%M:%SZ}")
    scheduled.start("hourly", "windows")
    until("the hour has its run", lambda: made() == [hour.run])
    hour.corrected(1)
    look()
    assert made() == [hour.run], "the hour's own run is not over"
    operator.start()
    until("it is over", lambda: runs.get(hour.run).get("status", {}).get("phase") == "Succeeded", 180)
    look()
    first = f"{hour.run}-c1"
    assert made() == [hour.run, first]
    run = runs.get(first)
    assert run["spec"]["sensors"] == {"table": {"path": "fleet.csv"}, "only": {"path": hour.list}}
    assert run["metadata"]["labels"] == {LABEL: "hourly"}
    until("it is over too", lambda: runs.get(first).get("status", {}).get("phase") == "Succeeded", 180)
    order = next(order for order in fleet.orders if order["run"]["name"] == first)
    assert (order["resolve"], order["only"]) == ({"table": "fleet.csv"}, hour.list)
    assert "waitFor" not in order
    look()
    assert made() == [hour.run, first]
    fleet.empty = True
    hour.corrected(4)
    look()
    fourth = f"{hour.run}-c4"
    assert made() == [hour.run, first, fourth]
    until("it is over", lambda: runs.get(fourth).get("status", {}).get("phase") == "Succeeded", 180)
    assert runs.get(fourth)["status"]["conditions"][-1]["message"].endswith("there was nothing to score")
    mark = scheduled.data("sensorscore-rescore-hourly")
    assert mark is not None
    assert mark["rescored"] == f"{hour.end:%Y-%m-%dT%H:%M:%SZ}=4"
    assert scheduled.events() == []
