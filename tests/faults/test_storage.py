"""Storage that stops, refuses and dawdles under a whole run: operator, scorer processes, Azurite are real.

Only the kubelet is a double. Whatever storage does on the way, the run ends as the undisturbed one, with the
same bytes in every file.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from controlplane.conftest import Operator, Runs, condition
from controlplane.kubelet_double import KubeletDouble
from faults.conftest import WHOLE, result
from faults.pod_processes import PodProcesses
from faulty_proxy import Fault, FaultyProxy, answer, answer_after, late, lost, passing, reset
from local.api import Api
from local.azurite import ACCOUNT, Azurite
from scorer.contract import Exit
from scorer.storage import Store, open_store
from scorer.storage.create import create_store
from scorer.verify import verify
from scoring import put_sensor

if TYPE_CHECKING:
    from local.controlplane import ControlPlane

pytestmark = [pytest.mark.controlplane, pytest.mark.azurite]
Json = dict[str, Any]
SENSORS = [f"s{number}" for number in range(8)]
RESULTS = ("predictions", "anomalies")
OPERATIONS = ("GET", "PUT", "HEAD", "LIST")


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """An Azurite of this module's own: it is stopped in the middle."""
    with Azurite(tmp_path_factory.mktemp("blobs")) as server:
        yield server


class Place:
    """A container with sensors, the proxy before it, and an operator whose pods use it through the proxy."""

    def __init__(
        self, blobs: Azurite, proxy: FaultyProxy, runs: Runs, kubeconfig: Path, folder: Path
    ) -> None:
        self.blobs = blobs
        self.proxy = proxy
        self.runs = runs
        url = f"azure://{ACCOUNT}/{uuid.uuid4().hex}/prefix"
        self._address = (url, blobs.endpoint, True, blobs.connection_string)
        create_store(*self._address)
        for number, sensor in enumerate(SENSORS):
            put_sensor(self.store(), sensor, faults={number: 99.0})
        store = {"url": url, "endpoint": proxy.endpoint, "allowHttp": True}
        store["serviceAccountName"] = "sensorscore-scorer"
        self.operator = Operator(kubeconfig, folder, [runs.namespace], stores={"default": store})
        secret = {"AZURE_STORAGE_CONNECTION_STRING": blobs.connection_string}
        self.pods = PodProcesses(runs.api, folder / "pods", secret)

    def store(self) -> Store:
        """The same container, past the proxy."""
        return open_store(*self._address)

    def begin(self, **spec: Any) -> None:
        """Make the run."""
        usual: Json = {"sensors": {"names": SENSORS}, "sensorsPerJob": 2, "parallelism": 2}
        self.operator.start()
        self.runs.create(**{**usual, **spec})

    def kubelets(self) -> KubeletDouble:
        """The double, and the processes that it tells of."""
        return KubeletDouble(self.runs.api, self.runs.namespace, self.pods, publish=self.pods)

    def files(self) -> dict[str, bytes]:
        """All results, but for what names the run."""
        store = self.store()
        paths = [entry.path for folder in RESULTS for entry in store.list(folder)]
        return {path: store.get(path).data for path in paths if not path.endswith("_SUCCESS")}


@pytest.fixture
def place(controlplane: ControlPlane, blobs: Azurite, runs: Runs, tmp_path: Path) -> Iterator[Place]:
    """The scene, with nothing started yet but the proxy."""
    with FaultyProxy(blobs.endpoint) as proxy:
        place = Place(blobs, proxy, runs, controlplane.kubeconfig, tmp_path)
        with place.pods:
            yield place
            place.operator.close()
        for log in sorted((tmp_path / "pods").glob("*/log")):
            print(log.read_text()[-2000:])  # noqa: T201 - shown when a test fails


@dataclass(frozen=True)
class Calm:
    """How the run ends when nothing happens, and its files."""

    result: Json
    files: dict[str, bytes]


_calm: list[Calm] = []


