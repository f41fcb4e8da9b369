"""The process of a schedule's pod: settings, connection, the runs that are due, an exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from kubernetes.aio.config import ConfigException

from scoring_operator import logs
from scoring_operator.cluster import ApiError, Cluster
from scoring_operator.schedule.creator import Result, create_runs
from scoring_operator.schedule.objects import MarkError
from scoring_operator.schedule.settings import Schedule, load
from scoring_operator.sections import SettingsError

log = logging.getLogger("scoring_operator.schedule")

DEFAULT_SETTINGS = "/etc/sensorscore/schedule.yaml"
DONE, NOT_DONE, WRONG = 0, 1, 2  # WRONG: trying again would change nothing


async def _work(schedule: Schedule) -> Result:
    cluster = await Cluster.connect(lambda *_: None)
    try:
        return await create_runs(cluster, schedule, lambda: datetime.now(UTC))
    finally:
        await cluster.close()


def main() -> int:
    """The command `sensorscore-schedule`: 0 done, 1 not or not all, 2 what is asked for is wrong."""
    logs.set_up()
    path = Path(os.environ.get("SENSORSCORE_SCHEDULE") or DEFAULT_SETTINGS)
    try:
        schedule = load(path)
        result = asyncio.run(_work(schedule))
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
    sys.exit(main())
