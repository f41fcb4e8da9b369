"""Anomalies by the real client of Event Hubs, to the double."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError

from eventhubs import EventHubs
from eventhubs.hashing import partition_of
from eventhubs.threaded import Threaded
from scorer.contract.sinks import sinks_of
from scorer.sinks.attempt import Later, Never, Taken, UnreachableError
from scorer.sinks.event import Event, Found, Origin, event_of
from scorer.sinks.hub import EventHub
from scorer.sinks.identity import WorkloadIdentity
from scorer.window import window
from token_endpoints import Azure

SPAN = window("2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z")
VARIABLE = "SENSORSCORE_SINK_0_0"
SINK: dict[str, Any] = {"name": "stream", "type": "eventHub", "hub": "anomalies", "connectionFrom": VARIABLE}


@pytest.fixture
def hubs() -> Iterator[Threaded]:
    with Threaded(EventHubs({"anomalies": 4, "pumps": 1})) as hubs:
        yield hubs


@pytest.fixture
def sender(hubs: Threaded) -> Iterator[Callable[..., EventHub]]:
    opened: list[EventHub] = []

    def make(**settings: Any) -> EventHub:
        (sink,) = sinks_of([SINK | {"batch": 500} | settings])
        opened.append(EventHub(sink, {VARIABLE: hubs.connection_string() + "\n"}))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def events(count: int, size: int = 0) -> list[Event]:
    origin = Origin("scoring", "hourly-x", "hourly", SPAN)
    found = (Found(f"s{n}", 2, "", "", 0.5, 0.0, "v1", "p" * size) for n in range(count))
    return [event_of(each, origin) for each in found]


def stored(hubs: Threaded, hub: str = "anomalies") -> dict[int, int]:
    """How many events the double holds, by partition."""
    return hubs.do(lambda double: {part.number: len(part.payloads) for part in double.hub(hub).partitions})


def sent(sends: EventHub, found: list[Event]) -> int:
    """Sends them; in how many batches."""
    place = sends._sink.place
    batches = sends.batches([(place, event) for event in found])
    for where, batch in batches:
        assert sends.send(where, batch) == Taken()
    return len(batches)


def received(hubs: Threaded, hub: str = "anomalies") -> list[Any]:
    """What the real client reads there."""
    from azure.eventhub import EventHubConsumerClient

    client = EventHubConsumerClient.from_connection_string(hubs.connection_string(hub), "$Default")
    found: list[Any] = []
    wanted = sum(stored(hubs, hub).values())

    def take(_: Any, event: Any) -> None:
        found.append(event)
        if len(found) == wanted:
            client.close()

    with client:
        client.receive(take, starting_position="-1")
    return found


def test_events_go_in_batches_a_sensor_always_to_the_same_partition(
    hubs: Threaded, sender: Callable[..., EventHub]
) -> None:
    assert sent(sender(), events(100)) == 4
    first = stored(hubs)
    assert sum(first.values()) == 100
    assert sent(sender(), events(100)) == 4
    assert stored(hubs) == {part: 2 * count for part, count in first.items()}
    assert first == Counter(partition_of(f"s{n}", 4) for n in range(100))


def test_batches_are_bounded_in_events_and_bytes(hubs: Threaded, sender: Callable[..., EventHub]) -> None:
    place = sender(batch=10)._sink.place
    items = [(place, event) for event in events(100)]
    assert max(len(batch) for _, batch in sender(batch=10).batches(items)) == 10
    large = [(place, event) for event in events(100, size=50_000)]
    assert max(len(batch) for _, batch in sender().batches(large)) == 3


def test_the_same_events_make_the_same_batches(hubs: Threaded, sender: Callable[..., EventHub]) -> None:
    items = [(sender()._sink.place, event) for event in events(100)]
    assert sender().batches(items) == sender().batches(items)


def test_a_structured_event_is_one_body(hubs: Threaded, sender: Callable[..., EventHub]) -> None:
    sent(sender(), events(1))
    (event,) = received(hubs)
    assert event.content_type == "application/cloudevents+json; charset=utf-8"
    told = json.loads(event.body_as_str())
    assert (told["specversion"], told["subject"], told["data"]["anomalies"]) == ("1.0", "s0", 2)


def test_a_binary_event_has_its_attributes_beside_it(hubs: Threaded, sender: Callable[..., EventHub]) -> None:
    sent(sender(mode="binary"), events(1))
    (event,) = received(hubs)
    told = {name.decode(): value.decode() for name, value in event.properties.items()}
    assert (told["cloudEvents:specversion"], told["cloudEvents:subject"]) == ("1.0", "s0")
    assert json.loads(event.body_as_str())["anomalies"] == 2


def test_a_route_leads_to_another_hub(hubs: Threaded, sender: Callable[..., EventHub]) -> None:
    sends = sender(routes=[{"match": {"group": ["pumps"]}, "hub": "pumps"}])
    place = sends._sink.routes[0].place
    for where, batch in sends.batches([(place, event) for event in events(3)]):
        assert sends.send(where, batch) == Taken()
    assert (sum(stored(hubs).values()), stored(hubs, "pumps")) == (0, {0: 3})


def test_a_hub_that_is_away_is_tried_again(hubs: Threaded, sender: Callable[..., EventHub]) -> None:
    sends, found = sender(), events(1)
    batches = sends.batches([(sends._sink.place, each) for each in found])
    hubs.stop()
    assert isinstance(sends.send(*batches[0]), Later)
    hubs.start()
    assert sends.send(*batches[0]) == Taken()


def test_a_hub_that_cannot_be_asked_for_its_partitions_says_so(
    hubs: Threaded, sender: Callable[..., EventHub]
) -> None:
    sends = sender()
    items = [(sends._sink.place, each) for each in events(1)]
    hubs.stop()
    with pytest.raises(UnreachableError) as error:
        sends.batches(items)
    assert isinstance(error.value.answer, Later)
    hubs.start()
    assert sends.batches(items)


@pytest.mark.parametrize(
    ("secret", "why"),
    [("", "not there, or lacks the key"), ("nonsense", "none of Event Hubs")],
)
def test_a_secret_that_is_no_good_is_said(hubs: Threaded, secret: str, why: str) -> None:
    (sink,) = sinks_of([SINK])
    with pytest.raises(UnreachableError, match=why) as error:
        EventHub(sink, {VARIABLE: secret}).batches([(sink.place, each) for each in events(1)])
    assert isinstance(error.value.answer, Never)


def test_a_wrong_key_is_refused_for_good(hubs: Threaded) -> None:
    (sink,) = sinks_of([SINK])
    text = hubs.connection_string().replace("SharedAccessKey=", "SharedAccessKey=x")
    sends = EventHub(sink, {VARIABLE: text})
    with pytest.raises(UnreachableError) as error:
        sends.batches([(sink.place, each) for each in events(1)])
    sends.close()
    assert isinstance(error.value.answer, Never)
    assert "SharedAccess" not in error.value.answer.why


def test_a_pods_identity_is_changed_for_a_token(tmp_path: Path) -> None:
    with Azure() as azure:
        identity = WorkloadIdentity(azure.workload(tmp_path / "token"))
        first = identity.get_token("https://eventhubs.azure.net//.default")
        again = identity.get_token("https://eventhubs.azure.net//.default")
    assert (first.token, again.token, len(azure.asked)) == ("token-1", "token-1", 1)
    assert azure.asked[0]["scope"] == "https://eventhubs.azure.net//.default"
    assert azure.asked[0]["client_assertion"] == "federated-secret"


def test_a_pod_without_an_identity_says_what_is_missing() -> None:
    with pytest.raises(ClientAuthenticationError, match="AZURE_CLIENT_ID"):
        WorkloadIdentity({}).get_token("x")
