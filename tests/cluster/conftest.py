"""The cluster tests' one stack: the local cluster, the operator by Helm, a few models in its storage."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from local.azurite import Azurite
from local.backend import choose
from local.deploy import RELEASE, STORE_URL, SYSTEM
from local.places import Places
from releases import NAMESPACE, install
from scorer.fit.train import train
from scorer.land import land
from scorer.storage import Store, open_store
from scorer.storage.create import create_store
from scorer.window import window
from stack import Stack

ROWS = 300
GOOD = tuple(f"good-{number}" for number in range(8))


# They take the release away that the others need, and look at what all have asked of the API server.
LAST = ("test_lifecycle.py", "test_privileges.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Some come last."""
    items.sort(key=lambda item: LAST.index(item.path.name) if item.path.name in LAST else -1)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The cluster is brought up if it is not, and left as it was found."""
    places = Places.here()
    backend = choose(places)
    was_up = backend.running()
    try:
        deployed = install(places, backend)
        # A new pod: the kills of an earlier session would make Kubernetes wait before it starts the old one.
        system = f"--namespace={SYSTEM}"
        deployed.tools.kubectl("rollout", "restart", f"deployment/{RELEASE}", system)
        deployed.tools.kubectl("rollout", "status", f"deployment/{RELEASE}", system, "--timeout=120s")
        yield Stack(
            deployed.tools,
            deployed.azurite,
            seeded_store(deployed.azurite),
            NAMESPACE,
            SYSTEM,
            ROWS,
        )
    finally:
        if not was_up:
            backend.down()


def seeded_store(azurite: Azurite) -> Store:
    """A store with good sensors, one without a model, one whose model is corrupt, one that is silent."""
    address = (STORE_URL, azurite.endpoint, True, azurite.connection_string)
    create_store(*address)
    store = open_store(*address)
    # Of an earlier session on a cluster that stayed up: else its work would be found done.
    for folder in ("models/corrupt-model", "predictions/2026"):
        for entry in list(store.list(folder)):
            store.delete(entry.path)
    random = np.random.default_rng(7)
    hours = np.datetime64("2026-01-01T09:00:00", "us") + np.arange(1, 2 * ROWS + 1) * np.timedelta64(12, "s")
    named = (*GOOD, "slow", "no-model", "corrupt-model")
    readings = {sensor: (hours, random.normal(10.0, 1.0, len(hours))) for sensor in named}
    # Silent in the tests' window: it spoke in the hour before only.
    readings["silent"] = (hours[:ROWS], random.normal(10.0, 1.0, ROWS))
    land(store, readings)
    for sensor in readings:
        if sensor != "no-model":
            train(store, sensor, window("2026-01-01T09:00:00Z", "2026-01-01T10:00:00Z"))
    corrupt(store, "corrupt-model")
    return store


def corrupt(store: Store, sensor: str) -> None:
    """One bit of the sensor's model file is another than when it was registered."""
    path = next(entry.path for entry in store.list(f"models/{sensor}") if entry.path.endswith(".safetensors"))
    data = bytearray(store.get(path).data)
    data[-1] ^= 1
    store.put(path, bytes(data))