@pytest.fixture
def calm(
    controlplane: ControlPlane, blobs: Azurite, api: Api, tmp_path_factory: pytest.TempPathFactory
) -> Calm:
    """The undisturbed run: made by the first test that asks, the same for all."""
    if not _calm:
        name = f"t-calm-{uuid.uuid4().hex[:8]}"
        api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        api.create(f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "sensorscore-scorer"}})
        with FaultyProxy(blobs.endpoint) as proxy:
            folder = tmp_path_factory.mktemp("calm")
            place = Place(blobs, proxy, Runs(api, name), controlplane.kubeconfig, folder)
            place.begin()
            with place.pods, place.kubelets():
                run = place.runs.ended(seconds=90)
            place.operator.close()
        assert condition(run, "Complete")["reason"] == "AllSucceeded"
        _calm.append(Calm(result(run), place.files()))
    return _calm[0]


def assert_as_calm(place: Place, run: Json, calm: Calm) -> None:
    assert result(run) == calm.result
    assert place.files() == calm.files
    assert verify(place.store(), run["metadata"]["uid"]).holds


# Weather ---------------------------------------------------------------------------------------------------

BUSY, BROKEN = answer(503, "ServerBusy"), answer(500, "InternalError")
WEATHER: dict[str, tuple[float, list[Fault]]] = {
    "503": (0.25, [BUSY]),
    "5xx, and after it was done": (0.2, [BUSY, BROKEN, answer_after(500), answer_after(503, "ServerBusy")]),
    "cut connections": (0.15, [reset(), lost()]),
    "slow": (1.0, [late(0.1), late(0.4), late(0.8)]),
}


@pytest.mark.parametrize("kind", WEATHER if WHOLE else ["5xx, and after it was done", "slow"])
def test_a_run_through_bad_weather_is_as_in_good(place: Place, calm: Calm, kind: str) -> None:
    """So many of all requests meet a fault, at random by a fixed seed."""
    share, faults = WEATHER[kind]
    weather = random.Random(1)  # noqa: S311 (chooses faults)
    kinds = [weather.choice(faults) if weather.random() < share else passing() for _ in range(4000)]
    place.proxy.faults = {operation: kinds[number::4] for number, operation in enumerate(OPERATIONS)}
    place.begin()
    with place.kubelets():
        run = place.runs.ended(seconds=150)
    assert_as_calm(place, run, calm)


# Away ------------------------------------------------------------------------------------------------------

# Seconds, a backoffLimit that outlasts them. A request is tried for about 8 s, an attempt ends after 10 to
# 40, and Kubernetes waits 10, 20, 40 s and so on between attempts.
AWAY = ((15, 2), (40, 2), (100, 5))


@pytest.mark.parametrize(("seconds", "backoff_limit"), AWAY if WHOLE else AWAY[:1])
def test_storage_that_stops_in_mid_run_and_comes_back_costs_nothing(
    place: Place, calm: Calm, seconds: int, backoff_limit: int
) -> None:
    stops, stopped = threading.Event(), threading.Event()

    def stop(handler: Any, _: Any) -> None:
        stops.set()
        stopped.wait(30)
        handler.cut()

    # Two pods are at work; some of their predictions are written, one is on its way.
    place.proxy.only = "predictions/"
    place.proxy.faults["PUT"] = [passing(), stop]
    place.begin(retry={"backoffLimit": backoff_limit})
    with place.kubelets():
        assert stops.wait(60)
        place.blobs.stop()
        stopped.set()
        time.sleep(seconds)
        place.blobs.start()  # by this thread: it ends with the one that started it
        run = place.runs.ended(seconds=150)
    assert_as_calm(place, run, calm)
    assert set(place.pods.codes) <= {Exit.OK, Exit.RETRY}
    if seconds > 30:
        assert run["status"]["counts"]["retriedJobs"] > 0


@pytest.mark.skipif(not WHOLE, reason="takes a minute: `make test-faults` runs it")
def test_storage_that_stays_away_is_named_and_what_was_written_stays(place: Place, calm: Calm) -> None:
    """Its writes are refused from the third on: the sensors fail for it, and so does publishing."""
    place.proxy.faults["PUT"] = [passing(), passing()] + [BUSY] * 4000
    place.proxy.only = "predictions/|anomalies/"
    place.begin(retry={"backoffLimit": 0}, failurePolicy={"maxFailedSensors": "100%"})
    with place.kubelets():
        run = place.runs.ended(seconds=240)
    assert condition(run, "Failed")["reason"] == "PublishFailed"
    assert run["status"]["reasons"] == {"Failed/StorageUnavailable": len(SENSORS) - 2}
    assert "503" in run["status"]["failures"][0]["message"]
    found = place.files()
    assert len(found) == 2
    assert found.items() <= calm.files.items()
