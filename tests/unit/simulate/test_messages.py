"""Messages: what happens to them on their way is what is asked for, adds up, and spares the readings."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.ingest.events import Message, decode
from scorer.ingest.settings import settings
from scorer.ingest.state import State
from scorer.ingest.step import step
from scorer.simulate.bodies import bodies
from scorer.simulate.messages import Messages
from scorer.simulate.settings import SECOND, Fleet, Gaps, Network, Plan
from unit.simulate.given import ROUGH, all_messages, events_of, made, readings_of, same, small_blocks

SHORT = Plan(fleet=Fleet(length=300 * SECOND))


def over(**network: float) -> Plan:
    return SHORT._replace(network=Network()._replace(**network))


def pairs(due: Messages) -> Counter[tuple[int, int]]:
    return Counter(zip(due.sensors.tolist(), due.times.tolist(), strict=True))


def test_the_same_seed_gives_the_same_messages() -> None:
    assert same(all_messages(made()), all_messages(made()))
    assert events_of(made()) == events_of(made())


def test_nothing_wrong_each_reading_comes_once_as_it_is_measured() -> None:
    due, readings = all_messages(made(SHORT)), readings_of(made(SHORT))
    assert np.array_equal(due.arrivals, readings.times)
    assert np.array_equal(due.times, readings.times)
    assert np.array_equal(due.sensors, readings.sensors)
    assert np.array_equal(due.values, readings.values)


@pytest.mark.parametrize("block", [30, 1_000_000])
@pytest.mark.parametrize("size", [1, 4, 7, 10_000])
def test_messages_are_of_one_device_full_but_the_last_and_in_order(
    size: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch, block)
    plan = over(per_message=size)
    due = all_messages(made(plan))
    devices = made(plan).sensors.devices
    assert np.array_equal(devices[due.sensors], np.repeat(due.devices, due.counts))
    assert due.counts.sum() == 15 * 60
    for device in range(3):
        its = due.counts[due.devices == device]
        assert set(its[:-1]) <= {size}
        rows = np.repeat(due.devices, due.counts) == device
        assert (np.diff(due.times[rows]) >= 0).all()
    ends = np.cumsum(due.counts)
    assert np.array_equal(due.arrivals, due.times[ends - 1])  # sent with its last reading


def test_jitter_makes_messages_overtake_each_other() -> None:
    simulated = made(over(jitter=20 * SECOND))
    due = all_messages(simulated)
    delays = due.arrivals - due.times
    assert 0 <= delays.min() < SECOND
    assert 19 * SECOND < delays.max() <= 20 * SECOND
    assert (np.diff(due.arrivals) >= 0).all()
    assert simulated.tally["out of order"] > 100
    assert pairs(due) == pairs(all_messages(made(SHORT)))


def test_late_messages_come_late_by_so_much_and_up_to_twice_that() -> None:
    simulated = made(over(late=0.1, late_by=60 * SECOND))
    delays = (lambda due: due.arrivals - due.times)(all_messages(simulated))
    late = delays[delays > 0]
    assert len(late) == simulated.tally["late"] == pytest.approx(90, abs=40)
    assert 60 * SECOND <= late.min() < late.max() < 120 * SECOND


def test_duplicates_come_after_their_originals() -> None:
    simulated = made(over(duplicates=0.2))
    due = all_messages(simulated)
    tally = simulated.tally
    twice = [pair for pair, count in pairs(due).items() if count > 1]
    assert tally["events"] == 900 + tally["duplicate"] == len(due.times)
    assert tally["duplicate"] == pytest.approx(180, abs=60)
    assert len(twice) == tally["duplicate"]
    delays = due.arrivals - due.times
    assert np.count_nonzero(delays) == tally["duplicate"]
    assert delays.max() <= SECOND + 1


def test_a_clock_that_is_wrong_is_so_for_all_of_its_device() -> None:
    simulated = made(over(skew=10 * SECOND))
    due = all_messages(simulated)
    wrong = due.times - due.arrivals
    for device in range(3):
        assert len(set(wrong[due.devices == device].tolist())) == 1
    assert len(set(wrong.tolist())) == 3
    assert abs(wrong).max() <= 10 * SECOND
    assert simulated.tally["devices with a wrong clock"] == 3


def test_labels_have_the_times_that_events_say() -> None:
    simulated = made()
    told = {(f"device-{event['Device']}-tag-{event['Tag']}", event["TS"]) for event in events_of(simulated)}
    found = simulated.labels().faults
    assert found
    for label in found:
        for text in np.datetime_as_string(label.times.view("datetime64[us]"), unit="us"):
            assert (label.sensor, f"{text}0Z") in told


def test_out_of_order_events_are_counted_by_device(monkeypatch: pytest.MonkeyPatch) -> None:
    small_blocks(monkeypatch)
    simulated = made()
    due = all_messages(simulated)
    devices, latest, found = np.repeat(due.devices, due.counts).tolist(), dict[int, int](), 0
    for device, time in zip(devices, due.times.tolist(), strict=True):
        found += time < latest.get(device, 0)
        latest[device] = max(time, latest.get(device, 0))
    assert simulated.tally["out of order"] == found > 0


def test_ingest_finds_late_what_was_made_late() -> None:
    simulated = made(over(late=0.1, late_by=60 * SECOND))
    given = settings(
        {
            "mapping": {"sensor": "device-{Device}-tag-{Tag}", "values": "Value", "time": "TS"},
            "window": {"size": "5s"},
            "columns": {"value": "avg"},
            "ordering": {"lateArrival": "59s", "onLateArrival": "Drop", "outOfOrder": "9m"},
        }
    )
    state = State(given)
    (due,) = simulated.messages()
    arrived = [
        Message(place, str(place), int(arrival), body.encode())
        for place, (arrival, body) in enumerate(
            zip(due.arrivals, bodies(due, simulated.sensors), strict=True)
        )
    ]
    counts = step(state, decode(arrived, given.mapping, state.sensors)).counts
    assert counts.events == 900
    assert counts.bad == counts.out_of_order == 0
    assert counts.late == simulated.tally["late"] > 0


@given(
    devices=st.integers(1, 6),
    tags=st.integers(1, 4),
    every=st.sampled_from([1, 300, SECOND, 7 * SECOND]),
    slots=st.integers(1, 60),
    missing=st.sampled_from([0.0, 0.5, 1.0]),
    outages=st.sampled_from([0.0, 1_000.0]),
    network=st.builds(
        Network,
        per_message=st.integers(1, 9),
        jitter=st.sampled_from([0, 1, 10 * SECOND]),
        late=st.sampled_from([0.0, 0.3, 1.0]),
        late_by=st.sampled_from([0, 1, 60 * SECOND]),
        duplicates=st.sampled_from([0.0, 0.3, 1.0]),
        skew=st.sampled_from([0, 5 * SECOND]),
    ),
    seed=st.integers(0, 2**63 - 1),
    block=st.sampled_from([1, 17, 65_536]),
)
def test_whatever_is_asked_for_adds_up(
    devices: int, tags: int, every: int, slots: int, missing: float, outages: float, network: Network,
    seed: int, block: int,
) -> None:  # fmt: skip
    fleet = Fleet(devices, tags, every, length=every * slots)
    plan = Plan(seed, fleet, Gaps(missing, outages, 10 * SECOND), network=network)
    with pytest.MonkeyPatch.context() as patch:
        small_blocks(patch, block)
        simulated = made(plan)
        chunks = list(simulated.messages())
    tally = simulated.tally
    assert tally["slots"] == devices * tags * slots
    assert tally["slots"] == tally["readings"] + tally["missing"] + tally["in outages"]
    assert tally["events"] == tally["readings"] + tally["duplicate"]
    assert tally["events"] == sum(len(due.times) for due in chunks)
    assert tally["messages"] == sum(len(due.counts) for due in chunks)
    arrivals = [arrival for due in chunks for arrival in due.arrivals.tolist()]
    assert arrivals == sorted(arrivals)
    if network.late == 1.0:
        assert tally["late"] == tally["readings"]
    if network.duplicates == 1.0:
        assert tally["events"] == 2 * tally["readings"]


def test_all_that_can_be_wrong_adds_up() -> None:
    simulated = made(ROUGH)
    assert len(events_of(simulated)) == simulated.tally["events"]
    assert len(simulated.changed) == len(simulated.faults) == 10
