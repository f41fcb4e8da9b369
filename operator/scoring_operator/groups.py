"""Which runs stand in one concurrencyGroup: who matters to one of them, and to whom a change of it matters.

A thousand runs may stand in line. Each of them needs to know only who is first among those that have begun,
who is first in line, and who is the last made of those that would replace it (`turns` says why); and when one
ends, only the first in line and the last made of those that need not mind it can do anything about it. So a
run's way through the line costs O(log n), not a look at everybody by everybody: of those that replace others
each priority has one, once the others have ended.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from scoring_operator.resource import Key, Run
from scoring_operator.spec import Spec

Group = tuple[str, str]  # namespace, concurrencyGroup
Rank = tuple[int, datetime, datetime, str]
Ranked = tuple[Rank, Key, int]  # with its priority


def order(run: Run) -> Rank:
    """Where a run stands in line: by priority, then its window's start, then creation, then UID."""
    if not isinstance(run.spec, Spec):
        return 0, run.created, run.created, run.uid
    return -run.spec.concurrency.priority, run.spec.start, run.created, run.uid


def made(run: Run) -> Rank:
    """Which run was made before which, whatever its priority."""
    start = run.spec.start if isinstance(run.spec, Spec) else run.created
    return 0, run.created, start, run.uid


def priority(run: Run) -> int:
    """A run's priority in its group."""
    return run.spec.concurrency.priority if isinstance(run.spec, Spec) else 0


def replaces(run: Run) -> bool:
    """Whether a run takes the place of those that were made before it, if their priority is not higher."""
    return isinstance(run.spec, Spec) and run.spec.concurrency.policy == "Replace"


def takes_place_of(run: Run, other: Run) -> bool:
    """Whether it takes the place of just that one."""
    return replaces(run) and made(run) > made(other) and priority(run) >= priority(other)


@dataclass(slots=True)
class _Members:
    """Runs of one group that have not ended, each list sorted."""

    begun: list[Ranked] = field(default_factory=list)
    waiting: list[Ranked] = field(default_factory=list)
    aside: list[Ranked] = field(default_factory=list)  # suspended before they began
    replacing: list[Ranked] = field(default_factory=list)  # of both; by `made`

    def lists_of(self, run: Run) -> Iterator[tuple[list[Ranked], Ranked]]:
        """Where the run is, as it stands, and as what."""
        if run.status.begun:
            yield self.begun, (order(run), run.key, priority(run))
        else:
            yield self.aside if _aside(run) else self.waiting, (order(run), run.key, priority(run))
        if replaces(run) and (run.status.begun or not _aside(run)):
            yield self.replacing, (made(run), run.key, priority(run))

    def next(self, run: Run) -> tuple[Key, ...]:
        """Who may begin when nobody holds the place: the first in line, or a replacing one ahead of it."""
        first = next((each for each in self.waiting if each[1] != run.key), None)
        return (first[1], *self.last_replacing(run, first[2])) if first else ()

    def last_replacing(self, run: Run, least: int) -> tuple[Key, ...]:
        """The last made, of that priority or a higher one, of those that replace others."""
        return _other((each for each in reversed(self.replacing) if each[2] >= least), run)


class Groups:
    """Keys of runs by their group; runs without one are in none."""

    def __init__(self) -> None:
        self._groups: dict[Group, _Members] = {}
        self._runs: dict[Key, Run] = {}  # as they stand in the lists

    def put(self, run: Run) -> None:
        """Take in a run that has not ended; one that has is of no concern to others any more."""
        self.drop(run)
        group = _group(run)
        if group is None or run.status.ended or run.deleting:
            return
        self._runs[run.key] = run
        for ranked, place in self._groups.setdefault(group, _Members()).lists_of(run):
            insort(ranked, place)

    def drop(self, run: Run) -> None:
        """Forget a run."""
        old = self._runs.pop(run.key, None)
        group = _group(old) if old is not None else None
        if old is None or group is None:
            return
        members = self._groups[group]
        for ranked, place in members.lists_of(old):
            del ranked[bisect_left(ranked, place)]
        if not (members.begun or members.waiting or members.aside):
            del self._groups[group]

    def beside(self, run: Run) -> tuple[Key, ...]:
        """Those of the others that its turn can depend on."""
        members = self._members(run)
        if members is None:
            return ()
        first = (*_other(members.begun, run), *_other(members.waiting, run))
        found = (*first, *members.last_replacing(run, priority(run)))
        return tuple(dict.fromkeys(found))

    def same(self, one: Run, other: Run) -> bool:
        """Whether both are of one group."""
        group = _group(one)
        return group is not None and group == _group(other)

    def concerned(self, old: Run | None, new: Run | None) -> tuple[Key, ...]:
        """Those of the others that may have to do something, when a run that was `old` is `new` now.

        None: it was not there, or is there no longer.
        """
        run = new or old
        members = self._members(run) if run is not None else None
        if run is None or members is None or _standing(old) == _standing(new):
            return ()
        if replaces(run) and _standing(new) in (_WAITING, _BEGUN):
            ranks = (*members.begun, *members.waiting, *members.aside)
            return tuple(key for _, key, _ in ranks if key != run.key)
        if _standing(old) == _OUT or _standing(new) == _BEGUN:
            return ()  # it stands in line, or begins: nobody can do more for it than before
        return members.next(run)

    def _members(self, run: Run) -> _Members | None:
        group = _group(run)
        return self._groups.get(group) if group is not None else None


_OUT, _ASIDE, _WAITING, _BEGUN = range(4)


def _standing(run: Run | None) -> int:
    if run is None or run.status.ended or run.deleting:
        return _OUT
    if run.status.begun:
        return _BEGUN
    return _ASIDE if _aside(run) else _WAITING


def _aside(run: Run) -> bool:
    return isinstance(run.spec, Spec) and run.spec.suspend


def _other(ranked: Iterable[Ranked], run: Run) -> tuple[Key, ...]:
    """The first of these that is not the run itself, if there is one."""
    return tuple(islice((key for _, key, _ in ranked if key != run.key), 1))


def _group(run: Run) -> Group | None:
    if not isinstance(run.spec, Spec) or not run.spec.concurrency.group:
        return None
    return run.namespace, run.spec.concurrency.group
