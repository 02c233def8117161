"""Weights as triplets: target row, source column, value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Triplets:
    """A sparse matrix: ``target[row] += value * source[col]``, sorted by row, then column.

    Attributes
    ----------
    row, col
        Global indices from 0 of target and source cells, shape ``(entries,)``; no pair comes twice.
    value
        Weights, shape ``(entries,)``.
    frac_target
        Fraction of each target cell that active source cells cover, shape ``(n_target,)``; 1 or 0 for
        methods that are not conservative. Zero for rows that were not asked for.
    n_source
        Number of source cells.
    """

    row: Index
    col: Index
    value: Array
    frac_target: Array
    n_source: int

    @property
    def n_target(self) -> int:
        """Number of target cells."""
        return len(self.frac_target)


def coalesce(row: Index, col: Index, value: Array) -> tuple[Index, Index, Array]:
    """Return triplets sorted by row, then column, with the values of repeated pairs added up.

    Repeated pairs are added in the order in which they come.
    """
    order = np.lexsort((col, row))
    row, col, value = row[order], col[order], value[order]
    if len(row) == 0:
        return row.astype(np.int64), col.astype(np.int64), value.astype(np.float64)
    first = np.concatenate([[True], (np.diff(row) != 0) | (np.diff(col) != 0)])
    total = np.zeros(int(first.sum()))
    np.add.at(total, np.cumsum(first) - 1, value)
    return row[first].astype(np.int64), col[first].astype(np.int64), total
