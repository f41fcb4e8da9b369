"""A pod's work in the publish stage: from the operator's decisions to the termination message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.contract.exits import Exit
from scorer.contract.outcome import Header
from scorer.contract.publishing import encode_published, read_decisions
from scorer.contract.staging import PUBLISH, encode_failure
from scorer.contract.work import UsageError
from scorer.fence import Claim
from scorer.listed import known
from scorer.publish.run import publish
from scorer.staged import refused, stages_ms
from scorer.storage import StorageError

if TYPE_CHECKING:
    from scorer.clock import Stopwatch
    from scorer.contract.work import WorkOrder
    from scorer.logs import Log
    from scorer.storage import Store


def main_stage(
    order: WorkOrder, store: Store, log: Log, clock: Stopwatch, header: Header
) -> tuple[Exit, bytes]:
    """Publishes the run: how the pod ends, and its termination message."""
    claim = Claim(order.run.created, order.run.uid, header.attempt)
    try:
        order, sensors = known(store, order)
        decisions = read_decisions(order.decisions, len(sensors))
        published = publish(store, order, claim, decisions, sensors, log)
    except (UsageError, StorageError) as error:
        (code, reason), why = refused(error), str(error)
    else:
        log.info("published", manifest=published.manifest, success=published.success)
        return Exit.OK, encode_published(header, published, stages_ms(clock))
    log.error(f"run not published: {why}", reason=reason)
    return code, encode_failure(header, PUBLISH, reason, why, stages_ms(clock))
