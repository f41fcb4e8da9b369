"""A pod's work in the publish stage: from the operator's decisions to the termination message."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from scorer.contract.exits import Exit
from scorer.contract.outcome import SCORED, Header
from scorer.contract.publishing import encode_published, read_decisions
from scorer.contract.staging import PUBLISH, encode_failure
from scorer.contract.work import UsageError
from scorer.fence import Claim
from scorer.listed import known
from scorer.publish.run import publish_results
from scorer.staged import refused, stages_ms
from scorer.storage import StorageError

if TYPE_CHECKING:
    from scorer.clock import Stopwatch
    from scorer.contract.publishing import Sent
    from scorer.contract.work import WorkOrder
    from scorer.logs import Log
    from scorer.publish.results import Result
    from scorer.storage import Store

NOTHING: Mapping[str, str] = {}


SPARE_SECONDS = 20.0
"""Of the attempt's time, and at least a tenth of it but never more than half, that no sink is waited for."""


def main_stage(
    order: WorkOrder,
    store: Store,
    log: Log,
    clock: Stopwatch,
    header: Header,
    secrets: Mapping[str, str] = NOTHING,
) -> tuple[Exit, bytes]:
    """Publishes the run, then sends its anomalies: how the pod ends, and its termination message.

    `secrets` are what the order's sinks name.
    """
    claim = Claim(order.run.created, order.run.uid, header.attempt)
    try:
        order, sensors = known(store, order)
        decisions = read_decisions(order.decisions, len(sensors))
        published, found = publish_results(store, order, claim, decisions, sensors, log)
    except (UsageError, StorageError) as error:
        (code, reason), why = refused(error), str(error)
    else:
        log.info("published", manifest=published.manifest, success=published.success)
        if order.sinks:
            seconds = order.per_attempt_seconds
            left = seconds - min(max(SPARE_SECONDS, seconds / 10), seconds / 2) - clock.seconds()
            published = published._replace(sinks=_send(store, order, claim, found, log, secrets, left))
        return Exit.OK, encode_published(header, published, stages_ms(clock))
    log.error(f"run not published: {why}", reason=reason)
    return code, encode_failure(header, PUBLISH, reason, why, stages_ms(clock))


def _send(
    store: Store,
    order: WorkOrder,
    claim: Claim,
    results: Sequence[Result],
    log: Log,
    secrets: Mapping[str, str],
    seconds: float,
) -> dict[str, Sent]:
    """Sends what was found to the order's sinks. `seconds`: the time for it."""
    from scorer.sinks import Found, Run, deliver  # here: most runs have none

    found = [
        Found(
            result.sensor,
            result.anomalies,
            result.first_anomaly,
            result.last_anomaly,
            result.extreme_score,
            result.threshold,
            result.model,
            result.prediction,
            result.group,
            result.owner,
        )
        for result in results
        if result.state == SCORED and result.anomalies
    ]
    return deliver(Run(store, order, claim, found, log, secrets, time.monotonic() + seconds))
