"""Whether a link may be there, and what it is: addresses, authorisation, positions, owner levels."""

from __future__ import annotations

import urllib.parse
from typing import TYPE_CHECKING

from .faults import due
from .frames import Failure
from .hubs import Hub, PositionError
from .links import SETTLED, Answers, Consumer, Link, Place, Producer, Requests

if TYPE_CHECKING:
    from .session import Attach, Session

CBS, MANAGEMENT = "$cbs", "$management"
EPOCH = "com.microsoft:epoch"
METRICS = "com.microsoft:enable-receiver-runtime-metric"
STOLEN, REFUSED = "amqp:link:stolen", "amqp:unauthorized-access"
READERS = 5
"""Consumers without an owner level that may read a partition at once, in a consumer group."""


def attach(session: Session, asked: Attach) -> Link | Failure:
    """The link, or why there is none."""
    parts = path_of(asked.address)
    if parts[0].casefold() in (CBS, MANAGEMENT):
        place = Place(parts[0].casefold(), None, None, "node")
        if asked.consumes:
            return Answers(session, asked.handle, place, asked.target)
        return Requests(session, asked.handle, place)
    place = _place(parts, asked)
    outcome = _link(session, asked, place)
    if isinstance(outcome, Failure):
        session.connection.broker.refusals.append((place, outcome))
    return outcome


def _link(session: Session, asked: Attach, place: Place) -> Link | Failure:
    broker = session.connection.broker
    hub = broker.find(place.hub)
    if hub is None:
        return missing(asked.address)
    if not session.connection.may_use(hub.name):
        return unauthorised("Listen" if asked.consumes else "Send", asked.address)
    failure = _wrong(hub, place, asked.address)
    if failure is None and (plan := due(broker.faults.attaches, place)):
        failure = plan.failure
    if failure:
        return failure
    return (
        _consumer(session, asked, hub, place)
        if asked.consumes
        else Producer(session, asked.handle, place, hub)
    )


def path_of(address: str) -> list[str]:
    """The parts of an address, with or without the namespace before them."""
    path = urllib.parse.urlsplit(address).path if "://" in address else address
    return [urllib.parse.unquote(part) for part in path.strip("/").split("/")]


def missing(address: str) -> Failure:
    return Failure("amqp:not-found", f"The messaging entity '{address}' could not be found.")


def unauthorised(claim: str, address: str, condition: str = REFUSED) -> Failure:
    return Failure(
        condition,
        f"Unauthorized access. '{claim}' claim(s) are required to perform this operation. "
        f"Resource: '{address}'.",
    )


def _place(parts: list[str], asked: Attach) -> Place:
    named = {name.casefold(): value for name, value in zip(parts[1::2], parts[2::2], strict=False)}
    group = named.get("consumergroups")
    role = "consumer" if asked.consumes else "producer"
    return Place(parts[0].casefold(), named.get("partitions"), group.casefold() if group else None, role)


def _wrong(hub: Hub, place: Place, address: str) -> Failure | None:
    if place.role == "consumer" and (place.partition is None or not hub.has_group(place.group or "")):
        return missing(address)
    if place.partition is not None and hub.partition(place.partition) is None:
        return Failure(
            "com.microsoft:argument-out-of-range",
            "The specified partition is invalid for an EventHub partition sender or receiver. "
            f"It should be between 0 and {len(hub.partitions) - 1}.",
        )
    return None


def _consumer(session: Session, asked: Attach, hub: Hub, place: Place) -> Consumer | Failure:
    partition = hub.partitions[int(place.partition or 0)]
    faults = session.connection.broker.faults
    try:
        position = partition.start(asked.selector)
    except PositionError as error:
        return Failure("com.microsoft:argument-error", str(error))
    epoch = asked.properties.get(EPOCH)
    if failure := _contend(session, place, epoch):
        return failure
    rewind = next((each for each in faults.rewinds if each[0].takes(*place)), None)
    if rewind:
        faults.rewinds.remove(rewind)
        position = max(position - rewind[1], partition.first)
    consumer = Consumer(session, asked.handle, place, partition, position, epoch)
    consumer.settled = asked.settled == SETTLED
    consumer.told = METRICS in asked.capabilities
    return consumer


def _contend(session: Session, place: Place, epoch: int | None) -> Failure | None:
    """One owner level at a time: the highest, and of equal ones the newest."""
    readers = list(session.connection.broker.readers.get(place[:3], []))
    highest = max((reader.epoch for reader in readers if reader.epoch is not None), default=None)
    if epoch is None:
        if highest is not None:
            return Failure(
                STOLEN,
                f"At least one receiver for the endpoint is created with epoch of '{highest}', and so "
                "non-epoch receiver is not allowed. Either reconnect with a higher epoch, or make sure all "
                "epoch receivers are closed or disconnected.",
            )
        if len(readers) >= READERS:
            return Failure(
                "amqp:resource-limit-exceeded",
                "Exceeded the maximum number of allowed receivers per partition in a consumer group which is "
                f"{READERS}.",
            )
        return None
    if highest is not None and highest > epoch:
        return Failure(
            STOLEN,
            f"Receiver 'nil' with a higher epoch of '{highest}' already exists. Receiver 'nil' with epoch "
            f"{epoch} cannot be created. Make sure you are creating receiver with increasing epoch value to "
            "ensure connectivity, or ensure all old epoch receivers are closed or disconnected.",
        )
    for reader in readers:
        reader.detach(Failure(
            STOLEN,
            f"New receiver 'nil' with higher epoch of '{epoch}' is created hence current receiver 'nil' with "
            f"epoch '{reader.epoch}' is getting disconnected. If you are recreating the receiver, make sure "
            "a higher epoch is used.",
        ))  # fmt: skip
    return None
