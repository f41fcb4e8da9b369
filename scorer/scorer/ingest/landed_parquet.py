"""An hour's readings as Parquet: row groups of whole sensors. Apart, since no other form needs Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from scorer.columns import column, repeated
from scorer.parquet import grouped_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROW_GROUP = 65_536
_TIME = pa.timestamp("us", tz="UTC")


def parquet(
    names: Sequence[str] | None,
    sensors: NDArray[np.int64],
    times: NDArray[np.int64],
    columns: Mapping[str, NDArray[Any]],
) -> bytes:
    """A file of these rows; `names` are of all sensors, None where the file is of one."""
    fields = [pa.field("time", _TIME, nullable=False)]
    if names is not None:
        fields.insert(
            0,
            pa.field("sensor", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        )
    fields += [pa.field(name, pa.from_numpy_dtype(values.dtype)) for name, values in columns.items()]
    schema = pa.schema(fields)
    groups = _groups(sensors)

    def tables() -> Iterator[pa.Table]:
        for start, end in pairwise(groups):
            arrays = [column(times[start:end], _TIME)]
            if names is not None:
                places, counts = np.unique(sensors[start:end], return_counts=True)
                arrays.insert(0, repeated([names[place] for place in places], counts.tolist()))
            arrays += [_nullable(values[start:end]) for values in columns.values()]
            yield pa.Table.from_arrays(arrays, schema=schema)

    return grouped_bytes(schema, tables(), {"format": "1"}, coded=["sensor"] if names else [])


def _nullable(values: NDArray[Any]) -> pa.Array:
    """NaN is no value: NULL."""
    kind = pa.from_numpy_dtype(values.dtype)
    if values.dtype.kind != "f" or not (missing := np.isnan(values)).any():
        return column(values, kind)
    valid = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, column(values, kind).buffers()[1]])


def _groups(sensors: NDArray[np.int64]) -> list[int]:
    """Where row groups begin, and the end: between sensors, none longer than ROW_GROUP if it can be."""
    edges = np.flatnonzero(np.diff(sensors, prepend=-1, append=-1)).tolist()
    cuts, last = [0], 0
    for edge in edges[1:]:
        if edge - cuts[-1] > ROW_GROUP and last > cuts[-1]:
            cuts.append(last)
        last = edge
    return [*cuts, last]
