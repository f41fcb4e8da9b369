"""Simulated events by the real client to the double of Event Hubs: all arrive, whatever happens."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventhubs import EventHubs, Threaded, Where
from hub_clients import HUB, Received, reading, until
from scorer.errors import InputError
from scorer.simulate import send as sending
from scorer.simulate.bodies import bodies
from scorer.simulate.cli import main
from scorer.simulate.readings import fleet_sensors
from scorer.simulate.send import Clock, Hub, SendError, Sent, Wall, send
from scorer.simulate.settings import SECOND, Fleet, Network, Plan
from scorer.simulate.simulation import simulation
from token_endpoints import FEDERATED, Azure

PLAN = Plan(
    seed=5,
    fleet=Fleet(devices=7, tags=3, length=100 * SECOND),
    network=Network(jitter=3 * SECOND, late=0.05, duplicates=0.1),
)
AT_ONCE = Clock(0, 0, 0.0)


@pytest.fixture
async def hubs() -> AsyncIterator[EventHubs]:
    async with EventHubs({HUB: 4}) as double:
        yield double


class Hands:
    """A wall clock that goes only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds, self.slept, self.said = 1_000.0, list[float](), list[str]()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)

    def wall(self) -> Wall:
        return Wall(lambda: self.seconds, self.sleep, self.said.append)


async def sent(
    hubs: EventHubs, plan: Plan = PLAN, clock: Clock = AT_ONCE, wall: Wall = sending.WALL, **how: Any
) -> Sent:
    simulated = simulation(plan)
    hub = Hub(hubs.connection_string(HUB), **how)
    return await send(simulated.messages(), simulated.sensors, hub, clock, wall)


def wanted(plan: Plan = PLAN) -> dict[str, list[str]]:
    """Bodies by device, in order of arrival."""
    simulated, found = simulation(plan), defaultdict(list)
    for due in simulated.messages():
        for device, body in zip(due.devices.tolist(), bodies(due, simulated.sensors), strict=True):
            found[simulated.sensors.keys[device]].append(body)
    return found


async def arrived(hubs: EventHubs, many: int) -> Received:
    async with reading(hubs) as received:
        await until(lambda: received.count() >= many, f"{many} messages")
    return received


def by_device(received: Received) -> dict[str, list[str]]:
    found = defaultdict(list)
    for events in received.events.values():
        for event in events:
            found[event.partition_key.decode()].append(event.body_as_str())
    return found


@pytest.mark.parametrize("connections", [1, 4, 9])
async def test_all_messages_arrive_each_devices_in_order_and_in_one_partition(
    connections: int, hubs: EventHubs
) -> None:
    told, bodies_of = await sent(hubs, connections=connections), wanted()
    many = sum(map(len, bodies_of.values()))
    assert (told.messages, told.batches, told.again) == (many, 7, 0)
    received = await arrived(hubs, many)
    assert by_device(received) == bodies_of
    homes = {
        (event.partition_key, partition) for partition, events in received.events.items() for event in events
    }
    assert len(homes) == 7
    assert received.events["0"][0].content_type == "application/json"


async def test_messages_with_several_readings_arrive_as_arrays(hubs: EventHubs) -> None:
    plan = PLAN._replace(network=Network(per_message=20))
    told = await sent(hubs, plan)
    assert told.messages == 7 * 3
    received = await arrived(hubs, told.messages)
    events = [
        event for bodies in by_device(received).values() for body in bodies for event in json.loads(body)
    ]
    assert len(events) == 7 * 3 * 20


@pytest.mark.parametrize("busy", [1, 5])
async def test_a_hub_that_is_busy_is_asked_again_and_gets_all_once(busy: int, hubs: EventHubs) -> None:
    hubs.throttle(2 * busy)  # the client tries a second time by itself, at once
    hands = Hands()
    told = await sent(hubs, wall=hands.wall(), connections=1)
    bodies_of = wanted()
    assert told.again == busy
    assert hands.slept == [0.2 * 2**number for number in range(busy)]
    assert by_device(await arrived(hubs, told.messages)) == bodies_of


