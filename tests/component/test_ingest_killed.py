"""The process itself, `python -m scorer.ingest`, killed by SIGKILL again and again while it reads a hub."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import IO

import orjson
import yaml

from eventhubs import EventHubs, Threaded
from hub_clients import HUB
from ingest_fleet import told
from scorer.ingest.places import places
from scorer.ingest.service_settings import CONNECTION
from scorer.storage import NotFoundError, Store, open_store

PLACES = places("ingest", HUB, "$Default")
MESSAGES = 4_000
"""Of each partition, of two events each; all of them arrived hours ago."""
KILLS = 5
SECONDS = 120.0
"""For what one process is to do."""


def fill(hubs: EventHubs, start: float) -> None:
    hubs.clock.set(start)
    for number in range(0, MESSAGES, 100):
        hubs.clock.advance(150)
        now = hubs.clock()
        for partition in range(2):
            hubs.hub(HUB).fill(
                [
                    orjson.dumps([{"Device": place % 7, "TS": now - place % 3, "Value": place}] * 2)
                    for place in range(number, number + 100)
                ],
                partition,
            )


@contextmanager
def process(settings: Path, connection: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, CONNECTION: connection, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "scorer.ingest", str(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as running:
        alarm = Timer(SECONDS, running.kill)
        alarm.start()
        try:
            yield running
        finally:
            alarm.cancel()
            running.kill()


def wait_for(said: bytes, stream: IO[bytes] | None) -> bytes:
    assert stream is not None
    for line in stream:
        if said in line:
            return line
    raise AssertionError(f"the process ended without saying {said!r}")


def committed(store: Store) -> int:
    """Messages of both partitions."""
    count = 0
    for partition in "01":
        with suppress(NotFoundError):
            count += int(store.head(PLACES.state(partition)).metadata["sequence"]) + 1
    return count


def kill_at(running: subprocess.Popen[bytes], store: Store, place: int) -> int:
    """Kills it when so many messages are committed; gives how many are then."""
    while committed(store) < place:
        assert running.poll() is None, "the process ended"
        time.sleep(0.005)
    running.kill()
    running.wait()
    return committed(store)


def test_readings_are_the_same_however_often_the_process_is_killed(tmp_path: Path) -> None:
    start = time.time() // 3_600 * 3_600 - 4 * 3_600
    landed = []
    killed_at: list[int] = []
    for kills in (0, KILLS):
        chance = random.Random(kills)  # noqa: S311 (chance, not a secret)
        folder = tmp_path / str(kills)
        folder.mkdir()
        rates = {
            "commit": "50ms",
            "land": "100ms",
            "balance": "300ms",
            "expire": "1s",
            "claim": "1s",
            "prefetch": 300,
        }
        store = open_store(folder.as_uri())
        more = told(rates=rates, store={"url": folder.as_uri()})
        settings = tmp_path / f"{kills}.yaml"
        settings.write_text(yaml.safe_dump(more))
        with Threaded(EventHubs({HUB: 2})) as hubs:
            hubs.do(lambda double: fill(double, start))
            for kill in range(kills):
                place = int(2 * MESSAGES * (kill + chance.random()) / KILLS)
                with process(settings, hubs.connection_string()) as running:
                    killed_at.append(kill_at(running, store, place))
            with process(settings, hubs.connection_string()) as running:
                for _ in range(2):
                    wait_for(b"hour landed", running.stdout)
                running.send_signal(signal.SIGTERM)
                assert running.wait(60) == 0
        paths = [entry.path for entry in store.list("readings")]
        hours = sorted(path.rpartition("/")[0] for path in paths if path.endswith("_SUCCESS"))[:2]
        # Later hours, which are empty, may have landed or not when the process was told to end.
        landed.append({path: store.get(path).data for path in paths if path.rpartition("/")[0] in hours})
    calm, killed = landed
    assert any(0 < place < 2 * MESSAGES for place in killed_at), "killed in the middle"
    assert sum(path.endswith("_SUCCESS") for path in calm) == 2
    markers = [orjson.loads(data) for path, data in calm.items() if path.endswith("_SUCCESS")]
    assert sum(each["arrived"]["windowed"] for each in markers) == 4 * MESSAGES
    assert killed == calm
