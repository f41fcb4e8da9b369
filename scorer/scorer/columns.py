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
    name = str(chunked.type)
    kind = np.dtype(np.int64 if name.startswith("timestamp") else _NUMPY_NAMES.get(name, name))
    parts = [_part(chunk, kind) for chunk in chunked.chunks]
    if len(parts) == 1:
        return parts[0]
    values = [np.empty(0, kind), *(part for part, _ in parts)]
    nulls = [np.empty(0, np.bool_), *(part for _, part in parts)]
    return np.concatenate(values), np.concatenate(nulls)


def _part(chunk: pa.Array, kind: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """One chunk's values, over its own memory, and nulls."""
    valid, data = chunk.buffers()
    length = len(chunk)
    if not length:
        return np.empty(0, kind), np.empty(0, np.bool_)
    values = np.frombuffer(data, kind, length, chunk.offset * kind.itemsize)
    return values, np.zeros(length, np.bool_) if valid is None else _nulls(valid, chunk)


def _nulls(valid: pa.Buffer, chunk: pa.Array) -> NDArray[np.bool_]:
    if not chunk.null_count:
        return np.zeros(len(chunk), np.bool_)
    bits = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little", count=chunk.offset + len(chunk))
    return np.equal(bits[chunk.offset :], 0)
