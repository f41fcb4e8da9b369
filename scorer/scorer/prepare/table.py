"""A table of sensors in the store: a row for each sensor, or for each time in which it takes part.

    sensor       its name; the only column that must be there
    validFrom    it takes part from then on …                   empty: always has
    validTo      … until before then                            empty: for ever
    model        what stands in the place of {sensor} in the model's path
    threshold    the score from which on a row is an anomaly, in the place of the model's own border
    group, owner carried through to the tables of the published run

A sensor takes part in a run if that time and the window, (start, end], overlap. Other columns are the user's
own and passed over, but for those that would be taken for one of these, and for `runtime`, `inputs` and
`params`: what a table asks for must be done or refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from scorer.contract.outcome import SensorError
from scorer.contract.paths import is_sensor_name
from scorer.contract.sensors import Given
from scorer.contract.work import MAX_RUN_SENSORS
from scorer.listed import MAX_WORD, Listed
from scorer.prepare.columns import SENSOR, Row
from scorer.prepare.csv_table import csv_rows
from scorer.prepare.errors import SensorsError
from scorer.prepare.parquet_table import parquet_rows
from scorer.sources import SharedFile
from scorer.storage import NotFoundError, UnavailableError

if TYPE_CHECKING:
    from scorer.logs import Log
    from scorer.storage import Store
    from scorer.window import Window

NAME = "1 to 63 letters, digits, '.', '_' and '-', beginning and ending with a letter or digit"
WHOLE_BYTES = 1024 * 1024
"""Of a table that is asked for in one go."""


def read_table(store: Store, path: str, span: Window, log: Log) -> list[Listed]:
    """The sensors of the table that take part in the window. It is read in pieces, all of one state.

    Raises StorageError, and SensorsError naming row, column, what was found and what was wanted.
    """
    try:
        file = _file(store, path)
        rows = parquet_rows(file) if file.read_range(0, 4) == b"PAR1" else csv_rows(file)
        return list(_taking_part(path, rows, span, log))
    except NotFoundError as error:
        raise SensorsError(f"table {path}: found nothing there; wanted Parquet or CSV") from error
    except SensorError as error:  # by what reads tables and readings alike
        said, _, _ = error.message.replace("readings ", "table ", 1).partition(", which begins ")
        raise SensorsError(said) from error  # not how: it may be of no table at all


def _file(store: Store, path: str) -> SharedFile:
    head = store.head(path)
    if head.size > WHOLE_BYTES:
        return SharedFile(store, path, head.etag, head.size)
    blob = store.get(path)
    if blob.etag != head.etag:
        raise UnavailableError(f"{path} was changed while it was being read")
    return SharedFile(store, path, blob.etag, len(blob.data), blob.data)


def _taking_part(path: str, rows: Iterable[tuple[int, Row]], span: Window, log: Log) -> Iterator[Listed]:
    """Raises SensorsError."""
    places: dict[str, int] = {}
    passed = 0
    for number, row in rows:
        where = f"table {path}, row {number}"
        listed = _listed(where, row, span)
        if listed is None:
            passed += 1
            continue
        if first := places.get(listed.sensor):
            raise SensorsError(
                f"{where}, column {SENSOR}: found {listed.sensor} again, first in row {first}, both valid in "
                "the window; wanted one row for it"
            )
        places[listed.sensor] = number
        if len(places) > MAX_RUN_SENSORS:
            raise SensorsError(
                f"{where}: found more than {MAX_RUN_SENSORS} sensors that take part in the window; wanted at "
                "most that many in one run"
            )
        yield listed
    if passed:
        log.info(f"table {path}: {passed} rows are of another time than the window")


def _listed(where: str, row: Row, span: Window) -> Listed | None:
    """A row's sensor; None if it does not take part in the window. Raises SensorsError."""
    sensor = _word(where, row, SENSOR)
    if not is_sensor_name(sensor):
        raise _bad(where, SENSOR, row.get(SENSOR), f"a sensor's name: {NAME}")
    valid_from, valid_to = _time(where, row, "validFrom"), _time(where, row, "validTo")
    if valid_from and valid_to and valid_from >= valid_to:
        raise _bad(where, "validTo", row.get("validTo"), "a time after validFrom")
    if (valid_from and valid_from > span.end) or (valid_to and valid_to <= span.start):
        return None
    model = _word(where, row, "model")
    if model and not is_sensor_name(model):
        raise _bad(where, "model", row.get("model"), f"a model's name: {NAME}")
    words = [_word(where, row, name) for name in ("group", "owner")]
    for name, word in zip(("group", "owner"), words, strict=True):
        if len(word) > MAX_WORD or not word.isprintable():
            raise _bad(where, name, word, f"at most {MAX_WORD} printable characters")
    return Listed(sensor, Given(model, _threshold(where, row), *words))


def _word(where: str, row: Row, column: str) -> str:
    value = row.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _bad(where, column, value, "text")
    return value.strip()


def _threshold(where: str, row: Row) -> float | None:
    value = row.get("threshold")
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
            raise ValueError("no number")
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise _bad(where, "threshold", value, "a number")
    return number


def _time(where: str, row: Row, column: str) -> datetime | None:
    """Of Parquet a timestamp (UTC, if it has no zone) or a date; else text of RFC 3339, or a date."""
    value = row.get(column)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if not isinstance(value, str):
            raise ValueError("no text")
        text = value.strip()
        found = datetime.fromisoformat(text)
        if len(text) == len("2026-01-01"):
            found = found.replace(tzinfo=UTC)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise _bad(where, column, value, "a time with its zone, like 2026-01-01T12:00:00Z, or a date")
    return found


def _bad(where: str, column: str, found: object, wanted: str) -> SensorsError:
    shown = "an empty cell" if found in (None, "") else repr(found)[:80]
    return SensorsError(f"{where}, column {column}: found {shown}; wanted {wanted}")
