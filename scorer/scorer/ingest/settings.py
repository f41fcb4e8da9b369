"""How events are read, ordered and put into windows: names and defaults are those of Stream Analytics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from scorer.errors import InputError

ADJUST, DROP = "Adjust", "Drop"
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

_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_DURATION = re.compile(r"(-?\d{1,15})(us|ms|s|m|h|d)", re.ASCII)
_DAY = _UNITS["d"]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)

MAX_WINDOW = 7 * _DAY
MAX_LATE = 21 * _DAY - _UNITS["s"]
MAX_OUT_OF_ORDER = 10 * _UNITS["m"] - _UNITS["s"]
"""Microseconds, as in Stream Analytics."""
MAX_SENSORS = 1_000_000


class SettingsError(InputError):
    """Settings that cannot be used, naming the field, what was found and what was wanted."""


class Windows(NamedTuple):
    """Tumbling windows (start, end], aligned to zero hour. Microseconds."""

    size: int
    offset: int = 0
    """Moves all windows; -1 ms makes them [start, end) for times in whole milliseconds."""


class Ordering(NamedTuple):
    """Whose time counts, and how far it may be from the order of arrival. Microseconds."""

    by: str = EVENT
    late: int = 5 * _UNITS["s"]
    """An event whose time is further than this before its arrival is late."""
    on_late: str = ADJUST
    out_of_order: int = 0
    """How far the watermark stays behind the latest event time."""
    on_out_of_order: str = ADJUST
    early: int | None = 5 * _UNITS["m"]
    """An event whose time is further than this after its arrival is dropped. None: never."""
    idle_after: int | None = None
    """A stream that is silent for so long holds the watermark back by no more than this. None: by `late`."""

    @property
    def silence(self) -> int:
        """How far the watermark of a silent stream stays behind the arrival clock."""
        return self.late if self.idle_after is None else min(self.late, self.idle_after)


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


def duration(text: object, field: str, least: int = 0, most: int = MAX_LATE) -> int:
    """Microseconds of a text like `5s`, `300ms` or `-1ms`. Raises SettingsError."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise SettingsError(f"{field} is {text!r}: wanted a duration like 5s, 300ms or 5m")
    length = int(found[1]) * _UNITS[found[2]]
    if not least <= length <= most:
        raise SettingsError(f"{field} is {text}: wanted {_shown(least)} to {_shown(most)}")
    return length


def settings(given: Mapping[str, Any]) -> Settings:
    """Settings from their JSON or YAML form. Raises SettingsError naming the field that is wrong."""
    _known(given, "", ("mapping", "window", "columns"), ("ordering", "maxSensors"))
    mapping, values = _mapping(_object(given["mapping"], "mapping"))
    ordering = _ordering(_object(given.get("ordering", {}), "ordering"))
    if ordering.by == EVENT and not mapping.time:
        raise SettingsError(
            "mapping.time is missing: wanted the field of an event's time, or ordering.by: Arrival"
        )
    if ordering.by == ARRIVAL and mapping.over:
        raise SettingsError("mapping.over is given: substreams are for ordering.by: Event")
    limit = given.get("maxSensors", MAX_SENSORS)
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_SENSORS:
        raise SettingsError(f"maxSensors is {limit!r}: wanted a whole number from 1 to {MAX_SENSORS}")
    window = _window(_object(given["window"], "window"))
    return Settings(mapping, window, _columns(_object(given["columns"], "columns"), values), ordering, limit)


def _window(given: Mapping[str, Any]) -> Windows:
    _known(given, "window.", ("size",), ("offset",))
    size = duration(given["size"], "window.size", 1, MAX_WINDOW)
    return Windows(size, duration(given.get("offset", "0s"), "window.offset", 1 - size, size - 1))


def _ordering(given: Mapping[str, Any]) -> Ordering:
    usual = Ordering()
    _known(
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
        _choice(given.get("by", usual.by), "ordering.by", (EVENT, ARRIVAL)),
        late,
        _choice(given.get("onLateArrival", usual.on_late), "ordering.onLateArrival", (ADJUST, DROP)),
        out_of_order,
        _choice(given.get("onOutOfOrder", usual.on_out_of_order), "ordering.onOutOfOrder", (ADJUST, DROP)),
        early,
        length("idleAfter", usual.idle_after, MAX_LATE, 1),
    )


