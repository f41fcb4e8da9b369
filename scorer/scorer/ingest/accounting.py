"""What became of every event: none is lost without a word.

    events = windowed + corrected + late + early + out of order + before the start + bad + duplicate

A message that cannot be read at all is one bad event. Those adjusted are counted beside that;
one that was late and adjusted may still be dropped as out of order, or correct its own window.
Stream Analytics' metric *Late Input Events* is `late + late_adjusted`, *Out-of-Order Events* likewise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

HOUR = 3_600_000_000


class Counts(NamedTuple):
    """Of messages and events."""

    messages: int = 0
    missed: int = 0
    """Messages whose sequence numbers were passed over: the hub had them no more when they were asked for."""
    events: int = 0
    windowed: int = 0
    late: int = 0
    """Dropped as such, as are those of the two that follow."""
    early: int = 0
    out_of_order: int = 0
    bad: int = 0
    duplicate: int = 0
    """Events of messages that came before."""
    late_adjusted: int = 0
    out_of_order_adjusted: int = 0
    corrected: int = 0
    """Late or out of order, and in their own windows though these were closed."""
    before_start: int = 0
    """Of windows of hours before the first one that lands."""

    @property
    def adds_up(self) -> bool:
        """Whether each event is somewhere, and only there."""
        dropped = self.late + self.early + self.out_of_order + self.before_start
        return self.events == self.windowed + self.corrected + dropped + self.bad + self.duplicate


def total(*counts: Counts) -> Counts:
    """All of them together."""
    return Counts(*map(sum, zip(*counts, strict=True))) if counts else Counts()


def by_hour(ledger: Mapping[int, Counts], more: Mapping[int, Counts]) -> dict[int, Counts]:
    """Both ledgers as one. They go by the hour of arrival: (HH:00, HH+1:00] as its number since 1970."""
    return {
        hour: total(ledger.get(hour, Counts()), more.get(hour, Counts())) for hour in sorted({*ledger, *more})
    }


def arrival_hour(enqueued: int) -> int:
    """The number of the hour in which something arrived; what arrives at its end belongs to it."""
    return (enqueued - 1) // HOUR
