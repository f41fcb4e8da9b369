"""The calls to Kubernetes, in an order that may be cut anywhere, by as many at once as may be.

    mark there?  no: it is written first, so that what follows is known to have begun
    skip         Event, then the mark
    each window  its run, then the mark (the newest window first, then the oldest)

Killed between a run and the mark, the next one makes the same run again, finds it there, and goes on. The
mark is written on the condition that nobody else has: whoever comes too late begins anew from what it says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from scoring_operator.cluster import CONFIG_MAPS, EVENTS, RUNS, ApiError, Cluster
from scoring_operator.contract import Json, rfc3339
from scoring_operator.schedule import plan
from scoring_operator.schedule.objects import (
    event_manifest,
    mark_for,
    mark_manifest,
    mark_name,
    run_manifest,
    why_not_ours,
)
from scoring_operator.schedule.plan import Mark, Skip
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


async def create_runs(cluster: Cluster, schedule: Schedule, clock: Callable[[], datetime]) -> Result:
    """Make the runs that are due. Raises `ApiError`, and `MarkError` for a mark that cannot be read."""
    result = Result()
    while True:  # each turn somebody has got further; the pod's deadline ends it if not
        try:
            return await _Turn(cluster, schedule, clock, result).take()
        except OvertakenError:
            log.info("somebody else works for schedule %s too: again from its mark", schedule.name)


@dataclass(slots=True)
class _Turn:
    """From one reading of the mark to the end, or until somebody else writes it."""

    cluster: Cluster
    schedule: Schedule
    clock: Callable[[], datetime]
    result: Result
    stored: Json = field(default_factory=dict)

    async def take(self) -> Result:
        schedule, result = self.schedule, self.result
        self.stored = await self._stored_mark()
        mark, now = mark_for(self.stored, schedule), self._now()
        if mark.last > now:
            log.warning(
                "the mark of schedule %s stands at %s, and it is %s: nothing is due until then",
                *(schedule.name, rfc3339(mark.last), rfc3339(now)),
            )
        due = plan.due(schedule, mark, now)
        if due.skip is not None:
            mark = await self._skip(mark, due.skip, now)
        result.refused.clear()  # of the turn before
        if due.live is not None:
            mark = await self._settle(mark, due.live, schedule.run["priority"])
        for end in due.missed:
            mark = await self._settle(mark, end, schedule.catch_up.priority)
        return result

    def _now(self) -> datetime:
        """The earlier of two clocks: a node's that is fast must not settle windows that have not ended."""
        own = self.clock()
        try:
            served = parsedate_to_datetime(self.cluster.date)
        except ValueError:
            return own
        if abs((served - own).total_seconds()) > SKEW_SECONDS:
            log.warning("it is %s here and %s at the API server", rfc3339(own), rfc3339(served))
        return min(own, served)

    async def _stored_mark(self) -> Json:
        """The mark as it is stored, made if need be."""
        name, namespace = mark_name(self.schedule.name), self.schedule.namespace
        found = await self.cluster.get(CONFIG_MAPS, namespace, name)
        if found is not None:
            return found
        mark = plan.first_mark(self.schedule, self._now())
        try:
            return await self.cluster.create(CONFIG_MAPS, namespace, mark_manifest(self.schedule, mark))
        except ApiError as error:
            if error.code == 409:
                raise OvertakenError from None
            raise

    async def _write(self, mark: Mark) -> None:
        body = mark_manifest(self.schedule, mark, self.stored["metadata"]["resourceVersion"])
        name, namespace = body["metadata"]["name"], self.schedule.namespace
        try:
            self.stored = await self.cluster.replace(CONFIG_MAPS, namespace, name, body)
        except ApiError as error:
            if error.code in (404, 409):
                raise OvertakenError from None
            raise

    async def _skip(self, mark: Mark, skip: Skip, now: datetime) -> Mark:
        why = f"schedule {self.schedule.name}: {skip} get no run: beyond catchUp"
        log.warning("%s", why)
        await self._tell("WindowsSkipped", why, now)
        mark = mark.passed_over(skip, self.schedule.grid)
        await self._write(mark)
        self.result.skipped.append(skip)
        return mark

    async def _settle(self, mark: Mark, end: datetime, priority: int) -> Mark:
        """Make the window's run and write the mark; as it was, if the run's name is somebody else's."""
        manifest = run_manifest(self.schedule, end, priority)
        try:
            why = await self._make(manifest)
        except ApiError as error:
            if error.permanent:
                name = manifest["metadata"]["name"]
                await self._tell("RunRefused", f"run {name} is refused: {error.message}", self._now())
            raise
        if why:
            log.error("%s", why)
            await self._tell("WindowRefused", why, self._now())
            self.result.refused.append(why)
            return mark
        mark = mark.settled(end, self.schedule.grid)
        await self._write(mark)
        return mark

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

    async def _tell(self, reason: str, why: str, now: datetime) -> None:
        """Tell it as an Event; that it is in the log is enough if that is refused."""
        body = event_manifest(self.stored, reason, why, now)
        try:
            await self.cluster.create(EVENTS, self.schedule.namespace, body)
        except ApiError as error:
            if error.code != 409:  # it was told
                log.warning("the Event %s cannot be made: %s", reason, error)
