"""Messages of a partition to columns of events; what cannot be used is said with its reason, never raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scorer.ingest.bodies import Wrong, one_record, plain, records_of, said, shortened, unzipped
from scorer.ingest.sensors import MISSING, OTHER_STREAM, TOO_MANY, UNUSABLE, Sensors
from scorer.ingest.settings import (
    CSV,
    ISO,
    JSON,
    MICROSECONDS,
    MILLISECONDS,
    SECONDS,
    Fields,
    Settings,
    sensor_fields,
)
from scorer.readings.cells import csv_numbers, json_numbers
from scorer.readings.times import Times, parse_times, read_times

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Rows = Sequence[dict[str, Any]]

MOST_BYTES = 1024 * 1024
MOST_RECORDS = 10_000
"""Of bodies with several events, inflated, that are decoded together; or one message, however large."""
ROOT = "$."
"""Begins a field of the whole message."""
_PER_SECOND = {SECONDS: 1_000_000, MILLISECONDS: 1_000, MICROSECONDS: 1}
_FURTHEST = 250_000_000_000_000_000
"""Microseconds from 1970: the calendar's last year and a little less."""
_OF_SENSOR = {
    MISSING: "MissingSensor",
    UNUSABLE: "UnusableSensorName",
    TOO_MANY: "TooManySensors",
    OTHER_STREAM: "SensorOfAnotherSubstream",
}


class Message(NamedTuple):
    """What a hub gives: one message, which has one event or many."""

    sequence: int
    offset: str
    enqueued: int
    """When the hub got it: microseconds since 1970, UTC."""
    body: bytes
    about: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
    """The hub's properties of it and the sender's, where raw events are kept."""


class Letter(NamedTuple):
    """An event that cannot be used, for the dead-letter path."""

    message: int
    """Its message's place in the batch."""
    place: int
    """Its own in the message; −1 for all of the message."""
    reason: str
    said: str


class Events(NamedTuple):
    """Messages that follow each other in a partition, and the events in them, by column."""

    sequences: NDArray[np.int64]
    """Of the messages, as are the two that follow."""
    enqueued: NDArray[np.int64]
    offsets: Sequence[str]
    messages: NDArray[np.int32]
    """Each event's message, by place; ascending. All that follows is of the events that can be used."""
    times: NDArray[np.int64]
    """Event times, microseconds since 1970, UTC; anything where the arrival's time counts."""
    sensors: NDArray[np.int32]
    values: NDArray[np.float64]
    """(events, values); NaN where an event has some of its values only."""
    letters: Sequence[Letter]


def sensors_for(settings: Settings) -> Sensors:
    """Sensors as these settings name them: none yet."""
    fields, literals = sensor_fields(settings.mapping.sensor)
    return Sensors(literals, [fields.index(field) for field in settings.mapping.over], settings.max_sensors)


class _Rows(NamedTuple):
    """The records of messages, one after the other."""

    rows: list[dict[str, Any]]
    roots: list[dict[str, Any]]
    """Of each the whole message, where records are an array within it; else none."""
    messages: list[int]
    places: list[int]
    letters: list[Letter]
    read: int
    """How many messages these are of."""


def decode(messages: Sequence[Message], mapping: Fields, sensors: Sensors, bounded: bool = False) -> Events:
    """The events of messages in their order; sensors that are new are added to `sensors`.

    `bounded`: of no more messages than memory is meant for, perhaps fewer than are given; of one at least.
    """
    found = _rows(messages, mapping, bounded)
    messages = messages[: found.read]
    times, sensor, values, wrong = _columns(found.rows, found.roots, mapping, sensors)
    messages_of, letters = np.array(found.messages, np.int32), found.letters
    if wrong:
        letters.extend(Letter(found.messages[row], found.places[row], *why) for row, *why in wrong)
        letters.sort(key=lambda letter: (letter.message, letter.place))
        good = np.ones(len(found.rows), np.bool_)
        good[[each.place for each in wrong]] = False
        messages_of, times, sensor, values = messages_of[good], times[good], sensor[good], values[good]
    return Events(
        np.array([message.sequence for message in messages], np.int64),
        np.array([message.enqueued for message in messages], np.int64),
        [message.offset for message in messages],
        messages_of,
        times,
        sensor,
        values,
        letters,
    )


