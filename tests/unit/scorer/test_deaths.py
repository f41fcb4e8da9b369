"""Notes of the sensor in hand: no sensor costs its pack more than two attempts."""

from __future__ import annotations

import pytest

from scorer.contract import Header
from scorer.deaths import Deaths
from scorer.outcome import outcome_path
from scorer.storage.memory import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def header(number: int) -> Header:
    return Header("uid", 3, 0, f"2026-01-01T13:00:0{number}.000Z")


def attempt(store: MemoryStore, number: int) -> Deaths:
    deaths = Deaths(store, header(number))
    deaths.begin()
    return deaths


def end(store: MemoryStore, number: int) -> None:
    """The attempt ended by itself: with any exit code it leaves its outcome's detail."""
    store.put(outcome_path(header(number)), b"{}")


def puts(store: MemoryStore) -> int:
    return int(store.head("runs/uid/inhand/00003.json").etag, 16)


def killed(store: MemoryStore, number: int, *sensors: str) -> None:
    """The attempt had the last of the sensors in hand, and left nothing but its notes."""
    deaths = attempt(store, number)
    for sensor in sensors:
        deaths.take(sensor)


def test_the_first_attempt_writes_one_note(store: MemoryStore) -> None:
    first = attempt(store, 1)
    for sensor in ("a", "b"):
        assert not first.crashed(sensor)
        first.take(sensor)
    assert puts(store) == 1


def test_a_sensor_in_hand_at_a_death_is_suspected_and_at_two_crashed(store: MemoryStore) -> None:
    killed(store, 1, "good", "bad")  # the first attempt notes no names
    second = attempt(store, 2)
    assert (second.suspected("bad"), second.crashed("bad")) == (False, False)
    killed(store, 2, "good", "bad")
    third = attempt(store, 3)
    assert (third.suspected("bad"), third.crashed("bad")) == (True, False)
    assert (third.suspected("good"), third.crashed("good")) == (False, False)
    killed(store, 3, "good", "bad")
    fourth = attempt(store, 4)
    assert (fourth.suspected("bad"), fourth.crashed("bad")) == (False, True)


def test_an_attempt_knows_whether_it_is_noted_and_whether_one_died(store: MemoryStore) -> None:
    first = attempt(store, 1)
    assert (first.noted, first.any) == (False, False)
    first.take("a")
    assert (first.noted, first.any) == (True, False)
    second = attempt(store, 2)
    assert (second.noted, second.any) == (False, True)


def test_an_attempt_that_took_nothing_in_hand_is_no_death(store: MemoryStore) -> None:
    attempt(store, 1)  # storage went away and its detail was lost
    killed(store, 2, "slow")  # so it did here, a little later
    assert not attempt(store, 3).crashed("slow")


def test_notes_that_were_not_read_are_not_written_over(store: MemoryStore) -> None:
    killed(store, 1, "bad")
    Deaths(store, header(2)).take("bad")  # beginning was of no avail
    killed(store, 3, "bad")
    assert attempt(store, 4).suspected("bad")


def test_one_death_leaves_nobody_out(store: MemoryStore) -> None:
    killed(store, 1, "bad")
    assert not attempt(store, 2).crashed("bad")


def test_attempts_that_ended_by_themselves_are_no_deaths(store: MemoryStore) -> None:
    for number in (1, 2, 3):
        attempt(store, number).take("slow")
        end(store, number)
    before = puts(store)
    fourth = attempt(store, 4)
    fourth.take("slow")
    assert not fourth.crashed("slow")
    assert puts(store) == before + 2  # the detail of the third, and this one's beginning


def test_where_sensors_share_a_file_nobody_waits_for_the_end(store: MemoryStore) -> None:
    killed(store, 1, "x")
    killed(store, 2, "a")
    third = Deaths(store, header(3), shared=True)
    third.begin()
    assert (third.suspected("a"), third.crashed("a")) == (False, True)
    assert not third.crashed("x")


def test_two_lost_nodes_leave_nobody_out(store: MemoryStore) -> None:
    killed(store, 1, "x")
    killed(store, 2, "a")
    assert not any(attempt(store, 3).crashed(sensor) for sensor in ("x", "a"))


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"[]",
        b"{}",
        b'{"attempts": [1]}',
        b'{"attempts": [{"attempt": 1}]}',
        b'{"attempts": [{"attempt": 1, "inHand": "a"}, {"attempt": 2, "inHand": "a"}]}',
        b'{"attempts": [{"attempt": "../x", "inHand": "a"}, {"attempt": "y", "inHand": "a"}]}',
    ],
)
def test_notes_that_make_no_sense_are_none(store: MemoryStore, rubbish: bytes) -> None:
    store.put("runs/uid/inhand/00003.json", rubbish)
    assert not attempt(store, 1).crashed("a")
