"""The calls that make windows' runs, in an order that may be cut anywhere, by as many at once as may be.

    mark there?  no: it is written first, so that what follows is known to have begun
    skip         Event, then the mark
    each window  its run, then the mark (the newest window first, then the oldest)

Killed between a run and the mark, the next one makes the same run again, finds it there, and goes on. The
mark is written on the condition that nobody else has: whoever comes too late begins anew from what it says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from scoring_operator.cluster import Cluster
from scoring_operator.contract import rfc3339
from scoring_operator.schedule import plan
from scoring_operator.schedule.calls import Calls, OvertakenError, Result
from scoring_operator.schedule.objects import mark_for, mark_manifest, mark_name, run_manifest
from scoring_operator.schedule.plan import Mark, Skip
from scoring_operator.schedule.settings import Schedule

log = logging.getLogger(__name__)


async def create_runs(cluster: Cluster, schedule: Schedule, clock: Callable[[], datetime]) -> Result:
    """Make the runs that are due. Raises `ApiError`, and `MarkError` for a mark that cannot be read."""
    result = Result()
    while True:  # each turn somebody has got further; the pod's deadline ends it if not
        try:
            return await _take(Calls(cluster, schedule, clock, result))
        except OvertakenError:
            log.info("somebody else works for schedule %s too: again from its mark", schedule.name)


async def _take(calls: Calls) -> Result:
    schedule = calls.schedule
    stored = await calls.read(
        mark_name(schedule.name), lambda: mark_manifest(schedule, plan.first_mark(schedule, calls.now()))
    )
    mark, now = mark_for(stored, schedule), calls.now()
    if mark.last > now:
        log.warning(
            "the mark of schedule %s stands at %s, and it is %s: nothing is due until then",
            *(schedule.name, rfc3339(mark.last), rfc3339(now)),
        )
    due = plan.due(schedule, mark, now)
    if due.skip is not None:
        mark = await _skip(calls, mark, due.skip, now)
    calls.result.refused.clear()  # of the turn before
    if due.live is not None:
        mark = await _settle(calls, mark, due.live, schedule.run["priority"])
    for end in due.missed:
        mark = await _settle(calls, mark, end, schedule.catch_up.priority)
    return calls.result


async def _skip(calls: Calls, mark: Mark, skip: Skip, now: datetime) -> Mark:
    schedule = calls.schedule
    why = f"schedule {schedule.name}: {skip} get no run: beyond catchUp"
    log.warning("%s", why)
    await calls.tell("WindowsSkipped", why, now)
    mark = mark.passed_over(skip, schedule.grid)
    await calls.write(mark_manifest(schedule, mark))
    calls.result.skipped.append(skip)
    return mark


async def _settle(calls: Calls, mark: Mark, end: datetime, priority: int) -> Mark:
    """Make the window's run and write the mark; as it was, if the run's name is somebody else's."""
    schedule = calls.schedule
    if not await calls.run(run_manifest(schedule, end, priority)):
        return mark
    mark = mark.settled(end, schedule.grid)
    await calls.write(mark_manifest(schedule, mark))
    return mark
