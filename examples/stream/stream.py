"""The stream in the cluster: set up, looked at, disturbed. The demo and the end-to-end test both use it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from examples.demo.errors import DemoError
from examples.stream import objects, release
from examples.stream.clock import HOUR, Clock
from examples.stream.commands import SCORER, SIMULATE, command
from local import images
from local.deploy import Deployed, namespace, secret
from local.places import Places
from scorer.storage import NotFoundError, Store, open_store
from scorer.storage.create import create_store

Json = dict[str, Any]

BEGIN = datetime(2026, 1, 12, 8, tzinfo=UTC)
"""By the demo's clock. Always the same, so that the same seed gives the same events."""
TRAINED = timedelta(days=7)
"""So long before are the readings that models are trained on."""
SPEED = 60.0
PATIENCE = 240.0
"""Seconds that a thing of seconds may take."""
_ASK = (
    "import sys, urllib.request as u;"
    "print(u.urlopen(u.Request(sys.argv[1], sys.argv[2].encode() or None)).read().decode())"
)


@dataclass(frozen=True)
class Plan:
    """What is streamed: `hours` land and are scored; `options` are the fleet's, of `sensorscore-simulate`."""

    hours: int
    options: Sequence[str]
    namespace: str = "sensorscore-stream"


@dataclass(frozen=True)
class Stream:
    """A stream that runs."""

    deployed: Deployed
    store: Store
    plan: Plan
    clock: Clock

    def hour(self, number: int) -> datetime:
        """Where an hour of the stream begins."""
        return self.clock.then + number * HOUR

    def at(self, hours: float) -> datetime:
        """So many hours after the stream's begin."""
        return self.clock.then + hours * HOUR

    def success(self, number: int) -> Json | None:
        """What `_SUCCESS` of an hour says, once it has landed."""
        try:
            return dict(json.loads(self.store.get(f"readings/{self.hour(number):%Y/%m/%d/%H}/_SUCCESS").data))
        except NotFoundError:
            return None

    def run(self, number: int) -> Json | None:
        """The schedule's run of an hour, once it is there."""
        name = f"{release.SCHEDULE}-{self.hour(number + 1):%Y%m%dt%H%Mz}"
        found = self.items("scoringruns", f"--field-selector=metadata.name={name}")
        return found[0] if found else None

    def phase(self, number: int) -> str:
        """How far an hour's run is; empty before it is there."""
        return str(((self.run(number) or {}).get("status") or {}).get("phase", ""))

    def ended(self, number: int) -> bool:
        """Whether an hour's run has ended."""
        return self.phase(number) in ("Succeeded", "Failed")

    def hub(self, verb: str, **told: Any) -> Json:
        """Asks the double for something, or what is in it (`state`): tests/eventhubs/control.py."""
        body = "" if verb == "state" else json.dumps(told)
        url = f"http://127.0.0.1:{objects.CONTROL}/{verb}"
        return dict(json.loads(self._exec(objects.HUB, url, body)))

    def messages(self) -> int:
        """How many the hub has got."""
        return sum(each["next"] for each in self.hub("state")["hubs"][objects.ENTITY])

    def give_again(self, events: int) -> None:
        """Cuts a connection of ingest's, and lets the hub give so many events again after it."""
        partitions = self.hub("state")["hubs"][objects.ENTITY]
        # The fullest: with few devices some have none.
        place = {"partition": str(max(range(len(partitions)), key=lambda each: partitions[each]["next"]))}
        self.hub("rewind", events=events, where=place)
        self.hub("cut", where=place)

    def received(self) -> list[Json]:
        """What was posted to the receiver, oldest first."""
        lines = self._exec(objects.RECEIVER, f"http://127.0.0.1:{objects.HTTP}/", "").splitlines()
        return [json.loads(line) for line in lines if line]

    def sent(self) -> str:
        """What the fleet said as it ended; empty before. DemoError if it failed."""
        told = self.items("jobs", f"--field-selector=metadata.name={objects.FLEET}")[0].get("status") or {}
        if told.get("failed"):
            raise DemoError(f"the fleet failed: {self.kubectl('logs', f'job/{objects.FLEET}', '--tail=5')}")
        return self.kubectl("logs", f"job/{objects.FLEET}") if told.get("succeeded") else ""

    def items(self, kind: str, *arguments: str) -> list[Json]:
        """The namespace's objects of that kind."""
        found: list[Json] = self.deployed.tools.get(kind, *arguments, self._where)["items"]
        return found

    def kubectl(self, *arguments: str) -> str:
        """kubectl in the namespace."""
        return self.deployed.tools.kubectl(*arguments, self._where)

    @property
    def _where(self) -> str:
        return f"--namespace={self.plan.namespace}"

    def _exec(self, name: str, url: str, body: str) -> str:
        words = ("exec", f"deployment/{name}", self._where, "--", "python3", "-c", _ASK, url, body)
        return self.deployed.tools.kubectl(*words)


