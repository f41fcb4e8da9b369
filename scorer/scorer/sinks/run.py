"""Sends what a run has found to its sinks, each in a thread of its own, and says what became of it."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from scorer.contract.publishing import Sent
from scorer.contract.sinks import EVENT_HUB, Place, Sink
from scorer.sinks.attempt import Answer, Later, Never, Sender, Taken, UnreachableError, wait_before
from scorer.sinks.earlier import Earlier, LateError, told_before
from scorer.sinks.event import Event, Found, Origin, event_of, result_digest
from scorer.sinks.ledger import Ledger, OutdoneError, counted, told_by
from scorer.sinks.rule import DEADLETTERED, DELIVERED, SKIPPED, SUPPRESSED, max_age, passes, place_of, too_old
from scorer.sinks.webhook import Webhook
from scorer.storage import StorageError

if TYPE_CHECKING:
    from scorer.contract.work import WorkOrder
    from scorer.fence import Claim
    from scorer.logs import Log
    from scorer.storage import Store
    from scorer.window import Window

IN_A_ROW = 20
"""Refused batches, one after the other, after which a place is not asked any more."""
HANGS_SECONDS = 10.0
"""How long a sink may go on after the time is over, to put away what is left, before nobody waits for it."""
OUT_OF_TIME = "out of time: the attempt to publish has no more of it"


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
    sensors = [found.sensor for found in anomalous]
    earlier = Earlier(run.store, order, run.claim, sensors, run.log, lambda: clock.now() >= run.until)
    sent: dict[str, Sent] = {}
    deliveries = {sink.name: _Delivery(run, sink, clock, opener) for sink in order.sinks}
    threads = [
        threading.Thread(
            target=lambda name=name, delivery=delivery: sent.update(
                {name: _guarded(run, name, anomalous, earlier, delivery)}
            ),
            daemon=True,
        )
        for name, delivery in deliveries.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(min(max(0.0, run.until + HANGS_SECONDS - clock.now()), threading.TIMEOUT_MAX))
    return {
        name: sent.get(name) or delivery.cut_short(len(anomalous), f"OutOfTime: {OUT_OF_TIME}")
        for name, delivery in deliveries.items()
    }


def _guarded(run: Run, name: str, found: Sequence[Found], earlier: Earlier, delivery: _Delivery) -> Sent:
    """One sink; what goes wrong with it is its own matter, not the run's."""
    try:
        told = delivery.all(found, earlier)
    except OutdoneError as error:
        told = Sent(reason=f"{error}: it sends what is left")
    except StorageError as error:
        told = delivery.cut_short(len(found), f"StorageUnavailable: {error}")
    except Exception as error:  # noqa: BLE001 (a sink's defect is worth no run; it is in the log and counted)
        run.log.error(f"sink {name}: defect", traceback=traceback.format_exc())
        told = delivery.cut_short(len(found), f"Internal: {type(error).__name__}")
    say = run.log.warning if told.deadlettered else run.log.info
    say(f"sink {name}: {counted(told.counts())}", reason=told.reason)
    return told


class _Route:
    """What is left to be sent to one place, and how the place is. Its troubles are no other's."""

    def __init__(self, place: Place, events: list[Event], began: float) -> None:
        self.place, self.events = place, events
        self.batches: list[list[Event]] | None = None
        """None as long as nobody could say which are needed."""
        self.last = began
        """When the place last answered, or begun."""
        self.due = began
        """When it may be asked."""
        self.tries = 0
        self.refusals = 0
        """In a row."""

    def left(self) -> list[Event]:
        """Of its events those that nothing has become of."""
        return self.events if self.batches is None else [each for batch in self.batches for each in batch]


