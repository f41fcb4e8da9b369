"""How events are read, ordered and put into windows: names and defaults are those of Stream Analytics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from scorer.ingest.checks import (
    UNITS,
    SettingsError,
    choice_of,
    duration,
    known,
    number_of,
    object_of,
    text_of,
    whole,
)

ADJUST, DROP, CORRECT = "Adjust", "Drop", "Correct"
"""What becomes of an event that comes too late, or too much out of order."""
ARRIVAL, EVENT = "Arrival", "Event"
"""Whose time counts: the hub's when it got the event, or the one within the event (`TIMESTAMP BY`)."""
ISO, SECONDS, MILLISECONDS, MICROSECONDS = "ISO8601", "Seconds", "Milliseconds", "Microseconds"
"""How a time stands in an event: as text, or as a number since 1970."""
JSON, CSV = "JSON", "CSV"

AVG, MIN, MAX, SUM, COUNT, STDDEV, FIRST, LAST = (
    "avg",
    "min",
    "max",
    "sum",
    "count",
    "stddev",
    "first",
    "last",
)
FUNCTIONS = (AVG, MIN, MAX, SUM, COUNT, STDDEV, FIRST, LAST)

_POLICIES = (ADJUST, DROP, CORRECT)
_DAY = UNITS["d"]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)

MAX_WINDOW = 7 * _DAY
MAX_LATE = 21 * _DAY - UNITS["s"]
MAX_OUT_OF_ORDER = 10 * UNITS["m"] - UNITS["s"]
"""Microseconds, as in Stream Analytics."""
MAX_SENSORS = 1_000_000
MAX_HORIZON = 21 * _DAY
"""Microseconds: so long parts of hours that have landed are kept at most."""


class Windows(NamedTuple):
    """Tumbling windows (start, end], aligned to zero hour. Microseconds."""

    size: int
    offset: int = 0
    """Moves all windows; -1 ms makes them [start, end) for times in whole milliseconds."""


class Ordering(NamedTuple):
    """Whose time counts, and how far it may be from the order of arrival. Microseconds."""

    by: str = EVENT
    late: int = 5 * UNITS["s"]
    """An event whose time is further than this before its arrival is late."""
    on_late: str = ADJUST
    out_of_order: int = 0
    """How far the watermark stays behind the latest event time."""
    on_out_of_order: str = ADJUST
    early: int | None = 5 * UNITS["m"]
    """An event whose time is further than this after its arrival is dropped. None: never."""
    idle_after: int | None = None
    """A stream that is silent for so long holds the watermark back by no more than this. None: by `late`."""

    @property
    def silence(self) -> int:
        """How far the watermark of a silent stream stays behind the arrival clock."""
        return self.late if self.idle_after is None else min(self.late, self.idle_after)


class Corrections(NamedTuple):
    """Of hours that have landed. Microseconds."""

    horizon: int = _DAY
    """An event whose time is further than this before the arrival clock corrects nothing."""
    every: int = 10 * UNITS["m"]
    """Hours are corrected no more often."""


class Column(NamedTuple):
    """A column of the readings: an aggregate of one of an event's values."""

    name: str
    function: str
    value: int
    """Which of the mapping's values."""


class Unit(NamedTuple):
    """The field that says in which unit an event's values are, and how each is converted: (factor, added)."""

    field: str
    conversions: Mapping[str, tuple[float, float]]


class Fields(NamedTuple):
    """Where an event has what is wanted of it.

    A field is a name, a path of names (`payload.value`), or one of the whole message (`$.deviceId`) where the
    events are an array within it (`records`).
    """

    sensor: str
    """A field, or a template of fields like `device-{Device}-tag-{Tag}`."""
    values: tuple[str, ...]
    time: str = ""
    time_form: str = ISO
    over: tuple[str, ...] = ()
    """Fields that name a substream: each has a watermark of its own (`TIMESTAMP BY … OVER`)."""
    records: str = ""
    """The array of events in a message; empty if the message is an event, or an array of them."""
    unit: Unit | None = None
    form: str = JSON
    delimiter: str = ","


