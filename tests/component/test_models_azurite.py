"""Training, registering and rolling back against a real Azurite: processes, threads and its ETags."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scorer.cli import main
from scorer.fit.register import RegisterError, register, roll_back
from scorer.land import land
from scorer.model.file import read_model, write_model
from scorer.storage import Store, open_store
from scorer.storage.create import create_store
from scorer.versions import read_history
from scoring import END, START, model_bytes

if TYPE_CHECKING:
    from local.azurite import Azurite

pytestmark = pytest.mark.azurite
SENSORS = [f"s{number:02}" for number in range(40)]
WINDOW = f"{START}/{END}"


@pytest.fixture
def where(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments that name a new container."""
    account = azurite.endpoint.rpartition("/")[2]
    url = f"azure://{account}/models-{uuid.uuid4().hex[:12]}"
    create_store(url, azurite.endpoint, True, azurite.connection_string)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    return ["--store", url, "--endpoint", azurite.endpoint, "--allow-http"]


@pytest.fixture
def store(azurite: Azurite, where: list[str]) -> Store:
    return open_store(where[1], azurite.endpoint, True, azurite.connection_string)


def models(count: int) -> list[bytes]:
    """Models of one sensor, of one training window after the other."""
    stages = [
        (
            "one_class_svm_rbf",
            {"support_vectors": [[1.0]], "dual_coef": [1.0], "intercept": [-0.5], "gamma": [1.0]},
        )
    ]
    features = read_model(model_bytes()).features
    windows = [f"2025-12-01T00:00:00Z/2026-01-{day + 1:02}T00:00:00Z" for day in range(count)]
    return [
        write_model(stages, features, {"training": {"window": window}, "check": {"rows": 1}})  # type: ignore[arg-type]
        for window in windows
    ]


def test_sensors_are_trained_in_processes(
    where: list[str], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    times = np.datetime64(START.removesuffix("Z"), "us") + np.arange(1, 301) * np.timedelta64(10, "s")
    land(store, {sensor: (times, random.normal(10, 1, 300)) for sensor in SENSORS})
    assert main(["train", "--window", WINDOW, "--jobs", "2", *where]) == 0
    assert main(["train", "--window", WINDOW, "--jobs", "2", *where]) == 0
    assert main(["models", "verify", *where]) == 0
    out = capsys.readouterr().out
    assert "40 new" in out
    assert "40 as before" in out
    assert "40 versions of 40 sensors read again: all as they were registered" in out


def test_registrations_of_one_sensor_at_once_are_all_listed(store: Store) -> None:
    with ThreadPoolExecutor(6) as threads:
        done = list(threads.map(lambda data: register(store, "a", data), models(6)))
    found = read_history(store.get("models/a/current.json").data, "current.json")
    assert {each.version for each in found.versions} == {each.version for each in done}
    current = found.in_use()
    assert current is not None
    assert current.version.startswith("20260106")


def test_of_rollbacks_at_once_one_step_is_taken(store: Store) -> None:
    versions = [register(store, "a", data).version for data in models(4)]

    def back(_: int) -> str:
        try:
            return roll_back(store, "a").became
        except RegisterError:
            return "told"

    with ThreadPoolExecutor(3) as threads:
        became = list(threads.map(back, range(3)))
    current = json.loads(store.get("models/a/current.json").data)["version"]
    assert current in became
    assert set(became) <= {*versions[:3], "told"}