def _rows(messages: Sequence[Message], mapping: Fields, bounded: bool) -> _Rows:
    rows: list[dict[str, Any]] = []
    roots: list[dict[str, Any]] = []
    of: list[int] = []
    places: list[int] = []
    letters: list[Letter] = []
    read, size, records = len(messages), 0, 0
    plain_json = mapping.form == JSON and not mapping.records
    for place, message in enumerate(messages):
        if plain_json and (record := one_record(message.body)) is not None:
            rows.append(record)
            of.append(place)
            places.append(0)
            continue
        data = unzipped(message.body)
        if isinstance(data, Wrong):
            letters.append(Letter(place, *data))
            continue
        body = records_of(data, mapping)
        rows.extend(body.records)
        of.extend([place] * len(body.records))
        places.extend(body.places)
        if body.root is not None:
            roots.extend([body.root] * len(body.records))
        letters.extend(Letter(place, *wrong) for wrong in body.wrong)
        size += len(data)
        records += len(body.records) + len(body.wrong)
        if bounded and (size > MOST_BYTES or records > MOST_RECORDS):
            read = place + 1
            break
    return _Rows(rows, roots, of, places, letters, read)


class _Read(NamedTuple):
    """A column, and which of its rows cannot be used, each once."""

    column: NDArray[Any]
    wrong: Sequence[Wrong] = ()


def _columns(
    rows: Rows, roots: Rows, mapping: Fields, sensors: Sensors
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], list[Wrong]]:
    """Times, sensors and values of all rows; and of each that cannot be used the first reason."""

    def cells(field: str) -> list[Any]:
        if not field.startswith(ROOT):
            return _cells(rows, field)
        field = field.removeprefix(ROOT)
        return _cells_of_roots(roots, field) if roots else _cells(rows, field)

    times = _times(cells(mapping.time), mapping) if mapping.time else _Read(np.zeros(len(rows), np.int64))
    values = _values([cells(field) for field in mapping.values], mapping)
    scaled = _converted(values, cells(mapping.unit.field), mapping) if mapping.unit else values
    wrong: dict[int, Wrong] = {}
    for found in (*times.wrong, *scaled.wrong):
        wrong.setdefault(found.place, found)
    fields = sensor_fields(mapping.sensor)[0]
    named = [cells(field) for field in fields]
    if wrong:  # what is wrong otherwise brings no sensor into being
        named = [[None if row in wrong else cell for row, cell in enumerate(column)] for column in named]
    sensor = sensors.places(named)
    for row in np.flatnonzero(sensor < 0).tolist():
        if row not in wrong:
            shown = ", ".join(
                f"{field} {said(column[row])}" for field, column in zip(fields, named, strict=True)
            )
            wrong[row] = Wrong(row, _OF_SENSOR[int(sensor[row])], plain(shown))
    return times.column, sensor, scaled.column, list(wrong.values())


def _cells(rows: Rows, field: str) -> list[Any]:
    if "." not in field:
        try:
            return list(map(itemgetter(field), rows))
        except KeyError:  # not in every row
            return [row.get(field) for row in rows]
    *path, last = field.split(".")
    return [_inside(row, path).get(last) for row in rows]


def _cells_of_roots(roots: Rows, field: str) -> list[Any]:
    """Of each row that of its whole message, which many rows share: it must be short."""
    found: list[Any] = []
    for _, shared in groupby(roots, id):
        rows = list(shared)
        found.extend([shortened(*_cells(rows[:1], field))] * len(rows))
    return found


def _inside(row: Any, path: Sequence[str]) -> dict[str, Any]:
    for name in path:
        row = row.get(name)
        if not isinstance(row, dict):
            return {}
    found: dict[str, Any] = row
    return found


