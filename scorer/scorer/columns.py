"""Arrow columns as numpy arrays and back, over their buffers.

pyarrow's own conversions first ask pandas whether it has a say, and import it wherever it is installed: half
a second that a pod must not spend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray


# Arrow's names for what numpy calls otherwise; those of integers agree.
_NUMPY_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}


def column(array: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """An Arrow array over the numpy array's own memory, which must be contiguous and of the same width."""
    return pa.Array.from_buffers(kind, len(array), [None, pa.py_buffer(np.ascontiguousarray(array))])


def strings(texts: Sequence[str]) -> pa.Array:
    """An Arrow array of texts."""
    coded = [text.encode() for text in texts]
    ends = np.zeros(len(coded) + 1, np.int32)
    np.cumsum([len(text) for text in coded], out=ends[1:])
    return pa.Array.from_buffers(
        pa.string(), len(coded), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(coded))]
    )


def repeated(texts: Sequence[str], counts: Sequence[int]) -> pa.DictionaryArray:
    """A column in which each text stands so many times, one after the other; coded by a dictionary."""
    places = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    each = np.array([places[text] for text in texts], np.int32)
    indices = column(np.repeat(each, np.asarray(counts, np.intp)), pa.int32())
    return pa.DictionaryArray.from_arrays(indices, strings(list(places)))


def numbers(chunked: pa.ChunkedArray) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The values of a column of numbers or timestamps (as int64), and which of them are null."""
    null = nulls(chunked)
    return values(chunked), np.zeros(len(chunked), np.bool_) if null is None else null


def values(chunked: pa.ChunkedArray) -> NDArray[Any]:
    """The values of a column of numbers or timestamps (as int64); anything where one is null."""
    name = str(chunked.type)
    kind = np.dtype(np.int64 if name.startswith("timestamp") else _NUMPY_NAMES.get(name, name))
    parts = [_values(chunk, kind) for chunk in chunked.chunks if len(chunk)]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, kind), *parts])


def nulls(chunked: pa.ChunkedArray) -> NDArray[np.bool_] | None:
    """Which values of a column are null; None if no one is."""
    if not chunked.null_count:
        return None
    return np.concatenate([_nulls(chunk) for chunk in chunked.chunks])


def _values(chunk: pa.Array, kind: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(chunk.buffers()[1], kind, len(chunk), chunk.offset * kind.itemsize)


def _nulls(chunk: pa.Array) -> NDArray[np.bool_]:
    if not chunk.null_count:
        return np.zeros(len(chunk), np.bool_)
    valid = np.frombuffer(chunk.buffers()[0], np.uint8)
    bits = np.unpackbits(valid, bitorder="little", count=chunk.offset + len(chunk))
    return np.equal(bits[chunk.offset :], 0)
