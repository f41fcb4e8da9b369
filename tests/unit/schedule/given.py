"""A schedule, and a Kubernetes in memory that a test can stop between any two steps."""

from __future__ import annotations

import copy
from collections.abc import Callable, Coroutine, Generator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

from scoring_operator.cluster import ApiError, Cluster, Kind
from scoring_operator.schedule.calls import Result
from scoring_operator.schedule.creator import create_runs
from scoring_operator.schedule.objects import parse_mark
from scoring_operator.schedule.plan import Mark
from scoring_operator.schedule.settings import Schedule, parse

Json = dict[str, Any]
NOON = datetime(2026, 1, 1, 12, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINIMAL: Json = {"name": "hourly", "namespace": "team-a", "run": {"sensors": {"names": ["a"]}}}
MARK = "sensorscore-schedule-hourly"


def schedule(**more: Any) -> Schedule:
    """An hourly schedule, but for what is said."""
    return parse(MINIMAL | more)


def at(text: str) -> datetime:
    """A time of UTC, such as 2026-01-01T12."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class _Step:
    """Where others may come in between, and where a process may be killed."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Memory:
    """What a schedule's pod sees of Kubernetes: objects by plural and name, refused as the API refuses them.

    It stands in the place of a `Cluster`; `fault` may raise before anything happens.
    """

    def __init__(self, now: datetime = NOON) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.now = now
        self.server_ahead = timedelta(0)
        self.made: list[Json] = []  # all runs ever, in the order in which they were made
        self.marks: list[Mark] = []  # all that were ever written
        self.fault: Callable[[str, Kind, str], None] = lambda *_: None
        self.version = 0

    @property
    def date(self) -> str:
        return format_datetime((self.now + self.server_ahead).replace(microsecond=0), usegmt=True)

    @property
    def cluster(self) -> Cluster:
        stands_in: Any = self
        return stands_in  # type: ignore[no-any-return]

    async def get(self, kind: Kind, _: str, name: str) -> Json | None:
        await _Step()
        self.fault("get", kind, name)
        return copy.deepcopy(self.objects.get((kind.plural, name)))

    async def create(self, kind: Kind, _: str, body: Json, *, strict: bool = False) -> Json:
        name = body["metadata"]["name"]
        await _Step()
        self.fault("create", kind, name)
        if (kind.plural, name) in self.objects:
            raise ApiError(409, "AlreadyExists", f"{name} already exists")
        if kind.plural == "scoringruns":
            assert strict
            self.made.append(body)
        stored = self._store(kind, name, body)
        await _Step()
        return stored

    async def replace(self, kind: Kind, _: str, name: str, body: Json) -> Json:
        await _Step()
        self.fault("replace", kind, name)
        found = self.objects.get((kind.plural, name))
        if found is None:
            raise ApiError(404, "NotFound", name)
        if found["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", f"{name} has been modified")
        stored = self._store(kind, name, body)
        await _Step()
        return stored

    def _store(self, kind: Kind, name: str, body: Json) -> Json:
        self.version += 1
        stored = copy.deepcopy(body)
        stored["metadata"] |= {"resourceVersion": str(self.version), "uid": f"uid-{name}"}
        self.objects[kind.plural, name] = stored
        if name == MARK:
            self.marks.append(parse_mark(stored))
        return copy.deepcopy(stored)

    def drop(self, kind: Kind, name: str) -> None:
        del self.objects[kind.plural, name]

    @property
    def mark(self) -> Mark:
        return parse_mark(self.objects["configmaps", MARK])

    def names(self) -> list[str]:
        """Names of all runs ever made, in order."""
        return [run["metadata"]["name"] for run in self.made]

    def hours(self) -> list[int]:
        """The hours in which their windows ended."""
        return [datetime.fromisoformat(run["spec"]["window"]["end"]).hour for run in self.made]

    def events(self) -> list[str]:
        return [body["message"] for (plural, _), body in self.objects.items() if plural == "events"]

    def work(self, told: Schedule) -> Coroutine[Any, Any, Result]:
        """One pod's work; nothing has happened yet."""
        return create_runs(self.cluster, told, lambda: self.now)

    def run(self, told: Schedule) -> Result:
        """One pod's work from beginning to end."""
        return finish(self.work(told))


def finish(work: Coroutine[Any, Any, Result]) -> Result:
    """Go on until it is done."""
    while True:
        try:
            work.send(None)
        except StopIteration as done:
            result: Result = done.value
            return result


def interleave(works: list[Coroutine[Any, Any, Result]], random: Random, killed: float = 0.0) -> int:
    """Let them work beside each other; `killed` is how likely each is to end at each step. How many ended
    by themselves.
    """
    finished, works = 0, list(works)
    while works:
        work = random.choice(works)
        if random.random() < killed:
            work.close()
            works.remove(work)
            continue
        try:
            work.send(None)
        except StopIteration:
            works.remove(work)
            finished += 1
    return finished