class _Delivery:
    """To one sink."""

    def __init__(self, run: Run, sink: Sink, clock: Clock, opener: Opener) -> None:
        self._run, self._sink, self._clock, self._opener = run, sink, clock, opener
        self._ledger: Ledger | None = None
        self._items = 0
        self._theirs = float("-inf")
        """Until when only places that are not in trouble are asked, if there are any."""
        self._counts: dict[str, int] = {}

    def all(self, found: Sequence[Found], earlier: Earlier) -> Sent:
        """Chooses, plans, sends. Raises StorageError and OutdoneError."""
        order, sink = self._run.order, self._sink
        if found and too_old(sink, order.window, datetime.fromisoformat(order.run.created)):
            hours = max_age(sink, order.window).total_seconds() / 3600
            return Sent(skipped=len(found), reason=f"TooOld: its window ended more than {hours:.6g} h before")
        items, skipped = self._chosen(found, earlier)
        suppressed = len(found) - len(items) - skipped
        self._counts, self._items = {SUPPRESSED: suppressed, SKIPPED: skipped}, len(items)
        if not items:
            return Sent(suppressed=suppressed, skipped=skipped)
        ledger = self._ledger = Ledger(self._run.store, order, self._run.claim, sink.name, items)
        left = [(place, event) for place, event in items if not ledger.done(event)]
        try:
            sender = self._opener(sink, self._run.secrets)
        except ImportError as error:
            ledger.dead([event for _, event in left], f"this image has no client of Event Hubs: {error}")
            return self._told(ledger)
        try:
            self._send_all(sender, ledger, left)
            return self._told(ledger)
        finally:
            sender.close()

    def cut_short(self, found: int, why: str) -> Sent:
        """What it came to, if it does not end by itself: what is not known to be delivered counts as not."""
        if self._ledger is None:
            return Sent(deadlettered=found, reason=why)
        delivered = self._ledger.counts[DELIVERED]
        return Sent(delivered, self._items - delivered, **self._counts, reason=why)

    def _chosen(self, found: Sequence[Found], earlier: Earlier) -> tuple[list[tuple[Place, Event]], int]:
        """Events by place, and how many sensors are not asked for: routed nowhere, or told before."""
        run, sink = self._run, self._sink
        order = run.order
        origin = Origin(order.run.namespace, order.run.name, order.schedule, order.window)
        told = told_before(run.store, order, lambda uid: told_by(run.store, uid, sink.name), run.log)

        def before(sensor: str, span: Window) -> bool:
            try:
                return earlier.had(sensor, span)
            except LateError:  # nobody knows: it goes to the dead letters, where people find it
                return True

        items, skipped = [], 0
        for each in found:
            place = place_of(sink, each)
            if place.nowhere or (told and result_digest(each, order.window) in told):
                skipped += 1
            elif passes(sink, each, order.window, before):
                items.append((place, event_of(each, origin, sink.link)))
        return items, skipped

    def _send_all(self, sender: Sender, ledger: Ledger, items: Sequence[tuple[Place, Event]]) -> None:
        """Place by place; while one is left alone for a time the others are sent to."""
        of_place: dict[Place, list[Event]] = {}
        for place, event in items:
            of_place.setdefault(place, []).append(event)
        routes = [_Route(place, events, self._clock.now()) for place, events in of_place.items()]
        while routes:
            route = self._next(routes)
            if route.due > (now := self._clock.now()):
                self._clock.sleep(route.due - now)
            if self._clock.now() >= self._run.until:
                ledger.dead([event for each in routes for event in each.left()], OUT_OF_TIME)
                return
            began = self._clock.now()
            answer = self._asked(sender, route)
            route.due = self._clock.now()
            if isinstance(answer, Later):
                self._theirs = 2 * route.due - began
            self._judge(ledger, route, answer)
            if not route.left():
                routes.remove(route)

    def _next(self, routes: Sequence[_Route]) -> _Route:
        """Whose turn it is: who may be asked first.

        A try at a place in trouble may take 20 s. As long afterwards the others have the sink to themselves.
        """
        well = [route for route in routes if not route.tries]
        return min(well if well and self._clock.now() < self._theirs else routes, key=lambda each: each.due)

    def _asked(self, sender: Sender, route: _Route) -> Answer | None:
        """What the next batch came to; None where it was only said which batches there are."""
        if route.batches is None:
            try:
                route.batches = [
                    batch for _, batch in sender.batches([(route.place, e) for e in route.events])
                ]
            except UnreachableError as error:
                return error.answer if isinstance(error.answer, Later) else error.answer._replace(all=True)
            return None
        return sender.send(route.place, route.batches[0], self._run.until - self._clock.now())

    def _judge(self, ledger: Ledger, route: _Route, answer: Answer | None) -> None:
        """What follows from an answer, for this place alone."""
        if isinstance(answer, Later):
            if not self._again(route, answer):
                self._give_up(ledger, route, answer.why)
            return
        route.last, route.tries = self._clock.now(), 0
        match answer:
            case Taken():
                route.refusals = 0
                ledger.delivered((route.batches or [[]]).pop(0))
            case Never(why, whole):
                route.refusals += 1
                if whole or route.refusals >= IN_A_ROW:
                    self._give_up(ledger, route, why)
                else:
                    ledger.dead((route.batches or [[]]).pop(0), why)

    def _give_up(self, ledger: Ledger, route: _Route, why: str) -> None:
        ledger.dead(route.left(), why)
        route.batches = []

    def _again(self, route: _Route, answer: Later) -> bool:
        """Says when to try the next time; False if that would be too late."""
        route.tries += 1
        wait, now = wait_before(route.tries, answer.after), self._clock.now()
        if now + wait > min(route.last + self._sink.retry_seconds, self._run.until):
            return False
        self._run.log.info(f"sink {self._sink.name}: once more in {wait:.1f} s: {answer.why}")
        route.due = now + wait
        return True

    def _told(self, ledger: Ledger) -> Sent:
        ledger.end(self._counts)
        reason = f"DeadLettered: {ledger.why}" if ledger.counts[DEADLETTERED] else ""
        return Sent(**ledger.counts, **self._counts, reason=reason)
