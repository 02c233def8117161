"""Nearest neighbours, in either direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Entries: TypeAlias = tuple[Index, Index, Array]

TIE = 1e-12
"""Chords that differ by less than this are equal, and the lower index wins."""
CANDIDATES = 8


def nearest_s2d(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weight 1 from the nearest active source to every active target, and which are mapped."""
    rows, columns = rows[target.mask[rows]], np.flatnonzero(source.mask)
    col = columns[_nearest(source.centres[columns], target.centres[rows])] if len(columns) else columns
    return _ones(rows[: len(col)], col, target.size)


def nearest_d2s(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weight 1 from every active source to its nearest active target, and which are mapped.

    A target may receive the sum of several sources, or nothing.
    """
    columns, active = np.flatnonzero(source.mask), np.flatnonzero(target.mask)
    row = active[_nearest(target.centres[active], source.centres[columns])] if len(active) else active
    asked = np.isin(row, rows)
    order = np.argsort(row[asked], kind="stable")
    return _ones(row[asked][order], columns[: len(row)][asked][order], target.size)


def _ones(row: Index, col: Index, n_target: int) -> tuple[Entries, Array]:
    mapped = np.zeros(n_target)
    mapped[row] = 1.0
    return (row, col, np.ones(len(row))), mapped


def _nearest(places: Array, points: Array) -> Index:
    """Return for each point the nearest place, of equally near ones the first."""
    k = min(CANDIDATES, len(places))
    distance, index = map(np.asarray, cKDTree(places).query(points, k=[*range(1, k + 1)]))
    tied = distance <= distance[:, :1] + TIE
    out: Index = np.where(tied, index, len(places)).min(axis=1).astype(np.int64)
    return out
