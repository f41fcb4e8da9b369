"""`ingest-process-rss`: the whole process with 100,000 sensors, at most; the real one, against the double.

Windows of 5 s and a tolerance of 5 min: 61 windows of each sensor are open at the end, two events in each,
as avg, count, min and max, in 8 partitions; all is committed meanwhile, every 10 s as usual, to a folder.
Messages are arrays of 1,000 readings in gzip, as gateways would send them, a window's every 1.5 s: thrice as
fast as they would come. (A process that is behind has up to `prefetch` messages a partition besides: another
60 MB of these.) Times lie ahead of the machine's, so that nothing closes. `ingest-rss` is the same of the
engine alone, in one partition.

    PYTHONPATH=.:tests:tests/bench .venv/bin/python tests/bench/run.py ingest-memory
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from figures import Figure
from ingest_stream import COMMAND, environment

from eventhubs import EventHubs

HUB, PARTITIONS = "readings", 8
DEVICES, TAGS, TOGETHER = 10_000, 10, 100
WINDOWS, SIZE, AHEAD = 61, 5, 600
PAUSE_SECONDS = 1.5
EVENTS = 2 * DEVICES * TAGS * WINDOWS
WAIT_SECONDS = 540.0
_TIME = b"2026-01-01T12:00:00Z"
_COUNTED = re.compile(r"^sensorscore_ingest_input_events_total\S* (\S+)$", re.MULTILINE)


def measure() -> list[Figure]:
    """MiB."""
    peak, idle = filled()
    note = f"started, without events; {EVENTS:,} events in {PARTITIONS} partitions"
    return [Figure("ingest-process-rss", peak, "MiB", note, idle, 300.0, COMMAND)]


def filled() -> tuple[float, float]:
    """The most that the process had, and what it has before the first event."""
    command = [sys.executable, __file__]
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, env=environment(), stdin=pipe, stdout=pipe) as hub,
    ):
        assert hub.stdout is not None
        assert hub.stdin is not None
        connection = json.loads(hub.stdout.readline())
        try:
            return process(connection, Path(folder), hub)
        finally:
            hub.stdin.close()


def process(connection: str, folder: Path, hub: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Starts the service beside the hub, has the hub filled, and looks."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = folder / "ingest.yaml"
    settings.write_text(json.dumps(told(folder / "store", port)), encoding="utf-8")
    (folder / "store").mkdir()
    service = [sys.executable, "-m", "scorer.ingest", str(settings)]
    with subprocess.Popen(
        service, env=environment() | {"EVENTHUB_CONNECTION_STRING": connection}, stdout=subprocess.DEVNULL
    ) as running:
        try:
            _until(port, 0)
            idle = memory(running.pid)
            assert hub.stdin is not None
            hub.stdin.write(b"fill\n")
            hub.stdin.flush()
            _until(port, EVENTS)
            return memory(running.pid), idle
        finally:
            running.terminate()


def told(store: Path, port: int) -> dict[str, object]:
    """The settings file."""
    return {
        "hub": {"name": HUB},
        "store": {"url": f"file://{store}"},
        "mapping": {"sensor": "device-{Device}-tag-{Tag}", "values": "Value", "time": "TS"},
        "window": {"size": f"{SIZE}s"},
        "columns": {"value": "avg", "count": "count", "low": "min", "high": "max"},
        "ordering": {"lateArrival": "5m", "outOfOrder": "5m"},
        "port": port,
    }


def memory(process: int) -> float:
    """MiB, at most, of a process."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _until(port: int, events: int) -> None:
    """Waits until so many are committed."""
    ends = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < ends:
        time.sleep(1.0)
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                found = _COUNTED.search(answer.read().decode())
        except OSError:
            continue
        if found and float(found[1]) >= events:
            return
    raise TimeoutError(f"{events:,} events were not committed in {WAIT_SECONDS:.0f} s")


async def serve() -> None:
    """The double; filled when a line comes, until its input ends."""
    async with EventHubs({HUB: PARTITIONS}) as hubs:
        sys.stdout.write(json.dumps(hubs.connection_string(HUB)) + "\n")
        sys.stdout.flush()
        if not await asyncio.to_thread(sys.stdin.readline):
            return
        start = (time.time() + AHEAD) // SIZE * SIZE + 1
        for window in range(WINDOWS):
            hubs.clock.set(start + window * SIZE)
            for number, body in enumerate(await asyncio.to_thread(list, _bodies(start + window * SIZE))):
                hubs.hub(HUB).fill([body, body], number % PARTITIONS)
            await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.to_thread(sys.stdin.read)


def _bodies(at: float) -> Iterator[bytes]:
    text = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    for first in range(0, DEVICES, TOGETHER):
        readings = [
            {"Device": device, "Tag": tag, "TS": _TIME.decode(), "Value": 20 + tag / 8}
            for device in range(first, first + TOGETHER)
            for tag in range(TAGS)
        ]
        yield gzip.compress(json.dumps(readings).encode().replace(_TIME, text), 1)


if __name__ == "__main__":
    asyncio.run(serve())
