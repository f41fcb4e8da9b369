"""Arrow columns as numpy arrays and back, over their buffers.

pyarrow's own conversions first ask pandas whether it has a say, and import it wherever it is installed: half
a second that a pod must not spend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray


def column(array: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """An Arrow array over the numpy array's own memory, which must be contiguous and of the same width."""
    return pa.Array.from_buffers(kind, len(array), [None, pa.py_buffer(np.ascontiguousarray(array))])


def numbers(chunked: pa.ChunkedArray) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The values of a column of numbers or timestamps (as int64), and which of them are null."""
    kind = (
        np.dtype(np.int64)
        if pa.types.is_timestamp(chunked.type)
        else np.dtype(str(_numpy_name(chunked.type)))
    )
    values = [np.empty(0, kind)]
    nulls = [np.empty(0, np.bool_)]
    for chunk in chunked.chunks:
        valid, data = chunk.buffers()
        values.append(
            np.frombuffer(data, kind, len(chunk), chunk.offset * kind.itemsize) if len(chunk) else values[0]
        )
        nulls.append(_nulls(valid, chunk))
    return np.concatenate(values), np.concatenate(nulls)


def _nulls(valid: pa.Buffer | None, chunk: pa.Array) -> NDArray[np.bool_]:
    if valid is None or not chunk.null_count:
        return np.zeros(len(chunk), np.bool_)
    bits = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little", count=chunk.offset + len(chunk))
    return np.equal(bits[chunk.offset :], 0)


def _numpy_name(kind: pa.DataType) -> str:
    # Arrow says halffloat, float and double where numpy says float16, float32 and float64; integers agree.
    return {"halffloat": "float16", "float": "float32", "double": "float64"}.get(str(kind), str(kind))
