"""Readings as others write them, through a whole pod: shared files, local times, what is rejected or lost."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reading_files import array_bytes, csv_bytes, parquet_bytes
from scorer import sources
from scorer.clock import Stopwatch
from scorer.contract import Decision, Header, Rows
from scorer.fence import Claim
from scorer.outcome import Outcome
from scorer.pipeline import Pipeline
from scorer.storage import Blob
from scorer.storage.memory import MemoryStore
from scoring import KeptLog, model_bytes, order, put_model

SENSORS = [f"device-{device}-tag-{tag}" for device in (1, 2) for tag in (1, 2, 3)]
NOON = datetime(2026, 1, 1, 13, tzinfo=ZoneInfo("Europe/Berlin"))
ASA = {
    "path": "asa/{yyyy}/{MM}/{dd}/{HH}/*.csv.gz",
    "layout": "asa",
    "columns": {"time": "TS", "sensor": "device-{Device}-tag-{Tag}", "features": {"value": "Value"}},
    "timeZone": "Europe/Berlin",
}


class Counting(MemoryStore):
    """Keeps what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def get(self, path: str, limit: int | None = None) -> Blob:
        self.asked.append(path)
        return super().get(path, limit)

    def get_range(self, path: str, start: int, length: int, if_match: str | None = None) -> bytes:
        self.asked.append(f"{path} {start}")
        return super().get_range(path, start, length, if_match)


@pytest.fixture
def store() -> Counting:
    store = Counting()
    for sensor in SENSORS:
        put_model(store, sensor, model_bytes())
    return store


def run(
    store: MemoryStore, readings: dict[str, Any], sensors: Sequence[str] = SENSORS
) -> tuple[dict[str, Decision], KeptLog]:
    work = order(sensors, readings=readings)
    header = Header(work.run.uid, work.chunk, work.incarnation, "2026-01-01T13:00:09.000Z")
    outcome, log = Outcome(header, sensors, Stopwatch()), KeptLog()
    Pipeline(work, store, Claim(work.run.created, work.run.uid, header.attempt), outcome, log).run()
    return dict(outcome.decisions()), log


def local_rows(minutes: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The sensors' rows of some minutes after noon in UTC, as clocks in Berlin show them."""
    for minute in minutes:
        for sensor in SENSORS:
            stamp = f"{NOON + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S}"
            yield {"TS": stamp, "Device": sensor[7], "Tag": sensor[-1], "Value": 10 + minute % 2}


def test_files_of_stream_analytics_that_all_sensors_share(store: Counting) -> None:
    """Two files in the window's folder, one in the next: the row of its end lies there."""
    parts = {"12/0_a_1": range(31), "12/0_b_1": range(31, 60), "13/0_c_1": range(60, 90)}
    for name, minutes in parts.items():
        data = gzip.compress(csv_bytes(list(local_rows(minutes))))
        store.put(f"asa/2026/01/01/{name}.csv.gz", data)
    store.put("asa/2026/01/01/12/_SUCCESS", b"{}")
    decisions, _ = run(store, ASA)
    assert {decision.kind for decision in decisions.values()} == {"Scored"}
    assert {decision.rows for decision in decisions.values()} == {Rows(60, 60)}
    assert decisions[SENSORS[0]].detail["readings"] == [f"asa/2026/01/01/{name}.csv.gz" for name in parts]
    assert sorted(path for path in store.asked if path.startswith("asa/")) == [
        f"asa/2026/01/01/{name}.csv.gz" for name in parts
    ]


def test_a_late_file_is_a_change_of_all_sensors(store: Counting) -> None:
    store.put("asa/2026/01/01/12/a.csv.gz", gzip.compress(csv_bytes(list(local_rows(range(30))))))
    before, _ = run(store, ASA)
    again, _ = run(store, ASA)
    assert [decision.detail.get("madeBy") for decision in again.values()] != [None] * len(SENSORS)
    store.put("asa/2026/01/01/12/b.csv.gz", gzip.compress(csv_bytes(list(local_rows(range(30, 40))))))
    after, _ = run(store, ASA)
    for sensor in SENSORS:
        assert before[sensor].rows == again[sensor].rows == Rows(29, 29)
        assert after[sensor].rows == Rows(39, 39)


def test_a_large_shared_file_is_read_in_ranges(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "WHOLE_BYTES", 1000)
    rows = sorted(local_rows(range(1, 61)), key=lambda row: (row["Device"], row["Tag"], row["TS"]))
    store.put("shared/x.parquet", parquet_bytes(rows, row_group_size=60))
    decisions, _ = run(store, {**ASA, "path": "shared/x.parquet", "layout": "hourly"})
    assert {(decision.kind, decision.rows) for decision in decisions.values()} == {("Scored", Rows(60, 60))}
    assert any(path.startswith("shared/x.parquet ") for path in store.asked)


def test_what_is_rejected_lies_beside_and_what_was_lost_is_said(store: Counting) -> None:
    rows = [
        {"time": "2026-01-01T12:00:01Z", "sensor": SENSORS[0], "value": 10},
        {"time": "2026-01-01T12:00:02Z", "sensor": SENSORS[0], "value": "high"},
        {"time": "2026-01-01T12:00:03Z", "sensor": SENSORS[0], "value": 11},
    ]
    store.put("r/x.json", array_bytes(rows)[:-20])
    decisions, log = run(store, {"path": "r/*.json"}, SENSORS[:2])
    decision = decisions[SENSORS[0]]
    assert decision.rows == Rows(2, 1, 1)
    lines = store.get(f"rejected/2026/01/01/12/{SENSORS[0]}.jsonl").data.splitlines()
    assert json.loads(lines[1])["found"] == "high"
    said = "readings r/x.json end inside record 3: 2 whole records were read"
    assert said in decision.detail["lost"]
    assert any(said in json.dumps(line) for line in log.lines)
    assert decisions[SENSORS[1]].kind == "Skipped/NoReadings"
    assert said in decisions[SENSORS[1]].message


def test_a_shared_file_that_is_broken_fails_its_sensors_and_the_pod_goes_on(store: Counting) -> None:
    store.put("r/x.parquet", b"PAR1 not")
    decisions, _ = run(store, {"path": "r/x.parquet"})
    assert {decision.kind for decision in decisions.values()} == {"Failed/ReadingsCorrupt"}
