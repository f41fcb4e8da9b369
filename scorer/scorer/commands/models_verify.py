"""What `scorer models verify` proves: that every version is what was registered, and can be used.

That a model equals scikit-learn was proved when it was registered, and what proved it is in its file; without
the estimator it cannot be proved again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scorer.commands.console import complain, say, table
from scorer.errors import InputError
from scorer.fit.catalogue import each, history, model, problems
from scorer.fit.parallel import Overlapped
from scorer.model import anomalies, scores
from scorer.readings import Reader
from scorer.sources import Found, Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorer.contract.work import ReadingsSource
    from scorer.model import Model
    from scorer.storage import Store
    from scorer.window import Window


def verify(store: Store, template: str, found: Mapping[str, list[str]]) -> int:
    """Reads every version of the sensors again, says what is wrong, and returns how many things are."""
    wrong = [
        problem
        for told in each(lambda sensor: list(problems(store, template, sensor, found[sensor])), found)
        for problem in told
    ]
    for problem in wrong:
        complain(f"scorer: {problem.message}")
    versions = sum(len(there) for there in found.values())
    how = f"{len(wrong)} wrong" if wrong else "all as they were registered"
    say(f"{_count(versions, 'version')} of {_count(len(found), 'sensor')} read again: {how}")
    return len(wrong)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def rescore(
    store: Store, template: str, found: Mapping[str, list[str]], window: Window, readings: ReadingsSource
) -> int:
    """Scores the window's readings with the versions in use and shows how many are flagged.

    Returns how many sensors could not be scored.
    """
    results = list(Overlapped(_Rescoring(store, template, window, readings)).run(list(found)))
    rows = [result.done for result in results if not result.failure]
    if rows:
        say(table(("SENSOR", "VERSION", "ROWS", "FLAGGED", "TRAINED"), rows))
    failures = [result.failure for result in results if result.failure]
    for failure in failures:
        complain(f"scorer: {failure.message}{failure.defect and chr(10)}{failure.defect}")
    return len(failures)


class _Rescoring:
    """A sensor's model in use over the window's readings, in the steps of `scorer.fit.parallel`."""

    def __init__(self, store: Store, template: str, window: Window, readings: ReadingsSource) -> None:
        self._store = store
        self._template = template
        self._sources = Sources(store, readings, window)
        self._reader = Reader(readings, window)

    def read(self, sensor: str) -> tuple[Model, Found]:
        """The model and the readings as stored."""
        current = history(self._store, self._template, sensor).in_use()
        if current is None:
            raise InputError(f"sensor {sensor}: no version is in use")
        used = model(self._store, self._template, sensor, current.version, current.sha256)
        return used, self._sources.find(sensor)

    def build(self, sensor: str, read: tuple[Model, Found]) -> tuple[object, ...]:
        """The sensor's line."""
        used, found = read
        rows = self._reader.read(found, sensor, used.features, accepts_missing=used.accepts_missing).values
        told = used.metadata.get("training")
        share = told.get("flagged") if isinstance(told, dict) else None
        trained = f"{share:.1%}" if isinstance(share, int | float) else ""
        flagged = ""
        if used.plugin:
            flagged = "by plugin"
        elif len(rows):
            flagged = f"{anomalies(used, scores(used, rows)).mean():.1%}"
        return sensor, used.version, len(rows), flagged, trained

    def write(self, sensor: str, line: tuple[object, ...]) -> tuple[object, ...]:
        """Nothing: the line is shown in its turn."""
        del sensor
        return line
