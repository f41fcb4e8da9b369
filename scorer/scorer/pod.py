"""A scoring pod's life: work order, message, pipeline, exit code.

The order of things is the start-up time: what storage must be asked for is asked before numpy and pyarrow are
loaded.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

from scorer.clock import Stopwatch
from scorer.contract.exits import Exit
from scorer.contract.outcome import FAILED, UNDECIDED, Decision, Header
from scorer.contract.sensors import SensorsInStore, sensor_names
from scorer.contract.staging import PREPARE, PUBLISH
from scorer.contract.work import SHARDED, UsageError, WorkOrder, parse_work_order
from scorer.deaths import Deaths
from scorer.fence import Claim
from scorer.listed import known
from scorer.logs import Lines, Log, LogBlob, log_path
from scorer.outcome import MessageFile, Outcome, outcome_path
from scorer.pipeline import Pipeline
from scorer.settings import Settings, settings
from scorer.storage import AddressError, DeniedError, StorageError, UnavailableError, open_store
from scorer.watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from scorer.contract.sensors import Sensors

LAST_WORDS_SECONDS = 2.0
"""For detail and log, after SIGTERM or the deadline: the message is safe, and the kubelet waits 30 s."""
LEAVING_SECONDS = 30.0
"""How long an attempt that has noted a sensor in hand waits for storage to come back before it ends.

