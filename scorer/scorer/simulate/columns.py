"""Tables as tuples of arrays of one length: what is done to all of their columns alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

Table = TypeVar("Table", bound=tuple[Any, ...])


def joined(first: Table, *others: Table) -> Table:
    """The tables one after the other."""
    return _of(first, [np.concatenate(columns) for columns in zip(first, *others, strict=True)])


def chosen(table: Table, rows: Any) -> Table:
    """These rows of the table: a mask, places or a slice."""
    return _of(table, [column[rows] for column in table])


def _of(table: Table, columns: Sequence[Any]) -> Table:
    made: Table = type(table)(*columns)
    return made