class Settings(NamedTuple):
    """All that the pure part of ingest is told."""

    mapping: Fields
    windows: Windows
    columns: tuple[Column, ...]
    ordering: Ordering = Ordering()
    max_sensors: int = MAX_SENSORS
    corrections: Corrections | None = None
    """None: hours that have landed stay as they are."""


def settings(given: Mapping[str, Any]) -> Settings:
    """Settings from their JSON or YAML form. Raises SettingsError naming the field that is wrong."""
    known(given, "", ("mapping", "window", "columns"), ("ordering", "maxSensors", "corrections"))
    mapping, values = _mapping(object_of(given["mapping"], "mapping"))
    ordering = _ordering(object_of(given.get("ordering", {}), "ordering"))
    if ordering.by == EVENT and not mapping.time:
        raise SettingsError(
            "mapping.time is missing: wanted the field of an event's time, or ordering.by: Arrival"
        )
    if ordering.by == ARRIVAL and mapping.over:
        raise SettingsError("mapping.over is given: substreams are for ordering.by: Event")
    limit = whole(given.get("maxSensors", MAX_SENSORS), "maxSensors", 1, MAX_SENSORS)
    window = _window(object_of(given["window"], "window"))
    corrections = _corrections(given.get("corrections"))
    if corrections is None and CORRECT in (ordering.on_late, ordering.on_out_of_order):
        raise SettingsError(
            f"corrections is missing: wanted how far back, like {{horizon: 24h}}, for policy {CORRECT}"
        )
    columns = _columns(object_of(given["columns"], "columns"), values)
    return Settings(mapping, window, columns, ordering, limit, corrections)


