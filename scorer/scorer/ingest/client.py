"""What is particular to the client of Event Hubs: how it is opened, what it gives, what it must be spared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson
from azure.core.exceptions import AzureError
from azure.core.utils import parse_connection_string
from azure.eventhub import EventData
from azure.eventhub.aio import CheckpointStore, EventHubConsumerClient
from azure.eventhub.amqp import AmqpMessageBodyType
from azure.eventhub.exceptions import EventHubError

from scorer.ingest.checks import SettingsError
from scorer.ingest.events import Message
from scorer.ingest.identity import WorkloadIdentity
from scorer.ingest.service_settings import CONNECTION, Hub, Rates

HUB_ERRORS = (EventHubError, AzureError, OSError, TimeoutError)
"""What questions to the hub may raise: all of them pass, or someone has to do something about them."""
_SEQUENCE, _OFFSET, _ENQUEUED = b"x-opt-sequence-number", b"x-opt-offset", b"x-opt-enqueued-time"
"""The last in milliseconds since 1970."""
_DATA = AmqpMessageBodyType.DATA
_CAPTURED_APART = frozenset(name.decode() for name in (_SEQUENCE, _OFFSET, _ENQUEUED))


class Progress(NamedTuple):
    """How far a partition of the hub is."""

    last: int
    """Sequence number of the newest event; −1 if there never was one."""


def open_client(hub: Hub, rates: Rates, owners: CheckpointStore, **how: Any) -> EventHubConsumerClient:
    """The client of a hub and consumer group. Raises SettingsError for an identity that cannot be used."""
    told: dict[str, Any] = {
        "checkpoint_store": owners,
        "load_balancing_interval": rates.balance,
        "partition_ownership_expiration_interval": rates.expire,
        **how,
    }
    if hub.connection:
        try:
            return EventHubConsumerClient.from_connection_string(
                hub.connection, hub.group, eventhub_name=hub.name, **told
            )
        except ValueError:  # what it says may have a part of the key
            raise SettingsError(
                f"{CONNECTION} is no connection string: wanted Endpoint=sb://NAME.servicebus.windows.net/;"
                "SharedAccessKeyName=NAME;SharedAccessKey=KEY"
            ) from None
    return EventHubConsumerClient(hub.namespace, hub.name, hub.group, WorkloadIdentity(), **told)


def namespace_of(hub: Hub) -> str:
    """The host that a hub is at, by a connection string that the client has taken."""
    if hub.namespace:
        return hub.namespace
    # Not by `azure.eventhub.parse_connection_string`: it is strict about the case of keys, the client is not.
    endpoint = parse_connection_string(hub.connection)["endpoint"]
    return urlsplit(endpoint).netloc.partition(":")[0]


async def progress(client: EventHubConsumerClient, partition: str) -> Progress:
    """Asks the hub. Raises the client's errors."""
    told = await client.get_partition_properties(partition)
    return Progress(int(told["last_enqueued_sequence_number"]))


def messages(events: Sequence[EventData]) -> list[Message]:
    """Events of the client as messages."""
    found = []
    for event in events:  # no function each: that, and `isinstance`, is a third of the time
        # From the annotations themselves: the event's own properties make a date of each time, for 2 µs more.
        raw = event.raw_amqp_message
        told: Any = raw.annotations or {}
        sequence, offset, enqueued = told.get(_SEQUENCE), told.get(_OFFSET), told.get(_ENQUEUED)
        if type(sequence) is not int or type(offset) is not bytes or type(enqueued) is not int:
            raise ValueError(f"an event came with annotations {told!r:.200}: wanted its place and time")
        body: Any = raw.body
        kind = raw.body_type
        data = b"".join(body) if kind is _DATA else _odd_body(body, kind)
        found.append(Message(sequence, offset.decode(), enqueued * 1_000, data))
    return found


def _odd_body(body: Any, kind: AmqpMessageBodyType) -> bytes:
    """Senders by bare AMQP may send values in the place of bytes, or sections of them."""
    if kind == AmqpMessageBodyType.SEQUENCE:
        body = [value for section in body for value in section]
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    try:
        return orjson.dumps(_plain(body))
    except (TypeError, RecursionError):
        return repr(body).encode("utf-8", "backslashreplace")  # which is no JSON, and will be told as such


def _plain(value: Any) -> Any:
    """A value of AMQP in what JSON has: texts may be bytes there, keys too."""
    if isinstance(value, dict):
        return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def whole(found: Sequence[Message], events: Sequence[EventData]) -> list[Message]:
    """The messages with their properties, as Capture keeps them: the hub's, and those of the sender."""
    return [
        message._replace(about=(_named(event.system_properties), _named(event.properties)))
        for message, event in zip(found, events, strict=True)
    ]


def _named(properties: Any) -> dict[str, Any]:
    told: dict[str, Any] = _plain({**(properties or {})})
    return {name: value for name, value in told.items() if name not in _CAPTURED_APART}


def forget_tags(client: EventHubConsumerClient, partition: str) -> int:
    """Clears the tags of deliveries that the client keeps for as long as a link lives, and never uses.

    It settles nothing, so nobody asks for them; at 142 bytes an event they would fill any memory. What it
    reaches into is not documented: where that is not as it was, nothing is done, and −1 is given.
    """
    for processor in getattr(client, "_event_processors", {}).values():
        consumer = getattr(processor, "_consumers", {}).get(partition)
        link = getattr(getattr(consumer, "_handler", None), "_link", None)
        tags = getattr(link, "_received_delivery_tags", None)
        if isinstance(tags, set):
            count = len(tags)
            tags.clear()
            return count
    return -1
