"""Sends to Event Hubs, by its client for Python: batches by partition, a sensor's always to the same one."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence

from azure.core.exceptions import AzureError
from azure.eventhub import EventData, EventHubProducerClient
from azure.eventhub._buffered_producer._partition_resolver import generate_hash_code
from azure.eventhub.exceptions import AuthenticationError, EventHubError

from scorer.contract.sinks import BINARY, Place, Sink
from scorer.sinks.attempt import Answer, Later, Never, Taken, UnreachableError
from scorer.sinks.event import Event, attributes, cloudevent, data
from scorer.sinks.identity import WorkloadIdentity

BATCH_BYTES = 192 * 1024
"""Of bodies in a batch: the smallest tier takes 256 KiB with all that is around them."""
AROUND = 512
"""Bytes around a body, rather too many."""
SECONDS = 30.0
NOT_FOUND = "not-found"
"""The service's condition for a hub that is not there: waiting does not help."""
_ERRORS = (EventHubError, AzureError, OSError, TimeoutError)


class EventHub:
    """Sends to one sink. One place is a hub and its partition."""

    def __init__(self, sink: Sink, secrets: Mapping[str, str]) -> None:
        self._sink, self._secrets = sink, secrets
        self._clients: dict[str, EventHubProducerClient] = {}
        self._partitions: dict[str, list[str]] = {}
        # Else the client's own lines, which are no JSON, would stand among ours.
        logging.getLogger("azure.eventhub").setLevel(logging.CRITICAL)

    def batches(self, items: Sequence[tuple[Place, Event]]) -> list[tuple[Place, list[Event]]]:
        """By hub and partition, as many together as a batch may have. Raises UnreachableError."""
        of_partition: dict[tuple[Place, str], list[Event]] = {}
        for place, event in items:
            partition = self._partition(place.hub, event.found.sensor)
            of_partition.setdefault((place, partition), []).append(event)
        return [
            (place, batch)
            for (place, _), events in of_partition.items()
            for batch in _sized(events, self._sink.batch)
        ]

    def send(self, place: Place, events: Sequence[Event], seconds: float = SECONDS) -> Answer:
        """One batch."""
        try:
            partition = self._partition(place.hub, events[0].found.sensor)
            client = self._client(place.hub)
            batch = client.create_batch(partition_id=partition)
            for event in events:
                batch.add(self._message(event))
            client.send_batch(batch, timeout=max(1.0, min(SECONDS, seconds)))
        except UnreachableError as error:
            return error.answer
        except ValueError as error:  # the client's word for too large
            return Never(f"not sent: {_said(error)}")
        except _ERRORS as error:
            return self._judged(place.hub, error)
        return Taken()

    def close(self) -> None:
        """Closes connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _message(self, event: Event) -> EventData:
        if self._sink.mode == BINARY:
            message = EventData(_json(data(event)))
            message.content_type = "application/json"
            told = {name: value for name, value in attributes(event).items() if name != "datacontenttype"}
            message.properties = {f"cloudEvents:{name}": value for name, value in told.items()}
        else:
            message = EventData(_json(cloudevent(event)))
            message.content_type = "application/cloudevents+json; charset=utf-8"
        message.message_id = event.id
        return message

    def _partition(self, hub: str, sensor: str) -> str:
        if hub not in self._partitions:
            try:
                self._partitions[hub] = self._client(hub).get_partition_ids()
            except _ERRORS as error:
                raise UnreachableError(self._judged(hub, error)) from error
        # As the service has it of a partition key, so that batches can be of many sensors. The client's
        # own resolver takes Python's remainder of negative numbers: another partition than the service's.
        partitions = self._partitions[hub]
        code: int = generate_hash_code(sensor)  # type: ignore[no-untyped-call]
        return partitions[abs(code) % len(partitions)]

    def _client(self, hub: str) -> EventHubProducerClient:
        if hub in self._clients:
            return self._clients[hub]
        if self._sink.namespace:
            identity = WorkloadIdentity(self._secrets)
            client = EventHubProducerClient(self._sink.namespace, hub, identity, retry_total=0)
        else:
            text = self._secrets.get(self._sink.connection_from, "").strip()
            if not text:
                raise UnreachableError(
                    Never("the Secret with its connection string is not there, or lacks the key", all=True)
                )
            try:
                # One place that waits and tries again, not two.
                client = EventHubProducerClient.from_connection_string(text, eventhub_name=hub, retry_total=0)
            except ValueError as error:
                raise UnreachableError(
                    Never("the Secret's connection string is none of Event Hubs", all=True)
                ) from error
        self._clients[hub] = client
        return client

    def _judged(self, hub: str, error: Exception) -> Later | Never:
        # A client whose connection has failed is not asked a second time: a new one begins with nothing.
        if client := self._clients.pop(hub, None):
            client.close()
        if isinstance(error, AuthenticationError):
            return Never(f"Event Hubs refuses the identity: {_said(error)}", all=True)
        if isinstance(error, EventHubError) and error.error == NOT_FOUND:
            return Never(f"there is no hub {hub}: {_said(error)}", all=True)
        return Later(_said(error))


def _sized(events: Sequence[Event], most: int) -> list[list[Event]]:
    """In their order, so many and so many bytes together."""
    found: list[list[Event]] = []
    room = 0
    for event in events:
        size = len(_json(cloudevent(event))) + AROUND
        if not found or len(found[-1]) >= most or size > room:
            found.append([])
            room = BATCH_BYTES
        found[-1].append(event)
        room -= size
    return found


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _said(error: Exception) -> str:
    """The first line of it, without what a connection string has in it."""
    line = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return line if "SharedAccess" not in line else type(error).__name__
