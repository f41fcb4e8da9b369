"""The reference's own readings as device events: what its Event Hubs and Stream Analytics half would do."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from scorer.ingest.accounting import HOUR, Counts, total
from scorer.ingest.events import Message, decode
from scorer.ingest.merge import merge
from scorer.ingest.settings import settings
from scorer.ingest.state import State, dump, load
from scorer.ingest.step import step
from scorer.land import read_table
from unit.ingest.partitions import ended, told

DATA = Path(__file__).resolve().parents[3] / "examples" / "azure-reference" / "sensor_data.csv"
PARTITIONS = 4


def test_they_come_out_as_they_are_in_the_hours_that_windows_end_in() -> None:
    given = settings(
        {
            "mapping": {
                "sensor": "device-{Device}-tag-{Tag}",
                "values": "Value",
                "time": "TS",
                "over": ["Device"],
                "format": "CSV",
            },
            "window": {"size": "5s"},
            "columns": {"value": "avg", "count": "count"},
        }
    )
    with DATA.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    closed = {}
    counts = []
    for partition in range(PARTITIONS):
        mine = [row for row in rows if int(row[header.index("Device")]) % PARTITIONS == partition]
        state, parts = State(given), []
        for first in range(0, len(mine), 300):
            bodies = [",".join(header) + "\n" + ",".join(row) for row in mine[first : first + 300]]
            messages = [
                Message(first + number, str(first + number), 0, body.encode())
                for number, body in enumerate(bodies)
            ]
            events = decode(messages, given.mapping, state.sensors)
            # Each arrives a second after its time.
            found = step(state, events._replace(enqueued=events.times + 1_000_000))
            parts.append(found.closed)
            counts.append(found.counts)
            state = load(dump(found.state), given)  # as after a restart
        closed[str(partition)] = [*parts, ended(state)]
    readings = merge(closed, given.columns)
    assert total(*counts) == Counts(messages=17_768, events=17_768, windowed=17_768)
    # By hours (h, h + 1]; by [h, h + 1) they would be 4222, 4203, 4208, 4249, 886.
    hours = Counter(((readings.times - 1) // HOUR).tolist())
    assert [hours[hour] for hour in sorted(hours)] == [4227, 4205, 4207, 4249, 880]
    wanted = {
        (sensor, int(time.astype("int64"))): {"value": value, "count": 1.0}
        for sensor, (times, values) in read_table(DATA).items()
        for time, value in zip(times, values.tolist(), strict=True)
    }
    assert told(readings) == wanted
