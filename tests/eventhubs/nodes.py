"""What `$cbs` and `$management` answer.

https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide
(claims-based security), and, for what is read of hubs and partitions, what the client for Python asks for.
"""

from __future__ import annotations

from . import codec, messages
from .hubs import Hub, Partition
from .messages import Request
from .tokens import JWT, SAS, Grant, Refusal, examine

NEVER = -62_135_596_800_000
"""The first instant of year 1, in milliseconds: nothing was ever enqueued."""


def put_token(request: Request, keys: dict[str, str], now: float) -> Grant | Refusal:
    """What the token in a request to `$cbs` gives."""
    told = request.properties
    if told.get("operation") != "put-token":
        return Refusal(400, f"The operation '{told.get('operation')}' is not supported.")
    expiration = told.get("expiration")
    seconds = expiration / 1000 if isinstance(expiration, int) else None
    return examine(str(told.get("type")), str(request.value or ""), str(told.get("name")), seconds, keys, now)


def may_read(request: Request, hub: str, keys: dict[str, str], now: float) -> Grant | Refusal:
    """Whether the token that a request to `$management` carries is good for the hub."""
    token = request.properties.get("security_token") or ""
    text = token.decode() if isinstance(token, bytes) else str(token)
    kind = SAS if text.startswith("SharedAccessSignature") else JWT
    return examine(kind, text, f"sb://namespace/{hub}", None, keys, now)


def read(request: Request, hub: Hub | None) -> bytes:
    """The answer to who asks after a hub or one of its partitions."""
    told = request.properties
    kind = told.get("type")
    if told.get("operation") != "READ" or kind not in ("com.microsoft:eventhub", "com.microsoft:partition"):
        return messages.response(request, 400, f"{told.get('operation')} of '{kind}' is not supported.")
    if hub is None:
        text = f"The messaging entity '{told.get('name')}' could not be found."
        return messages.response(request, 404, text, condition="amqp:not-found")
    if kind == "com.microsoft:eventhub":
        return messages.response(request, 200, "OK", _hub(hub))
    partition = hub.partition(str(told.get("partition")))
    if partition is None:
        text = f"The partition '{told.get('partition')}' of '{hub.name}' could not be found."
        return messages.response(request, 404, text, condition="amqp:not-found")
    return messages.response(request, 200, "OK", _partition(hub, partition))


def _hub(hub: Hub) -> bytes:
    return codec.mapping({
        codec.string("name"): codec.string(hub.name),
        codec.string("type"): codec.string("com.microsoft:eventhub"),
        codec.string("created_at"): codec.timestamp(int(hub.created * 1000)),
        codec.string("partition_count"): codec.int32(len(hub.partitions)),
        codec.string("partition_ids"): codec.strings(str(each.number) for each in hub.partitions),
    })  # fmt: skip


def _partition(hub: Hub, partition: Partition) -> bytes:
    partition.expire()
    ever = partition.last_offset >= 0
    return codec.mapping({
        codec.string("name"): codec.string(hub.name),
        codec.string("type"): codec.string("com.microsoft:partition"),
        codec.string("partition"): codec.string(str(partition.number)),
        codec.string("begin_sequence_number"): codec.long(partition.first),
        codec.string("last_enqueued_sequence_number"): codec.long(partition.next - 1),
        codec.string("last_enqueued_offset"): codec.string(str(partition.last_offset)),
        codec.string("last_enqueued_time_utc"): codec.timestamp(partition.last_time if ever else NEVER),
        codec.string("is_partition_empty"): codec.boolean(not partition.payloads),
    })  # fmt: skip
