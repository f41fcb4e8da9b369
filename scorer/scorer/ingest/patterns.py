"""Stream Analytics' path patterns in our tokens, so that a job's output settings can be written as they are.

    {date}/{time}                    with a date format (YYYY/MM/DD, MM-DD-YYYY …) and a time format (HH)
    {datetime:yyyy} … {datetime:HH}  one part of date or time each; Hive's year={datetime:yyyy} too
    {sensor}                         a pattern's one custom field; ours can only be the sensor

There as here the times are UTC and a window's end; but the reading of 13:00:00 is in folder 13 there, and in
folder 12 here, which holds (12:00, 13:00].

https://learn.microsoft.com/azure/stream-analytics/blob-storage-azure-data-lake-gen2-output
https://learn.microsoft.com/azure/stream-analytics/stream-analytics-custom-path-patterns-blob-storage-output
"""

from __future__ import annotations

import re

from scorer.contract.paths import DATE_TOKENS, SENSOR_TOKEN, SHARD_TOKEN
from scorer.ingest.checks import SettingsError

DATE_FORMAT, TIME_FORMAT = "YYYY/MM/DD", "HH"
_TOKEN = re.compile(r"\{([^{}]*)\}")
_PART = re.compile(r"YYYY|MM|DD")
_PARTS = {"YYYY": "{yyyy}", "MM": "{MM}", "DD": "{dd}"}
_SEPARATORS = ("/", "-", "")
_PADDED = {"M": "MM", "d": "dd", "H": "HH"}
_FINER = {"mm": "minutes", "m": "minutes", "ss": "seconds", "s": "seconds"}
_PLACE = "landing.path"


def is_pattern(path: str) -> bool:
    """Whether a path has a token that is Stream Analytics' and not ours."""
    return any(name in ("date", "time") or name.startswith("datetime:") for name in _TOKEN.findall(path))


def translated(path: str, date_format: str | None = None, time_format: str | None = None) -> str:
    """A path pattern in our tokens; what has none of theirs is as it was.

    Formats are those of `{date}` and `{time}`; None for the usual ones. Raises SettingsError naming the token
    or format that cannot be had here, and what could be.
    """
    for key, format_, token in (("date", date_format, "{date}"), ("time", time_format, "{time}")):
        if format_ is not None and token not in path:
            raise SettingsError(
                f"landing.{key}Format is {format_!r}, and {_PLACE} {path!r} has no {token}: "
                "wanted both or none"
            )
    date = _date(date_format or DATE_FORMAT)
    time = _time(time_format or TIME_FORMAT)
    if not is_pattern(path):
        return path
    return _TOKEN.sub(lambda found: _token(found[1], path, date, time), path)


def _date(form: str) -> str:
    """`{date}` in our tokens. Letters in any case, as portal and templates write them differently."""
    shown = form.upper()
    parts = _PART.findall(shown)
    between = _PART.split(shown)
    plain = not between[0] and not between[-1] and len(set(between[1:-1])) == 1
    if sorted(parts) != sorted(_PARTS) or not plain or between[1] not in _SEPARATORS:
        raise SettingsError(
            f"landing.dateFormat is {form!r}: wanted YYYY, MM and DD, once each, with / or - between them, "
            f"like {DATE_FORMAT} or MM-DD-YYYY"
        )
    return between[1].join(_PARTS[part] for part in parts)


def _time(form: str) -> str:
    if form != TIME_FORMAT:
        raise SettingsError(
            f"landing.timeFormat is {form!r}: wanted {TIME_FORMAT}, as readings land by the hour"
        )
    return "{HH}"


def _token(name: str, path: str, date: str, time: str) -> str:
    if name in ("date", "time"):
        return date if name == "date" else time
    token = f"{{{name}}}"
    kind, _, part = name.partition(":")
    if kind != "datetime":
        if token in (*DATE_TOKENS, SENSOR_TOKEN, SHARD_TOKEN):
            return token
        raise SettingsError(
            f"{_PLACE} {path!r} holds {token}: the one field that readings lie by is their sensor, "
            f"wanted {SENSOR_TOKEN}"
        )
    if f"{{{part}}}" in DATE_TOKENS:
        return f"{{{part}}}"
    if part in _PADDED:
        raise SettingsError(
            f"{_PLACE} {path!r} holds {token}, without leading zeros: wanted {{datetime:{_PADDED[part]}}}, "
            "so that names are in the order of time"
        )
    if part in _FINER:
        raise SettingsError(
            f"{_PLACE} {path!r} holds {token}: readings land by the hour, so a folder of {_FINER[part]} "
            "cannot be; wanted nothing finer than {datetime:HH}"
        )
    raise SettingsError(
        f"{_PLACE} {path!r} holds {token}: wanted one of yyyy, MM, dd and HH in it, and one only"
    )
