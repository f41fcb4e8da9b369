"""Sends what a run has found to its sinks, each in a thread of its own, and says what became of it."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from scorer.contract.publishing import Sent
from scorer.contract.sinks import EVENT_HUB, Place, Sink
from scorer.sinks.attempt import Later, Never, Sender, Taken, UnreachableError, wait_before
from scorer.sinks.earlier import Earlier, found_before
from scorer.sinks.event import Event, Found, Origin, event_of, result_digest
from scorer.sinks.ledger import Ledger, OutdoneError, counted, plan_digest
from scorer.sinks.rule import DEADLETTERED, SKIPPED, SUPPRESSED, max_age, passes, place_of, too_old
from scorer.sinks.webhook import Webhook
from scorer.storage import StorageError

if TYPE_CHECKING:
    from scorer.contract.work import WorkOrder
    from scorer.fence import Claim
    from scorer.logs import Log
    from scorer.storage import Store

IN_A_ROW = 20
"""Refused batches, one after the other, after which a sink is not asked any more."""


class Clock(NamedTuple):
    """The time that passes, in seconds; for tests another one."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


CLOCK = Clock()
Opener = Callable[[Sink, Mapping[str, str]], Sender]


class Run(NamedTuple):
    """What is sent, and by whom."""

    store: Store
    order: WorkOrder
    claim: Claim
    found: Sequence[Found]
    log: Log
    secrets: Mapping[str, str]
    """Values of the variables that the order names."""
    until: float
    """When the attempt has to end, by the clock."""


def open_sender(sink: Sink, secrets: Mapping[str, str]) -> Sender:
    """What sends to a sink of its kind. Raises ImportError where this image cannot."""
    if sink.kind == EVENT_HUB:
        from scorer.sinks.hub import EventHub  # here: its client takes 0.2 s to load

        return EventHub(sink, secrets)
    return Webhook(sink, secrets)


