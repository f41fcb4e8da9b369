"""Whose turn it is among the runs of a concurrencyGroup."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring_operator.decision import Decision, DeleteJob, Observed, Peer, Publish
from scoring_operator.reconcile import reconcile
from scoring_operator.resource import Run
from scoring_operator.status import Status
from scoring_operator.turns import peers_of
from unit.operator import given as values
from unit.operator.given import (
    NOW,
    Json,
    a_job,
    a_run,
    after,
    chunks_of,
    pinned,
    publishing,
    seen,
    sensors,
    spec_of,
)

SETTINGS = values.settings()
ABC = sensors()
BEGUN = pinned(ABC)


def one(name: str, policy: str = "Queue", hour: int = 12, status: Status | None = None, **spec: Any) -> Run:
    """A run of the group; `hour` is when its window begins, and the later it was made the later its name."""
    window = {"start": f"2026-01-01T{hour:02}:00:00Z", "end": f"2026-01-01T{hour + 1:02}:00:00Z"}
    run = a_run(status, window=window, concurrencyGroup="hourly", concurrencyPolicy=policy, **spec)
    return replace(run, name=name, uid=f"uid-{name}", created=NOW + timedelta(seconds=ord(name[0])))


def decide(run: Run, *others: Run, begun: Any = (), **observed: Any) -> Decision:
    given: Json = {"sensors": chunks_of(ABC, spec_of(run)), "peers": peers_of(run, [*others], set(begun))}
    return reconcile(run, Observed(**given | observed), SETTINGS, NOW)


def begins(decision: Decision) -> bool:
    return decision.status.pinned is not None


def why(decision: Decision, kind: str) -> str:
    assert decision.status.holds(kind)
    return f"{decision.status.conditions[kind].reason}: {decision.status.conditions[kind].message}"


@pytest.mark.parametrize("policy", ["Allow", "Queue", "Forbid", "Replace"])
def test_a_run_alone_begins(policy: str) -> None:
    assert begins(decide(one("a", policy)))


def test_runs_without_a_group_do_not_wait() -> None:
    assert begins(decide(a_run(), one("a", status=BEGUN)))


def test_allow_goes_on_beside_others() -> None:
    assert begins(decide(one("b", "Allow"), one("a", status=BEGUN)))


def test_queue_waits_for_what_is_going_on() -> None:
    waiting = decide(one("b", hour=13), one("a", status=BEGUN))
    assert (waiting.status.phase, waiting.status.pinned, waiting.actions) == ("Waiting", None, ())
    assert why(waiting, "Waiting") == "Queued: waits its turn: run a of concurrencyGroup hourly is going on"
    then = decide(one("b", hour=13, status=waiting.status))
    assert begins(then)
    assert not then.status.holds("Waiting")


def test_queue_goes_by_the_windows_starts_and_not_by_who_came_first() -> None:
    early, late = one("b", hour=9), one("a", hour=14)
    assert begins(decide(early, late))
    waits = decide(late, early)
    assert why(waits, "Waiting").endswith("run b of concurrencyGroup hourly comes first")


def test_the_highest_priority_comes_first_and_then_the_windows_start() -> None:
    live, missed, older = one("c", hour=14), one("b", hour=12, priority=-100), one("a", hour=9, priority=-100)
    assert begins(decide(live, missed, older))
    assert why(decide(missed, older), "Waiting").endswith("run a of concurrencyGroup hourly comes first")
    assert why(decide(older, live), "Waiting").endswith("run c of concurrencyGroup hourly comes first")
    assert begins(decide(older, missed))


def test_priority_stops_nobody_who_has_begun() -> None:
    assert decide(one("b", priority=1000), one("a", priority=-1000, status=BEGUN)).status.phase == "Waiting"
    assert decide(one("a", priority=-1000, status=BEGUN), one("b", priority=1000)).status.phase == "Running"


@pytest.mark.parametrize("priority", [0, 5])
def test_what_replaces_others_goes_by_when_it_was_made_and_not_by_the_window(priority: int) -> None:
    old, new = one("a", hour=9, status=BEGUN), one("b", "Replace", hour=7, priority=priority)
    assert "run b" in why(decide(old, new), "Failed")


def test_nobody_is_replaced_by_one_of_lower_priority_which_waits_instead() -> None:
    old, new = one("a", hour=14), one("b", "Replace", hour=9, priority=-5)
    assert begins(decide(old, new))
    assert why(decide(new, old), "Waiting").endswith("run a of concurrencyGroup hourly comes first")
    going_on = one("a", hour=14, status=BEGUN)
    assert decide(going_on, new).status.phase == "Running"
    assert why(decide(new, going_on), "Waiting").endswith("run a of concurrencyGroup hourly is going on")


def test_one_that_is_about_to_begin_counts_as_going_on() -> None:
    late, early = one("a", hour=14), one("b", hour=9)
    assert not begins(decide(early, late, begun={late.uid}))


def test_the_message_of_a_run_that_waits_stays_as_it_was() -> None:
    first = decide(one("c", hour=15), one("a", status=BEGUN), one("b", hour=13))
    waiting = one("c", hour=15, status=first.status)
    assert decide(waiting, one("b", hour=13, status=BEGUN)).status == first.status


@pytest.mark.parametrize(
    "status",
    [BEGUN, publishing(ABC), replace(BEGUN, phase="Suspended")],
    ids=["scores", "publishes", "suspended"],
)
def test_forbid_ends_a_run_while_another_holds_the_place(status: Status) -> None:
    decision = decide(one("b", "Forbid", hour=13), one("a", status=status))
    assert why(decision, "Failed").startswith(
        "ConcurrencyForbidden: run a of concurrencyGroup hourly has not"
    )
    assert decision.actions == ()


def test_of_two_that_forbid_the_first_window_begins() -> None:
    first, second = one("b", "Forbid", hour=9), one("a", "Forbid", hour=10)
    assert begins(decide(first, second))
    assert why(decide(second, first), "Failed").startswith("ConcurrencyForbidden")


def test_one_that_is_suspended_before_it_began_stands_aside() -> None:
    aside = one("a", hour=9, suspend=True)
    assert decide(aside, one("b", hour=10)).status.phase == "Suspended"
    assert begins(decide(one("b", hour=10), aside))


def test_one_that_is_suspended_in_the_middle_keeps_its_place() -> None:
    held = one("a", hour=9, suspend=True, status=BEGUN)
    assert decide(one("b", hour=10), held).status.phase == "Waiting"


def test_runs_that_are_being_deleted_or_have_ended_hold_nothing() -> None:
    leaving = replace(one("a", status=BEGUN), deleting=True)
    over = one("c", "Forbid", hour=9)
    ended = one("c", hour=9, status=decide(over, one("a", status=BEGUN)).status)
    assert begins(decide(one("b", hour=10), leaving, ended))


def test_replace_ends_what_was_made_before() -> None:
    old, new = one("a", "Allow", status=BEGUN), one("b", "Replace")
    job = a_job(0)
    replaced = decide(old, new, jobs=seen(job))
    assert why(replaced, "Failed") == "Replaced: run b of its concurrencyGroup takes its place"
    assert replaced.actions == (DeleteJob(job),)
    assert not any(isinstance(action, Publish) for action in replaced.actions)
    waits = decide(new, old)
    assert waits.status.phase == "Waiting"
    assert begins(decide(new))


def test_replace_ends_those_that_wait_too_and_of_several_the_last_made_stays() -> None:
    queued, first, last = one("a", "Queue"), one("b", "Replace"), one("c", "Replace")
    assert "run c" in why(decide(queued, first, last), "Failed")
    assert "run c" in why(decide(first, queued, last), "Failed")
    assert begins(decide(last, queued, first))


def test_a_run_that_is_being_published_is_not_replaced_but_waited_for() -> None:
    old, new = one("a", status=publishing(ABC)), one("b", "Replace")
    assert decide(old, new).status.stage == "Publish"
    assert decide(new, old).status.phase == "Waiting"


def test_a_later_run_is_not_replaced_by_one_made_before_it() -> None:
    old, new = one("a", "Replace"), one("b", status=BEGUN)
    assert decide(new, old).status.phase == "Running"
    assert decide(old, new).status.phase == "Waiting"


POLICIES = st.sampled_from(["Queue", "Forbid", "Replace"])
RUNS = st.lists(st.tuples(POLICIES, st.integers(0, 20), st.integers(-1, 1)), min_size=1, max_size=6)


@settings(max_examples=40)
@given(RUNS, st.integers(0, 10_000))
def test_whoever_is_looked_at_when_one_goes_on_at_a_time_and_all_end(runs: Any, seed: int) -> None:
    """Runs come, are looked at and end in any order; an operator that restarts in between changes nothing."""
    random = Random(seed)  # noqa: S311 - an order, no secret
    coming = [
        one(chr(97 + n), policy, hour, priority=priority) for n, (policy, hour, priority) in enumerate(runs)
    ]
    there: dict[str, Run] = {}
    for _ in range(500):
        if coming and random.random() < 0.2:
            there[coming[0].name] = coming[0]
            coming = coming[1:]
        if not there:
            continue
        run = there[random.choice(sorted(there))]
        if run.status.pinned and random.random() < 0.3:
            over = run.status.having("Complete", True, "AllSucceeded", "", NOW, 1)
            there[run.name] = replace(run, status=over)
            continue
        others = [other for other in there.values() if other is not run]
        there[run.name] = replace(run, status=decide(run, *others).status)
        assert sum(each.status.pinned is not None and not each.status.ended for each in there.values()) <= 1
    assert not coming
    assert all(each.status.ended for each in there.values())


def test_a_peer_is_whoever_of_the_group_has_not_ended() -> None:
    run, other = one("a"), one("b", status=BEGUN)
    ended = one("c", status=BEGUN.having("Failed", True, "X", "", after(0), 1))
    assert peers_of(run, [run, other, ended], set()) == (Peer(other, True),)
