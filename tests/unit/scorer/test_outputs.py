from __future__ import annotations

from collections.abc import Iterator

import pytest

from delivering import OWN, SPAN, claim
from scorer.contract.work import PER_SENSOR, Output
from scorer.outputs import LIST_FROM, Outputs, Prior
from scorer.storage import DeniedError, Entry, Head
from scorer.storage.memory import MemoryStore

SENSORS = [f"s{number}" for number in range(LIST_FROM)]
FOLDER = "predictions/2026/01/01/12"


class Asked(MemoryStore):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[str] = []
        self.lists: list[str] = []

    def head(self, path: str) -> Head:
        self.heads.append(path)
        return super().head(path)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        self.lists.append(prefix)
        return super().list(prefix)


class Unlisted(Asked):
    def list(self, prefix: str = "") -> Iterator[Entry]:
        raise DeniedError(f"{prefix} must not be listed")


def outputs(store: MemoryStore, sensors: list[str], output: Output = OWN) -> Outputs:
    return Outputs(store, output, SPAN, claim(7), sensors)


def test_a_packs_folder_is_listed_once_and_only_what_is_there_is_asked_for() -> None:
    store = Asked()
    etag = store.put(f"{FOLDER}/s3.parquet", b"there", {"run": "before"})
    packed = outputs(store, SENSORS)
    found = {sensor: prior for sensor in SENSORS if (prior := packed.prior(sensor))}
    assert found == {"s3": Prior(etag, {"run": "before"})}
    assert (store.lists, store.heads) == ([FOLDER], [f"{FOLDER}/s3.parquet"])


@pytest.mark.parametrize(
    ("store", "sensors", "path"),
    [
        (Asked(), SENSORS[:-1], OWN.path),
        (Asked(), SENSORS, "{sensor}/{yyyy}-{MM}-{dd}-{HH}.parquet"),
        (Asked(), SENSORS, "predictions/{sensor}/{yyyy}/{MM}/{dd}/{HH}.parquet"),
        (Unlisted(), SENSORS, OWN.path),
    ],
    ids=["few sensors", "no folder", "a folder of all windows", "not allowed to list"],
)
def test_otherwise_each_one_is_asked_for(store: Asked, sensors: list[str], path: str) -> None:
    packed = outputs(store, sensors, Output(path, layout=PER_SENSOR))
    assert [packed.prior(sensor) for sensor in sensors] == [None] * len(sensors)
    assert len(store.heads) == len(sensors)
    assert store.lists == []


def test_a_folder_of_too_many_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scorer.outputs.LIST_MOST", 3)
    store = Asked()
    for sensor in SENSORS:
        store.put(f"{FOLDER}/{sensor}.parquet", b"there")
    packed = outputs(store, SENSORS)
    assert all(packed.prior(sensor) for sensor in SENSORS)
    assert len(store.lists) == 1
