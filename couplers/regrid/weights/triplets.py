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
    extrapolated
        Targets that have weights by extrapolation only, shape ``(n_target,)``; None without any. Not kept in
        files.
    """

    row: Index
    col: Index
    value: Array
    frac_target: Array
    n_source: int
    extrapolated: NDArray[np.bool_] | None = None

    @property
    def n_target(self) -> int:
        """Number of target cells."""
        return len(self.frac_target)


def coalesce(row: Index, col: Index, value: Array) -> tuple[Index, Index, Array]:
    """Return triplets sorted by row, then column, with the values of repeated pairs added up.

    Repeated pairs are added in the order in which they come. Triplets that are sorted and without repeats
    are returned as they are.
    """
    if _ascending(row, col).all():
        return (
            row.astype(np.int64, copy=False),
            col.astype(np.int64, copy=False),
            value.astype(np.float64, copy=False),
        )
    order = np.lexsort((col, row))
    row, col, value = row[order].astype(np.int64), col[order].astype(np.int64), value[order]
    first = np.concatenate([[True], _ascending(row, col)])
    total = np.bincount(np.cumsum(first) - 1, weights=value)
    return row[first], col[first], total.astype(np.float64)


def _ascending(row: Index, col: Index) -> NDArray[np.bool_]:
    """Return which entries but the first come behind the one before."""
    same = row[1:] == row[:-1]
    return np.asarray((row[1:] > row[:-1]) | (same & (col[1:] > col[:-1])))