Its detail is what tells the next one that it has not died (`scorer.deaths`).
"""


def main(arguments: list[str]) -> NoReturn:
    """Runs `run --work JSON` and ends the process."""
    clock = Stopwatch()
    # Objects of the imports to come live as long as the process: looking through them for garbage is time
    # lost.
    gc.disable()
    try:
        order = _work(arguments)
        if order.stage == PUBLISH:
            from scorer.publish.pod import publish_pod  # here: a pod that scores need not load it

            code = publish_pod(order, settings(), clock, _leave)
        elif order.stage == PREPARE:
            from scorer.prepare.pod import prepare_pod  # likewise

            code = prepare_pod(order, settings(), clock, _leave)
        else:
            code = _Attempt(order, settings(), clock).run()
    except (UsageError, AddressError) as error:
        Log().error(str(error))
        code = Exit.USAGE
    except BaseException:  # noqa: BLE001 (native code panics past Exception; the exit code must say whose fault it is)
        import traceback

        Log().error("unexpected error", traceback=traceback.format_exc())
        code = Exit.INTERNAL
    _leave(code)


def _work(arguments: list[str]) -> WorkOrder:
    if len(arguments) != 3 or arguments[:2] != ["run", "--work"]:
        raise UsageError(f"arguments are {arguments[:2]}: wanted run --work JSON")
    return parse_work_order(arguments[2])


class _Attempt:
    """One attempt at a work order."""

    def __init__(self, order: WorkOrder, environment: Settings, clock: Stopwatch) -> None:
        sensors = _named(order.sensors)
        self._order = order
        self._header = Header(order.run.uid, order.chunk, order.incarnation, clock.attempt())
        lines = Lines()
        self._log = Log(lines, run=order.run.name, chunk=order.chunk, attempt=self._header.attempt)
        self._message = self._message_file(environment.message_path)
        self._outcome = Outcome(self._header, sensors, clock, self._message, self._in_store)
        self._outcome.take(None)
        self._clock = clock
        self._copies: LogBlob | None = None
        watch(order.per_attempt_seconds - clock.seconds(), self._cut_short, self._keep_log)
        try:
            self._store = open_store(*order.store, environment.connection_string)
        except AddressError as error:
            self._cannot_begin(str(error))
            raise
        self._copies = LogBlob(self._store, log_path(order.run.name, self._header), lines, self._log)
        if doubt := self._store.doubt():
            self._log.warning(doubt)
        shared = order.output.layout == SHARDED
        self._deaths = Deaths(self._store, self._header, shared) if len(sensors) > 1 else None

    def run(self) -> Exit:
        """Works on every sensor and says how it went."""
        if self._in_store and (code := self._read_list()) is not None:
            return code
        claim = Claim(self._order.run.created, self._order.run.uid, self._header.attempt)
        pipeline = Pipeline(self._order, self._store, claim, self._outcome, self._log, self._deaths)
        defects = pipeline.run()
        code = Exit.INTERNAL if defects else self._outcome.exit()
        self._log.info("finished", code=int(code), seconds=round(self._clock.seconds(), 3))
        copy = self._beside(self._copy_log)
        noted = self._deaths is not None and self._deaths.noted
        self._write_detail(LEAVING_SECONDS if noted else 0.0)
        copy.join(LAST_WORDS_SECONDS)
        if not self._outcome.close():
            threading.Event().wait()  # the watching thread is ending the process
        return code

    @property
    def _in_store(self) -> bool:
        return isinstance(self._order.sensors, SensorsInStore)

    def _read_list(self) -> Exit | None:
        """Learns the names of the sensors from the store; how the attempt ends if that cannot be."""
        try:
            self._order, sensors = known(self._store, self._order)
        except UsageError as error:
            self._cannot_begin(str(error))
            raise
        except StorageError as error:
            denied = isinstance(error, DeniedError)
            self._log.error(f"list of sensors not read: {error}")
            reason = "StorageDenied" if denied else "StorageUnavailable"
            self._cannot_begin(str(error), FAILED if denied else UNDECIDED, reason)
            return self._outcome.exit()
        placeholders = self._outcome
        outcome = Outcome(self._header, sensors, self._clock, self._message, tell_places=True)
        self._outcome = outcome
        if not placeholders.retire():
            threading.Event().wait()  # the watching thread is ending the process
        outcome.take(None)
        return None

    def _message_file(self, path: str) -> MessageFile | None:
        try:
            return MessageFile(path)
        except OSError as error:
            self._log.warning(f"no termination message: {path}: {error.strerror}")
            return None

    def _cannot_begin(self, why: str, state: str = UNDECIDED, reason: str = "Interrupted") -> None:
        """The message has been begun, so the kubelet takes no words from the log: it must say why itself."""
        decision = Decision(state, reason, why)
        self._outcome.decide_all([(sensor, decision) for sensor in self._outcome.sensors])
        self._outcome.close()

    def _cut_short(self, code: Exit) -> None:
        """In the watching thread: says how far it came, and ends the process however busy the others are."""
        why = {
            Exit.TIMEOUT: f"not finished within perAttemptSeconds = {self._order.per_attempt_seconds}",
            Exit.TERMINATED: "not finished when the pod was told to stop",
        }[code]
        if not self._outcome.close(interrupted=why):
            return
        self._log.warning(why, code=int(code))
        until = time.monotonic() + LAST_WORDS_SECONDS
        words = (self._write_detail, self._copy_log) if self._copies else ()  # none: there is no store yet
        for last_words in [self._beside(write) for write in words]:
            last_words.join(max(0.0, until - time.monotonic()))
        _leave(code)

    def _beside(self, write: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        return thread

    def _keep_log(self) -> None:
        """In the watching thread, once the attempt has lasted a while."""
        if self._copies:
            self._beside(self._copies.keep_up)

    def _copy_log(self) -> None:
        if self._copies:
            self._copies.write()

    def _write_detail(self, patience: float = 0.0) -> None:
        """The full detail to the store. The message says the essential without it, so it fails nothing."""
        until = time.monotonic() + patience
        while True:
            try:
                self._store.put(outcome_path(self._header), self._outcome.detail())
                return
            except StorageError as error:
                if not isinstance(error, UnavailableError) or time.monotonic() >= until:
                    self._log.warning(f"detail of the outcome not written: {error}")
                    return
            time.sleep(1.0)  # beside the request's own retries, which not every error has


def _named(sensors: Sensors) -> tuple[str, ...]:
    """The sensors' names; their places in the list in the store, until that is read. Raises UsageError."""
    if isinstance(sensors, SensorsInStore):
        return tuple(f"#{place}" for place in range(sensors.first, sensors.first + sensors.size))
    return sensor_names(sensors)


def _leave(code: Exit) -> NoReturn:
    """Ends the process at once: taking interpreter and libraries apart costs more than scoring a sensor."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
