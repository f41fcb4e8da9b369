"""What is known of this attempt so far: decisions, the kubelet's message, the detail for the store.

The message file is rewritten whenever a sensor is taken in hand or decided, because the kubelet reads it
however the container ends: a pod that is killed has already said which sensors are decided, and which one it
had in hand. What it says of the pack is kept ready to be said, so that one of 1,000 sensors costs little more
than one of ten.
"""

from __future__ import annotations

import json
import os
import threading
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scorer.clock import Stopwatch
from scorer.contract.exits import Exit
from scorer.contract.outcome import (
    FAILED,
    NOT_STARTED,
    SCORED,
    UNDECIDED,
    Decision,
    Header,
    Letters,
    Rows,
    encode_message,
)

STAGES = ("import", "read", "score", "write")


class MessageFile:
    """The termination message's file, written in place: nothing can be renamed over a bind mount."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._size = os.fstat(self._file).st_size

    def write(self, message: bytes) -> None:
        """Replaces the message: in one write, and only then cuts off what was longer before."""
        os.pwrite(self._file, message, 0)
        if len(message) < self._size:
            os.ftruncate(self._file, len(message))
        self._size = len(message)


class Outcome:
    """The attempt's ledger. Threads may report to it; once it is closed, nothing changes any more."""

    def __init__(
        self,
        header: Header,
        sensors: Sequence[str],
        clock: Stopwatch,
        file: MessageFile | None = None,
        tell_places: bool = False,
    ) -> None:
        """`tell_places`: the operator does not know the names, and hears where in the pack each stands."""
        self.sensors = tuple(sensors)
        self._tell_places = tell_places
        self._header = header
        self._clock = clock
        self._file = file
        self._lock = threading.RLock()
        self._closed = False
        self._places = {sensor: place for place, sensor in enumerate(self.sensors)}
        self._decisions: list[Decision | None] = [None] * len(self.sensors)
        self._naming = Letters()
        self._letters = bytearray(self._naming.of(NOT_STARTED).encode() * len(self.sensors))
        self._troubled: list[tuple[bool, int]] = []
        """Failed (False) and undecided (True) sensors' places, sorted: in the order of the message."""
        self._rows = Rows()
        self._anomalies = 0
        self._in_hand: str | None = None
        self._begun: dict[str, None] = {}
        """Taken in hand and not decided, in that order."""
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._spending = threading.Lock()
        """Its own, for the other one is held while the message is written: readers must not wait for that."""

    def spend(self, stage: str, seconds: float) -> None:
        """Adds to a stage's own time. Stages overlap: their sum may be more than the total."""
        with self._spending:
            self._seconds[stage] += seconds

    def imported(self) -> None:
        """Everything is loaded: from the process's start until now was import."""
        with self._spending:
            self._seconds["import"] = self._clock.seconds()

    def take(self, sensor: str | None) -> None:
        """The sensor in hand from now on: written before its work begins, to be there after a death."""
        with self._lock:
            if not self._closed:
                self._in_hand = sensor
                if sensor is not None:
                    self._begun[sensor] = None
                self._write(final=False)

    def decide(self, sensor: str, decision: Decision) -> None:
        """Records how the sensor went."""
        self.decide_all([(sensor, decision)])

    def decide_all(self, decided: Iterable[tuple[str, Decision]]) -> None:
        """Records how the sensors went, in one write. The first decision on a sensor is what counts."""
        with self._lock:
            if self._closed:
                return
            for sensor, decision in decided:
                self._record(sensor, decision)
            self._write(final=False)

    def close(self, interrupted: str = "") -> bool:
        """Writes the last message, once. `interrupted` says what befell the sensors that were begun."""
        with self._lock:
            if self._closed:
                return False
            for sensor in list(self._begun):
                why = f"sensor {sensor}: {interrupted or 'left unfinished'}"
                self._record(sensor, Decision(UNDECIDED, "Interrupted", why))
            self._in_hand = None
            self._closed = True
            self._write(final=True)
            return True

    def retire(self) -> bool:
        """Says nothing more: another ledger takes its place. False if the last message is written."""
        with self._lock:
            closed, self._closed = self._closed, True
            return not closed

    def undecided(self) -> list[str]:
        """Sensors without a decision."""
        with self._lock:
            return [s for s, decision in zip(self.sensors, self._decisions, strict=True) if decision is None]

    def exit(self) -> Exit:
        """The exit code that the decisions come to."""
        states = {decision.state if decision else UNDECIDED for decision in self._decisions}
        if UNDECIDED in states:
            return Exit.RETRY
        return Exit.PARTIAL if FAILED in states else Exit.OK

    def decisions(self) -> list[tuple[str, Decision]]:
        """Every sensor's decision, in order; those not begun are Undecided."""
        not_started = Decision(UNDECIDED, NOT_STARTED.removeprefix(f"{UNDECIDED}/"))
        with self._lock:
            return [
                (sensor, decision or not_started)
                for sensor, decision in zip(self.sensors, self._decisions, strict=True)
            ]

    def message(self, final: bool) -> bytes:
        """The termination message as it stands."""
        with self._lock:
            letters = self._letters.decode("ascii")
            return encode_message(
                self._header,
                letters,
                self._naming.legend(letters),
                final=final,
                rows=self._rows,
                anomalies=self._anomalies,
                stages_ms=self._stages_ms(),
                failures=self._failures(),
                in_hand=self._in_hand,
            )

    def detail(self) -> bytes:
        """All that the message says, and each sensor in full, for `runs/…/outcomes`."""
        with self._lock:
            summary = json.loads(self.message(final=True))
            del summary["failures"]  # the sensors below say it whole
            sensors = [_sensor(sensor, decision) for sensor, decision in self.decisions()]
        # A line for each sensor: people can read it, and it takes a tenth of the time of indented JSON.
        lines = ",\n".join(json.dumps(sensor, ensure_ascii=False) for sensor in sensors)
        head = json.dumps(summary, ensure_ascii=False).removesuffix("}")
        return f'{head}, "sensors": [\n{lines}\n]}}\n'.encode("utf-8", "replace")

    def _record(self, sensor: str, decision: Decision) -> None:
        place = self._places[sensor]
        if self._decisions[place] is not None:
            return
        self._begun.pop(sensor, None)
        self._decisions[place] = decision
        self._letters[place] = ord(self._naming.of(decision.kind))
        if decision.state == SCORED:
            self._rows = self._rows.plus(decision.rows)
            self._anomalies += decision.anomalies
        elif decision.state in (FAILED, UNDECIDED):
            insort(self._troubled, (decision.state == UNDECIDED, place))

    def _failures(self) -> Iterator[tuple[str, str, str] | tuple[str, str, str, int]]:
        """Failed sensors before undecided ones; those not begun have nothing to say."""
        for _, place in self._troubled:
            if decision := self._decisions[place]:
                told = (self.sensors[place], decision.reason, decision.message)
                yield (*told, place) if self._tell_places else told

    def _stages_ms(self) -> dict[str, int]:
        stages = {stage: round(seconds * 1000) for stage, seconds in self._seconds.items()}
        return stages | {"total": round(self._clock.seconds() * 1000)}

    def _write(self, final: bool) -> None:
        if self._file is not None:
            self._file.write(self.message(final))


def _sensor(sensor: str, decision: Decision) -> dict[str, Any]:
    told: dict[str, Any] = {"sensor": sensor, "state": decision.state}
    if decision.reason:
        told |= {"reason": decision.reason, "message": decision.message}
    if decision.state == SCORED:
        told |= {"rows": decision.rows._asdict(), "anomalies": decision.anomalies}
    return told | dict(decision.detail)


def outcome_path(header: Header) -> str:
    """Where an attempt's detail goes: names of a chunk's attempts sort by attempt."""
    return f"runs/{header.run}/outcomes/{header.chunk:05}.{header.attempt}.json"
