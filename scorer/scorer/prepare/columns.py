"""The columns of a table of sensors: which mean something, and which must not be passed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scorer.prepare.errors import SensorsError

SENSOR = "sensor"
COLUMNS = (SENSOR, "validFrom", "validTo", "model", "threshold", "group", "owner")
NOT_YET = ("runtime", "inputs", "params")
"""Columns that would change what a sensor's pod does, and that nothing acts on."""

Row = Mapping[str, Any]
"""A row's cells by column: text of CSV, Arrow's values of Parquet; None or an empty text is an empty cell."""


def wanted_columns(path: str, found: Iterable[str]) -> tuple[str, ...]:
    """Those of the table's columns that mean something here. Raises SensorsError.

    Of a file without a column of sensors nothing is quoted: the path may be of any object of the store.
    """
    names = list(found)
    if not any(_plain(name) == _plain(SENSOR) for name in names):
        raise SensorsError(f"table {path}: found no column {SENSOR}; wanted one")
    for name in names:
        alike = next((each for each in (*COLUMNS, *NOT_YET) if _plain(each) == _plain(name)), "")
        if alike in NOT_YET:
            unused = f"found column {name[:80]!r}, which nothing acts on"
            raise SensorsError(f"table {path}: {unused}; wanted the table without it")
        if alike and alike != name:
            raise SensorsError(f"table {path}: found column {name[:80]!r}; wanted it to be called {alike}")
        if alike and names.count(name) > 1:
            raise SensorsError(f"table {path}: found column {name} twice; wanted it once")
    return tuple(name for name in COLUMNS if name in names)


def _plain(name: str) -> str:
    return name.strip().replace("_", "").replace("-", "").replace(" ", "").lower()
