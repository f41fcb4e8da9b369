"""`ingest-window`, `ingest-rss`, `ingest-decode`: windowing of events that are columns already, on one core.

100,000 sensors of 10,000 devices, windows of 5 s, a tolerance of 5 min; avg, count, min and max. Events come
in the order of their times but for 20 s of disorder, in batches of BATCH events (as many as 300 messages of
100 readings have), about one a group; giving out the closed windows is in it. The reference is a sort of the
same batches with `reduceat`, which keeps nothing from one batch to the next: what finding groups by sorting
would cost alone.

`ingest-rss` fills the state: two events for each sensor and window of the tolerance, then stores it.

    PYTHONPATH=.:tests:tests/bench .venv/bin/python tests/bench/run.py ingest-window
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from figures import Figure
from score_timing import measured, medians

from scorer.ingest.events import Events, Message, decode, sensors_for
from scorer.ingest.settings import Settings, settings
from scorer.ingest.state import State, dump_parts
from scorer.ingest.step import step

DEVICES, TAGS = 10_000, 10
SENSORS = DEVICES * TAGS
BATCH, BATCHES = 30_000, 40
SECOND = 1_000_000
START = 1_767_268_800 * SECOND
DISORDER = 20 * SECOND
PER_SECOND = 20_000
WINDOWS = 61
TURNS = 5
COMMAND = "make bench-ingest"


def measure() -> list[Figure]:
    """Nanoseconds of CPU an event (250 are 4,000,000 events/s), and MiB."""
    script = Path(__file__)
    told = measured(script)
    memory = measured(script, SENSORSCORE_BENCH="rss")
    note = f"batches of {BATCH:,}, {SENSORS:,} sensors"
    return [
        Figure(
            "ingest-window",
            told["window"],
            "ns/event",
            f"sort and reduceat; {note}",
            told["sorted"],
            250.0,
            COMMAND,
        ),
        Figure(
            "ingest-window-over",
            told["over"],
            "ns/event",
            f"one watermark a partition; {note}",
            told["window"],
            None,
            COMMAND,
        ),
        Figure(
            "ingest-window-small",
            told["small"],
            "ns/event",
            "the same in batches of 300 events",
            told["window"],
            None,
            COMMAND,
        ),
        Figure(
            "ingest-decode",
            told["decode"],
            "ns/event",
            "one event a message; reference: 100 readings a message",
            told["decode-arrays"],
            None,
            COMMAND,
        ),
        Figure(
            "ingest-rss", memory["peak"], "MiB", "before the first event", memory["before"], 300.0, COMMAND
        ),
        Figure(
            "ingest-state",
            memory["bytes"] / memory["groups"],
            "bytes/group",
            f"as kept; {memory['groups']:,} groups",
            28.0,
            None,
            COMMAND,
        ),
    ]


def configured(over: bool = False, out_of_order: str = "30s") -> Settings:
    """What the figures are of."""
    mapping = {"sensor": "d{Device}-{Tag}", "values": "Value", "time": "TS"}
    return settings(
        {
            "mapping": mapping | ({"over": ["Device"]} if over else {}),
            "window": {"size": "5s"},
            "columns": {"value": "avg", "count": "count", "low": "min", "high": "max"},
            "ordering": {"lateArrival": "5m", "outOfOrder": out_of_order},
        }
    )


def started(over: bool = False, out_of_order: str = "30s") -> State:
    """A state that knows all sensors."""
    state = State(configured(over, out_of_order))
    for device in range(DEVICES):
        for tag in range(TAGS):
            state.sensors.place(f"d{device}-{tag}", str(device) if over else "")
    return state


def batches(size: int, count: int) -> list[Events]:
    """Batches that follow each other: 100 events a message."""
    rng = np.random.default_rng(1)
    found = []
    for number in range(count):
        messages = max(size // 100, 1)
        first = START + number * size * SECOND // PER_SECOND
        enqueued = first + np.arange(messages) * (size * SECOND // PER_SECOND // messages)
        of = np.repeat(np.arange(messages, dtype=np.int32), size // messages)
        found.append(
            Events(
                np.arange(number * messages, (number + 1) * messages),
                enqueued,
                [str(sequence) for sequence in range(messages)],
                of,
                enqueued[of] - rng.integers(0, DISORDER, size),
                rng.integers(0, SENSORS, size, dtype=np.int32),
                rng.normal(50, 10, (size, 1)),
                [],
            )
        )
    return found


def windowed(parts: list[Events], over: bool = False) -> Callable[[], object]:
    """All batches, from a state without windows."""

    def run() -> int:
        state, rows = started(over), 0
        for events in parts:
            found = step(state, events)
            state = found.state
            rows += len(found.closed.sensors)
        return rows

    return run


def sorted_only(parts: list[Events]) -> Callable[[], object]:
    """The same events by sort and reduceat, batch by batch."""

    def run() -> int:
        started()
        rows = 0
        for events in parts:
            keys = (events.times // (5 * SECOND)) * SENSORS + events.sensors
            order = np.argsort(keys, kind="stable")
            ordered, values = keys[order], events.values[order, 0]
            edges = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
            rows += len(ordered[edges])
            np.diff(np.append(edges, len(ordered)))
            for function in (np.add, np.minimum, np.maximum):
                function.reduceat(values, edges)
        return rows

    return run


def decoded(each: int, messages: int) -> Callable[[], object]:
    """Messages of so many readings to columns."""
    given = configured()
    rng = np.random.default_rng(2)

    def reading(number: int) -> dict[str, object]:
        return {
            "TS": f"2026-01-01T12:00:{number % 60:02}.{number % 1000:03}Z",
            "Device": int(rng.integers(1, 100)),
            "Tag": int(rng.integers(1, 6)),
            "Value": round(float(rng.normal(50, 10)), 2),
        }

    bodies = [
        json.dumps(reading(number) if each == 1 else [reading(number + n) for n in range(each)]).encode()
        for number in range(messages)
    ]
    sent = [Message(number, str(number), START, body) for number, body in enumerate(bodies)]
    sensors = sensors_for(given)

    def run() -> int:
        return len(decode(sent, given.mapping, sensors).times)

    return run


def timed() -> dict[str, float]:
    """Nanoseconds an event of each way. What it takes to know the sensors is taken off."""
    large, small = batches(BATCH, BATCHES), batches(300, 1000)
    ways = {
        "start": started,
        "window": windowed(large),
        "start-over": lambda: started(True),
        "over": windowed(large, True),
        "sorted": sorted_only(large),
        "small": windowed(small),
        "decode": decoded(1, 300),
        "decode-arrays": decoded(100, 300),
    }
    seconds = medians(ways, TURNS)
    events = BATCH * BATCHES
    return {
        "window": (seconds["window"] - seconds["start"]) / events * 1e9,
        "over": (seconds["over"] - seconds["start-over"]) / events * 1e9,
        "sorted": (seconds["sorted"] - seconds["start"]) / events * 1e9,
        "small": (seconds["small"] - seconds["start"]) / 300_000 * 1e9,
        "decode": seconds["decode"] / 300 * 1e9,
        "decode-arrays": seconds["decode-arrays"] / 30_000 * 1e9,
    }


def every_group() -> Iterator[Events]:
    """Two events of each sensor in each of the windows of the tolerance, all within it."""
    rng = np.random.default_rng(3)
    sequence = 0
    for window in range(WINDOWS):
        time = START + window * 5 * SECOND + SECOND
        for first in range(0, 2 * SENSORS, BATCH):
            sensors = np.arange(first, min(first + BATCH, 2 * SENSORS), dtype=np.int32) % SENSORS
            size = len(sensors)
            yield Events(
                np.array([sequence]),
                np.array([time]),
                [str(sequence)],
                np.zeros(size, np.int32),
                np.full(size, time),
                sensors,
                rng.normal(50, 10, (size, 1)),
                [],
            )
            sequence += 1


def filled() -> dict[str, float]:
    """MiB at most with all groups open, and stored; how many there are, and bytes of their stored form."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = peak()
    state = started(out_of_order="5m")
    for events in every_group():
        state = step(state, events).state
    groups = sum(state.windows.open.values())
    size = sum(len(part) for part in dump_parts(state))
    found = {"before": before, "peak": peak(), "groups": groups, "bytes": size}
    assert groups == SENSORS * WINDOWS, groups
    return found


def peak() -> float:
    """MiB of this process, at most; of its own, not of the one that started it: proc(5)."""
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return int(told.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(filled() if os.environ.get("SENSORSCORE_BENCH") == "rss" else timed()) + "\n")
