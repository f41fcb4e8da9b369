"""How readings land: format, layout and paths; and an hour's readings as the files of it.

`Sharded` files hold many sensors each, in order of sensor and time, cut between sensors, in row groups of
whole sensors: readers find theirs by the row groups' statistics. `PerSensor` has a file for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from scorer.contract.paths import (
    DATE_TOKENS,
    SENSOR_TOKEN,
    SHARD_TOKEN,
    TemplateError,
    check_output_path,
    is_of_one_window,
)
from scorer.ingest.checks import SettingsError
from scorer.ingest.merge import Readings
from scorer.ingest.places import dated

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARQUET, CSV, JSON_LINES = "Parquet", "CSV", "JSONLines"
PER_SENSOR, SHARDED, AUTO = "PerSensor", "Sharded", "Auto"
FORMATS = (PARQUET, CSV, JSON_LINES)
LAYOUTS = (AUTO, PER_SENSOR, SHARDED)
MOST_FILES = 1_000
"""Sensors of the first hour above which `Auto` is shards."""
SHARD_ROWS = 2_000_000
"""Rows of a shard: some 20 MB of Parquet."""
FOLDER = "readings/{yyyy}/{MM}/{dd}/{HH}"
_SUFFIX = {PARQUET: "parquet", CSV: "csv", JSON_LINES: "jsonl"}


class Landing(NamedTuple):
    """Where and how readings land."""

    form: str = PARQUET
    layout: str = AUTO
    path: str = ""
    """A template; empty for the usual one of format and layout."""
    shard_rows: int = SHARD_ROWS
    folder: str = FOLDER
    """A template of the hour's folder, where there is no path."""

    def template(self, layout: str) -> str:
        """The path of a layout's files."""
        if self.path:
            return self.path
        return f"{self.folder}/{'part-{shard}' if layout == SHARDED else '{sensor}'}.{_SUFFIX[self.form]}"


class Written(NamedTuple):
    """A file of an hour."""

    path: str
    data: bytes
    rows: int
    names: Sequence[str]
    """Its sensors, in order."""


def checked(landing: Landing) -> Landing:
    """The same, with a layout that its path allows. Raises SettingsError."""
    if not landing.path:
        return landing
    sharded = SHARD_TOKEN in landing.path
    try:
        check_output_path(landing.path, sharded=sharded)
    except TemplateError as error:
        raise SettingsError(f"landing.path: {error}") from error
    layout = SHARDED if sharded else PER_SENSOR
    if landing.layout not in (AUTO, layout):
        raise SettingsError(f"landing.path {landing.path!r} is of layout {layout}, not {landing.layout}")
    folder, _, name = landing.path.rpartition("/")
    if any(token not in folder for token in DATE_TOKENS) or SHARD_TOKEN in folder:
        raise SettingsError(
            f"landing.path is {landing.path!r}: wanted {' '.join(DATE_TOKENS)} in its folder, and "
            f"{SHARD_TOKEN}, if it is of shards, in the file's name only"
        )
    if any(token in name for token in DATE_TOKENS):
        raise SettingsError(f"landing.path is {landing.path!r}: wanted the date in its folder only")
    if not is_of_one_window(landing.path):
        raise SettingsError(
            f"landing.path is {landing.path!r}: wanted {SENSOR_TOKEN} after the date, as _SUCCESS stands in "
            "the hour's folder"
        )
    if not name.endswith(f".{_SUFFIX[landing.form]}"):
        raise SettingsError(f"landing.path is {landing.path!r}: wanted .{_SUFFIX[landing.form]} at its end")
    return landing._replace(layout=layout)


def in_folder(landing: Landing, folder: str) -> Landing:
    """The same in the hour's folder of this template, or in one for each sensor. Raises SettingsError."""
    suffix = _SUFFIX[landing.form]
    if SENSOR_TOKEN in folder:
        return checked(landing._replace(path=f"{folder}/readings.{suffix}"))
    checked(Landing(landing.form, path=f"{folder}/part-{SHARD_TOKEN}.{suffix}"))
    return landing._replace(folder=folder)


def names_files(path: str) -> bool:
    """Whether a path is one of files, of whatever format, by its end."""
    return path.endswith(tuple(f".{suffix}" for suffix in _SUFFIX.values()))


def layout_for(landing: Landing, sensors: int) -> str:
    """The layout, where it goes by how many sensors there are."""
    if landing.layout != AUTO:
        return landing.layout
    return SHARDED if sensors > MOST_FILES else PER_SENSOR


def files(readings: Readings, landing: Landing, layout: str, hour: int, shard: int = 0) -> Iterator[Written]:
    """The files of an hour's readings, or of a stretch of sensors, which is a shard: a function of these."""
    template = landing.template(layout)
    edges = np.flatnonzero(np.diff(readings.sensors, prepend=-1, append=-1)).tolist()
    for start, end in pairwise(edges if layout == PER_SENSOR else edges[:1] + edges[-1:]):
        first, last = int(readings.sensors[start]), int(readings.sensors[end - 1])
        names = readings.names[first : last + 1]
        rows = _Rows(
            readings.names if layout == SHARDED else None,
            readings.sensors[start:end],
            readings.times[start:end],
            {name: values[start:end] for name, values in readings.columns.items()},
        )
        yield Written(dated(template, hour, shard, names[0]), _BYTES[landing.form](rows), end - start, names)


class _Rows(NamedTuple):
    """Rows of a file."""

    names: Sequence[str] | None
    """Of all sensors; None where the file is of one."""
    sensors: NDArray[np.int64]
    times: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]


def _parquet(rows: _Rows) -> bytes:
    # Here: 26 MiB of Arrow's libraries, which only the replica that lands needs.
    from scorer.ingest.landed_parquet import parquet

    return parquet(rows.names, rows.sensors, rows.times, rows.columns)


def _texts(times: NDArray[np.int64]) -> list[str]:
    texts: list[str] = np.datetime_as_string(times.view("datetime64[us]"), unit="us").tolist()
    return [f"{text}Z" for text in texts]


def _csv(rows: _Rows) -> bytes:
    columns = [_texts(rows.times), *(_cells(values) for values in rows.columns.values())]
    header = ["time", *rows.columns]
    if rows.names is not None:
        columns.insert(0, [rows.names[place] for place in rows.sensors.tolist()])
        header.insert(0, "sensor")
    lines = [",".join(header), *map(",".join, zip(*columns, strict=True))]
    return ("\n".join(lines) + "\n").encode()


def _cells(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind != "f":
        return list(map(str, values.tolist()))
    return ["" if value != value else repr(value) for value in values.tolist()]


def _json_lines(rows: _Rows) -> bytes:
    names = ["time", *rows.columns]
    columns: list[list[Any]] = [_texts(rows.times), *(values.tolist() for values in rows.columns.values())]
    if rows.names is not None:
        names.insert(0, "sensor")
        columns.insert(0, [rows.names[place] for place in rows.sensors.tolist()])
    records = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return b"".join(orjson.dumps(record) + b"\n" for record in records)  # NaN becomes null


_BYTES = {PARQUET: _parquet, CSV: _csv, JSON_LINES: _json_lines}
