"""What the store says of before: a sensor's earlier windows, and what an hour's earlier runs have found."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from scorer.columns import numbers
from scorer.contract.outcome import SensorError
from scorer.contract.paths import day_folder
from scorer.outcomes import in_order
from scorer.outputs import Outputs
from scorer.parquet import open_parquet, row_groups
from scorer.sinks.event import Found, result_digest, time_text
from scorer.storage import StorageError
from scorer.summary import summary_of

if TYPE_CHECKING:
    from scorer.contract.work import WorkOrder
    from scorer.fence import Claim
    from scorer.logs import Log
    from scorer.storage import Store
    from scorer.window import Window

MAX_BYTES = 256 * 1024 * 1024
"""Of a file of anomalies."""
_AGAIN = re.compile(r"(.+)-c([1-9][0-9]{0,8})", re.ASCII)
"""The name of a schedule's run for corrected readings: its window's own run, and which correction it is."""
_COLUMNS = (
    *("sensor", "anomalies", "first_anomaly", "last_anomaly", "extreme_score", "threshold"),
    "model_version",
)


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


def found_before(
    store: Store, order: WorkOrder, delivered: Callable[[str], bool], log: Log
) -> frozenset[str]:
    """Digests of what the window's runs before this correction have told the sink. Raises StorageError.

    Only a run of some sensors is one; which runs were before it, their names say. Of those only that, by
    their UID, have `delivered` all that it was to hear: of others nobody says which sensors it has not heard
    of, and what is sent again has the same id.
    """
    about = _corrected(order.run.name) if order.part else None
    if about is None:
        return frozenset()
    span = order.window
    first, number = about
    digests: set[str] = set()
    for entry in store.list(day_folder("anomalies", span)):
        name = entry.path.rpartition("/")[2].removesuffix(".parquet")
        other = _corrected(name)
        if name != first and not (other and other[0] == first and other[1] < number):
            continue
        try:
            if delivered(store.head(entry.path).metadata.get("run", "")):
                digests.update(result_digest(found, span) for found in read_anomalies(store, entry.path))
        except (pa.ArrowException, OSError, ValueError, LookupError, StorageError) as error:
            log.warning(f"{entry.path} is passed over: {error}"[:500])
    return frozenset(digests)


def read_anomalies(store: Store, path: str) -> list[Found]:
    """A published file of anomalies. Raises StorageError, and what Arrow raises for what is none."""
    reader = open_parquet(store.get(path, MAX_BYTES).data)
    found: list[Found] = []
    for table in row_groups(reader, _COLUMNS):
        sensors, models = table.column("sensor").to_pylist(), table.column("model_version").to_pylist()
        whole = [_values(table, name) for name in _COLUMNS[1:-1]]
        for sensor, model, count, first, last, score, threshold in zip(sensors, models, *whole, strict=True):
            found.append(
                Found(sensor, int(count), time_text(first), time_text(last), score, threshold, model, "")
            )
    return found


def _values(table: pa.Table, name: str) -> list[float | int | None]:
    values, null = numbers(table.column(name))
    return [None if missing else value.item() for value, missing in zip(values, null, strict=True)]
