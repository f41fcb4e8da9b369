"""Columns of few texts and many records: each record as a place in the texts that occur."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from scorer.columns import nulls, values

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


def coded_column(column: pa.ChunkedArray, rows: NDArray[np.intp] | None = None) -> Coded:
    """An Arrow column of texts (as a dictionary) or of numbers, as they stand in a sensor's name.

    Of some rows, if they are given.
    """
    if pa.types.is_dictionary(column.type):
        places, texts = _dictionary(column)
        return Coded(places if rows is None else places[rows], texts)
    found, null = values(column), nulls(column)
    if rows is not None:
        found, null = found[rows], None if null is None else null[rows]
    occurring, places = _occurring(found) if len(found) else (found, np.empty(0, np.int64))
    texts = [part_text(value) for value in occurring.tolist()]
    return Coded(places if null is None else np.where(null, len(texts), places), [*texts, None])


class Narrowed(NamedTuple):
    """The rows that can be of a wanted sensor, and how many name none."""

    rows: NDArray[np.intp]
    unnamed: int


def narrowed(columns: Sequence[pa.ChunkedArray], wanted: Sequence[Sequence[str]]) -> Narrowed:
    """Rows whose columns' texts are among those wanted, and perhaps a few others.

    Of a shared file most rows are other sensors', and this is the quickest way to be rid of them.
    """
    possible = np.ones(len(columns[0]), np.bool_)
    named: NDArray[np.bool_] | None = None
    for column, texts in zip(columns, wanted, strict=True):
        held, filled = _held(column, texts)
        possible &= held
        if filled is not None:
            named = filled if named is None else named & filled
    rows = np.flatnonzero(possible if named is None else possible & named)
    return Narrowed(rows, 0 if named is None else len(named) - int(np.count_nonzero(named)))


def _held(
    column: pa.ChunkedArray, wanted: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None]:
    """Where a wanted text may stand, and where any stands; None for everywhere."""
    if pa.types.is_dictionary(column.type):
        places, texts = _dictionary(column)
        chosen = set(wanted)
        blank = np.array([text is None for text in texts], np.bool_)
        held = np.array([text in chosen for text in texts], np.bool_)[places]
        # The last text of each chunk is that of nulls.
        return held, ~blank[places] if column.null_count or blank.sum() > column.num_chunks else None
    null = nulls(column)
    numbers = [int(text) for text in wanted if is_plain(text)]
    if not numbers:
        return np.zeros(len(column), np.bool_), None if null is None else ~null
    found = values(column)
    return (found >= min(numbers)) & (found <= max(numbers)), None if null is None else ~null


def is_plain(text: str) -> bool:
    """Whether a text is a whole number as a name has it."""
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19


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


def _dictionary(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str | None]]:
    """Places in texts; each chunk's texts end with None, which is a null's."""
    places: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    texts: list[str | None] = []
    for chunk in column.chunks:
        here = [part_text(text) for text in chunk.dictionary.to_pylist()]
        indices = pa.chunked_array([chunk.indices])
        found, null = values(indices), nulls(indices)
        placed = found if null is None else np.where(null, len(here), found)
        places.append(placed.astype(np.int64) + len(texts))
        texts += [*here, None]
    return places[1] if len(places) == 2 else np.concatenate(places), texts


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