def deliver(run: Run, clock: Clock = CLOCK, opener: Opener = open_sender) -> dict[str, Sent]:
    """Sends to all sinks of the order, at the same time. Raises nothing: whatever is wrong is said."""
    order = run.order
    anomalous = [found for found in run.found if found.anomalies]
    earlier = Earlier(run.store, order, run.claim, [found.sensor for found in anomalous], run.log)
    sent: dict[str, Sent] = {}
    threads = [
        threading.Thread(
            target=lambda sink=sink: sent.update(
                {sink.name: _guarded(run, sink, anomalous, earlier, clock, opener)}
            ),
            daemon=True,
        )
        for sink in order.sinks
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {sink.name: sent[sink.name] for sink in order.sinks}


def _guarded(
    run: Run, sink: Sink, found: Sequence[Found], earlier: Earlier, clock: Clock, opener: Opener
) -> Sent:
    """One sink; what goes wrong with it is its own matter, not the run's."""
    try:
        told = _Delivery(run, sink, clock, opener).all(found, earlier)
    except OutdoneError as error:
        told = Sent(reason=f"{error}: it sends what is left")
    except StorageError as error:
        told = Sent(deadlettered=len(found), reason=f"StorageUnavailable: {error}")
    except Exception as error:  # noqa: BLE001 (a sink's defect is worth no run; it is in the log and counted)
        run.log.error(f"sink {sink.name}: defect", traceback=traceback.format_exc())
        told = Sent(deadlettered=len(found), reason=f"Internal: {type(error).__name__}")
    say = run.log.warning if told.deadlettered else run.log.info
    say(f"sink {sink.name}: {counted(told.counts())}", reason=told.reason)
    return told


class _Delivery:
    """To one sink."""

    def __init__(self, run: Run, sink: Sink, clock: Clock, opener: Opener) -> None:
        self._run, self._sink, self._clock, self._opener = run, sink, clock, opener
        self._last = clock.now()
        """When the sink last took something, or begun."""
        self._row = 0
        self._closed: dict[Place, str] = {}
        """Places that take nothing at all, and why."""

    def all(self, found: Sequence[Found], earlier: Earlier) -> Sent:
        """Chooses, plans, sends. Raises StorageError and OutdoneError."""
        order, sink = self._run.order, self._sink
        if found and too_old(sink, order.window, datetime.fromisoformat(order.run.created)):
            hours = max_age(sink, order.window).total_seconds() / 3600
            return Sent(skipped=len(found), reason=f"TooOld: its window ended more than {hours:.6g} h before")
        items, skipped = self._chosen(found, earlier)
        suppressed = len(found) - len(items) - skipped
        counts = {SUPPRESSED: suppressed, SKIPPED: skipped}
        if not items:
            return Sent(suppressed=suppressed, skipped=skipped)
        try:
            sender = self._opener(sink, self._run.secrets)
        except ImportError as error:
            return self._refused(items, counts, f"this image has no client of Event Hubs: {error}")
        try:
            batches = self._planned(sender, items)
            if isinstance(batches, str):
                return self._refused(items, counts, batches)
            return self._send_all(sender, batches, counts)
        finally:
            sender.close()

    def _chosen(self, found: Sequence[Found], earlier: Earlier) -> tuple[list[tuple[Place, Event]], int]:
        """Events by place, and how many sensors are not asked for: routed nowhere, or told before."""
        order, sink = self._run.order, self._sink
        origin = Origin(order.run.namespace, order.run.name, order.schedule, order.window)
        told = found_before(self._run.store, order.run.name, order.window, self._run.log)
        items, skipped = [], 0
        for each in found:
            place = place_of(sink, each)
            if place.nowhere or (told and result_digest(each, order.window) in told):
                skipped += 1
            elif passes(sink, each, order.window, earlier.had):
                items.append((place, event_of(each, origin, sink.link)))
        return items, skipped

    def _planned(
        self, sender: Sender, items: Sequence[tuple[Place, Event]]
    ) -> list[tuple[Place, list[Event]]] | str:
        """The batches; why there are none, of a sink that could not be asked."""
        tries = 0
        while True:
            try:
                return sender.batches(items)
            except UnreachableError as error:
                tries += 1
                if isinstance(error.answer, Never) or not self._wait(tries, error.answer):
                    return error.answer.why

    def _refused(self, items: Sequence[tuple[Place, Event]], counts: Mapping[str, int], why: str) -> Sent:
        """All of them to the dead letters."""
        batches = [(place, [event]) for place, event in items]
        ledger = self._ledger(batches)
        ledger.dead([events for _, events in batches[ledger.done :]], why)
        return self._told(ledger, counts)

    def _ledger(self, batches: Sequence[tuple[Place, Sequence[Event]]]) -> Ledger:
        run = self._run
        return Ledger(run.store, run.order, run.claim, self._sink.name, plan_digest(batches))

    def _send_all(
        self, sender: Sender, batches: Sequence[tuple[Place, list[Event]]], counts: Mapping[str, int]
    ) -> Sent:
        ledger = self._ledger(batches)
        while ledger.done < len(batches):
            place, events = batches[ledger.done]
            answer = (
                Never(self._closed[place])
                if place in self._closed
                else self._patiently(sender, place, events)
            )
            match answer:
                case Taken():
                    self._row = 0
                    ledger.delivered(len(events))
                case Never(why, whole):
                    self._row += place not in self._closed
                    if whole:
                        self._closed[place] = why
                    last = self._last_of(batches, ledger.done, place)
                    ledger.dead([each for _, each in batches[ledger.done : last]], why)
                case Later(why):
                    ledger.dead([each for _, each in batches[ledger.done :]], why)
        return self._told(ledger, counts)

    def _last_of(self, batches: Sequence[tuple[Place, list[Event]]], first: int, place: Place) -> int:
        """Up to where a refusal holds: of one batch, of all to the place, of all that are left."""
        if self._row >= IN_A_ROW:
            return len(batches)
        last = first + 1
        while place in self._closed and last < len(batches) and batches[last][0] == place:
            last += 1
        return last

    def _patiently(self, sender: Sender, place: Place, events: Sequence[Event]) -> Taken | Never | Later:
        """Tries as long as the sink's patience and the attempt last. Later: it is given up."""
        tries = 0
        while True:
            answer = sender.send(place, events)
            if not isinstance(answer, Later):
                self._last = self._clock.now()
                return answer
            tries += 1
            if not self._wait(tries, answer):
                return answer

    def _wait(self, tries: int, answer: Later) -> bool:
        """Waits before the next try; False if that would be too late."""
        wait = wait_before(tries, answer.after)
        if self._clock.now() + wait > min(self._last + self._sink.retry_seconds, self._run.until):
            return False
        self._run.log.info(f"sink {self._sink.name}: once more in {wait:.1f} s: {answer.why}")
        self._clock.sleep(wait)
        return True

    def _told(self, ledger: Ledger, counts: Mapping[str, int]) -> Sent:
        ledger.write(ended=datetime.now(UTC).isoformat(timespec="seconds"), **counts)
        reason = f"DeadLettered: {ledger.why}" if ledger.counts[DEADLETTERED] else ""
        return Sent(**ledger.counts, **counts, reason=reason)
