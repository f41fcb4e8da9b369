"""One reader of the double, in a process of its own: the bare client, or all of ingest; says what it used.

    … tests/bench/ingest_reader.py bare|whole CONNECTION MESSAGES READINGS FOLDER

`bare` is a `receive_batch` loop of azure-eventhub's client that counts. `whole` is the service itself: it
receives, windows, commits and lands Parquet in a folder. Both have the client's settings from `Rates`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet  # noqa: F401 (the landing's, before anything is measured)
from azure.eventhub.aio import EventHubConsumerClient
from ingest_hub import HUB, START

from scorer.ingest.consumer import Clocks
from scorer.ingest.memory import spare_memory_and_looks
from scorer.ingest.service import Service
from scorer.ingest.service_settings import CONNECTION, Rates, service_settings

CORE = 0
WAIT_SECONDS = 600.0


async def bare(connection: str, messages: int) -> float:
    """Reads so many messages; seconds from the first to the last of them."""
    count, first, last, done = 0, 0.0, 0.0, asyncio.Event()

    async def take(_: Any, batch: list[Any]) -> None:
        nonlocal count, first, last
        first = first or time.monotonic()
        count += len(batch)
        last = time.monotonic()
        if count >= messages:
            done.set()

    rates = Rates()
    reader = EventHubConsumerClient.from_connection_string(connection, "$Default", eventhub_name=HUB)
    async with reader:
        work = asyncio.create_task(
            reader.receive_batch(
                take,
                max_batch_size=rates.batch,
                max_wait_time=1.0,
                prefetch=rates.prefetch,
                starting_position="-1",
            )
        )
        async with asyncio.timeout(WAIT_SECONDS):
            await done.wait()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    return last - first


def told(folder: str) -> dict[str, Any]:
    """The settings file; commits and landing more often than usual, as the stream is quicker than time."""
    return {
        "hub": {"name": HUB},
        "store": {"url": f"file://{folder}"},
        "mapping": {"sensor": "device-{Device}-tag-{Tag}", "values": "Value", "time": "TS"},
        "window": {"size": "5s"},
        "columns": {"value": "avg", "count": "count", "low": "min", "high": "max"},
        "ordering": {"lateArrival": "1m", "outOfOrder": "5s"},
        "landing": {"layout": "Sharded"},
        "rates": {"commit": "2s", "land": "1s", "monitor": "5s"},
        "port": 0,
    }


async def whole(connection: str, readings: int, folder: str) -> float:
    """Runs the service until the hour has landed; seconds from the first to the last message taken."""
    spare_memory_and_looks()  # as the command does
    settings = service_settings(told(folder), {CONNECTION: connection})
    # Its own clock stands five minutes after the hour, so that the partitions' silence ends it.
    service = Service(settings, None, None, Clocks(wall=lambda: START + 3_900))
    stop = asyncio.Event()
    running = asyncio.create_task(service.run(stop))
    marker = Path(folder) / "readings/2026/01/01/12/_SUCCESS"
    first = last = 0.0
    seen = 0
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not marker.exists():
                await asyncio.sleep(0.1)
                taken = sum(partition.sequence + 1 for partition in service.consumer.partitions)
                if taken > seen:
                    seen, last = taken, time.monotonic()
                    first = first or last
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    found = orjson.loads(marker.read_bytes())
    assert found["arrived"]["windowed"] == readings, found
    assert found["readings"]["events"] == readings, found
    return last - first


def main(what: str, connection: str, messages: int, readings: int, folder: str) -> dict[str, float]:
    """CPU seconds of all threads, and seconds from the first to the last message."""
    os.sched_setaffinity(0, {CORE})
    before = time.process_time()
    work = bare(connection, messages) if what == "bare" else whole(connection, messages * readings, folder)
    seconds = asyncio.run(work)
    return {"cpu": time.process_time() - before, "seconds": seconds}


if __name__ == "__main__":
    sys.stdout.write(
        json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])) + "\n"
    )
