"""The process itself, `python -m scorer.ingest`, killed by SIGKILL again and again while it reads a hub."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import orjson
import yaml

from eventhubs import EventHubs, Threaded
from hub_clients import HUB
from ingest_fleet import told
from scorer.ingest.service_settings import CONNECTION
from scorer.storage import open_store

MESSAGES = 4_000
"""Of each partition, of two events each; all of them arrived hours ago."""


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
        try:
            yield running
        finally:
            running.kill()


def wait_for(said: bytes, stream: IO[bytes] | None) -> bytes:
    assert stream is not None
    for line in stream:
        if said in line:
            return line
    raise AssertionError(f"the process ended without saying {said!r}")


def test_readings_are_the_same_however_often_the_process_is_killed(tmp_path: Path) -> None:
    start = time.time() // 3_600 * 3_600 - 4 * 3_600
    landed = []
    begun: list[int] = []
    for kills in (0, 5):
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
        more = told(rates=rates, store={"url": folder.as_uri()})
        settings = tmp_path / f"{kills}.yaml"
        settings.write_text(yaml.safe_dump(more))
        with Threaded(EventHubs({HUB: 2})) as hubs:
            hubs.do(lambda double: fill(double, start))
            for _ in range(kills):
                with process(settings, hubs.connection_string()) as running:
                    line = wait_for(b"partition claimed", running.stdout)
                    begun.append(orjson.loads(line)["sequence"])
                    time.sleep(chance.random())
            with process(settings, hubs.connection_string()) as running:
                for _ in range(2):
                    wait_for(b"hour landed", running.stdout)
                running.send_signal(signal.SIGTERM)
                assert running.wait(30) == 0
        store = open_store(folder.as_uri())
        paths = [entry.path for entry in store.list("readings")]
        hours = sorted(path.rpartition("/")[0] for path in paths if path.endswith("_SUCCESS"))[:2]
        # Later hours, which are empty, may have landed or not when the process was told to end.
        landed.append({path: store.get(path).data for path in paths if path.rpartition("/")[0] in hours})
    calm, killed = landed
    assert any(0 <= place < MESSAGES - 1 for place in begun), "killed in the middle"
    assert sum(path.endswith("_SUCCESS") for path in calm) == 2
    markers = [orjson.loads(data) for path, data in calm.items() if path.endswith("_SUCCESS")]
    assert sum(each["arrived"]["windowed"] for each in markers) == 4 * MESSAGES
    assert killed == calm