async def test_a_hub_that_stays_busy_is_given_up_with_its_own_words(hubs: EventHubs) -> None:
    hubs.throttle(1_000)
    hands = Hands()
    with pytest.raises(SendError, match=r"takes nothing: .*is being throttled"):
        await sent(hubs, wall=hands.wall(), connections=1)
    assert sending.PATIENCE <= sum(hands.slept) < sending.PATIENCE + sending.LONGEST_WAIT
    assert max(hands.slept) == sending.LONGEST_WAIT
    assert hands.said[0].startswith("the hub takes nothing yet, ")
    assert hands.said[0].endswith("; once more in 3 s")


async def test_an_answer_that_was_lost_makes_its_batch_come_twice_and_none_get_lost(hubs: EventHubs) -> None:
    hubs.lose_answers(1)
    told = await sent(hubs, connections=1)
    bodies_of = wanted()
    there = sum(partition.next for partition in hubs.hub(HUB).partitions)
    received = await arrived(hubs, there)
    assert {key: set(bodies) for key, bodies in by_device(received).items()} == {
        key: set(bodies) for key, bodies in bodies_of.items()
    }
    assert there > told.messages


async def test_a_connection_that_is_cut_is_opened_again(hubs: EventHubs) -> None:
    simulated = simulation(PLAN)

    def cut_halfway(due: Any) -> Any:
        for number, each in enumerate(due):
            if number:
                hubs.cut(Where(role="producer"))
            yield each

    halves = [simulation(PLAN._replace(seed=seed)).messages() for seed in (1, 2)]
    due = cut_halfway(next(half) for half in halves)
    told = await send(due, simulated.sensors, Hub(hubs.connection_string(HUB)), AT_ONCE)
    assert sum(partition.next for partition in hubs.hub(HUB).partitions) >= told.messages > 800


async def test_batches_that_are_full_are_sent_on() -> None:
    async with EventHubs({HUB: 2}, largest=4_096) as hubs:
        told = await sent(hubs)
        assert told.batches > 14
        assert by_device(await arrived(hubs, told.messages)) == wanted()


async def test_a_message_larger_than_the_hub_takes_is_said() -> None:
    async with EventHubs({HUB: 2}, largest=1_024) as hubs:
        with pytest.raises(
            InputError, match=r"message of device-\d has \d+ bytes.*fewer --readings-per-message"
        ):
            await sent(hubs, PLAN._replace(network=Network(per_message=60)))


@pytest.mark.parametrize("speed", [1.0, 60.0])
async def test_messages_go_when_they_are_due(speed: float, hubs: EventHubs) -> None:
    hands = Hands()
    clock = Clock(PLAN.fleet.start, 0, speed)
    plan = PLAN._replace(network=Network())
    told = await sent(hubs, plan, clock, hands.wall())
    assert sum(hands.slept) == pytest.approx(100 / speed, rel=0.06)
    assert max(hands.slept) <= 5 / speed + sending.TOGETHER
    assert (told.messages, told.behind) == (7 * 3 * 20, 0.0)


async def test_who_is_too_slow_says_by_how_much(hubs: EventHubs) -> None:
    hands = Hands()

    async def slow(seconds: float) -> None:
        await hands.sleep(seconds + 7)

    told = await sent(hubs, clock=Clock(PLAN.fleet.start, 0, 10.0), wall=hands.wall()._replace(sleep=slow))
    assert told.behind > 5


def test_times_that_are_those_of_sending_are_as_fast_as_the_clock() -> None:
    clock = Clock(origin=1_000_000, begun=50_000_000, speed=60.0)
    assert clock.sent(np.array([1_000_000, 61_000_000, 30_000])).tolist() == [
        50_000_000,
        51_000_000,
        49_983_833,
    ]


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lambda _: "nonsense", "connection string cannot be used"),
        (
            lambda text: text.replace("SharedAccessKey=", "SharedAccessKey=AA"),
            "refuses the connection string",
        ),
    ],
)
async def test_a_connection_string_that_is_wrong_is_said(
    spoilt: Callable[[str], str], said: str, hubs: EventHubs
) -> None:
    simulated = simulation(PLAN)
    hub = Hub(spoilt(hubs.connection_string(HUB)))
    with pytest.raises(InputError, match=said):
        await send(simulated.messages(), simulated.sensors, hub, AT_ONCE, Hands().wall())


