"""Bodies: the reference's own events; replayed readings are the file's rows."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from scorer.simulate.settings import SECOND, Fleet, Network, Plan
from scorer.simulate.simulation import simulation
from unit.simulate.given import events_of, made

DATA = Path(__file__).resolve().parents[3] / "examples" / "azure-reference" / "sensor_data.csv"


def test_an_event_is_as_the_references_simulator_makes_it() -> None:
    event = events_of(made(Plan(fleet=Fleet(aligned=True))))[0]
    assert list(event) == ["TS", "Device", "Tag", "Value"]
    assert event["TS"] == "2026-01-01T00:00:05.0000000Z"
    assert (event["Device"], event["Tag"]) == (1, 1)
    assert 10 <= event["Value"] <= 15


@pytest.mark.parametrize("size", [1, 8])
def test_a_replayed_file_makes_its_rows(size: int) -> None:
    replayed = simulation(Plan(network=Network(per_message=size)), DATA)
    with DATA.open(encoding="utf-8", newline="") as file:
        rows = [
            (row["TS"].replace(" ", "T") + "0000Z", int(row["Device"]), int(row["Tag"]), float(row["Value"]))
            for row in csv.DictReader(file)
        ]
    found = [tuple(event.values()) for event in events_of(replayed)]
    assert sorted(found) == sorted(rows)
    if size == 1:
        assert found == sorted(rows, key=lambda row: row[:3])
    assert replayed.tally["events"] == 17_768


def test_other_tables_make_events_with_the_sensors_name(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text('time,sensor,value\n2026-01-01T00:00:01Z,"pump ""7""",1.5\n2026-01-01T00:00:00Z,fan,2\n')
    replayed = simulation(Plan(), file)
    assert replayed.sensors.keys == replayed.sensors.names
    assert events_of(replayed) == [
        {"time": "2026-01-01T00:00:00.0000000Z", "sensor": "fan", "value": 2.0},
        {"time": "2026-01-01T00:00:01.0000000Z", "sensor": 'pump "7"', "value": 1.5},
    ]


def test_several_readings_are_an_array_and_one_is_not() -> None:
    from scorer.simulate.bodies import bodies

    plan = Plan(fleet=Fleet(1, 3, SECOND, length=SECOND), network=Network(per_message=2))
    simulated = made(plan)
    (due,) = simulated.messages()
    told = [json.loads(body) for body in bodies(due, simulated.sensors)]
    assert [type(each) for each in told] == [list, dict]
    assert [event["Tag"] for event in [*told[0], told[1]]] == [1, 2, 3]
