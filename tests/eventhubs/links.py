"""Links: to where producers send, from where consumers read, and to the nodes that answer."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from . import codec, frames, messages
from .codec import CodecError
from .faults import Where, due
from .frames import Failure
from .hubs import Hub, Partition

if TYPE_CHECKING:
    from .session import Session

CHUNK = 1000
"""Events that are written at once: other connections get their turn."""
PRODUCER_CREDIT = 300
SETTLED = 1
"""A sender's settle mode: nobody waits for a disposition."""


class Place(NamedTuple):
    """Where a link goes, and what for: `consumer`, `producer` or `node`."""

    hub: str
    partition: str | None
    group: str | None
    role: str


class Delivery:
    """A message that comes in one frame or several."""

    def __init__(self, number: int, format_: int, settled: bool) -> None:
        self.number, self.format, self.settled = number, format_, settled
        self.data = bytearray()
        self.size = 0


class Link:
    """What all links have: a place, a handle, and the session that they are in."""

    def __init__(self, session: Session, handle: int, place: Place) -> None:
        self.session, self.handle, self.place = session, handle, place
        self.broker = session.connection.broker
        self.credit = 0
        self.count = 0
        """Deliveries, as the sender counts them."""
        self.incoming: Delivery | None = None

    @property
    def stalled(self) -> bool:
        """Whether nothing is to pass."""
        return any(self.at(where) for where in self.broker.faults.stalls)

    def at(self, where: Where) -> bool:
        """Whether `where` is for this link; a node's link is nowhere."""
        return self.place.role != "node" and where.takes(*self.place)

    def opened(self) -> None:
        """The other side has been told that the link is there."""

    def flow(self, count: int | None, credit: int, drain: bool) -> None:
        """The other side gives credit: it has counted so many deliveries."""
        self.credit = max((count or 0) + credit - self.count, 0)
        self.pump()
        if drain and self.credit:
            self.count, self.credit = self.count + self.credit, 0
            self.session.flow(self)

    def pump(self) -> None:
        """Sends what there is to send."""

    def closed(self) -> None:
        """The link is gone."""

    def detach(self, failure: Failure | None = None) -> None:
        """Ends it from this side."""
        self.session.detach(self, failure)

    def transfer(self, fields: list[Any], payload: bytes) -> None:
        """One frame of a message."""
        if self.incoming is None:
            self.incoming = Delivery(fields[1] or 0, fields[3] or 0, bool(fields[4]))
        delivery = self.incoming
        delivery.size += len(payload)
        if delivery.size <= self.broker.largest:
            delivery.data += payload
        delivery.settled = delivery.settled or bool(fields[4])
        if not fields[5]:
            self.incoming = None
            self.count += 1
            self.credit -= 1
            self.receive(delivery)

    def receive(self, delivery: Delivery) -> None:
        """A whole message; only links to which one sends have any."""
        raise CodecError(f"transfer {delivery.number} on a link that sends")


class Producer(Link):
    """Takes events in."""

    def __init__(self, session: Session, handle: int, place: Place, hub: Hub) -> None:
        super().__init__(session, handle, place)
        self.hub = hub
        self.held: list[Delivery] = []
        """What came while the link was stalled."""

    def opened(self) -> None:
        self.credit = PRODUCER_CREDIT
        self.session.flow(self)

    def flow(self, count: int | None, credit: int, drain: bool) -> None:
        """A sender tells how it stands; nothing hangs on it."""

    def pump(self) -> None:
        """What came while the link was stalled, now that it is not."""
        if not self.stalled:
            held, self.held = self.held, []
            for delivery in held:
                self.receive(delivery)

    def receive(self, delivery: Delivery) -> None:
        if self.stalled:
            self.held.append(delivery)
            return
        failure = self._refusal(delivery) or self._enqueue(delivery)
        if not delivery.settled:
            number = delivery.number
            self.session.send(frames.rejected(number, failure) if failure else frames.accepted(number))
        if self.credit < PRODUCER_CREDIT // 2:
            self.credit = PRODUCER_CREDIT
            self.session.flow(self)

    def _refusal(self, delivery: Delivery) -> Failure | None:
        if delivery.size > self.broker.largest:
            return Failure(
                "amqp:link:message-size-exceeded",
                f"The received message (delivery-id:{delivery.number}, size:{delivery.size} bytes) exceeds "
                f"the limit ({self.broker.largest} bytes) currently allowed on the link.",
            )
        plan = due(self.broker.faults.sends, self.place)
        return plan.failure if plan else None

    def _enqueue(self, delivery: Delivery) -> Failure | None:
        message = bytes(delivery.data)
        try:
            if delivery.format == messages.BATCH:
                events, key = messages.read_batch(message)
            else:
                event, key = messages.read_event(message)
                events = [event]
        except CodecError as error:
            return Failure("amqp:decode-error", str(error))
        if key is not None and self.place.partition is not None:
            return Failure("amqp:not-allowed", "A partition key cannot be sent to a partition's own address.")
        chosen = self.place.partition
        partition = self.hub.partitions[int(chosen)] if chosen is not None else self.hub.partition_for(key)
        lost = due(self.broker.faults.lost_answers, self.place)
        partition.append(events)
        if lost:
            self.session.connection.cut()
        return None


