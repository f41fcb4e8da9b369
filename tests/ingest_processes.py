"""Replicas of ingest as processes, `python -m scorer.ingest`, that are killed and started again.

They read a hub of the double in a thread of the test's own, and keep all in a real Azurite.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import yaml

from eventhubs import EventHubs, Threaded
from hub_clients import HUB
from ingest_fleet import told
from scorer.ingest.service_settings import CONNECTION, REPLICA
from scorer.storage import Store, open_store
from scorer.storage.create import create_store

if TYPE_CHECKING:
    from local.azurite import Azurite

SOON = 120.0
"""Seconds for what takes a few: a busy machine is no finding."""
_LOST = re.compile(r"partition (\S+) was (?:taken over|given back)")


def until(true: Callable[[], object], what: str, seconds: float = SOON) -> None:
    """Waits for it."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"did not happen in {seconds:.0f} s: {what}"
        time.sleep(0.05)


class Blobs:
    """A container in Azurite, and how processes are told of it."""

    def __init__(self, azurite: Azurite, endpoint: str | None = None) -> None:
        self.url = f"azure://{azurite.endpoint.rpartition('/')[2]}/{uuid.uuid4().hex}/prefix"
        self._address = (azurite.endpoint, True, azurite.connection_string)
        create_store(self.url, *self._address)
        self.settings = {"url": self.url, "endpoint": endpoint or azurite.endpoint, "allowHttp": True}
        self.secret = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
        self.store: Store = open_store(self.url, *self._address)


class Place:
    """Where replicas work: a hub, a container, a consumer group, and a folder for settings."""

    def __init__(self, hubs: Threaded, blobs: Blobs, folder: Path, group: str = "$Default") -> None:
        self.hubs = hubs
        self.blobs = blobs
        self.group = group
        self.store = blobs.store
        self._folder = folder

    @property
    def root(self) -> str:
        """The folder of what ingest keeps."""
        return f"ingest/{HUB}/{self.group.lower()}"

    def settings(self, **more: Any) -> Path:
        """A settings file; `more` are keys of it."""
        hub = {"name": HUB, "consumerGroup": self.group}
        whole = told(hub=hub, store=self.blobs.settings, **more)
        file = self._folder / f"{uuid.uuid4().hex}.yaml"
        file.write_text(yaml.safe_dump(whole))
        return file

    def replica(self, name: str, settings: Path) -> Replica:
        """One more process."""
        environment = {**os.environ, **self.blobs.secret, CONNECTION: self.hubs.connection_string()}
        return Replica(name, settings, environment)

    def sequences(self) -> dict[str, int]:
        """Sequence numbers that are committed, by partition."""
        return {
            entry.path.split("/")[-2]: int(self.store.head(entry.path).metadata["sequence"])
            for entry in self.store.list(self.root)
            if entry.path.endswith("/state")
        }


