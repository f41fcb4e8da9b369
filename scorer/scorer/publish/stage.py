"""A pod's work in the publish stage: from the operator's decisions to the termination message."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scorer.contract.exits import Exit
from scorer.contract.outcome import Header
from scorer.contract.publishing import Decisions, encode_failure, encode_published, parse_decisions
from scorer.contract.work import UsageError
from scorer.fence import Claim
from scorer.publish.run import publish
from scorer.storage import DeniedError, StorageError

if TYPE_CHECKING:
    from scorer.clock import Stopwatch
    from scorer.contract.work import WorkOrder
    from scorer.logs import Log
    from scorer.storage import Store


def main_stage(
    order: WorkOrder, sensors: Sequence[str], store: Store, log: Log, clock: Stopwatch, header: Header
) -> tuple[Exit, bytes]:
    """Publishes the run: how the pod ends, and its termination message."""
    claim = Claim(order.run.created, order.run.uid, header.attempt)
    try:
        decisions = read_decisions(order.decisions, len(sensors))
        published = publish(store, order, claim, decisions, sensors, log)
    except UsageError as error:
        code, reason, why = Exit.USAGE, "Misconfigured", str(error)
    except DeniedError as error:
        code, reason, why = Exit.PARTIAL, "StorageDenied", str(error)
    except StorageError as error:
        code, reason, why = Exit.RETRY, "StorageUnavailable", str(error)
    else:
        log.info("published", manifest=published.manifest, success=published.success)
        return Exit.OK, encode_published(header, published, stages_ms(clock))
    log.error(f"run not published: {why}", reason=reason)
    return code, encode_failure(header, reason, why, stages_ms(clock))


def read_decisions(file: str, sensors: int) -> Decisions:
    """The operator's decisions on so many sensors. Raises UsageError."""
    try:
        text = Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"work order: decisions {file!r} cannot be read: {error.strerror}") from error
    decisions = parse_decisions(text)
    if decisions.total != sensors:
        raise UsageError(f"decisions: total is {decisions.total}: the work order has {sensors} sensors")
    return decisions


def stages_ms(clock: Stopwatch) -> dict[str, int]:
    """The message's times."""
    return {"total": round(clock.seconds() * 1000)}