class Consumer(Link):
    """Reads a partition, as its credit allows."""

    def __init__(
        self,
        session: Session,
        handle: int,
        place: Place,
        partition: Partition,
        position: int,
        epoch: int | None,
    ) -> None:
        super().__init__(session, handle, place)
        self.partition, self.position, self.epoch = partition, position, epoch
        self.settled = False
        self.told = False
        """Whether each event says how far its partition has come."""

    def opened(self) -> None:
        self.partition.listeners.add(self.wake)
        self.broker.readers.setdefault(self.place[:3], []).append(self)

    def closed(self) -> None:
        self.partition.listeners.discard(self.wake)
        readers = self.broker.readers.get(self.place[:3], [])
        if self in readers:
            readers.remove(self)

    def wake(self) -> None:
        """Events were added: what waits for them gets them once, however many additions there were."""
        if self.credit:
            self.session.connection.soon(self.pump)

    def pump(self) -> None:
        while (count := self._ready()) > 0:
            plan = next((cut for cut in self.broker.faults.cuts if self.at(cut.where)), None)
            self._write(min(count, plan.left) if plan else count)
            if plan and plan.left <= 0:
                self.broker.faults.cuts.remove(plan)
                self.session.connection.cut()
                return

    def _ready(self) -> int:
        connection = self.session.connection
        if not connection.writable or self.stalled:
            return 0
        self.position = max(self.position, self.partition.first)
        there = self.partition.next - self.position
        return min(self.credit, there, self.session.window, CHUNK)

    def _write(self, count: int) -> None:
        connection, session = self.session.connection, self.session
        begin = self.position - self.partition.first
        before = self._progress() if self.told else b""
        room = connection.frame_size - frames.TRANSFER_SIZE
        parts: list[bytes] = []
        for payload in self.partition.payloads[begin : begin + count]:
            whole = before + payload if before else payload
            delivery = session.next_delivery
            if len(whole) <= room:
                head = frames.transfer_head(
                    session.channel, self.handle, delivery, len(whole), settled=self.settled, more=False
                )
                parts += (head, whole)
                session.sent(1)
            else:
                session.sent(self._split(parts, whole, delivery, room))
        connection.write(b"".join(parts))
        self.position += count
        self.count += count
        self.credit -= count
        for cut in self.broker.faults.cuts:
            if self.at(cut.where):
                cut.left -= count
                break

    def _split(self, parts: list[bytes], whole: bytes, delivery: int, room: int) -> int:
        pieces = [whole[at : at + room] for at in range(0, len(whole), room)]
        for number, piece in enumerate(pieces):
            more = number + 1 < len(pieces)
            head = frames.transfer_head(
                self.session.channel, self.handle, delivery, len(piece), settled=self.settled, more=more
            )
            parts += (head, piece)
        return len(pieces)

    def _progress(self) -> bytes:
        return messages.delivery_annotations({
            "last_enqueued_sequence_number": codec.long(self.partition.next - 1),
            "last_enqueued_offset": codec.string(str(self.partition.last_offset)),
            "last_enqueued_time_utc": codec.timestamp(self.partition.last_time),
            "runtime_info_retrieval_time_utc": codec.timestamp(int(self.partition.clock() * 1000)),
        })  # fmt: skip


class Requests(Link):
    """Takes requests to `$cbs` or `$management`."""

    def opened(self) -> None:
        self.credit = PRODUCER_CREDIT
        self.session.flow(self)

    def flow(self, count: int | None, credit: int, drain: bool) -> None:
        """A sender tells how it stands; nothing hangs on it."""

    def receive(self, delivery: Delivery) -> None:
        try:
            request = messages.read_request(bytes(delivery.data))
        except CodecError as error:
            self.session.send(frames.rejected(delivery.number, Failure("amqp:decode-error", str(error))))
            return
        if not delivery.settled:
            self.session.send(frames.accepted(delivery.number))
        if self.credit < PRODUCER_CREDIT // 2:
            self.opened()
        answers = self.session.answers(self.place.hub, request.reply_to)
        if answers:
            answers.give(self.session.connection.answer(self.place.hub, request))


class Answers(Link):
    """Sends the answers to requests."""

    def __init__(self, session: Session, handle: int, place: Place, target: str | None) -> None:
        super().__init__(session, handle, place)
        self.target = target
        self.waiting: deque[bytes] = deque()

    def give(self, answer: bytes) -> None:
        self.waiting.append(answer)
        self.pump()

    def pump(self) -> None:
        while self.waiting and self.credit > 0:
            answer = self.waiting.popleft()
            session = self.session
            head = frames.transfer_head(
                session.channel, self.handle, session.next_delivery, len(answer), settled=True, more=False
            )
            session.sent(1)
            self.count += 1
            self.credit -= 1
            session.connection.write(head + answer)
