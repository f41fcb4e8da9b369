"""Which runs stand in one concurrencyGroup, and when a change of one means something to the others."""

from __future__ import annotations

from collections.abc import Iterator

from scoring_operator.resource import Key, Run
from scoring_operator.spec import Spec

Group = tuple[str, str]  # namespace, concurrencyGroup


class Groups:
    """Keys of runs by their group; runs without one are in none."""

    def __init__(self) -> None:
        self._members: dict[Group, dict[Key, None]] = {}  # in the order in which they came

    def put(self, run: Run) -> None:
        """Take in a run that has not ended; one that has is of no concern to others any more."""
        if run.status.ended or run.deleting:
            self.drop(run)
        elif (group := _group(run)) is not None:
            self._members.setdefault(group, {})[run.key] = None

    def drop(self, run: Run) -> None:
        """Forget a run."""
        group = _group(run)
        if group is not None and group in self._members:
            self._members[group].pop(run.key, None)
            if not self._members[group]:
                del self._members[group]

    def others(self, run: Run) -> Iterator[Key]:
        """The other members of a run's group."""
        group = _group(run)
        members = self._members.get(group, {}) if group is not None else {}
        return (key for key in list(members) if key != run.key)


def concerns_others(old: Run | None, new: Run) -> bool:
    """Whether the others of its group may have to do something: it came, began, ended, or stands aside."""
    return old is None or _standing(old) != _standing(new)


def _standing(run: Run) -> tuple[bool, ...]:
    aside = isinstance(run.spec, Spec) and run.spec.suspend
    return run.status.pinned is not None, run.status.ended, run.deleting, aside


def _group(run: Run) -> Group | None:
    if not isinstance(run.spec, Spec) or not run.spec.concurrency.group:
        return None
    return run.namespace, run.spec.concurrency.group
