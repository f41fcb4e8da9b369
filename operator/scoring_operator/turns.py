"""Whose turn it is among the runs of a concurrencyGroup in one namespace.

Runs stand in the order of priority, the highest first, and of their windows' starts (then of creation, then
of UID): the same for everybody who looks, whenever. One that has begun and not ended holds the place,
suspended or not; one that is suspended before it began stands aside. By the policy of the run that wants to
begin:

    Allow    it begins
    Queue    it waits until nobody holds the place and nobody waits before it
    Forbid   it ends Failed if somebody does
    Replace  those made before it end Failed, but for those of a higher priority, which it waits for; it
             begins when nobody holds the place
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scoring_operator.decision import Peer, Situation
from scoring_operator.groups import made, order, priority, replaces, takes_place_of
from scoring_operator.resource import Run
from scoring_operator.spec import Spec


@dataclass(frozen=True, slots=True)
class Waits:
    """It is not the run's turn yet."""

    message: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """It never will be."""

    message: str


def turn(at: Situation, spec: Spec) -> Waits | Forbidden | None:
    """What keeps a run that has not begun from it; None: it may begin."""
    group, policy = spec.concurrency.group, spec.concurrency.policy
    if not group or policy == "Allow":
        return None
    holders = [peer.run for peer in at.observed.peers if peer.begun]
    before = holders or [run for run in _waiting(at) if _goes_before(run, at.run)]
    if not before:
        return None
    first = min(before, key=order)
    words = f"run {first.name} of concurrencyGroup {group}"
    if policy == "Forbid":
        return Forbidden(f"{words} has not ended; wanted none beside it (concurrencyPolicy: Forbid)")
    return Waits(f"waits its turn: {words} {'is going on' if holders else 'comes first'}")


def replaced_by(at: Situation) -> str:
    """The run that takes this one's place; empty if none does."""
    others = [*_waiting(at), *(peer.run for peer in at.observed.peers if peer.begun)]
    successors = [run for run in others if takes_place_of(run, at.run)]
    return max(successors, key=made).name if successors else ""


def _goes_before(run: Run, other: Run) -> bool:
    """Of two that wait; whoever replaces others minds only those that it does not replace."""
    return priority(run) > priority(other) if replaces(other) else order(run) < order(other)


def _waiting(at: Situation) -> Iterator[Run]:
    """Runs of the group that want to begin."""
    for peer in at.observed.peers:
        if not peer.begun and isinstance(peer.run.spec, Spec) and not peer.run.spec.suspend:
            yield peer.run


def peers_of(run: Run, group: list[Run], begun: set[str]) -> tuple[Peer, ...]:
    """The others of a run's group that have not ended. `begun`: UIDs of those whose status is on its way."""
    return tuple(
        Peer(other, other.status.begun or other.uid in begun)
        for other in group
        if other.uid != run.uid and not other.status.ended and not other.deleting
    )
