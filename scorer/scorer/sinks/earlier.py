"""What the store says of before: a sensor's earlier windows, and what a window's earlier runs have told."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from scorer.contract.outcome import SensorError
from scorer.contract.paths import day_folder
from scorer.outcomes import in_order
from scorer.outputs import Outputs
from scorer.storage import StorageError
from scorer.summary import summary_of

if TYPE_CHECKING:
    from scorer.contract.work import WorkOrder
    from scorer.fence import Claim
    from scorer.logs import Log
    from scorer.storage import Store
    from scorer.window import Window

_AGAIN = re.compile(r"(.+)-c([1-9][0-9]{0,8})", re.ASCII)
"""The name of a schedule's run for corrected readings: its window's own run, and which correction it is."""


class LateError(Exception):
    """There is no time to look."""


class Earlier:
    """Whether sensors had anomalies in windows before this one: as their predictions say now.

    Predictions of the same path, whichever run has made them. A window without one had none. Threads may ask
    at the same time; each window is looked up once, for all sensors that could be asked for.
    """

    def __init__(
        self,
        store: Store,
        order: WorkOrder,
        claim: Claim,
        sensors: Sequence[str],
        log: Log,
        late: Callable[[], bool] = lambda: False,
    ) -> None:
        self._store, self._order, self._claim, self._log = store, order, claim, log
        self._sensors, self._late = list(sensors), late
        self._lock = threading.Lock()
        self._found: dict[Window, frozenset[str]] = {}

    def had(self, sensor: str, span: Window) -> bool:
        """Whether it had some. Raises StorageError, and LateError when the time is over."""
        with self._lock:
            if span not in self._found:
                self._found[span] = self._look(span)
        return sensor in self._found[span]

    def _look(self, span: Window) -> frozenset[str]:
        outputs = Outputs(self._store, self._order.output, span, self._claim, self._sensors)

        def anomalous(sensor: str) -> bool:
            if self._late():
                return False
            try:
                prior = outputs.prior(sensor) if outputs.sharded else outputs.current(outputs.path(sensor))
            except SensorError as error:
                self._log.warning(f"window {span} taken for one without anomalies of {sensor}: {error}")
                return False
            summary = summary_of(prior.metadata) if prior else None
            return summary is not None and summary.anomalies > 0

        told = in_order(self._sensors, anomalous, lambda _: 0)
        found = frozenset(sensor for sensor, had in zip(self._sensors, told, strict=True) if had)
        if self._late():
            raise LateError
        return found


def _corrected(run: str) -> tuple[str, int] | None:
    """The run whose window this one scores again as its readings were corrected, and for which time."""
    named = _AGAIN.fullmatch(run)
    return (named[1], int(named[2])) if named else None


def told_before(
    store: Store, order: WorkOrder, told_by: Callable[[str], frozenset[str]], log: Log
) -> frozenset[str]:
    """Digests of what the window's runs before this correction have told the sink. Raises StorageError.

    Only a run of some sensors is one; which runs were before it, their names say. By their UIDs `told_by`
    says what they have told. What they have found is something else: the debounce has suppressed what earlier
    windows, as they were then, did not bear out.
    """
    about = _corrected(order.run.name) if order.part else None
    if about is None:
        return frozenset()
    first, number = about
    digests: set[str] = set()
    for entry in store.list(day_folder("anomalies", order.window)):
        name = entry.path.rpartition("/")[2].removesuffix(".parquet")
        other = _corrected(name)
        if name != first and not (other and other[0] == first and other[1] < number):
            continue
        try:
            if uid := store.head(entry.path).metadata.get("run", ""):
                digests |= told_by(uid)
        except StorageError as error:
            log.warning(f"{entry.path} is passed over: {error}"[:500])
    return frozenset(digests)