@pytest.mark.parametrize(
    ("name", "said"), [("other", "there is no such hub"), (None, "name can not be None")]
)
async def test_a_hub_that_is_not_there_is_said_at_once(name: str | None, said: str, hubs: EventHubs) -> None:
    simulated, hands = simulation(PLAN), Hands()
    with pytest.raises(InputError, match=said):
        await send(
            simulated.messages(),
            simulated.sensors,
            Hub(hubs.connection_string(), name),
            AT_ONCE,
            hands.wall(),
        )
    assert hands.slept == []


def an_identity(azure: Azure, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the workload identity webhook puts into a pod."""
    for name, value in azure.workload(folder / "token").items():
        monkeypatch.setenv(name, value)


async def test_a_workload_s_identity_sends_without_a_connection_string(
    hubs: EventHubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated = simulation(PLAN)
    hub = Hub("", HUB, 2, f"{hubs.host}:{hubs.port}", tls=False)
    with Azure() as azure:
        an_identity(azure, tmp_path, monkeypatch)
        done = await send(simulated.messages(), simulated.sensors, hub, AT_ONCE)
        assert {each["scope"] for each in azure.asked} == {"https://eventhubs.azure.net//.default"}
    assert done.messages == sum(map(len, wanted().values()))
    assert by_device(await arrived(hubs, done.messages)) == wanted()


async def test_an_identity_that_is_refused_is_said_at_once_and_without_its_secret(
    hubs: EventHubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated, hands = simulation(PLAN), Hands()
    hub = Hub("", HUB, 1, f"{hubs.host}:{hubs.port}", tls=False)
    with Azure() as azure:
        an_identity(azure, tmp_path, monkeypatch)
        azure.refusals = [(401, json.dumps({"error_description": "AADSTS700213: none\nTrace"}))] * 9
        with pytest.raises(SendError, match="the endpoint answered 401 AADSTS700213: none") as refused:
            await send(simulated.messages(), simulated.sensors, hub, AT_ONCE, hands.wall())
    assert FEDERATED not in str(refused.value)
    assert hands.slept == []


@pytest.mark.parametrize("times", ["own", "sent"])
def test_the_command_sends_and_labels_by_the_times_that_events_say(
    times: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.json"
    with Threaded(EventHubs({HUB: 2})) as hubs:
        monkeypatch.setenv("EVENTHUB_CONNECTION_STRING", hubs.connection_string())
        command = ["send", "--hub", HUB, "--for", "10m", "--speed", "1000", "--times", times]
        faults = ["--faults", "1", "--fault-length", "1m", "--labels", str(labels)]
        assert main([*command, *faults]) == 0
        assert hubs.do(lambda double: sum(each.next for each in double.hub(HUB).partitions)) == 1_800
        found = asyncio.run(arrived_in(hubs))
    said = {(f"device-{event['Device']}-tag-{event['Tag']}", event["TS"][:-2] + "Z") for event in found}
    told = json.loads(labels.read_text())
    assert len(told["faults"]) == 5
    assert all((fault["sensor"], time) in said for fault in told["faults"] for time in fault["times"])
    year = "2026-01-01" if times == "own" else f"{datetime.now(UTC):%Y}"
    assert told["start"].startswith(year)
    assert "sent 1800 messages" in capsys.readouterr().out


async def arrived_in(hubs: Threaded) -> list[dict[str, Any]]:
    received = await arrived(hubs.double, 1_800)
    return [json.loads(event.body_as_str()) for events in received.events.values() for event in events]


def test_sensors_of_a_fleet_have_their_device_as_key() -> None:
    sensors = fleet_sensors(PLAN.fleet)
    assert sensors.keys == [f"device-{number}" for number in range(1, 8)]
    assert sensors.devices.tolist() == [number for number in range(7) for _ in range(3)]
