"""read │ score │ write: reader threads ahead of one scoring thread, writer threads behind it.

Sensors are scored in order, one by one, those last that an attempt may have died of; whatever goes wrong with
one is that one's decision and no other's. Both ways between the threads are bounded by number and bytes
(`scorer.ahead`, `scorer.behind`), so slow storage holds the scoring back and nothing piles up.

A pack of one sensor has one reader and writes in the scoring thread. So does, for its writes, a pack of which
an attempt died before: then only one sensor is past its reading at any time, and the one that is noted as in
hand (`scorer.deaths`) is the one that an attempt dies of.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from scorer.ahead import Ahead
from scorer.allocator import keep_freed_memory
from scorer.behind import Behind
from scorer.contract.outcome import FAILED, SCORED, UNDECIDED, Decision, SensorError
from scorer.deliver import Deliveries
from scorer.fetch import Fetched, Kept, fetch, undone
from scorer.outputs import Outputs
from scorer.sources import Sources
from scorer.storage import StorageError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorer.contract.work import WorkOrder
    from scorer.deaths import Deaths
    from scorer.fence import Claim
    from scorer.logs import Log
    from scorer.outcome import Outcome
    from scorer.predictions import Prediction
    from scorer.score import Scoring
    from scorer.storage import Store

    Read = Fetched | Kept | Decision | BaseException

AWAY_SENSORS = 3
"""Once storage was away for so many in a row, after their retries, the rest is left to the next attempt."""


class Scored(NamedTuple):
    """A sensor that is ready to be delivered: how, and how many bytes are held until then."""

    sensor: str
    deliver: Callable[[], list[tuple[str, Decision]]]
    size: int = 0


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
        self._sources = Sources(store, order.readings, order.window, outcome.sensors)
        self._outputs = Outputs(store, order.output, order.window, claim, outcome.sensors)
        self._deliveries = Deliveries(self._outputs)
        self._outcome = outcome
        self._log = log
        self._deaths = deaths
        self._away = _Away()
        self._seconds = dict.fromkeys(outcome.sensors, 0.0)  # of each sensor's own work, in whichever thread
        self._defects: list[str] = []

    def run(self) -> int:
        """Decides every sensor, and returns how many met a defect of this program."""
        ahead: Ahead[Read] = Ahead(self._outcome.sensors, self._read, _read_size)
        behind: Behind[Scored] = Behind(self._deliver)
        try:
            # Loaded only now, while the first reader is at work.
            from scorer.score import Scoring

            scoring = Scoring(self._order, self._log)
            self._outcome.imported()
            if len(self._outcome.sensors) > 1:
                keep_freed_memory()
            try:
                self._score_all(scoring, ahead, behind)
            finally:
                scoring.close()
            behind.finish()
        finally:
            ahead.close()
            behind.close()
        for sensor in self._outcome.undecided():
            self._settle([(sensor, self._failed(sensor, AssertionError("no stage has decided it")))])
        return len(self._defects)

    def _score_all(self, scoring: Scoring, ahead: Ahead[Read], behind: Behind[Scored]) -> None:
        for sensor, found in self._suspected_last(ahead):
            self._outcome.take(sensor)
            scored = self._score(scoring, sensor, found)
            if self._one_by_one():
                self._deliver(scored)
            else:
                behind.put(scored, scored.size)
        self._outcome.take(None)

    def _suspected_last(self, ahead: Ahead[Read]) -> Iterator[tuple[str, Read]]:
        """Every sensor with what was read of it, in order but for those that an attempt may have died of."""
        suspected = []
        for sensor in self._outcome.sensors:
            found = ahead.get()
            if self._deaths and self._deaths.suspected(sensor):
                suspected.append((sensor, found))  # few: each death names one
            else:
                yield sensor, found
        yield from suspected

    def _one_by_one(self) -> bool:
        return len(self._outcome.sensors) == 1 or bool(self._deaths and self._deaths.any)

    def _read(self, sensor: str) -> Read:
        """In a reader thread. It must return, whatever happens: the scoring thread would wait for ever."""
        if sensor == self._outcome.sensors[0]:
            self._read_deaths()
        if self._away.error:
            return undone(sensor, self._away.error)
        started = time.monotonic()
        try:
            found: Read = fetch(self._store, self._order, self._sources, self._outputs, sensor)
            self._away.came_back()
        except (StorageError, SensorError) as error:
            self._away.note(error)
            found = undone(sensor, error)
        except BaseException as error:  # noqa: BLE001 (native code panics past Exception; raised again when scored)
            found = error
        self._spend("read", sensor, started)
        return found

    def _read_deaths(self) -> None:
        try:
            if self._deaths:
                self._deaths.begin()
        except StorageError as error:
            self._log.warning(f"earlier attempts' notes not read: {error}")
        except BaseException as error:  # noqa: BLE001 (notes are advice, worth no sensor)
            self._log.error("earlier attempts' notes not read", traceback=_traceback(error))

    def _score(self, scoring: Scoring, sensor: str, found: Read) -> Scored:
        """In the scoring thread."""
        try:
            if isinstance(found, BaseException):
                raise found
            result = self._scored(scoring, sensor, found) if isinstance(found, Fetched) else found
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 (a defect costs one sensor an attempt, no neighbour)
            result = self._failed(sensor, error)
        if isinstance(result, Scored):
            return result
        give = partial(self._deliveries.give, sensor, result)
        return Scored(sensor, partial(self._watched, sensor, give) if isinstance(result, Kept) else give)

    def _scored(self, scoring: Scoring, sensor: str, fetched: Fetched) -> Scored | Decision:
        if left_out := self._left_out(sensor):
            return left_out
        started = time.monotonic()
        prediction = scoring.score(fetched)
        self._spend("score", sensor, started)
        if isinstance(prediction, Decision):
            return prediction
        # What was decoded is needed no more: only which files it was.
        lean = fetched._replace(model=b"", readings=fetched.readings.without_bytes())
        write = partial(self._deliveries.write, lean, prediction)
        return Scored(sensor, partial(self._watched, sensor, write), _held(prediction))

    def _left_out(self, sensor: str) -> Decision | None:
        """Why the sensor is not scored now. Raises StorageError if it cannot be noted as in hand."""
        if self._away.error:
            return undone(sensor, self._away.error)
        if self._deaths:
            if self._deaths.crashed(sensor):
                why = "was in hand when two attempts died: left out, so that its pack gets on"
                return Decision(FAILED, "Crashed", f"sensor {sensor} {why}")
            self._deaths.take(sensor)
        return None

    def _deliver(self, scored: Scored) -> None:
        """In a writer thread, or in the scoring thread."""
        try:
            decided = scored.deliver()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 (as above)
            decided = [(scored.sensor, self._failed(scored.sensor, error))]
        self._settle(decided)

    def _watched(
        self, sensor: str, deliver: Callable[[], list[tuple[str, Decision]]]
    ) -> list[tuple[str, Decision]]:
        """A delivery that asks storage for something: its time, and whether storage is away."""
        started = time.monotonic()
        decided = deliver()
        self._spend("write", sensor, started)
        away = [(told, decision) for told, decision in decided if decision.reason == "StorageUnavailable"]
        if away:
            told, decision = away[-1]
            self._away.note(UnavailableError(decision.message.removeprefix(f"sensor {told}: ")))
        elif decided:
            self._away.came_back()
        return decided

    def _settle(self, decided: list[tuple[str, Decision]]) -> None:
        if not decided:
            return  # in shards: another sensor's delivery will tell
        timed = [(sensor, self._timed(sensor, decision)) for sensor, decision in decided]
        self._outcome.decide_all(timed)
        for sensor, decision in timed:
            self._tell(sensor, decision)

    def _failed(self, sensor: str, error: BaseException) -> Decision:
        """What an error means for its sensor; one that nobody foresaw is a defect of this program."""
        if isinstance(error, StorageError | SensorError):
            return undone(sensor, error)
        self._defects.append(sensor)
        self._log.error("unexpected error", sensor=sensor, traceback=_traceback(error))
        why = f"sensor {sensor}: unexpected error in the scorer, its log has the traceback"
        return Decision(UNDECIDED, "Interrupted", why)

    def _spend(self, stage: str, sensor: str, started: float) -> None:
        seconds = time.monotonic() - started
        self._outcome.spend(stage, seconds)
        self._seconds[sensor] += seconds  # a sensor is in one thread at a time

    def _timed(self, sensor: str, decision: Decision) -> Decision:
        seconds = round(self._seconds[sensor], 4)
        return decision._replace(detail={**decision.detail, "seconds": seconds})

    def _tell(self, sensor: str, decision: Decision) -> None:
        if decision.state == SCORED:
            told = {**decision.detail, **decision.rows._asdict(), "anomalies": decision.anomalies}
            self._log.info("scored", **{**told, "sensor": sensor})
        else:
            write = self._log.error if decision.state == FAILED else self._log.warning
            write(decision.message, sensor=sensor, state=decision.state, reason=decision.reason)


class _Away:
    """Whether storage is away: every thread that asks it for something tells how that went."""

    def __init__(self) -> None:
        self.error: UnavailableError | None = None
        """Why storage is not asked for anything more."""
        self._lock = threading.Lock()
        self._in_a_row = 0

    def note(self, error: StorageError | SensorError) -> None:
        """A sensor could not be read or written."""
        if not isinstance(error, UnavailableError):
            self.came_back()  # an answer, though not a good one
            return
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= AWAY_SENSORS:
                self.error = error

    def came_back(self) -> None:
        """A sensor could be read or written."""
        with self._lock:
            self._in_a_row = 0


def _read_size(found: Read) -> int:
    return found.size if isinstance(found, Fetched) else 0


def _held(prediction: Prediction) -> int:
    readings = prediction.readings
    arrays = (readings.times, readings.values, prediction.scores, prediction.flagged)
    return sum(array.nbytes for array in arrays)


def _traceback(error: BaseException) -> str:
    # Imported here: only a defect needs it, and every pod would pay for it.
    import traceback

    return "".join(traceback.format_exception(error))
