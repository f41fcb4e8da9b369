from dataclasses import replace

from scoring_operator.contract import Guard, Sample
from scoring_operator.events import RunEvent, event_manifest, events_between
from scoring_operator.status import Status
from unit.operator.given import NOW, UID, a_run, pinned, sensors

BEGUN = pinned(sensors())


def having(status: Status, kind: str, holds: bool, reason: str) -> Status:
    return status.having(kind, holds, reason, f"because {reason}", NOW, 1)


def reasons(old: Status, new: Status) -> list[tuple[str, bool]]:
    return [(event.reason, event.warning) for event in events_between(old, new)]


def test_a_run_says_when_it_starts_once() -> None:
    assert events_between(Status(), BEGUN) == (RunEvent(False, "Started", "3 sensors in 3 Jobs"),)
    assert events_between(BEGUN, replace(BEGUN, scored=1)) == ()


def test_being_held_up_and_going_on_are_said() -> None:
    blocked = having(BEGUN, "Blocked", True, "QuotaExceeded")
    assert reasons(BEGUN, blocked) == [("QuotaExceeded", True)]
    assert reasons(blocked, having(BEGUN, "Blocked", False, "Unblocked")) == [("Unblocked", False)]
    suspended = having(BEGUN, "Suspended", True, "Suspended")
    assert reasons(BEGUN, suspended) == [("Suspended", False)]


def test_the_end_sums_failures_up() -> None:
    many = {"Failed/NoModel": 3, "Failed/Timeout": 1, "Skipped/NoReadings": 2}
    decided = replace(BEGUN, scored=0, failed=4, reasons=many)
    ended = having(decided, "Failed", True, "TooManyFailedSensors")
    assert reasons(BEGUN, ended) == [("SensorsFailed", True), ("TooManyFailedSensors", True)]
    assert events_between(BEGUN, ended)[0].message == "4 of 3 sensors: 3 NoModel, 1 Timeout"
    assert reasons(BEGUN, having(BEGUN, "Complete", True, "AllSucceeded")) == [("AllSucceeded", False)]
    assert reasons(ended, ended) == []


def test_an_event_told_twice_is_one() -> None:
    event = RunEvent(True, "QuotaExceeded", "x" * 5000)
    body = event_manifest(a_run(), event, NOW)
    assert body["metadata"] == event_manifest(a_run(), event, NOW)["metadata"]
    assert body["involvedObject"]["uid"] == UID
    assert (body["type"], len(body["message"])) == ("Warning", 1000)


def test_what_the_guard_warns_of_is_one_event() -> None:
    samples = (Sample("b", "UnusualFlagRate", "odd"), Sample("a", "FlagRate", "sensor a flags 40 %"))
    guard = Guard({"FlagRate": 2, "ConstantValue": 1}, {"UnusualFlagRate": 5}, samples)
    [event] = events_between(BEGUN, replace(BEGUN, guard=guard))
    assert (event.warning, event.reason) == (True, "GuardWarnings")
    assert event.message == "1 ConstantValue, 2 FlagRate; first: a: sensor a flags 40 %"
    assert events_between(BEGUN, replace(BEGUN, guard=Guard({}, {"UnusualFlagRate": 5}))) == ()


def test_waiting_for_its_turn_and_its_coming_are_said() -> None:
    waiting = having(Status(), "Waiting", True, "Queued")
    assert reasons(Status(), waiting) == [("Queued", False)]
    assert reasons(waiting, having(BEGUN, "Waiting", False, "Begun")) == [
        ("Started", False),
        ("Begun", False),
    ]