def clear(deployed: Deployed, plan: Plan) -> Store:
    """An empty store, and a namespace with nothing of an earlier stream. The release is to have no ingest."""
    tools, azurite = deployed.tools, deployed.azurite
    tools.apply(namespace(plan.namespace), secret(plan.namespace, azurite.connection_string))
    # Ingest's pods too: as they end they commit what they have.
    kinds = "scoringruns,cronjobs,jobs,deployments,services,pods,configmaps"
    tools.kubectl("delete", kinds, "--all", "--wait", "--timeout=120s", f"--namespace={plan.namespace}")
    address = (release.URL, azurite.endpoint, True, azurite.connection_string)
    create_store(*address)
    store = open_store(*address)
    for entry in list(store.list("")):
        store.delete(entry.path)
    return store


def train(deployed: Deployed) -> None:
    """A day of the same fleet's readings, a week before, all in order; a model of each sensor."""
    begin = BEGIN.replace(hour=0) - TRAINED
    start, end = (f"{each:%Y-%m-%dT%H:%M:%SZ}" for each in (begin, begin + timedelta(hours=12)))
    command(deployed, SIMULATE, "land", f"--start={start}", "--for=12h", "--every=30s", "--seed=1")
    command(deployed, SCORER, "train", "--window", f"{start}/{end}", "--nu=0.002", "--gamma=0.1")


def start(deployed: Deployed, plan: Plan, store: Store, more: Json, clock: Clock) -> Stream:
    """Hub, fleet, receiver, ingest and schedule, all by the clock; `more` goes over the chart's values."""
    tools, where = deployed.tools, f"--namespace={plan.namespace}"
    image = images.name(Places.here(), "scorer-ingest")
    for name, port in ((objects.HUB, objects.AMQP), (objects.RECEIVER, objects.HTTP)):
        tools.apply(objects.service(name, plan.namespace, port))
    address = tools.get("service", objects.HUB, where)["spec"]["clusterIP"]
    tools.apply(*objects.hub(plan.namespace, image, clock, address), *objects.receiver(plan.namespace, image))
    ready = ("--timeout=120s", where)
    tools.kubectl("rollout", "status", f"deployment/{objects.HUB}", *ready)
    told = tools.kubectl("logs", f"deployment/{objects.HUB}", where).splitlines()[0]
    connection = json.loads(told)["connection_string"]
    begin = f"--start={clock.then:%Y-%m-%dT%H:%M:%SZ}"
    sending = objects.fleet(plan.namespace, image, clock, connection, [begin, *plan.options])
    tools.apply(objects.secret(plan.namespace, connection), objects.clock_files(plan.namespace), *sending)
    receiver = tools.get("service", objects.RECEIVER, where)["spec"]["clusterIP"]
    values = release.values(plan.namespace, deployed.azurite.endpoint, clock, receiver)
    release.install(tools, _merged(values, more))
    release.start_schedule(tools, plan.namespace, clock)
    return Stream(deployed, store, plan, clock)


def wait(what: str, happened: Callable[[], object], seconds: float = PATIENCE, every: float = 1.0) -> None:
    """Until it has happened. DemoError if it does not."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise DemoError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(every)


def _merged(values: Json, more: Json) -> Json:
    """Maps are merged, all else is replaced."""
    merged = dict(values)
    for key, value in more.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
