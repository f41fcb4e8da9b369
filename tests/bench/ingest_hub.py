"""The double of Event Hubs as a process, filled with readings of a device fleet; says where it listens.

    PYTHONPATH=.:tests:tests/bench python tests/bench/ingest_hub.py MESSAGES READINGS

2,000 devices with 5 tags each send a value every 5 s, 2,000 readings a second, to PARTITIONS by device;
READINGS of them in a message: one object, or an array of objects, as a gateway sends them.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import orjson

from eventhubs import EventHubs

HUB = "readings"
PARTITIONS = 4
DEVICES, TAGS, EVERY = 2_000, 5, 5
SENSORS = DEVICES * TAGS
START = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


def main(messages: int, readings: int) -> None:
    """Serves until its input ends."""
    asyncio.run(_serve(messages, readings))


async def _serve(messages: int, readings: int) -> None:
    async with EventHubs({HUB: PARTITIONS}) as hubs:
        for partition in range(PARTITIONS):
            hubs.clock.set(START)
            for second, bodies in _bodies(partition, messages // PARTITIONS, readings):
                hubs.clock.set(START + second)
                hubs.hub(HUB).fill(bodies, partition)
        sys.stdout.write(json.dumps(hubs.connection_string(HUB)) + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def _bodies(partition: int, messages: int, readings: int) -> Iterator[tuple[int, list[bytes]]]:
    """Bodies, and the second after START in which they come."""
    rng = np.random.default_rng(partition)
    devices = np.arange(partition, DEVICES, PARTITIONS)
    sensors = np.array([(device, tag) for device in devices.tolist() for tag in range(TAGS)])
    waiting: list[dict[str, object]] = []
    made, second = 0, 0
    while made < messages:
        if second % EVERY == 0:  # each sensor once in its 5 s, in an order of its own
            sensors = rng.permutation(sensors)
        some = np.array_split(sensors, EVERY)[second % EVERY]
        waiting += [
            {"Device": device, "Tag": tag, "TS": _text(second, millisecond), "Value": value}
            for (device, tag), millisecond, value in zip(
                some.tolist(),
                np.sort(rng.integers(1, 1_000, len(some))).tolist(),
                rng.normal(50, 10, len(some)).round(2).tolist(),
                strict=True,
            )
        ]
        second += 1
        full = min(len(waiting) // readings, messages - made)
        made += full
        groups = [waiting[at * readings : (at + 1) * readings] for at in range(full)]
        yield second, [orjson.dumps(group if readings > 1 else group[0]) for group in groups]
        waiting = waiting[full * readings :]


def _text(second: int, millisecond: int) -> str:
    at = datetime.fromtimestamp(START + second + millisecond / 1_000, UTC)
    return at.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
