"""read │ score │ write: one scoring thread, and a reader thread ahead of it by a bounded number of bytes.

Sensors are finished in order, one by one; whatever goes wrong with one is that one's decision and no other's.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from scorer.contract.outcome import FAILED, SCORED, UNDECIDED, Decision, SensorError
from scorer.deliver import Deliveries
from scorer.fetch import Fetched, Kept, fetch, undone
from scorer.outputs import Outputs
from scorer.sources import Sources
from scorer.storage import StorageError, UnavailableError

if TYPE_CHECKING:
    from scorer.contract.work import WorkOrder
    from scorer.deaths import Deaths
    from scorer.fence import Claim
    from scorer.logs import Log
    from scorer.outcome import Outcome
    from scorer.storage import Store

AHEAD_BYTES = 32 * 1024 * 1024
AHEAD_SENSORS = 16
"""How far the reader may be ahead: enough to hide latency, little beside one large sensor decoded."""

AWAY_SENSORS = 3
"""Once storage was away for so many in a row, after their retries, the rest is left to the next attempt."""


class Pipeline:
    """One attempt at a chunk's sensors."""

    def __init__(
        self,
        order: WorkOrder,
        store: Store,
        claim: Claim,
        outcome: Outcome,
        log: Log,
        deaths: Deaths | None = None,
    ) -> None:
        self._order = order
        self._store = store
        self._sources = Sources(store, order.readings, order.window)
        self._outputs = Outputs(store, order.output, order.window, claim, outcome.sensors)
        self._deliveries = Deliveries(self._outputs)
        self._outcome = outcome
        self._log = log
        self._deaths = deaths
        self._defects = 0

    def run(self) -> int:
        """Decides every sensor, and returns how many met a defect of this program."""
        ahead = _Ahead()
        threading.Thread(target=self._read, args=(ahead,), name="reader", daemon=True).start()
        # Loaded only now, while the reader is at work.
        from scorer.score import Scoring

        self._scoring = Scoring(self._order)
        self._outcome.imported()
        for sensor in self._outcome.sensors:
            self._outcome.take(sensor)
            for told, decision in self._one(sensor, ahead):
                self._outcome.decide(told, decision)
                self._tell(told, decision)
        self._outcome.take(None)
        return self._defects

    def _read(self, ahead: _Ahead) -> None:
        """The reader thread: every sensor in order, until storage has been away for several of them.

        It must put something for each, whatever happens: the scoring thread would wait for ever.
        """
        self._read_deaths()
        away: list[UnavailableError] = []
        for sensor in self._outcome.sensors:
            started = time.monotonic()
            found: Fetched | Kept | Decision | BaseException
            try:
                found = (
                    undone(sensor, away[-1])
                    if len(away) >= AWAY_SENSORS
                    else fetch(self._store, self._order, self._sources, self._outputs, sensor)
                )
                away = away if len(away) >= AWAY_SENSORS else []
            except (StorageError, SensorError) as error:
                found = undone(sensor, error)
                away = [*away, error] if isinstance(error, UnavailableError) else []
            except BaseException as error:  # noqa: BLE001 (native code panics past Exception; raised again when scored)
                found = error
            self._outcome.spend("read", time.monotonic() - started)
            ahead.put(found)

    def _read_deaths(self) -> None:
        try:
            if self._deaths:
                self._deaths.begin()
        except StorageError as error:
            self._log.warning(f"earlier attempts' notes not read: {error}")
        except BaseException:  # noqa: BLE001 (notes are advice, worth no sensor)
            self._log.error("earlier attempts' notes not read", traceback=_traceback())

    def _one(self, sensor: str, ahead: _Ahead) -> list[tuple[str, Decision]]:
        started = time.monotonic()
        try:
            decided = self._decide(sensor, ahead.get())
        except (StorageError, SensorError) as error:
            decided = self._deliveries.give(sensor, undone(sensor, error))
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 (a defect costs its sensor an attempt, not its neighbours theirs)
            self._defects += 1
            self._log.error("unexpected error", sensor=sensor, traceback=_traceback())
            why = f"sensor {sensor}: unexpected error in the scorer, its log has the traceback"
            decided = self._deliveries.give(sensor, Decision(UNDECIDED, "Interrupted", why))
        seconds = round(time.monotonic() - started, 4)
        return [(told, of._replace(detail={**of.detail, "seconds": seconds})) for told, of in decided]

    def _decide(
        self, sensor: str, found: Fetched | Kept | Decision | BaseException
    ) -> list[tuple[str, Decision]]:
        if isinstance(found, BaseException):
            raise found
        if isinstance(found, Decision | Kept):
            return self._deliveries.give(sensor, found)
        if self._deaths:
            if self._deaths.crashed(sensor):
                why = (
                    f"sensor {sensor} was in hand when two attempts died: left out, so that its pack gets on"
                )
                return self._deliveries.give(sensor, Decision(FAILED, "Crashed", why))
            self._deaths.take(sensor)
        started = time.monotonic()
        prediction = self._scoring.score(found)
        scored = time.monotonic()
        self._outcome.spend("score", scored - started)
        if isinstance(prediction, Decision):
            return self._deliveries.give(sensor, prediction)
        decided = self._deliveries.write(found, prediction)
        self._outcome.spend("write", time.monotonic() - scored)
        return decided

    def _tell(self, sensor: str, decision: Decision) -> None:
        if decision.state == SCORED:
            told = {**decision.detail, **decision.rows._asdict(), "anomalies": decision.anomalies}
            self._log.info("scored", **{**told, "sensor": sensor})
        else:
            write = self._log.error if decision.state == FAILED else self._log.warning
            write(decision.message, sensor=sensor, state=decision.state, reason=decision.reason)


class _Ahead:
    """What was read and not yet scored, in order, bounded by number and bytes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._found: deque[Fetched | Kept | Decision | BaseException] = deque()
        self._bytes = 0

    def put(self, found: Fetched | Kept | Decision | BaseException) -> None:
        """Waits for room. A sensor larger than the bound passes when it is alone."""
        size = _size(found)
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    not self._found
                    or (len(self._found) < AHEAD_SENSORS and self._bytes + size <= AHEAD_BYTES)
                )
            )
            self._found.append(found)
            self._bytes += size
            self._changed.notify_all()

    def get(self) -> Fetched | Kept | Decision | BaseException:
        """Waits for the next one."""
        with self._changed:
            self._changed.wait_for(lambda: self._found)
            found = self._found.popleft()
            self._bytes -= _size(found)
            self._changed.notify_all()
            return found


def _size(found: Fetched | Kept | Decision | BaseException) -> int:
    return found.size if isinstance(found, Fetched) else 0


def _traceback() -> str:
    # Imported here: only a defect needs it, and every pod would pay for it.
    import traceback

    return traceback.format_exc()