class Replica:
    """A process and what it has said. `owned` are its partitions, by its own words."""

    def __init__(self, name: str, settings: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.owned: set[str] = set()
        self.said: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scorer.ingest", str(settings)],
            stdout=subprocess.PIPE,
            env={**environment, REPLICA: name},
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                told = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue  # what it was killed in the middle of
            lost = _LOST.match(told["message"])
            if told["message"] == "partition claimed":
                self.owned.add(told["partition"])
            elif told["message"] == "partition given back":
                self.owned.discard(told["partition"])
            elif lost:
                self.owned.discard(lost[1])
            self.said.append(told)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def count(self, message: str) -> int:
        """How often it has said that."""
        return sum(each["message"] == message for each in self.said)

    def kill(self) -> None:
        """SIGKILL, wherever it is."""
        self._process.kill()
        self._ended()

    def pause(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(SOON)
        self._ended()
        return code

    def _ended(self) -> None:
        self._process.wait(SOON)
        self._reading.join(SOON)
        if self._process.stdout:
            self._process.stdout.close()


@contextlib.contextmanager
def killed_at_the_end() -> Iterator[list[Replica]]:
    """A list for replicas; those that still live at the end are killed."""
    replicas: list[Replica] = []
    try:
        yield replicas
    finally:
        for each in replicas:
            if each.alive:
                each.kill()


class Stream:
    """Fills a hub so that there is always more than the replicas have read, in a thread of its own.

    A silent hub would let the replicas go by their own clocks, hours after the events. What comes is a
    function of its place: some bodies are broken, some events late.
    """

    def __init__(self, place: Place, start: float, step: float, ahead: int) -> None:
        """`start`: Unix time; `step`: seconds of the hub's clock to 100 messages; `ahead`: messages."""
        self._place = place
        self._step = step
        self._ahead = ahead
        self._stop = threading.Event()
        self.filled = 0
        """Messages of each partition."""
        place.hubs.do(lambda double: double.clock.set(start))
        self._fill(ahead)
        self._thread = threading.Thread(target=self._keep_up, daemon=True)

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(SOON)

    @property
    def time(self) -> float:
        """The hub's clock."""
        return self._place.hubs.do(lambda double: double.clock())

    def _keep_up(self) -> None:
        while not self._stop.wait(0.5):
            furthest = max(self._place.sequences().values(), default=0)
            if self.filled - furthest < self._ahead:
                self._fill(self._ahead)

    def _fill(self, messages: int) -> None:
        for number in range(self.filled, self.filled + messages, 100):
            self._place.hubs.do(lambda double, first=number: self._hundred(double, first))
        self.filled += messages

    def _hundred(self, double: EventHubs, first: int) -> None:
        double.clock.advance(self._step)
        now = double.clock()
        for partition in range(len(double.hub(HUB).partitions)):
            double.hub(HUB).fill(
                [_body(now, partition, place) for place in range(first, first + 100)], partition
            )


def _body(now: float, partition: int, place: int) -> bytes:
    if place % 97 == 0:
        return b'{"Device":'
    late = 3_000 if place % 89 == 0 else place % 4
    event = {"Device": partition * 10 + place % 5, "TS": now - late, "Value": place * 0.1}
    return orjson.dumps([event, {**event, "Device": 99}])


def landed(store: Store) -> dict[str, bytes]:
    """All that has landed, but that `_SUCCESS` says nothing of what the hub's client gave twice."""
    found = {}
    for entry in store.list("readings"):
        data = store.get(entry.path).data
        if entry.path.endswith("_SUCCESS"):
            marker = orjson.loads(data)
            marker["arrived"]["events"] -= marker["arrived"].pop("duplicate")
            marker["arrived"].pop("messages")
            data = orjson.dumps(marker, option=orjson.OPT_SORT_KEYS)
        found[entry.path] = data
    return found


def markers(store: Store) -> list[dict[str, Any]]:
    """What each landed hour says."""
    return [
        orjson.loads(store.get(entry.path).data)
        for entry in store.list("readings")
        if entry.path.endswith("_SUCCESS")
    ]


class Restart(NamedTuple):
    """Seconds from a SIGKILL to the first commit of something new."""

    same: float
    """By the process that was started at once under the same name."""
    others: float
    """By another replica, of a partition that was that of one that came not back."""


def restart(place: Place, balance: str = "5s", expire: str = "30s") -> Restart:
    """Kills a replica by SIGKILL, first one that comes back, then one that does not. Other rates are usual.

    The hub must have more than is read meanwhile: within a `Stream`.
    """
    settings = place.settings(rates={"balance": balance, "expire": expire, "prefetch": 5, "batch": 5})
    with killed_at_the_end() as replicas:
        replicas.append(place.replica("pod-1", settings))
        until(lambda: replicas[0].owned, "it has partitions")
        before = place.sequences()
        until(lambda: _further(place, before, replicas[0].owned), "it commits")
        taken = time.monotonic()
        replicas[0].kill()
        before = place.sequences()
        replicas.append(place.replica("pod-1", settings))
        until(lambda: _further(place, before, before), "it has committed")
        same = time.monotonic() - taken
        replicas.append(place.replica("pod-2", settings))
        share = len(before) // 2
        until(lambda: [len(each.owned) for each in replicas[1:]] == [share, share], "they share")
        taken = time.monotonic()
        replicas[1].kill()
        gone, before = set(replicas[1].owned) - set(replicas[2].owned), place.sequences()
        until(lambda: _further(place, before, gone), "the other has committed")
        return Restart(same, time.monotonic() - taken)


def _further(place: Place, before: Mapping[str, int], of: Iterable[str]) -> bool:
    now = place.sequences()
    return any(now[each] > before.get(each, -1) for each in of if each in now)
