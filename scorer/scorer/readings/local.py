"""Times as files have them (text, or of local clocks) to UTC, each with its fault if it has one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scorer.readings.batch import MAX_TEXTS, MISSING_TIME, NOT_A_TIME, TIME, cut
from scorer.readings.times import Times, read_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scorer.readings.zones import Zone

    Resolved = tuple[NDArray[np.int64], NDArray[np.uint8] | None, dict[tuple[int, int], str]]


def resolved_texts(texts: Sequence[str | None], zone: Zone, records: NDArray[np.int64]) -> Resolved:
    """Times of a column of texts (None: nothing is there), their faults, and what faulty ones look like."""
    missing = np.fromiter((text is None for text in texts), np.bool_, len(texts))
    return resolved(read_times(texts), missing, zone, records, lambda place: str(texts[place]))


def resolved_local(
    local: NDArray[np.int64], missing: NDArray[np.bool_], zone: Zone, records: NDArray[np.int64]
) -> Resolved:
    """The same for microseconds of local clocks."""
    found = Times(local, np.ones(len(local), np.bool_), np.zeros(len(local), np.bool_))
    return resolved(found, missing, zone, records, lambda place: str(np.datetime64(int(local[place]), "us")))


def resolved(
    found: Times,
    missing: NDArray[np.bool_],
    zone: Zone,
    records: NDArray[np.int64],
    shown: Callable[[int], str],
) -> Resolved:
    """The same for times that were read; `shown` gives what stands at a place."""
    times = found.times
    faults = np.where(missing, MISSING_TIME, np.where(found.good, 0, NOT_A_TIME)).astype(np.uint8)
    naive = found.good & ~found.zoned & ~missing
    if not zone.is_utc and naive.any():
        utc, wrong = zone.utc(times[naive])
        times = times.copy()
        times[naive] = utc
        if wrong is not None:
            faults[naive] = wrong
    places = np.flatnonzero(faults)
    if not len(places):
        return times, None, {}
    told = places[faults[places] != MISSING_TIME][:MAX_TEXTS].tolist()
    return times, faults, {(int(records[place]), TIME): cut(shown(place)) for place in told}
