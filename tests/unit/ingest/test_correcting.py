"""How one hour is corrected: which files are written, in what order, and what is there for readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from scorer.contract.work import ReadingsSource
from scorer.ingest import records
from scorer.ingest.commits import read_header
from scorer.ingest.corrections import shard_for
from scorer.ingest.events import Message
from scorer.ingest.landing import CSV, PARQUET, PER_SENSOR, SHARDED, Landing
from scorer.ingest.parts import PartError
from scorer.ingest.settings import Settings, settings
from scorer.sources import Sources
from scorer.storage.memory import MemoryStore
from scorer.window import window
from unit.ingest.crashing import PLACES, FaultyStore, Replica, landed
from unit.ingest.partitions import MINUTE, NOON, SECOND

HOUR = 60 * MINUTE
FOLDER = "readings/2026/01/01/12"
SHARDS, EACH = Landing(CSV, SHARDED, shard_rows=3), Landing(CSV, PER_SENSOR)


def engine(horizon: str = "24h", every: str = "1s") -> Settings:
    return settings(
        {
            "mapping": {"sensor": "D", "values": "V", "time": "T", "timeForm": "Seconds"},
            "window": {"size": "1m"},
            "columns": {"value": "avg", "count": "count"},
            "ordering": {"lateArrival": "5s", "onLateArrival": "Correct", "onOutOfOrder": "Correct"},
            "corrections": {"horizon": horizon, "every": every},
        }
    )


class Plant:
    """A hub and one process, told event by event; hours that are over land at once."""

    def __init__(self, landing: Landing, given: Settings | None = None, store: MemoryStore | None = None):
        self.store = store or MemoryStore()
        self.hub: dict[str, list[Message]] = {"0": []}
        self.replica = Replica(self.store, self.hub, given or engine(), "r", 1, landing)
        self.replica.own("0")

    def send(self, sensor: str, minute: float, at: float | None = None, partition: str = "0") -> None:
        """An event of so many minutes after noon, which arrives then or `at` another minute."""
        time, arrival = NOON + round(minute * MINUTE), NOON + round((minute if at is None else at) * MINUTE)
        body = orjson.dumps({"D": sensor, "V": minute, "T": time / SECOND})
        messages = self.hub.setdefault(partition, [])
        messages.append(Message(len(messages), str(len(messages)), arrival, body))
        self.replica.owned[partition].take(messages[-1:])

    def land(self, minute: float) -> None:
        """All partitions are silent until then; what is due lands, and is corrected."""
        for name in self.hub:
            self.replica.owned[name].take([], NOON + round(minute * MINUTE))
        self.again()

    def again(self) -> None:
        replica = self.replica
        for partition in replica.owned.values():
            partition.commit(replica.landed, replica.taken)
        replica.clock += 10
        while replica.lander.land(sorted(self.hub), replica.clock):
            pass
        self.corrected = replica.lander.correct(replica.clock)
        replica.follow()

    def rows(self, name: str, folder: str = FOLDER) -> list[str]:
        return self.store.get(f"{folder}/{name}").data.decode().splitlines()[1:]

    def success(self, folder: str = FOLDER) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.store.get(f"{folder}/_SUCCESS").data)
        return found


def plant(landing: Landing, **given: str) -> Plant:
    """Sensors a … f have landed hour 12."""
    found = Plant(landing, engine(**given))
    for sensor in "abdef":
        found.send(sensor, 30)
    found.land(70)
    assert found.success()["readings"]["events"] == 5
    assert "corrections" not in found.success()
    return found


def test_only_the_files_of_sensors_that_were_late_are_written_again() -> None:
    hour = plant(EACH)
    before = {entry.path: entry.etag for entry in hour.store.list(FOLDER)}
    hour.send("b", 30, 75)
    hour.send("b", 31, 76)
    hour.again()
    after = {entry.path: entry.etag for entry in hour.store.list(FOLDER)}
    names = {path.rpartition("/")[2] for path in after if after[path] != before.get(path)}
    assert names == {"b.csv", "_index.json", "_SUCCESS", "_corrected.csv"}
    assert [row.rpartition(",")[2] for row in hour.rows("b.csv")] == ["2", "1"]
    assert hour.corrected is not None
    assert (hour.corrected.hours, hour.corrected.sensors, hour.corrected.events) == (1, 1, 2)


def test_shards_without_late_sensors_stay_and_a_new_sensor_goes_where_it_sorts() -> None:
    hour = plant(SHARDS)
    before = {entry.path: entry.etag for entry in hour.store.list(FOLDER)}
    assert [row[0] for row in hour.rows("part-00000.csv")] == ["a", "b", "d"]
    hour.send("c", 30, 75)
    hour.again()
    after = {entry.path: entry.etag for entry in hour.store.list(FOLDER)}
    assert [row[0] for row in hour.rows("part-00000.csv")] == ["a", "b", "c", "d"]
    assert after[f"{FOLDER}/part-00001.csv"] == before[f"{FOLDER}/part-00001.csv"]


@pytest.mark.parametrize(("sensor", "shard"), [("a", 0), ("c", 0), ("k", 0), ("m", 1), ("t", 1), ("z", 2)])
def test_each_sensor_has_one_shard(sensor: str, shard: int) -> None:
    assert shard_for(["c", "m", "u"], sensor) == shard


def test_what_says_that_an_hour_was_corrected() -> None:
    hour = plant(EACH)
    for count, sensor in enumerate("bab", 1):
        hour.send(sensor, 40 + count, 75 + count)
        hour.again()
        head = hour.store.head(f"{FOLDER}/_corrected.csv")
        assert head.metadata["count"] == str(count)
    assert hour.rows("_corrected.csv") == ["a", "b"]
    assert hour.success()["corrections"] == {"count": 3, "sensors": 2, "events": 3}
    assert hour.success()["readings"] == {"files": 5, "rows": 8, "sensors": 5, "events": 8}


def test_the_order_of_writing_ends_with_what_readers_of_corrections_look_at() -> None:
    paths: list[str] = []
    hour = Plant(EACH, store=FaultyStore(MemoryStore(), paths.append))
    hour.send("a", 30)
    hour.land(70)
    paths.clear()
    hour.send("a", 30, 75)
    hour.again()
    names = [path.rpartition("/")[2] for path in dict.fromkeys(paths)]
    assert names[-6:] == ["2026010112", "a.csv", "_index.json", "_SUCCESS", "_corrected.csv", "landing"]


def test_an_hour_that_landed_without_files_gets_them() -> None:
    hour = Plant(EACH)
    hour.send("a", -30)
    hour.land(70)
    assert hour.success()["readings"]["files"] == 0
    hour.send("b", 30, 75)
    hour.again()
    assert hour.success()["readings"] == {"files": 1, "rows": 1, "sensors": 1, "events": 1}


def test_an_hour_before_the_first_one_lands_by_its_correction() -> None:
    hour = plant(EACH)
    hour.send("a", -30, 75)
    hour.again()
    before = "readings/2026/01/01/11"
    assert hour.success(before)["readings"]["events"] == 1
    assert hour.success(before)["arrived"]["events"] == 0
    assert hour.rows("_corrected.csv", before) == ["a"]


def test_events_that_are_late_but_before_their_hour_lands_need_no_correction() -> None:
    hour = Plant(EACH)
    hour.send("a", 30)
    hour.send("a", 20, 40)
    hour.land(70)
    assert hour.success()["readings"]["events"] == 2
    assert hour.corrected is None
    assert f"{FOLDER}/_corrected.csv" not in landed(hour.store)


def test_windows_of_a_partition_that_came_later_than_their_hour_landed_correct_it() -> None:
    hour = plant(EACH)
    hour.hub["1"] = []
    hour.replica.own("1")
    for sensor in "az":
        hour.send(sensor, 50, partition="1")
    hour.send("a", 90, partition="1")
    hour.land(100)
    assert hour.success()["readings"]["events"] == 7
    assert hour.rows("_corrected.csv") == ["a", "z"]


def test_hours_are_corrected_no_more_often_than_is_set() -> None:
    hour = plant(EACH, every="25s")  # the replica's clock moves 10 s each time
    counts = []
    for minute in range(6):
        hour.send("a", 30, 75 + minute)
        hour.again()
        counts.append(hour.success()["corrections"]["count"])
    assert counts == [1, 1, 1, 2, 2, 2]
    assert hour.success()["readings"]["events"] == 5 + 4


def test_partitions_forget_what_corrections_have_seen() -> None:
    hour = plant(EACH)
    hour.send("a", 30, 75)
    for _ in range(3):
        hour.again()
    header = read_header(hour.store, PLACES.state("0"))
    assert header is not None
    assert NOON // HOUR not in header.parts
    assert header.last == 2


def test_beyond_the_horizon_events_are_late_and_nothing_is_kept_for_them() -> None:
    hour = plant(EACH, horizon="3h")
    hour.send("a", 30, 30 + 180)
    hour.send("a", 30, 30 + 181)
    for hours in (10, 12, 14):
        hour.land(60 * hours)
    assert hour.success()["corrections"]["events"] == 1
    late = [
        orjson.loads(data)["arrived"]["late"] for path, data in landed(hour.store).items() if "_SUC" in path
    ]
    assert sum(late) == 1
    kept = [entry.path for entry in hour.store.list("ingest") if "2026010112" in entry.path]
    assert not kept
    assert records.read(hour.store, PLACES, NOON // HOUR) is None


def test_hours_that_landed_before_corrections_were_wanted_are_left_and_told() -> None:
    hour = plant(EACH)
    hour.store.delete(PLACES.record(NOON // HOUR))
    before = landed(hour.store)
    hour.send("a", 30, 75)
    hour.again()
    assert hour.corrected is not None
    assert (hour.corrected.hours, hour.corrected.stray) == (0, 1)
    assert landed(hour.store) == before


def broken(**given: str) -> tuple[Plant, Callable[[], object]]:
    """Hours 12 and 13 are to be corrected, and a part of 12 is broken; what mends it."""
    hour = plant(EACH, **given)
    hour.send("a", 90)
    hour.land(130)
    path = next(entry.path for entry in hour.store.list("ingest") if "/parts/2026010112/" in entry.path)
    good = hour.store.get(path).data
    hour.store.put(path, b"broken")
    for minute in (30, 90):
        hour.send("a", minute, 140)
    with pytest.raises(PartError):
        hour.again()
    return hour, lambda: hour.store.put(path, good)


def test_an_hour_that_cannot_be_corrected_does_not_hold_others_back() -> None:
    hour, mend = broken()
    assert hour.success("readings/2026/01/01/13")["corrections"]["count"] == 1
    mend()
    hour.again()
    hour.again()
    assert hour.success()["readings"]["events"] == 6
    assert hour.success("readings/2026/01/01/13")["corrections"]["count"] == 1


def test_other_hours_are_seen_once_and_kept_no_longer_while_one_cannot_be_corrected() -> None:
    hour, mend = broken(horizon="3h")
    trouble = hour.replica.lander.trouble
    assert "has other bytes" in trouble
    assert hour.replica.lander.correct(hour.replica.clock + 0.5) is None  # before `every` is over
    assert hour.replica.lander.trouble == trouble
    hour.replica.follow()
    for later in (10, 12):
        with pytest.raises(PartError):
            hour.land(60 * later)
        hour.replica.follow()
    hour.replica.owned["0"].commit(hour.replica.landed, hour.replica.taken)
    header = read_header(hour.store, PLACES.state("0"))
    assert header is not None
    assert list(header.parts) == [NOON // HOUR]
    kept = {entry.path.split("/")[-2] for entry in hour.store.list("ingest") if "/parts/" in entry.path}
    assert kept == {"2026010112"}
    mend()
    hour.again()
    hour.again()
    assert hour.success()["readings"]["events"] == 6
    assert hour.replica.lander.trouble == ""
    assert hour.replica.taken.apart == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (EACH, Landing(PARQUET, PER_SENSOR)),
        (EACH, SHARDS),
        (SHARDS, EACH),
        (SHARDS, Landing(PARQUET, SHARDED)),
    ],
)
def test_no_file_of_other_settings_stays_beside_those_of_a_correction(
    before: Landing, after: Landing
) -> None:
    hour = plant(before)
    hour.replica = Replica(hour.store, hour.hub, engine(), "later", 2, after)
    hour.replica.clock = 1000
    hour.replica.own("0")
    hour.replica.lander.land(["0"], 0)
    hour.send("b", 30, 75)
    hour.again()
    index = orjson.loads(hour.store.get(f"{FOLDER}/_index.json").data)
    there = [entry.path for entry in hour.store.list(FOLDER) if "/_" not in entry.path]
    assert sorted(there) == sorted(file["path"] for file in index["files"])


def test_what_is_landed_by_other_settings_lands_anew_as_these_want_it() -> None:
    hour = plant(EACH)
    hour.replica = Replica(hour.store, hour.hub, engine(), "later", 2, Landing(PARQUET, PER_SENSOR))
    hour.replica.clock = 1000
    hour.replica.own("0")
    hour.replica.lander.land(["0"], 0)
    hour.send("b", 30, 75)
    hour.again()
    index = orjson.loads(hour.store.get(f"{FOLDER}/_index.json").data)
    assert [file["path"].rpartition("/")[2] for file in index["files"]] == [
        f"{name}.parquet" for name in "abdef"
    ]


@pytest.mark.parametrize("path", ["readings/{yyyy}/{MM}/{dd}/{HH}/*.csv", "readings/{yyyy}/{MM}/{dd}/{HH}/*"])
def test_readers_do_not_take_the_list_of_corrected_sensors_for_readings(path: str) -> None:
    hour = plant(SHARDS)
    hour.send("a", 30, 75)
    hour.again()
    span = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
    found = Sources(hour.store, ReadingsSource(path), span, ["a"]).find("a")
    assert [file.path.rpartition("/")[2] for file in found.files] == ["part-00000.csv", "part-00001.csv"]
