"""The calls that make the runs of corrected hours, in an order that may be cut anywhere like the creator's.

    mark there?  no: it is written first
    sorted       hours that the schedule never scored, or whose own run failed, are left alone
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
    run_manifest,
    run_name,
    why_not_ours,
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
    due = await _scored_once(calls, corrections.due(changes, mark, rescore, now), now)
    for place, change in enumerate(due):
        if not mark.left(rescore, now):
            log.warning(
                "schedule %s: %d corrected hours wait: maxPerHour is %d",
                *(schedule.name, len(due) - place, rescore.max_per_hour),
            )
            break
        mark = await _settle(calls, mark, change, rescore, now)
    return result


async def _scored_once(calls: Calls, due: list[Change], now: datetime) -> list[Change]:
    """Those whose window's own run has ended well, as far as is known.

    A window that has had no run is another's business: that it is settled may mean that it was skipped, or
    came before the schedule's first. One whose run failed lacks more than the corrected sensors.
    """
    if not due:
        return due
    schedule = calls.schedule
    stored = await calls.cluster.get(CONFIG_MAPS, schedule.namespace, mark_name(schedule.name))
    if stored is None:
        return []  # the schedule has not begun
    mark, scored, failed = mark_for(stored, schedule), [], []
    for change in due:
        run = await _own_run(calls, change.end)
        if run is None and not mark.has_run(change.end):
            log.info("the hour that ends %s is left alone: it has had no run", rfc3339(change.end))
        elif _ended(run, "Failed"):
            failed.append(run_name(schedule.name, change.end))
        elif run is None or _ended(run, "Complete"):
            scored.append(change)
        else:
            log.info("the hour that ends %s waits for its own run", rfc3339(change.end))
    if failed:
        await _leave(calls, failed, now)
    return scored


async def _own_run(calls: Calls, end: datetime) -> Json | None:
    """The window's own run, if it is there: the mark may not know it, where it was written before runs were
    kept in it, or where whoever made the run was killed before writing it.
    """
    schedule = calls.schedule
    wanted = run_manifest(schedule, end, schedule.catch_up.priority)
    found = await calls.cluster.get(RUNS, schedule.namespace, wanted["metadata"]["name"])
    return None if found is None or why_not_ours(found, wanted) else found


async def _leave(calls: Calls, failed: list[str], now: datetime) -> None:
    name = calls.schedule.name
    why = (
        f"schedule {name}: {len(failed)} corrected hours are not scored again, since their own runs failed: "
        f"score them, then delete these runs: {', '.join(failed)}"
    )
    log.warning("%s", why)
    await calls.tell("CorrectionsLeft", why, now)


async def _settle(calls: Calls, mark: Mark, change: Change, rescore: Rescore, now: datetime) -> Mark:
    """Make the hour's run and write the mark; as it was, if the hour has to wait."""
    schedule = calls.schedule
    if last := mark.counts.get(change.end):
        name = rescore_run_name(schedule.name, Change(change.end, last))
        run = await calls.cluster.get(RUNS, schedule.namespace, name)
        if run is not None and not _ended(run, "Complete", "Failed"):
            log.info("the hour that ends %s waits for run %s", rfc3339(change.end), name)
            return mark
    if not await calls.run(rescore_run_manifest(schedule, rescore, change)):
        return mark
    mark = mark.settled(change, rescore, now)
    await calls.write(rescore_mark_manifest(schedule, mark))
    return mark


def _ended(run: Json | None, *conditions: str) -> bool:
    """Whether a run is there and has ended in one of these ways."""
    told = ((run or {}).get("status") or {}).get("conditions") or ()
    return any(each["type"] in conditions and each["status"] == "True" for each in told)
