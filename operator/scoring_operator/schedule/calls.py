"""The calls to Kubernetes that whatever makes a schedule's runs has in common."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from scoring_operator.cluster import CONFIG_MAPS, EVENTS, RUNS, ApiError, Cluster
from scoring_operator.contract import Json, rfc3339
from scoring_operator.schedule.objects import event_manifest, why_not_ours
from scoring_operator.schedule.plan import Skip
from scoring_operator.schedule.settings import Schedule

log = logging.getLogger(__name__)

SKEW_SECONDS = 60  # between two clocks: more is worth a word


class OvertakenError(Exception):
    """Somebody else has written the mark."""


@dataclass(slots=True)
class Result:
    """What was done."""

    made: list[str] = field(default_factory=list)  # names of runs
    there: list[str] = field(default_factory=list)  # of those that somebody had made before
    skipped: list[Skip] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # why windows could not get their run


@dataclass(slots=True)
class Calls:
    """From one reading of a mark to the end, or until somebody else writes it."""

    cluster: Cluster
    schedule: Schedule
    clock: Callable[[], datetime]
    result: Result
    stored: Json = field(default_factory=dict)  # the mark

    def now(self) -> datetime:
        """The earlier of two clocks: a node's that is fast must not settle windows that have not ended."""
        own = self.clock()
        try:
            served = parsedate_to_datetime(self.cluster.date)
        except ValueError:
            return own
        if abs((served - own).total_seconds()) > SKEW_SECONDS:
            log.warning("it is %s here and %s at the API server", rfc3339(own), rfc3339(served))
        return min(own, served)

    async def read(self, name: str, first: Callable[[], Json]) -> Json:
        """The mark as it is stored, made if need be."""
        namespace = self.schedule.namespace
        self.stored = await self.cluster.get(CONFIG_MAPS, namespace, name) or {}
        if not self.stored:
            try:
                self.stored = await self.cluster.create(CONFIG_MAPS, namespace, first())
            except ApiError as error:
                if error.code == 409:
                    raise OvertakenError from None
                raise
        return self.stored

    async def write(self, body: Json) -> None:
        """The mark, on the condition that nobody else has written it."""
        name, namespace = body["metadata"]["name"], self.schedule.namespace
        body["metadata"]["resourceVersion"] = self.stored["metadata"]["resourceVersion"]
        try:
            self.stored = await self.cluster.replace(CONFIG_MAPS, namespace, name, body)
        except ApiError as error:
            if error.code in (404, 409):
                raise OvertakenError from None
            raise

    async def run(self, manifest: Json) -> bool:
        """Make a run; False, and said, if its name is somebody else's. Raises `ApiError`."""
        try:
            why = await self._make(manifest)
        except ApiError as error:
            if error.permanent:
                name = manifest["metadata"]["name"]
                await self.tell("RunRefused", f"run {name} is refused: {error.message}", self.now())
            raise
        if why:
            log.error("%s", why)
            await self.tell("WindowRefused", why, self.now())
            self.result.refused.append(why)
        return not why

    async def _make(self, manifest: Json) -> str:
        """Make a run; why that cannot be, if another one has its name."""
        name, namespace = manifest["metadata"]["name"], self.schedule.namespace
        for _ in range(3):
            try:
                await self.cluster.create(RUNS, namespace, manifest, strict=True)
            except ApiError as error:
                if error.code != 409 or error.reason != "AlreadyExists":
                    raise
            else:
                log.info("made run %s", name)
                self.result.made.append(name)
                return ""
            found = await self.cluster.get(RUNS, namespace, name)
            if found is None:
                continue  # deleted in between: whosever it was
            if why := why_not_ours(found, manifest):
                return (
                    f"run {name} is there, but is not of this schedule: {why}. "
                    "Delete it, or give the schedule another name"
                )
            if name not in (*self.result.made, *self.result.there):
                self.result.there.append(name)
            return ""
        raise ApiError(0, "ComesAndGoes", f"run {name} is made and deleted by somebody else all the time")

    async def tell(self, reason: str, why: str, now: datetime) -> None:
        """Tell it as an Event at the mark; that it is in the log is enough if that is refused."""
        body = event_manifest(self.stored, reason, why, now)
        try:
            await self.cluster.create(EVENTS, self.schedule.namespace, body)
        except ApiError as error:
            if error.code != 409:  # it was told
                log.warning("the Event %s cannot be made: %s", reason, error)
