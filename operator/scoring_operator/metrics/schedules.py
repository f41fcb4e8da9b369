"""What the runs that exist tell of their schedules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from scoring_operator.resource import Key, Run
from scoring_operator.spec import Spec
from scoring_operator.status import COMPLETE_CONDITION


@dataclass
class Marks:
    """How far schedules have come, by namespace and name.

    The end of the newest window that a run was made for, that of the newest one whose run is Complete, and
    when the latest such run ended. None goes back: a run that is deleted, or whose time to live is over, was
    there all the same.
    """

    newest: dict[Key, datetime] = field(default_factory=dict)
    complete: dict[Key, datetime] = field(default_factory=dict)
    success: dict[Key, datetime] = field(default_factory=dict)

    def move(self, runs: Iterable[Run], now: datetime) -> None:
        """Move on by the runs that exist now.

        No schedule makes a run for a window that has not ended; one with its label would silence it for ever.
        One of a window's corrected sensors only says nothing of how the window's own run went.
        """
        for run in runs:
            if not isinstance(run.spec, Spec) or run.spec.end > now:
                continue
            if run.spec.sensors.only:
                continue
            key = (run.namespace, run.schedule)
            _raise(self.newest, key, run.spec.end)
            if run.status.holds(COMPLETE_CONDITION):
                _raise(self.complete, key, run.spec.end)
                _raise(self.success, key, run.status.completion)


def _raise(mark: dict[Key, datetime], key: Key, time: datetime | None) -> None:
    if time is not None and (key not in mark or time > mark[key]):
        mark[key] = time