def _times(cells: list[Any], mapping: Fields) -> _Read:
    if mapping.time_form != ISO:
        return _counted_times(cells, mapping)
    found = _read_times(cells)
    if found.good.all():
        return _Read(found.times)
    return _Read(found.times, _not_times(cells, ~found.good, mapping, "RFC 3339, like 2026-01-01T12:00:00Z"))


def _read_times(cells: list[Any]) -> Times:
    if set(map(type, cells)) == {str}:
        text = "".join(cells)
        if text.isascii():
            lengths = np.fromiter(map(len, cells), np.int64, len(cells))
            return parse_times(np.frombuffer(text.encode(), np.uint8), np.cumsum(lengths) - lengths, lengths)
    return read_times([cell if isinstance(cell, str) else None for cell in cells])


def _counted_times(cells: list[Any], mapping: Fields) -> _Read:
    """Times that are numbers since 1970; fractions are rounded up to microseconds."""
    numbers = _numbers(cells, mapping)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.ceil(numbers.values * _PER_SECOND[mapping.time_form])
        bad = ~(np.abs(scaled) < _FURTHEST)
    if numbers.wrong is not None:
        bad |= numbers.wrong
    times = np.where(bad, 0, scaled).astype(np.int64)
    return _Read(
        times, _not_times(cells, bad, mapping, f"{mapping.time_form} since 1970") if bad.any() else ()
    )


def _not_times(cells: list[Any], bad: NDArray[np.bool_], mapping: Fields, wanted: str) -> list[Wrong]:
    return [
        Wrong(row, "MissingTime", f"{mapping.time!r} is not there")
        if cells[row] is None or cells[row] == ""
        else Wrong(row, "NotATime", f"{mapping.time!r} is {said(cells[row])}: wanted {wanted}")
        for row in np.flatnonzero(bad).tolist()
    ]


def _numbers(cells: list[Any], mapping: Fields) -> Any:
    if mapping.form == CSV:  # a column that is not there is an empty one
        return csv_numbers(["" if cell is None else cell for cell in cells])
    return json_numbers(cells)


def _values(columns: Sequence[list[Any]], mapping: Fields) -> _Read:
    """(rows, values): each row has one number at least, and nothing that is none."""
    found = [_numbers(cells, mapping) for cells in columns]
    values = np.stack([column.values for column in found], axis=1)
    wrong: list[Wrong] = []
    for field, column, cells in zip(mapping.values, found, columns, strict=True):
        no_number: Callable[[int], str] = lambda row, field=field, cells=cells: (  # type: ignore[misc]  # noqa: E731
            f"{field!r} is {said(cells[row])}: wanted a number"
        )
        if column.wrong is not None:
            wrong += [
                Wrong(row, "NotANumber", no_number(row)) for row in np.flatnonzero(column.wrong).tolist()
            ]
        odd = np.flatnonzero(~np.isfinite(column.values)).tolist()
        wrong += [Wrong(row, "NotFinite", no_number(row)) for row in odd if not _is_missing(cells[row])]
    empty = np.flatnonzero(np.isnan(values).all(axis=1)).tolist()
    wrong += [Wrong(row, "MissingValue", f"{', '.join(mapping.values)} is not there") for row in empty]
    return _Read(values, wrong)


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in ("", "null"))


def _converted(values: _Read, units: list[Any], mapping: Fields) -> _Read:
    """The values in the unit that is wanted."""
    assert mapping.unit is not None  # noqa: S101 (for the type checker)
    known = mapping.unit.conversions
    hows = [known.get(unit) if isinstance(unit, str) else None for unit in units]
    wrong = [
        Wrong(row, "UnknownUnit", f"{mapping.unit.field!r} is {said(units[row])}: wanted {', '.join(known)}")
        for row, how in enumerate(hows)
        if how is None
    ]
    factors = np.array([how or (1.0, 0.0) for how in hows], np.float64).reshape(-1, 2)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values.column * factors[:, :1] + factors[:, 1:]
    beyond = np.flatnonzero((np.isinf(scaled) & np.isfinite(values.column)).any(axis=1)).tolist()
    wrong += [Wrong(row, "NotFinite", "it is no number any more when it is converted") for row in beyond]
    return _Read(scaled, [*values.wrong, *wrong])
