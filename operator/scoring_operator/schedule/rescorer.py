"""The calls that make the runs of corrected hours, in an order that may be cut anywhere like the creator's.

    mark there?  no: it is written first
    each hour    its run, then the mark (the oldest first, as many as an hour of the clock may have)

An hour waits for its own run, and for the one that was made for a correction before: what they read of the
hour may be older than this correction, and two at once would score the same readings twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from scoring_operator.cluster import CONFIG_MAPS, RUNS, Cluster
from scoring_operator.contract import Json, rfc3339
from scoring_operator.schedule import corrections
from scoring_operator.schedule.calls import Calls, OvertakenError, Result
from scoring_operator.schedule.corrections import Change, Changes, Mark
from scoring_operator.schedule.objects import (
    mark_for,
    mark_name,
    parse_rescore_mark,
    rescore_mark_manifest,
    rescore_mark_name,
    rescore_run_manifest,
    rescore_run_name,
    run_name,
)
from scoring_operator.schedule.rescore import Rescore
from scoring_operator.schedule.settings import Schedule

log = logging.getLogger(__name__)


async def rescore_runs(
    cluster: Cluster, schedule: Schedule, rescore: Rescore, changes: Changes, clock: Callable[[], datetime]
) -> Result:
    """Make the runs of corrected hours. Raises `ApiError`, and `MarkError` for a mark that cannot be read.

    What could not be found in the store is said, and does not keep from the rest.
    """
    result = Result()
    while True:  # each turn somebody has got further; the pod's deadline ends it if not
        try:
            return await _take(Calls(cluster, schedule, clock, result), rescore, changes)
        except OvertakenError:
            log.info("somebody else rescores for schedule %s too: again from its mark", schedule.name)


async def _take(calls: Calls, rescore: Rescore, changes: Changes) -> Result:
    schedule, result = calls.schedule, calls.result
    stored = await calls.read(
        rescore_mark_name(schedule.name), lambda: rescore_mark_manifest(schedule, Mark())
    )
    mark, now = parse_rescore_mark(stored), calls.now()
    result.refused.clear()  # of the turn before
    if changes.error:
        why = f"schedule {schedule.name}: corrections are not all known: {changes.error}"
        log.error("%s", why)
        await calls.tell("CorrectionsUnknown", why, now)
        result.refused.append(why)
    due = await _scored_once(calls, corrections.due(changes, mark, rescore, now))
    for place, change in enumerate(due):
        if not mark.left(rescore, now):
            log.warning(
                "schedule %s: %d corrected hours wait: maxPerHour is %d",
                *(schedule.name, len(due) - place, rescore.max_per_hour),
            )
            break
        mark = await _settle(calls, mark, change, rescore, now)
    return result


async def _scored_once(calls: Calls, due: list[Change]) -> list[Change]:
    """Those whose window the schedule has made a run for: of another its run will read what is corrected."""
    if not due:
        return due
    schedule = calls.schedule
    stored = await calls.cluster.get(CONFIG_MAPS, schedule.namespace, mark_name(schedule.name))
    if stored is None:
        return []  # the schedule has not begun
    mark = mark_for(stored, schedule)
    return [change for change in due if change.end <= mark.last or change.end in mark.ahead]


async def _settle(calls: Calls, mark: Mark, change: Change, rescore: Rescore, now: datetime) -> Mark:
    """Make the hour's run and write the mark; as it was, if the hour has to wait."""
    schedule = calls.schedule
    before = [run_name(schedule.name, change.end)]
    if last := mark.counts.get(change.end):
        before.append(rescore_run_name(schedule.name, Change(change.end, last)))
    for name in before:
        if not _over(await calls.cluster.get(RUNS, schedule.namespace, name)):
            log.info("the hour that ends %s waits for run %s", rfc3339(change.end), name)
            return mark
    if not await calls.run(rescore_run_manifest(schedule, rescore, change)):
        return mark
    mark = mark.settled(change, rescore, now)
    await calls.write(rescore_mark_manifest(schedule, mark))
    return mark


def _over(run: Json | None) -> bool:
    """Whether a run has ended; one that is gone has."""
    conditions = ((run or {}).get("status") or {}).get("conditions") or ()
    ends = (each for each in conditions if each["type"] in ("Complete", "Failed"))
    return run is None or any(each["status"] == "True" for each in ends)
