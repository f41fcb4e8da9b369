"""The life of a pod that prepares or publishes a run: message, deadline, store, exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from scorer.contract.exits import Exit
from scorer.contract.outcome import Header
from scorer.contract.staging import encode_begun, encode_failure
from scorer.contract.work import UsageError
from scorer.logs import Lines, Log, LogBlob, log_path
from scorer.outcome import MessageFile
from scorer.storage import AddressError, DeniedError, StorageError, open_store
from scorer.watch import watch

if TYPE_CHECKING:
    from scorer.clock import Stopwatch
    from scorer.contract.work import WorkOrder
    from scorer.settings import Settings
    from scorer.storage import Store

    Work = Callable[[Store, Log, Header], tuple[Exit, bytes]]


def staged_pod(
    order: WorkOrder, environment: Settings, clock: Stopwatch, leave: Callable[[Exit], None], work: Work
) -> Exit:
    """Does the stage's work and says so. `leave` ends the process: at SIGTERM, and at the deadline."""
    header = Header(order.run.uid, order.chunk, order.incarnation, clock.attempt())
    lines = Lines()
    log = Log(lines, run=order.run.name, chunk=order.chunk, attempt=header.attempt)
    say = _message(environment.message_path, log)
    say(encode_begun(header, order.stage, stages_ms(clock)))

    def failed(reason: str, why: str) -> bytes:
        return encode_failure(header, order.stage, reason, why, stages_ms(clock))

    def cut_short(code: Exit) -> None:
        """In the watching thread. What is written stays; the next attempt goes on from there."""
        why = {
            Exit.TIMEOUT: f"not finished within perAttemptSeconds = {order.per_attempt_seconds}",
            Exit.TERMINATED: "not finished when the pod was told to stop",
        }[code]
        log.warning(why, code=int(code))
        say(failed("Interrupted", why))
        leave(code)

    watch(order.per_attempt_seconds - clock.seconds(), cut_short)
    try:
        store = open_store(*order.store, environment.connection_string)
        code, message = work(store, log, header)
        LogBlob(store, log_path(order.run.name, header), lines, log).write()
    except (AddressError, UsageError) as error:
        log.error(str(error))
        code, message = Exit.USAGE, failed("Misconfigured", str(error))
    except BaseException:
        say(failed("Internal", "unexpected error in the scorer, its log has the traceback"))
        raise
    say(message)
    log.info("finished", code=int(code), seconds=round(clock.seconds(), 3))
    return code


def refused(error: UsageError | StorageError) -> tuple[Exit, str]:
    """How a pod ends by an error that every stage can meet, and the reason that it gives."""
    if isinstance(error, UsageError):
        return Exit.USAGE, "Misconfigured"
    if isinstance(error, DeniedError):
        return Exit.PARTIAL, "StorageDenied"
    return Exit.RETRY, "StorageUnavailable"


def stages_ms(clock: Stopwatch) -> dict[str, int]:
    """The message's times."""
    return {"total": round(clock.seconds() * 1000)}


def _message(path: str, log: Log) -> Callable[[bytes], None]:
    try:
        return MessageFile(path).write
    except OSError as error:
        log.warning(f"no termination message: {path}: {error.strerror}")
        return lambda _: None
