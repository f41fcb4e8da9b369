"""What a namespace of the double holds: partitions, places in them, keys, tokens, and its control port."""

from __future__ import annotations

import urllib.parse
from typing import Any

import pytest
from azure.eventhub._buffered_producer._partition_resolver import generate_hash_code
from azure.eventhub._client_base import _generate_sas_token

from eventhubs import EventHubs, Failure, Where
from eventhubs.control import RequestError, act
from eventhubs.hashing import hash_code, partition_of
from eventhubs.hubs import Partition, PositionError, SettableClock
from eventhubs.messages import simple_event
from eventhubs.tokens import JWT, SAS, Grant, Refusal, examine

OFFSET, NUMBER, TIME = (
    f"amqp.annotation.x-opt-{name}" for name in ("offset", "sequence-number", "enqueued-time")
)


@pytest.mark.parametrize("length", [*range(14), 23, 24, 25, 36, 100])
def test_a_keys_hash_is_what_the_clients_own_sender_has(length: int) -> None:
    key = "".join(chr(97 + 7 * number % 26) for number in range(length))
    assert hash_code(key) == generate_hash_code(key)


def test_keys_use_all_partitions() -> None:
    assert {partition_of(f"device-{number}", 8) for number in range(200)} == set(range(8))


def filled(retention: float | None = None) -> tuple[Partition, SettableClock]:
    """Ten events, one a second from 1,000 s on, 65 bytes of offset each."""
    clock = SettableClock()
    partition = Partition(0, clock, retention)
    for second in range(1000, 1010):
        clock.set(second)
        partition.append([simple_event(b"x")])
    return partition, clock


STEP = filled()[0].offsets[1]


@pytest.mark.parametrize(
    ("selector", "first"),
    [
        (None, 0),
        (f"{OFFSET} > '-1'", 0),
        (f"{OFFSET} > '@latest'", 10),
        (f"{OFFSET} > '{3 * STEP}'", 4),
        (f"{OFFSET} >= '{3 * STEP}'", 3),
        (f"{OFFSET} > '{3 * STEP + 1}'", 4),
        (f"{NUMBER} > '3'", 4),
        (f"{NUMBER} >= '3'", 3),
        (f"{NUMBER} > '-1'", 0),
        (f"{NUMBER} > '9'", 10),
        (f"{TIME} > '1003000'", 4),
        (f"{TIME} >= '1003000'", 3),
        (f"{TIME} > '0'", 0),
        (f"{TIME} > '9999999'", 10),
    ],
)
def test_a_filter_is_a_place_to_begin_from(selector: str | None, first: int) -> None:
    partition, _ = filled()
    assert partition.start(selector) == first
    partition.forget(5)
    assert partition.start(selector) == max(first, 5)


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        (f"{OFFSET} > '{9 * STEP + 1}'", f"last offset in the system is '{9 * STEP}'"),
        (f"{NUMBER} > '10'", "last sequence number in the system is '9'"),
        (f"{NUMBER} > 'ten'", "'ten' is no place"),
        ("device = 'a'", "is not one that Event Hubs has"),
    ],
)
def test_a_place_that_is_not_there_is_refused(selector: str, says: str) -> None:
    with pytest.raises(PositionError, match=says):
        filled()[0].start(selector)


def test_events_past_the_retention_are_forgotten_and_numbers_go_on() -> None:
    partition, clock = filled(retention=5)
    assert (partition.first, partition.next) == (4, 10)
    clock.advance(100)
    assert partition.start(f"{OFFSET} > '-1'") == 10
    partition.append([simple_event(b"x")])
    assert (partition.first, partition.next, partition.offsets) == (10, 11, [10 * STEP])


def test_enqueued_times_never_fall() -> None:
    partition, clock = filled()
    clock.set(5)
    partition.append([simple_event(b"x")])
    assert partition.times[-1] == 1009000


HUB = "sb://host:1/readings"


@pytest.mark.parametrize(
    ("kind", "token", "audience", "says"),
    [
        (SAS, "no token", HUB, "MalformedToken"),
        (SAS, _generate_sas_token(HUB, "p", "wrong").token, HUB, "InvalidSignature: The token"),
        (SAS, _generate_sas_token(HUB, "q", "key").token, HUB, "There is no policy 'q'"),
        (SAS, _generate_sas_token(HUB + "2", "p", "key").token, HUB, "InvalidAudience"),
        (JWT, "", HUB, "InvalidSignature"),
        ("saml", "x", HUB, "'saml' is not supported"),
    ],
)
def test_a_token_that_does_not_do_is_refused(kind: str, token: str, audience: str, says: str) -> None:
    found = examine(kind, token, audience, None, {"p": "key"}, 0)
    assert isinstance(found, Refusal)
    assert says in found.description


def test_a_good_token_is_good_for_its_hub_until_it_ends() -> None:
    token = _generate_sas_token(HUB, "p", "key")
    grant = examine(SAS, token.token, HUB + "/consumergroups/$Default", None, {"p": "key"}, 0)
    assert isinstance(grant, Grant)
    assert grant.covers("READINGS", token.expires_on - 1)
    assert not grant.covers("readings", token.expires_on)
    assert not grant.covers("other", 0)
    assert "ExpiredToken" in str(examine(SAS, token.token, HUB, None, {"p": "key"}, token.expires_on))
    assert urllib.parse.quote_plus(HUB) in token.token


def test_a_double_is_worked_through_its_control_port() -> None:
    double = EventHubs({"readings": 2})
    assert act(double, "POST", "/clock", {"set": 1000}) == {"time": 1000}
    assert (
        act(double, "POST", "/fill", {"hub": "readings", "bodies": ["a", "b"], "partition": 1})["next"] == 2
    )
    act(double, "POST", "/stall", {"where": {"partition": "1"}})
    act(double, "POST", "/throttle", {"sends": 2, "failure": {"condition": "a:b"}})
    act(double, "POST", "/forget", {"hub": "readings", "partition": 1, "before": 1})
    assert double.faults.stalls == {Where(partition="1")}
    assert double.faults.sends[0].failure == Failure("a:b")
    state: dict[str, Any] = act(double, "GET", "/state", {})
    assert state["hubs"]["readings"][1]["first"] == 1


@pytest.mark.parametrize("asked", [("GET", "/cut"), ("POST", "/stop"), ("POST", "/__init__")])
def test_a_control_port_refuses_what_it_has_not(asked: tuple[str, str]) -> None:
    with pytest.raises(RequestError):
        act(EventHubs({"readings": 1}), *asked, {})
