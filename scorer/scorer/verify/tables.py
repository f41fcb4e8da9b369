"""The tables of a published run, read back as plain rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from scorer.contract.work import MAX_RUN_SENSORS
from scorer.errors import InputError
from scorer.parquet import open_parquet, row_counts, row_groups
from scorer.publish.tables import OWNERS
from scorer.readings.footer import checked_groups
from scorer.shards import MAX_PAGE_BYTES


def read_table(path: str, data: bytes, schema: pa.Schema) -> list[Mapping[str, Any]]:
    """The rows of a table of this schema; one of format 1 lacks its last columns. Raises InputError."""
    try:
        checked_groups(data, MAX_PAGE_BYTES)
        reader = open_parquet(data)
        found = reader.schema_arrow.remove_metadata()
        if found not in (schema, pa.schema([field for field in schema if field.name not in OWNERS])):
            raise ValueError(f"columns are {found.names}: wanted {schema.names}")
        if sum(row_counts(reader)) > MAX_RUN_SENSORS:
            raise ValueError(f"{sum(row_counts(reader))} rows: wanted at most {MAX_RUN_SENSORS}")
        return [row for table in row_groups(reader, found.names) for row in table.to_pylist()]
    except (pa.ArrowException, OSError, ValueError, LookupError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{path} is not a table of the scorer: {said}") from error
