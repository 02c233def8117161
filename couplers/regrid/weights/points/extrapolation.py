"""What targets take that the method itself leaves unmapped, as in ESMF.

``NearestSource`` takes the nearest active source, ``InverseDistance`` the mean of the nearest few with
weights ``d_j^-p / Σ d^-p`` over chords d (those at the very place alone, if there are any), ``Creep`` the
mean of mapped neighbours (see `creep`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.regrid.scheme import Creep, InverseDistance
from tradewind.couplers.regrid.weights.points.creep import crept
from tradewind.couplers.regrid.weights.points.nearest import nearest_cells
from tradewind.couplers.regrid.weights.triplets import coalesce

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid
    from tradewind.couplers.regrid.scheme import Extrapolation

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]
    Entries: TypeAlias = tuple[Index, Index, Array]
    Maker: TypeAlias = Callable[[Index], tuple[Entries, Array]]


def extrapolated(
    source: Grid, target: Grid, rows: Index, how: Extrapolation, make: Maker
) -> tuple[Entries, Flags]:
    """Return the entries of a method and of extrapolation, and which targets were extrapolated.

    Parameters
    ----------
    make
        Returns the method's entries of some target rows, and 1 where targets are mapped.

    Raises
    ------
    GridError
        Creeping over a target whose cells have no neighbours.
    """
    if isinstance(how, Creep):
        return crept(source, target, rows, how.levels, make)
    entries, mapped = make(rows)
    missing = _missing(target, rows, mapped)
    count, exponent = (how.points, how.exponent) if isinstance(how, InverseDistance) else (1, 1.0)
    more = _from_nearest(source, target, missing, count, exponent)
    return _both(entries, more), _flags(target.size, more[0])


def _missing(target: Grid, rows: Index, mapped: Array) -> Index:
    out: Index = rows[target.mask[rows] & (mapped[rows] == 0)]
    return out


def _both(entries: Entries, more: Entries) -> Entries:
    row, col, value = (np.concatenate([a, b]) for a, b in zip(entries, more, strict=True))
    return coalesce(row, col, value)


def _flags(size: int, rows: Index) -> Flags:
    out = np.zeros(size, dtype=bool)
    out[rows] = True
    return out


def _from_nearest(source: Grid, target: Grid, rows: Index, count: int, exponent: float) -> Entries:
    """Return the weights of the nearest `count` active sources."""
    columns = np.flatnonzero(source.mask)
    if len(columns) == 0 or len(rows) == 0:
        return rows[:0], columns[:0], np.zeros(0)
    col, distance = nearest_cells(source, columns, target, rows, count)
    value = _inverse(distance, exponent)
    real = value > 0
    return np.broadcast_to(rows[:, None], col.shape)[real], col[real], value[real]


def _inverse(distance: Array, exponent: float) -> Array:
    """Return ``d_j^-p / Σ d^-p`` for each row; 1 for what lies at the very place, shared if several do."""
    here = distance == 0
    # in units of the nearest, so that no power overflows
    least = distance.min(axis=1, keepdims=True)
    part = (np.where(least > 0, least, 1.0) / np.where(here, 1.0, distance)) ** exponent
    part = np.where(here.any(axis=1, keepdims=True), here, part)
    return np.asarray(part / part.sum(axis=1, keepdims=True))
