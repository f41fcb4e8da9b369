"""Columns of few texts and many records: each record as a place in the texts that occur."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from scorer.columns import numbers

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DENSE = 1_000_000
"""Codes up to which a table is quicker than sorting."""


class Coded(NamedTuple):
    """A column as places in its texts: few texts, many records. A text is None where there is none."""

    places: NDArray[np.int64]
    texts: Sequence[str | None]


def coded_texts(texts: Iterable[str | None]) -> Coded:
    """A column of texts."""
    known: dict[str | None, int] = {}
    places = [known.setdefault(text, len(known)) for text in texts]
    return Coded(np.array(places, np.int64), list(known))


def coded_column(column: pa.ChunkedArray) -> Coded:
    """An Arrow column of texts (as a dictionary) or of numbers, as they stand in a sensor's name."""
    if pa.types.is_dictionary(column.type):
        return _coded_dictionary(column)
    found, null = numbers(column)
    occurring, places = _occurring(found) if len(found) else (found, np.empty(0, np.int64))
    texts = [part_text(value) for value in occurring.tolist()]
    return Coded(np.where(null, len(texts), places), [*texts, None])


def part_text(value: Any) -> str | None:
    """What a column's value is in a sensor's name; None for what cannot be a part of one."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None


def _coded_dictionary(column: pa.ChunkedArray) -> Coded:
    places: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    texts: list[str | None] = []
    for chunk in column.chunks:
        indices, null = numbers(pa.chunked_array([chunk.indices]))
        here = [part_text(text) for text in chunk.dictionary.to_pylist()]
        places.append(np.where(null, len(here), indices).astype(np.int64) + len(texts))
        texts += [*here, None]
    return Coded(np.concatenate(places), texts)


def _occurring(found: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The numbers that occur, and each one's place among them."""
    least, greatest = found.min(), found.max()
    if found.dtype.kind not in "iu" or int(greatest) - int(least) > _DENSE:
        occurring, places = np.unique(found, return_inverse=True)
        return occurring, places
    offsets = (found - least).astype(np.int64)
    present = np.zeros(int(greatest) - int(least) + 1, np.bool_)
    present[offsets] = True
    return np.flatnonzero(present) + int(least), (np.cumsum(present) - 1)[offsets]


def combined(left: Coded, right: Coded, literal: str) -> Coded:
    """The texts of two columns, one after the other, as one column."""
    width = len(right.texts)
    combined = left.places * width + right.places
    if len(left.texts) * width <= max(_DENSE, len(combined)):
        occurring = np.flatnonzero(np.bincount(combined))
        table = np.zeros(len(left.texts) * width, np.int64)
        table[occurring] = np.arange(len(occurring))
        places = table[combined]
    else:
        occurring, places = np.unique(combined, return_inverse=True)
    texts = [
        joined(left.texts[code // width], right.texts[code % width], literal) for code in occurring.tolist()
    ]
    return Coded(places, texts)


def joined(left: str | None, text: str | None, right: str) -> str | None:
    """Texts one after the other, nothing if one is nothing."""
    return None if left is None or text is None else left + text + right
