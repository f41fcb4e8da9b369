"""The process of a schedule's pod: settings, connection, the runs that are due, an exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from kubernetes.aio.config import ConfigException

from scoring_operator import logs
from scoring_operator.cluster import ApiError, Cluster
from scoring_operator.schedule.calls import Result
from scoring_operator.schedule.corrections import read_changes
from scoring_operator.schedule.creator import create_runs
from scoring_operator.schedule.objects import MarkError
from scoring_operator.schedule.rescore import Rescore
from scoring_operator.schedule.rescorer import rescore_runs
from scoring_operator.schedule.settings import Schedule, load
from scoring_operator.sections import SettingsError

log = logging.getLogger("scoring_operator.schedule")

DEFAULT_SETTINGS = "/etc/sensorscore/schedule.yaml"
DEFAULT_CHANGES = "/var/sensorscore/changes/changes.json"
DONE, NOT_DONE, WRONG = 0, 1, 2  # WRONG: trying again would change nothing


async def _work(schedule: Schedule, rescore: Rescore | None) -> Result:
    cluster = await Cluster.connect(lambda *_: None)
    try:
        if rescore is None:
            return await create_runs(cluster, schedule, _now)
        changes = read_changes(Path(os.environ.get("SENSORSCORE_CHANGES") or DEFAULT_CHANGES))
        return await rescore_runs(cluster, schedule, rescore, changes, _now)
    finally:
        await cluster.close()


def _now() -> datetime:
    return datetime.now(UTC)


def _wanted(arguments: Sequence[str], schedule: Schedule) -> Rescore | None:
    """What `rescore` as the argument asks for; without one it is the windows' runs. Raises SettingsError."""
    if not arguments:
        return None
    if list(arguments) != ["rescore"] or schedule.rescore is None:
        raise SettingsError(
            f"asked for {' '.join(arguments)!r}; wanted nothing, or rescore and schedule.rescore"
        )
    return schedule.rescore


def main(arguments: Sequence[str] = ()) -> int:
    """The command `sensorscore-schedule [rescore]`: 0 done, 1 not (all), 2 what is asked for is wrong."""
    logs.set_up()
    path = Path(os.environ.get("SENSORSCORE_SCHEDULE") or DEFAULT_SETTINGS)
    try:
        schedule = load(path)
        rescore = _wanted(arguments, schedule)
        result = asyncio.run(_work(schedule, rescore))
    except (SettingsError, MarkError) as error:
        log.error("%s", error)
        return WRONG
    except ApiError as error:
        log.error("the API server does not take it: %s", error)
        return WRONG if error.permanent else NOT_DONE
    except (ConfigException, OSError) as error:
        log.error("no connection to the API server: %s", error)
        return NOT_DONE
    log.info(
        "schedule %s: %d runs made, %d there already, %d windows skipped, %d refused",
        *(schedule.name, len(result.made), len(result.there)),
        *(sum(skip.count for skip in result.skipped), len(result.refused)),
    )
    return NOT_DONE if result.refused else DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