def _mapping(given: Mapping[str, Any]) -> tuple[Fields, dict[str, int]]:
    """The mapping, and the place of each value by its name."""
    _known(
        given,
        "mapping.",
        ("sensor", "values"),
        ("time", "timeForm", "over", "records", "unit", "format", "delimiter"),
    )
    values = given["values"]
    if isinstance(values, str):
        values = {"value": values}
    values = _object(values, "mapping.values")
    if not values:
        raise SettingsError("mapping.values is empty: wanted at least one field of a number")
    over = given.get("over", [])
    if not isinstance(over, list):
        raise SettingsError(f"mapping.over is {over!r}: wanted a list of fields")
    delimiter = given.get("delimiter", ",")
    forms = (ISO, SECONDS, MILLISECONDS, MICROSECONDS)
    mapping = Fields(
        _text(given["sensor"], "mapping.sensor"),
        tuple(_text(field, f"mapping.values.{name}") for name, field in values.items()),
        _text(given["time"], "mapping.time") if "time" in given else "",
        _choice(given.get("timeForm", ISO), "mapping.timeForm", forms),
        tuple(_text(field, "mapping.over") for field in over),
        _text(given["records"], "mapping.records") if "records" in given else "",
        _unit(_object(given["unit"], "mapping.unit")) if "unit" in given else None,
        _choice(given.get("format", JSON), "mapping.format", (JSON, CSV)),
        _choice(delimiter, "mapping.delimiter", (",", ";", "\t", "|", " ")),
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
    _known(given, "mapping.unit.", ("field", "conversions"), ())
    conversions: dict[str, tuple[float, float]] = {}
    for unit, told in _object(given["conversions"], "mapping.unit.conversions").items():
        field = f"mapping.unit.conversions.{unit}"
        how = _object(told, field)
        _known(how, f"{field}.", (), ("factor", "add"))
        conversions[unit] = (
            _number(how.get("factor", 1.0), f"{field}.factor"),
            _number(how.get("add", 0.0), f"{field}.add"),
        )
    return Unit(_text(given["field"], "mapping.unit.field"), conversions)


def _columns(given: Mapping[str, Any], values: Mapping[str, int]) -> tuple[Column, ...]:
    """Columns from `{name: avg}` or `{name: avg(value)}`."""
    if not given:
        raise SettingsError("columns is empty: wanted at least one like value: avg")
    columns = []
    for name, text in given.items():
        if not _NAME.fullmatch(name) or name == "time":
            raise SettingsError(f"columns.{name} cannot be a column of readings: wanted a name like value")
        found = re.fullmatch(r"([a-z]+)(?:\((.+)\))?", _text(text, f"columns.{name}"))
        function, value = (found[1], found[2] or next(iter(values))) if found else ("", "")
        if function not in FUNCTIONS or value not in values:
            raise SettingsError(
                f"columns.{name} is {text!r}: wanted one of {', '.join(FUNCTIONS)} of {', '.join(values)}, "
                "like avg(value)"
            )
        columns.append(Column(name, function, values[value]))
    return tuple(columns)


def _object(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise SettingsError(f"{field} is {value!r:.80}: wanted an object")
    return value


def _known(
    given: Mapping[str, Any], inside: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    for key in given:
        if key not in required and key not in optional:
            raise SettingsError(f"{inside}{key} is not known: wanted {', '.join((*required, *optional))}")
    for key in required:
        if key not in given:
            raise SettingsError(f"{inside}{key} is missing")


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 253 or not value.isprintable():
        raise SettingsError(f"{field} is {value!r:.80}: wanted 1 to 253 printable characters")
    return value


def _choice(value: Any, field: str, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise SettingsError(f"{field} is {value!r:.80}: wanted {' or '.join(map(repr, choices))}")
    return value


def _number(value: Any, field: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise SettingsError(f"{field} is {value!r:.80}: wanted a number")
    return float(value)


def _shown(length: int) -> str:
    for unit, size in reversed(_UNITS.items()):
        if length % size == 0 and length:
            return f"{length // size}{unit}"
    return f"{length}us" if length else "0s"