def _corrections(given: Any) -> Corrections | None:
    if given is None:
        return None
    given, usual = object_of(given, "corrections"), Corrections()
    known(given, "corrections.", (), Corrections._fields)
    return Corrections(
        duration(given["horizon"], "corrections.horizon", UNITS["m"], MAX_HORIZON)
        if "horizon" in given
        else usual.horizon,
        duration(given["every"], "corrections.every", UNITS["s"] // 100, _DAY)
        if "every" in given
        else usual.every,
    )


def _window(given: Mapping[str, Any]) -> Windows:
    known(given, "window.", ("size",), ("offset",))
    size = duration(given["size"], "window.size", 1, MAX_WINDOW)
    return Windows(size, duration(given.get("offset", "0s"), "window.offset", 1 - size, size - 1))


def _ordering(given: Mapping[str, Any]) -> Ordering:
    usual = Ordering()
    known(
        given,
        "ordering.",
        (),
        ("by", "lateArrival", "onLateArrival", "outOfOrder", "onOutOfOrder", "earlyArrival", "idleAfter"),
    )

    def length(key: str, default: int | None, most: int, least: int = 0) -> int | None:
        if key not in given:
            return default
        return None if given[key] is None else duration(given[key], f"ordering.{key}", least, most)

    early = length("earlyArrival", usual.early, MAX_LATE)
    late = length("lateArrival", usual.late, MAX_LATE)
    out_of_order = length("outOfOrder", usual.out_of_order, MAX_OUT_OF_ORDER)
    if late is None or out_of_order is None:
        raise SettingsError("ordering.lateArrival and outOfOrder are durations: wanted one like 5s")
    return Ordering(
        choice_of(given.get("by", usual.by), "ordering.by", (EVENT, ARRIVAL)),
        late,
        choice_of(given.get("onLateArrival", usual.on_late), "ordering.onLateArrival", _POLICIES),
        out_of_order,
        choice_of(given.get("onOutOfOrder", usual.on_out_of_order), "ordering.onOutOfOrder", _POLICIES),
        early,
        length("idleAfter", usual.idle_after, MAX_LATE, 1),
    )


def _mapping(given: Mapping[str, Any]) -> tuple[Fields, dict[str, int]]:
    """The mapping, and the place of each value by its name."""
    known(
        given,
        "mapping.",
        ("sensor", "values"),
        ("time", "timeForm", "over", "records", "unit", "format", "delimiter"),
    )
    values = given["values"]
    if isinstance(values, str):
        values = {"value": values}
    values = object_of(values, "mapping.values")
    if not values:
        raise SettingsError("mapping.values is empty: wanted at least one field of a number")
    over = given.get("over", [])
    if not isinstance(over, list):
        raise SettingsError(f"mapping.over is {over!r}: wanted a list of fields")
    delimiter = given.get("delimiter", ",")
    forms = (ISO, SECONDS, MILLISECONDS, MICROSECONDS)
    mapping = Fields(
        text_of(given["sensor"], "mapping.sensor"),
        tuple(text_of(field, f"mapping.values.{name}") for name, field in values.items()),
        text_of(given["time"], "mapping.time") if "time" in given else "",
        choice_of(given.get("timeForm", ISO), "mapping.timeForm", forms),
        tuple(text_of(field, "mapping.over") for field in over),
        text_of(given["records"], "mapping.records") if "records" in given else "",
        _unit(object_of(given["unit"], "mapping.unit")) if "unit" in given else None,
        choice_of(given.get("format", JSON), "mapping.format", (JSON, CSV)),
        choice_of(delimiter, "mapping.delimiter", (",", ";", "\t", "|", " ")),
    )
    _check_sensor(mapping)
    return mapping, {name: place for place, name in enumerate(values)}


def _check_sensor(mapping: Fields) -> None:
    fields = sensor_fields(mapping.sensor)[0]
    for field in mapping.over:
        if field not in fields:
            raise SettingsError(
                f"mapping.over names {field!r}, which is no part of mapping.sensor {mapping.sensor!r}: "
                "wanted each sensor in one substream"
            )


def sensor_fields(text: str) -> tuple[list[str], list[str]]:
    """A sensor's fields, and the literals around them, one more. Raises SettingsError."""
    if "{" not in text and "}" not in text:
        return [text], ["", ""]
    pieces = re.split(r"\{([^{}]+)\}", text)
    if any(brace in literal for literal in pieces[::2] for brace in "{}"):
        raise SettingsError(
            f"mapping.sensor is {text!r}: wanted a field, or one like device-{{Device}}-tag-{{Tag}}"
        )
    return pieces[1::2], pieces[::2]


def _unit(given: Mapping[str, Any]) -> Unit:
    known(given, "mapping.unit.", ("field", "conversions"), ())
    conversions: dict[str, tuple[float, float]] = {}
    for unit, told in object_of(given["conversions"], "mapping.unit.conversions").items():
        field = f"mapping.unit.conversions.{unit}"
        how = object_of(told, field)
        known(how, f"{field}.", (), ("factor", "add"))
        conversions[unit] = (
            number_of(how.get("factor", 1.0), f"{field}.factor"),
            number_of(how.get("add", 0.0), f"{field}.add"),
        )
    return Unit(text_of(given["field"], "mapping.unit.field"), conversions)


def _columns(given: Mapping[str, Any], values: Mapping[str, int]) -> tuple[Column, ...]:
    """Columns from `{name: avg}` or `{name: avg(value)}`."""
    if not given:
        raise SettingsError("columns is empty: wanted at least one like value: avg")
    columns = []
    for name, text in given.items():
        if not _NAME.fullmatch(name) or name == "time":
            raise SettingsError(f"columns.{name} cannot be a column of readings: wanted a name like value")
        found = re.fullmatch(r"([a-z]+)(?:\((.+)\))?", text_of(text, f"columns.{name}"))
        function, value = (found[1], found[2] or next(iter(values))) if found else ("", "")
        if function not in FUNCTIONS or value not in values:
            raise SettingsError(
                f"columns.{name} is {text!r}: wanted one of {', '.join(FUNCTIONS)} of {', '.join(values)}, "
                "like avg(value)"
            )
        columns.append(Column(name, function, values[value]))
    return tuple(columns)
