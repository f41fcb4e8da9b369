"""The life of a pod that publishes: message, deadline, store, exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from scorer.contract.exits import Exit
from scorer.contract.outcome import Header
from scorer.contract.publishing import encode_begun, encode_failure
from scorer.logs import Lines, Log, LogBlob, log_path
from scorer.outcome import MessageFile
from scorer.publish.stage import main_stage, stages_ms
from scorer.storage import AddressError, open_store
from scorer.watch import watch

if TYPE_CHECKING:
    from scorer.clock import Stopwatch
    from scorer.contract.work import WorkOrder
    from scorer.settings import Settings


def publish_pod(
    order: WorkOrder,
    sensors: Sequence[str],
    environment: Settings,
    clock: Stopwatch,
    leave: Callable[[Exit], None],
) -> Exit:
    """Publishes the run and says so. `leave` ends the process: at SIGTERM, and at the attempt's deadline."""
    header = Header(order.run.uid, order.chunk, order.incarnation, clock.attempt())
    lines = Lines()
    log = Log(lines, run=order.run.name, chunk=order.chunk, attempt=header.attempt)
    say = _message(environment.message_path, log)
    say(encode_begun(header, stages_ms(clock)))

    def cut_short(code: Exit) -> None:
        """In the watching thread. What is written stays; the next attempt writes all of it again."""
        why = {
            Exit.TIMEOUT: f"not finished within perAttemptSeconds = {order.per_attempt_seconds}",
            Exit.TERMINATED: "not finished when the pod was told to stop",
        }[code]
        log.warning(why, code=int(code))
        say(encode_failure(header, "Interrupted", why, stages_ms(clock)))
        leave(code)

    watch(order.per_attempt_seconds - clock.seconds(), cut_short)
    try:
        store = open_store(*order.store, environment.connection_string)
        code, message = main_stage(order, sensors, store, log, clock, header)
        LogBlob(store, log_path(order.run.name, header), lines, log).write()
    except AddressError as error:
        log.error(str(error))
        code, message = Exit.USAGE, encode_failure(header, "Misconfigured", str(error), stages_ms(clock))
    except BaseException:
        why = "unexpected error in the scorer, its log has the traceback"
        say(encode_failure(header, "Internal", why, stages_ms(clock)))
        raise
    say(message)
    log.info("finished", code=int(code), seconds=round(clock.seconds(), 3))
    return code


def _message(path: str, log: Log) -> Callable[[bytes], None]:
    try:
        return MessageFile(path).write
    except OSError as error:
        log.warning(f"no termination message: {path}: {error.strerror}")
        return lambda _: None
