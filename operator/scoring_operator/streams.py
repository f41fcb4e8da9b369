"""List and watch: one stream keeps one kind of object in the view, for as long as the operator lives.

Why not `kopf.on.event` or `kubernetes.informer.SharedInformer` for Jobs and pods: kopf relists after a broken
watch without saying what was deleted meanwhile, so that the view would keep ghosts; SharedInformer tells
deletions, but keeps every object whole and typed, in a thread, from one unpaged list. Measured with 10,000
Jobs of 4.2 kB (Python 3.11, kubernetes 37.0.2): 440 MiB as the client's typed objects, 200 MiB as plain JSON,
6 MiB as records. What is left to do oneself is this page.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from scoring_operator.cluster import ApiError, Cluster, Kind
from scoring_operator.contract import Json
from scoring_operator.records import version_of
from scoring_operator.view import Place

log = logging.getLogger(__name__)
R = TypeVar("R")
R_contra = TypeVar("R_contra", contravariant=True)

WATCH_SECONDS = 300  # the server ends a watch then: it goes on where it was, on a fresh connection
RELIST_SECONDS = 1800.0  # belt and braces: whatever a stream could ever have missed is right again after this
IDLE_SECONDS = 90.0  # bookmarks come every minute; a stream that is silent for longer is dead
BACKOFF_FIRST, BACKOFF_MOST = 1.0, 30.0


class Sink(Protocol[R_contra]):
    """Who takes in what a stream reads."""

    def put(self, record: R_contra) -> None:
        """An object is there, or has changed."""

    def drop(self, place: Place, last: R_contra | None) -> None:
        """An object is gone, or no longer one of ours; `last` is how it was."""

    def replace(self, records: Iterable[R_contra], version: int) -> None:
        """These are all objects; others that are older than `version` are gone."""


@dataclass
class Stream(Generic[R]):
    """Objects of a kind, in one namespace or all, by `query`'s selectors, as records made by `project`."""

    cluster: Cluster
    kind: Kind
    namespace: str | None
    query: Mapping[str, str]
    project: Callable[[Json], R | None]
    sink: Sink[R]
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        """What changes while it runs."""
        self.synced = asyncio.Event()  # set by the first full list
        self.heard = self.clock()  # last event, bookmark or list
        self._version = 0
        self._listed = self.clock()
        self._pause = BACKOFF_FIRST  # after the next error

    async def run(self) -> None:
        """List, then watch, for ever: an error costs a pause, never the stream."""
        while True:
            try:
                if not self._version or self.clock() - self._listed > RELIST_SECONDS:
                    await self._list()
                started = self.clock()
                await self._watch()
                self._pause = BACKOFF_FIRST
                # a server that closes at once must not be hammered
                if self.clock() - started < BACKOFF_FIRST:
                    await asyncio.sleep(BACKOFF_FIRST)
            except ApiError as error:
                if error.code == 410:  # the server no longer knows where we were: list anew
                    self._version = 0
                    log.info("watch of %s is too old: listing again", self.kind.plural)
                else:
                    log.warning("stream of %s: %s; again in %.0f s", self.kind.plural, error, self._pause)
                await asyncio.sleep(self._pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
                self._pause = min(BACKOFF_MOST, self._pause * 2)

    async def _list(self) -> None:
        records: list[R] = []
        version = 0
        async for items, listed in self.cluster.pages(self.kind, self.namespace, self.query):
            version = listed
            records.extend(record for item in items if (record := self._projected(item)) is not None)
            await asyncio.sleep(0)  # a page of 500 takes a while: let probes and timers in between
        self.sink.replace(records, version)
        self._version = version
        self.heard = self._listed = self.clock()
        self.synced.set()

    async def _watch(self) -> None:
        seconds = WATCH_SECONDS + random.randrange(30)  # noqa: S311
        since = self._version
        async for event in self.cluster.watch(
            self.kind, self.namespace, self.query, since, seconds, IDLE_SECONDS
        ):
            self.heard = self.clock()
            body = event["object"]
            if event["type"] == "ERROR":
                raise ApiError(body.get("code", 0), body.get("reason", ""), body.get("message", ""))
            self._pause = BACKOFF_FIRST  # it works, however it ends: some proxies cut every watch
            self._version = version_of(body["metadata"]) or self._version
            if event["type"] != "BOOKMARK":
                self._take(event["type"], body)

    def _take(self, event: str, body: Json) -> None:
        place = (body["metadata"]["namespace"], body["metadata"]["name"])
        record = self._projected(body)
        if event == "DELETED" or record is None:
            self.sink.drop(place, record)
        else:
            self.sink.put(record)

    def _projected(self, body: Json) -> R | None:
        try:
            return self.project(body)
        except (KeyError, TypeError, ValueError) as error:
            name = (body.get("metadata") or {}).get("name")
            log.warning("%s %s is passed over: %s: %s", self.kind.plural, name, type(error).__name__, error)
            return None
