"""A schedule's `rescore`: hours whose readings were corrected after they were scored are scored again.

Ingest leaves the list of the sensors that it has corrected in an hour in the hour's own folder, and how often
it has in that object's metadata. So this is of hours that lie in folders of their own, and of windows that
are these hours: any other window would need the lists of several, or of a part of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scoring_operator.contract import ContractError, Json, check_template, default_marker
from scoring_operator.schedule.windows import Grid
from scoring_operator.sections import Section, SettingsError

LIST = "_corrected.csv"  # ingest's name for it; beside the hour's `_SUCCESS`
READINGS = "readings/{yyyy}/{MM}/{dd}/{HH}/{sensor}.parquet"  # a ScoringRun's own default
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
MAX_HORIZON = 31 * 86_400  # seconds; each hour of it is asked for at each look, and may stand in the mark
_TOKENS = ("{yyyy}", "{MM}", "{dd}", "{HH}")


@dataclass(frozen=True, slots=True)
class Rescore:
    """How far back corrections are looked for, how many runs they may make, and where they are listed."""

    horizon: timedelta  # since an hour's end
    max_per_hour: int  # runs in an hour of the clock; what is more waits for the next
    path: str  # of an hour's list, a template

    def list_path(self, end: datetime) -> str:
        """Where the list of the hour that ends then is."""
        start = end - HOUR
        return (
            self.path.replace("{yyyy}", f"{start:%Y}")
            .replace("{MM}", f"{start:%m}")
            .replace("{dd}", f"{start:%d}")
            .replace("{HH}", f"{start:%H}")
        )


def rescore_of(section: Section, run: Json, grid: Grid) -> Rescore | None:
    """A schedule's `rescore`; None where it is not there. Raises `SettingsError`."""
    if not section.data:
        return None
    horizon = section.number("horizonSeconds", 86_400, 3600, MAX_HORIZON)
    found = Rescore(timedelta(seconds=horizon), section.number("maxPerHour", 6, 1, 1000), _path(section, run))
    section.end()
    if grid.length != HOUR or grid.offset % HOUR:
        raise SettingsError(
            f"{section.path} is of hours: found windows of {grid.length // SECOND} seconds, moved by "
            f"{grid.offset // SECOND}; wanted windowSeconds 3600, and offsetSeconds of whole hours. For "
            "other windows make runs of your own"
        )
    sensors = run["sensors"]
    if not sensors.keys() & {"table", "discover"} or "only" in sensors:
        raise SettingsError(
            f"{section.path} wants run.sensors by table or discover, and without only; found "
            f"{', '.join(sorted(map(str, sensors)))}: of these the corrected ones are scored again"
        )
    return found


def _path(section: Section, run: Json) -> str:
    """Where the lists are, by where the readings are."""
    readings = run.get("readings", {})
    if not isinstance(readings, dict) or readings.get("layout", "hourly") != "hourly":
        found = readings.get("layout") if isinstance(readings, dict) else readings
        raise SettingsError(
            f"{section.path} is of readings that ingest lands and corrects: found run.readings.layout "
            f"{found!r}; wanted hourly"
        )
    path = readings.get("path", READINGS)
    try:
        check_template("readings", path)
    except (ContractError, TypeError) as error:
        raise SettingsError(f"{section.path}: run.{error}") from None
    folder = default_marker(path).rpartition("/")[0]
    if missing := [token for token in _TOKENS if token not in folder]:
        raise SettingsError(
            f"{section.path} wants a folder for each hour: run.readings.path {path!r} has no "
            f"{' '.join(missing)} in its folders, before any of a sensor's own"
        )
    return f"{folder}/{LIST}"
