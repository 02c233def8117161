"""Nearest neighbours, in either direction.

Near is what a chord through the earth measures. Of places that are equally near rounding takes one, the very
one that it takes in ESMF (see `positions`); of those that are equal to the last bit the first is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.spatial import cKDTree

from tradewind.couplers.regrid.weights.points.positions import positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Entries: TypeAlias = tuple[Index, Index, Array]

TIE = 1e-12
"""Chords that differ by less than this may be equal: rounding has to be looked at."""
MORE = 8
"""So many candidates are looked at where one more than asked for is equally near."""
POINTS = 1 << 17
"""Points looked at together at a time."""


def nearest_s2d(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weight 1 from the nearest active source to every active target, and which are mapped."""
    rows, columns = rows[target.mask[rows]], np.flatnonzero(source.mask)
    if len(columns) == 0:
        return _ones(rows[:0], columns, target.size)
    found, _ = nearest_cells(source, columns, target, rows, 1)
    return _ones(rows, found[:, 0], target.size)


def nearest_d2s(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weight 1 from every active source to its nearest active target, and which are mapped.

    A target may receive the sum of several sources, or nothing.
    """
    columns, active = np.flatnonzero(source.mask), np.flatnonzero(target.mask)
    if len(active) == 0:
        return _ones(active, columns[:0], target.size)
    found, _ = nearest_cells(target, active, source, columns, 1)
    asked = np.isin(found[:, 0], rows)
    row, col = found[asked, 0], columns[asked]
    order = np.argsort(row, kind="stable")
    return _ones(row[order], col[order], target.size)


def _ones(row: Index, col: Index, n_target: int) -> tuple[Entries, Array]:
    mapped = np.zeros(n_target)
    mapped[row] = 1.0
    return (row, col, np.ones(len(row))), mapped


def nearest_cells(grid: Grid, cells: Index, other: Grid, points: Index, count: int) -> tuple[Index, Array]:
    """Return which cells of a grid are nearest to those of another, ascending, and how far; ``(n, count)``.

    Parameters
    ----------
    cells
        Cells of `grid` that count, shape ``(m,)``, ascending.
    points
        Cells of `other` to look from, shape ``(n,)``. What is found for one does not depend on the rest.
    count
        How many; all of `cells` where these are fewer.
    """
    places, count = positions(grid.lon[cells], grid.lat[cells]), min(count, len(cells))
    tree = cKDTree(places, balanced_tree=False, compact_nodes=False)
    index, distance = np.empty((len(points), count), dtype=np.int64), np.empty((len(points), count))
    for start in range(0, len(points), POINTS):
        part = slice(start, start + POINTS)
        here = positions(other.lon[points[part]], other.lat[points[part]])
        index[part], distance[part] = _nearest(tree, here, count)
    return cells[index], distance


def _nearest(tree: cKDTree, points: Array, count: int) -> tuple[Index, Array]:
    index, distance = _asked(tree, points, count + 1)
    if distance.shape[1] > count:
        tied = distance[:, count] <= distance[:, count - 1] + TIE
        index, distance = index[:, :count].copy(), distance[:, :count].copy()
        index[tied], distance[tied] = _first_of_tied(tree, points[tied], count)
    order = np.argsort(index, axis=1)
    return np.take_along_axis(index, order, axis=1), np.take_along_axis(distance, order, axis=1)


def _asked(tree: cKDTree, points: Array, count: int) -> tuple[Index, Array]:
    # a list of numbers keeps the answer two-dimensional where it has one number only
    wanted = np.arange(1, min(count, tree.n) + 1)
    distance, index = tree.query(points, k=wanted)
    return np.asarray(index, dtype=np.int64), np.asarray(distance)


def _first_of_tied(tree: cKDTree, points: Array, count: int) -> tuple[Index, Array]:
    """Look at some more places; where even the last of them is as near, at all that are."""
    index, distance = _asked(tree, points, count + MORE)
    reach = distance[:, count - 1] + TIE
    last = distance[:, -1] <= reach
    index, distance = _first(tree, points, index, count)
    if tree.n > count + MORE:
        for k in np.flatnonzero(last):
            near = np.array([tree.query_ball_point(points[k], reach[k])], dtype=np.int64)
            index[k], distance[k] = (found[0] for found in _first(tree, points[k : k + 1], near, count))
    return index, distance


def _first(tree: cKDTree, points: Array, index: Index, count: int) -> tuple[Index, Array]:
    """Keep the `count` candidates that are nearest as ESMF rounds, then the first."""
    x, y, z = np.moveaxis(points[:, None] - tree.data[index], -1, 0)
    square = x * x + y * y + z * z
    order = np.lexsort((index, square))[:, :count]
    return np.take_along_axis(index, order, axis=1), np.sqrt(np.take_along_axis(square, order, axis=1))
