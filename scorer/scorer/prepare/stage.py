"""A pod's work in the prepare stage: wait, find the sensors, write their list, say how it went."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scorer.contract.exits import Exit
from scorer.contract.outcome import Header
from scorer.contract.preparing import Prepared, Source, encode_prepared
from scorer.contract.staging import PREPARE, encode_failure
from scorer.contract.work import UsageError
from scorer.errors import InputError
from scorer.listed import list_path, pin, read_all
from scorer.prepare.errors import NotReadyError, SensorsError
from scorer.prepare.resolve import resolve, shard_sizes
from scorer.prepare.wait import wait, waited
from scorer.staged import refused, stages_ms
from scorer.storage import NotFoundError, StorageError

if TYPE_CHECKING:
    from scorer.clock import Stopwatch
    from scorer.contract.work import WorkOrder
    from scorer.logs import Log
    from scorer.storage import Store


def main_stage(
    order: WorkOrder,
    store: Store,
    log: Log,
    clock: Stopwatch,
    header: Header,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Exit, bytes]:
    """Prepares the run: how the pod ends, and its termination message."""
    try:
        prepared = prepare(store, order, log, now, sleep)
    except SensorsError as error:
        code, reason, why = Exit.USAGE, "InvalidSensors", str(error)
    except NotReadyError as error:
        code, reason, why = Exit.PARTIAL, "ReadingsNotReady", str(error)
    except (UsageError, StorageError) as error:
        (code, reason), why = refused(error), str(error)
    else:
        log.info("prepared", sensors=prepared.total, readings=prepared.readings)
        return Exit.OK, encode_prepared(header, prepared, stages_ms(clock))
    log.error(f"run not prepared: {why}", reason=reason)
    return code, encode_failure(header, PREPARE, reason, why, stages_ms(clock))


def prepare(
    store: Store,
    order: WorkOrder,
    log: Log,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> Prepared:
    """Waits, and pins the run's sensors if they are to be found.

    Raises StorageError, SensorsError, NotReadyError and UsageError.
    """
    readings = None
    if order.resolve is not None and (there := _pinned(store, order)):
        log.info("an earlier attempt has written the list")
        if order.wait_for is not None:
            readings = waited(store, order.wait_for, order.window, order.readings, log)
        return there._replace(readings=readings)
    if order.wait_for is not None:
        readings = wait(store, order.wait_for, order.window, order.readings, log, now, sleep)
    if order.resolve is None:
        return Prepared(readings=readings)
    return _resolved(store, order, order.resolve, log)._replace(readings=readings)


def _pinned(store: Store, order: WorkOrder) -> Prepared | None:
    """What an earlier attempt has pinned: it had waited before."""
    try:
        head, listed = read_all(store, list_path(order.run.uid))
    except NotFoundError:
        return None
    except InputError as error:
        raise SensorsError(str(error)) from error
    return Prepared(head.total, head.digest, shard_sizes(listed, order.output))


def _resolved(store: Store, order: WorkOrder, source: Source, log: Log) -> Prepared:
    listed = resolve(store, order, source, log)
    if not listed:
        return Prepared(0, hashlib.sha256().hexdigest())
    try:
        head, listed = pin(store, order.run.uid, listed)
    except InputError as error:
        raise SensorsError(str(error)) from error
    return Prepared(head.total, head.digest, shard_sizes(listed, order.output))
