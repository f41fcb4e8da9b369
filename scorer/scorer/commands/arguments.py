"""Arguments that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from scorer import templates
from scorer.commands.console import complain
from scorer.commands.said import Plain
from scorer.contract.paths import SENSOR_TOKEN, is_sensor_name, readings_paths
from scorer.contract.work import (
    AMBIGUOUS_TIMES,
    READINGS_FORMATS,
    READINGS_LAYOUTS,
    ReadingsSource,
    UsageError,
    readings_source,
)
from scorer.errors import InputError
from scorer.settings import settings
from scorer.storage import Store, open_store
from scorer.window import Window, window

MAX_SHOWN = 80
"""Characters of what was found, in a complaint."""

T = TypeVar("T")


def add_store(parser: argparse.ArgumentParser) -> None:
    """`--store`, and for Azure `--endpoint` and `--allow-http`."""
    parser.add_argument(
        "--store", required=True, metavar="URL", help="azure://ACCOUNT/CONTAINER[/PREFIX] or file:///FOLDER"
    )
    parser.add_argument(
        "--endpoint", metavar="URL", help="of Blob Storage, where it is not Azure's own (Azurite)"
    )
    parser.add_argument("--allow-http", action="store_true", help="allow an endpoint without encryption")
    parser.epilog = (
        "Azure is used with the connection string in AZURE_STORAGE_CONNECTION_STRING, "
        "or else with the identity that the environment gives."
    )


def store_of(options: argparse.Namespace) -> Store:
    """The store that the arguments name, with a word on it if there is need. Raises AddressError."""
    store = open_store(options.store, options.endpoint, options.allow_http, settings().connection_string)
    if doubt := store.doubt():
        complain(f"scorer: warning: {doubt}")
    return store


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--model`."""
    parser.add_argument("--model", default=templates.MODELS, metavar="PATH", help="default: %(default)s")


def add_readings(parser: argparse.ArgumentParser) -> None:
    """`--readings` and what there is to say of such files."""
    group = parser.add_argument_group("readings")
    group.add_argument("--readings", default=templates.READINGS, metavar="PATH", help="default: %(default)s")
    group.add_argument(
        "--readings-format",
        choices=READINGS_FORMATS,
        default=READINGS_FORMATS[0],
        help="default: by each file's name",
    )
    group.add_argument(
        "--readings-layout",
        choices=READINGS_LAYOUTS,
        default=READINGS_LAYOUTS[0],
        help="asa: as Stream Analytics writes them, a reading of the full hour in the next folder; "
        "capture: Avro files of Event Hubs Capture",
    )
    group.add_argument(
        "--late-seconds",
        type=int,
        metavar="SECONDS",
        help="of the layout capture: how long after its time a reading may come to the hub (default: 900)",
    )
    group.add_argument(
        "--columns",
        nargs="+",
        default=[],
        metavar="NAME=COLUMN",
        help="what files call time, sensor and features, like time=TS value=Value sensor=device-{Device}",
    )
    group.add_argument(
        "--time-zone",
        default="UTC",
        metavar="NAME",
        help="of times that are written without one, like Europe/Berlin (default: %(default)s)",
    )
    group.add_argument(
        "--ambiguous-times",
        choices=AMBIGUOUS_TIMES,
        default=AMBIGUOUS_TIMES[0],
        help="times that clocks showed twice: %(default)s them, or which of both they are",
    )


def readings_of(options: argparse.Namespace) -> ReadingsSource:
    """The readings that the arguments name. Raises InputError."""
    named = dict(_pair(column) for column in options.columns)
    columns: dict[str, Any] = {name: named.pop(name) for name in ("time", "sensor") if name in named}
    if options.time_zone != "UTC":
        from scorer.readings.zones import zone_info

        zone_info(options.time_zone)
    told = {
        "path": options.readings,
        "format": options.readings_format,
        "layout": options.readings_layout,
        "columns": columns | {"features": named},
        "timeZone": options.time_zone,
        "ambiguousTimes": options.ambiguous_times,
    }
    if options.late_seconds is not None:
        told["lateSeconds"] = options.late_seconds
    return as_argument(lambda: readings_source(told))


def as_argument(make: Callable[[], T]) -> T:
    """What the function makes; what it says of a work order is said of arguments. Raises InputError."""
    try:
        return make()
    except UsageError as error:
        raise InputError(str(error).removeprefix("work order: ")) from error


def _pair(text: str) -> tuple[str, str]:
    name, separator, column = text.partition("=")
    if not separator or not name or not column:
        raise InputError(f"--columns holds {text!r}: wanted NAME=COLUMN, like time=TS")
    return name, column


def add_window(parser: argparse.ArgumentParser, of: str) -> None:
    """`--window`."""
    parser.add_argument(
        "--window",
        required=True,
        metavar="START/END",
        help=f"{of}: after START, up to and including END, like 2026-01-01T12:00:00Z/2026-01-01T13:00:00Z",
    )


def window_of(options: argparse.Namespace) -> Window:
    """The window that the arguments name. Raises InputError."""
    start, separator, end = options.window.partition("/")
    if not separator:
        raise InputError(f"--window is {options.window!r}: wanted START/END")
    return window(start, end)


def add_sensors(parser: argparse.ArgumentParser) -> None:
    """`--sensors`."""
    parser.add_argument(
        "--sensors",
        metavar="NAMES",
        help="names with commas between, or @FILE with one a line; default: all with readings in the window",
    )


def sensors_of(options: argparse.Namespace, store: Store, template: str, span: Window) -> list[str]:
    """The sensors that the arguments name, or those with readings in the window. Raises InputError."""
    if options.sensors is None:
        found = _with_readings(store, template, span)
        if not found:
            raise InputError(
                f"no readings of any sensor in {span} at {template}: land some, or name the sensors"
            )
        return found
    names = [sensor_name(name, "--sensors holds") for name in named(options.sensors)]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"--sensors holds {twice!r} twice")
    return names


def sensor_name(text: str, said: str) -> str:
    """The name itself, which becomes a part of paths; `said` begins the complaint. Raises InputError."""
    if not is_sensor_name(text):
        shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
        raise InputError(f"{said} {shown!r}: wanted at most 63 letters, digits, '.', '_' and '-'")
    return text


def run_uid(text: str, said: str) -> str:
    """The run's UID itself, which names a folder in the store. Raises InputError."""
    if not is_sensor_name(text):
        raise InputError(f"{said} is {text[:MAX_SHOWN]!r}: wanted the run's metadata.uid")
    return text


def named(text: str) -> list[str]:
    """The names in a text with commas between, or in the file that `@FILE` names: at least one.

    Raises InputError.
    """
    if not text.startswith("@"):
        return [name.strip() for name in text.split(",")]
    try:
        lines = Path(text[1:]).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--sensors: {text[1:]} cannot be read: {error}") from error
    names = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not names:
        raise InputError(f"--sensors: {text[1:]} names no sensor: wanted one a line")
    return names


def _with_readings(store: Store, template: str, span: Window) -> list[str]:
    """Sensors with a file in the window's folders, in order of name."""
    from scorer.prepare.discover import named_by

    if SENSOR_TOKEN not in template:
        raise InputError(f"readings path {template} does not hold {SENSOR_TOKEN}: name the sensors")
    return named_by(store, readings_paths(template, SENSOR_TOKEN, span), "", Plain())
