"""When ingest is sick, and when it is merely not ready."""

from __future__ import annotations

import pytest

from scorer.ingest.health import Health


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    found = Health(60, clock)
    found.trouble("start", "")
    return found


def test_a_partition_stalls_that_does_not_move_while_the_hub_has_more(health: Health, clock: Clock) -> None:
    for clock.now in (0.0, 30.0, 59.0):
        health.owns("3", 10, 1_000, 5)
        assert not health.sick()
    clock.now = 60.0
    assert health.sick() == "partition 3: 5 events in the hub, no movement for 60 s"
    assert health.sick() in health.unready()
    health.owns("3", 11, 1_000, 4)
    assert not health.sick()


def test_a_silent_partition_does_not_stall(health: Health, clock: Clock) -> None:
    health.owns("3", 10, 1_000, 0)
    clock.now = 1_000.0
    assert not health.sick()
    health.owns("3", 10, 1_000, 1)  # it came just now
    clock.now = 1_059.0
    health.owns("3", 10, 1_000, 2)
    assert not health.sick()


def test_a_partition_that_is_ours_no_more_is_not_looked_at(health: Health, clock: Clock) -> None:
    health.owns("3", 10, 1_000, 5)
    health.gone("3")
    clock.now = 1_000.0
    assert not health.sick()
    assert not health.behind


def test_a_store_that_does_not_answer_is_not_ready_and_not_sick(health: Health) -> None:
    health.trouble("store", "no answer")
    assert (health.sick(), health.unready()) == ("", "store: no answer")
    health.trouble("store", "")
    assert not health.unready()


@pytest.mark.parametrize("what", ["hub", "store"])
def test_what_waits_for_hub_or_store_does_not_stall(what: str, health: Health, clock: Clock) -> None:
    health.owns("3", 10, 1_000, 5)
    health.trouble(what, "no answer")
    clock.now = 1_000.0
    assert (health.sick(), health.unready()) == ("", f"{what}: no answer")
    health.trouble(what, "")
    assert health.sick()


def test_a_passing_trouble_that_has_ended_hides_no_stall(health: Health, clock: Clock) -> None:
    health.owns("3", 10, 1_000, 5)
    health.trouble("store", "no answer", passing=True)
    clock.now = 59.0
    assert not health.sick()
    clock.now = 1_000.0
    assert health.sick()


def test_a_passing_trouble_ends_if_it_is_not_said_again(health: Health, clock: Clock) -> None:
    health.trouble("partition 1", "made with other settings", passing=True)
    clock.now = 59.0
    assert health.unready()
    clock.now = 61.0
    assert not health.unready()


def test_before_the_start_it_is_not_ready(clock: Clock) -> None:
    assert Health(60, clock).unready() == "start: not started yet"
