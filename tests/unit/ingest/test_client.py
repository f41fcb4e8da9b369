"""Events of the client as messages: place, time and body, in whatever form a sender chose."""

from __future__ import annotations

from typing import Any

import pytest
from azure.eventhub import EventData
from azure.eventhub.amqp import AmqpAnnotatedMessage

from scorer.ingest.checks import SettingsError
from scorer.ingest.client import forget_tags, messages, namespace_of, open_client, whole
from scorer.ingest.events import Message
from scorer.ingest.ownership import StoreOwnership
from scorer.ingest.places import places
from scorer.ingest.service_settings import Hub, Rates
from scorer.storage.memory import MemoryStore

AT = {b"x-opt-sequence-number": 7, b"x-opt-offset": b"4711", b"x-opt-enqueued-time": 1_767_268_800_001}


def event(annotations: dict[bytes, Any] = AT, **body: Any) -> EventData:
    return EventData.from_message_content(b"", "application/json") if not body else _of(annotations, body)


def _of(annotations: dict[bytes, Any], body: dict[str, Any]) -> EventData:
    made = EventData(b"")
    made._raw_amqp_message = AmqpAnnotatedMessage(annotations=annotations, **body)
    return made


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"data_body": b'{"a": 1}'}, b'{"a": 1}'),
        ({"data_body": [b'{"a"', b": 1}"]}, b'{"a": 1}'),
        ({"value_body": '{"a": 1}'}, b'{"a": 1}'),
        ({"value_body": b'{"a": 1}'}, b'{"a": 1}'),
        ({"value_body": {"a": 1}}, b'{"a":1}'),
        ({"value_body": {b"a": [b"x", None]}}, b'{"a":["x",null]}'),
        ({"value_body": None}, b"null"),
        ({"value_body": {"a": 1j}}, b"{'a': 1j}"),
        ({"sequence_body": [{"a": 1}, {"a": 2}]}, b'[{"a":1},{"a":2}]'),
    ],
)
def test_bodies_of_every_kind_are_bytes(body: dict[str, Any], wanted: bytes) -> None:
    assert messages([event(**body)]) == [Message(7, "4711", 1_767_268_800_001_000, wanted)]


@pytest.mark.parametrize(
    "connection",
    [
        "geheim",
        "Endpoint=sb://ns/;SharedAccessKeyName=a",
        "Endpoint=sb://ns/;SharedAccessKey=geheim;SharedAccessKey=geheim",
    ],
)
def test_a_connection_string_that_is_none_is_said_and_not_shown(connection: str) -> None:
    hub, rates = Hub("readings", connection=connection), Rates()
    owners = StoreOwnership(MemoryStore(), places("ingest", "hub", "group"))
    with pytest.raises(SettingsError, match="EVENTHUB_CONNECTION_STRING is no connection string") as said:
        open_client(hub, rates, owners)
    assert "geheim" not in str(said.value)


@pytest.mark.parametrize(
    ("namespace", "connection", "wanted"),
    [
        ("ns.servicebus.windows.net", "", "ns.servicebus.windows.net"),
        ("", "Endpoint=sb://ns.windows.net/;SharedAccessKeyName=a;SharedAccessKey=b=", "ns.windows.net"),
        ("", "SharedAccessKeyName=a;SharedAccessKey=b;Endpoint=sb://Localhost:5672", "Localhost"),
        ("", "endpoint=sb://ns/;sharedaccesskeyname=a;sharedaccesskey=b", "ns"),
    ],
)
def test_a_hub_s_host_is_known_in_each_form_that_the_client_takes(
    namespace: str, connection: str, wanted: str
) -> None:
    assert namespace_of(Hub("readings", namespace=namespace, connection=connection)) == wanted


def test_with_properties_as_capture_keeps_them() -> None:
    given = _of(AT | {b"iothub-connection-device-id": b"d1"}, {"data_body": b"{}"})
    given.properties = {b"kind": b"x", "count": 3}
    (found,) = whole(messages([given]), [given])
    assert found.about == ({"iothub-connection-device-id": "d1"}, {"kind": "x", "count": 3})


@pytest.mark.parametrize("name", list(AT))
def test_an_event_without_its_place_or_time_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="wanted its place and time"):
        messages([event({key: value for key, value in AT.items() if key != name}, data_body=b"{}")])


def test_a_client_whose_insides_are_others_is_left_alone() -> None:
    assert forget_tags(object(), "0") == -1  # type: ignore[arg-type]
