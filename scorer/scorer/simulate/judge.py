"""How much of what was injected was found, and how much else was: by row, by fault and by kind of fault."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scorer.simulate.labels import Label

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOUND, PARTLY, NOT_FOUND, NOT_SCORED = "found", "partly", "NOT FOUND", "not scored"
BEYOND_CHANCE = 3.0
"""Standard deviations above the share of false alarms."""


class Scored(NamedTuple):
    """A sensor's rows with predictions, in order of time."""

    sensor: str
    times: NDArray[np.int64]
    flagged: NDArray[np.bool_]


@dataclass
class Seen:
    """What predictions say of one fault."""

    label: Label
    of: int
    """Rows that ought to be flagged, scored or not."""
    rows: int = 0
    """Those that were scored."""
    flagged: int = 0
    """Those that were flagged."""
    around: int = 0
    """Rows in its interval, wrong or not, that were scored."""
    hit: bool = False
    """Whether any row in its interval was flagged."""


@dataclass
class Verdict:
    """Sums over all rows that were scored."""

    faults: list[Seen]
    rows: int = 0
    flagged: int = 0
    quiet: int = 0
    """Rows outside all faults' intervals, and how many of them were flagged."""
    false_in_quiet: int = 0
    alarms: int = 0
    """Runs of flagged rows, one after the other in a file."""
    true_alarms: int = 0
    """Those of them that meet a fault's interval."""
    sensors: set[str] = field(default_factory=set)

    @property
    def false_share(self) -> float:
        """Of the rows outside all faults, the share that was flagged all the same."""
        return self.false_in_quiet / self.quiet if self.quiet else 0.0


class Kind(NamedTuple):
    """One kind of fault, or all."""

    name: str
    faults: int
    scored: int
    """Faults of which any row was scored: the others neither count as found nor as missed."""
    found: int
    """Faults with an anomaly anywhere in their interval."""
    by_chance: float
    """So many of them would be so with false alarms alone."""
    rows: int
    flagged: int
    verdict: str


def judge(rows: Iterable[Scored], labels: Sequence[Label], window: int = 0) -> Verdict:
    """Compares predictions with labels.

    `window` in microseconds: rows are aggregates of readings over windows (start, end] so long, stamped with
    their ends; a row with a wrong reading in it ought to be flagged. 0: rows are readings.
    """
    seen = [Seen(label, len(wanted)) for label in labels for wanted in [_rows_of(label.times, window)]]
    by_sensor: defaultdict[str, list[Seen]] = defaultdict(list)
    for each in seen:
        by_sensor[each.label.sensor].append(each)
    verdict = Verdict(seen)
    for scored in rows:
        _add(verdict, scored, by_sensor.get(scored.sensor, []), window)
    return verdict


def _rows_of(times: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    return np.unique(-(-times // window) * window) if window else np.unique(times)


def _add(verdict: Verdict, scored: Scored, faults: Sequence[Seen], window: int) -> None:
    _, times, flagged = scored
    inside = np.zeros(len(times), np.bool_)
    for seen in faults:
        label = seen.label
        wrong = np.isin(times, _rows_of(label.times, window))
        end = -(-label.end // window) * window if window else label.end
        around = (times > label.start) & (times <= end)
        inside |= around | wrong
        seen.rows += int(np.count_nonzero(wrong))
        seen.flagged += int(np.count_nonzero(wrong & flagged))
        seen.around += int(np.count_nonzero(around))
        seen.hit = seen.hit or bool((around & flagged).any())
    verdict.sensors.add(scored.sensor)
    verdict.rows += len(times)
    verdict.flagged += int(np.count_nonzero(flagged))
    verdict.quiet += int(np.count_nonzero(~inside))
    verdict.false_in_quiet += int(np.count_nonzero(flagged & ~inside))
    begins = np.flatnonzero(np.diff(flagged.astype(np.int8), prepend=0) == 1)
    ends = np.flatnonzero(np.diff(flagged.astype(np.int8), append=0) == -1)
    before = np.concatenate(([0], np.cumsum(inside)))
    verdict.alarms += len(begins)
    verdict.true_alarms += int(np.count_nonzero(before[ends + 1] > before[begins]))


def kinds(verdict: Verdict) -> list[Kind]:
    """What became of each kind of fault, by name, and of all together where there are several."""
    by_kind: defaultdict[str, list[Seen]] = defaultdict(list)
    for seen in verdict.faults:
        by_kind[seen.label.kind].append(seen)
    found = [_kind(name, by_kind[name], verdict.false_share) for name in sorted(by_kind)]
    return [*found, _kind("all", verdict.faults, verdict.false_share)] if len(found) > 1 else found


def _kind(name: str, faults: Sequence[Seen], false_share: float) -> Kind:
    scored = [seen for seen in faults if seen.around]
    rows, flagged = sum(seen.rows for seen in faults), sum(seen.flagged for seen in faults)
    chance = sum(1 - (1 - false_share) ** seen.around for seen in scored)
    return Kind(
        name,
        len(faults),
        len(scored),
        sum(seen.hit for seen in scored),
        chance,
        rows,
        flagged,
        _word(rows, flagged, false_share),
    )


def _word(rows: int, flagged: int, false_share: float) -> str:
    """Found: most wrong rows are flagged. Partly: more than false alarms account for."""
    if not rows:
        return NOT_SCORED
    expected = rows * false_share
    if flagged <= expected + BEYOND_CHANCE * math.sqrt(expected * (1 - false_share)):
        return NOT_FOUND
    return FOUND if 2 * flagged > rows else PARTLY


def figures(verdict: Verdict) -> Mapping[str, float]:
    """Precision, recall and F1 by row, precision by alarm, recall by fault; NaN where there is none."""
    true = sum(seen.flagged for seen in verdict.faults)
    wrong = sum(seen.rows for seen in verdict.faults)
    scored = [seen for seen in verdict.faults if seen.around]
    precision, recall = _share(true, verdict.flagged), _share(true, wrong)
    return {
        "rowPrecision": precision,
        "rowRecall": recall,
        "rowF1": _share(2 * true, verdict.flagged + wrong),
        "alarmPrecision": _share(verdict.true_alarms, verdict.alarms),
        "faultRecall": _share(sum(seen.hit for seen in scored), len(scored)),
        "falseShare": _share(verdict.false_in_quiet, verdict.quiet),
    }


def _share(part: int, of: int) -> float:
    return part / of if of else math.nan
