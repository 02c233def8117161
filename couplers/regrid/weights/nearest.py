"""Nearest neighbours, in either direction.

Near is what a chord through the earth measures. Of places that are equally near, to `TIE`, those that come
first in their grid are taken, so that weights do not depend on rounding (ESMF leaves it to rounding).
"""

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
"""Chords that differ by less than this are equal."""
MORE = 8
"""So many candidates are looked at where one more than asked for is equally near."""
POINTS = 1 << 17
"""Points looked at together at a time."""


def nearest_s2d(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weight 1 from the nearest active source to every active target, and which are mapped."""
    rows, columns = rows[target.mask[rows]], np.flatnonzero(source.mask)
    if len(columns) == 0:
        return _ones(rows[:0], columns, target.size)
    found, _ = nearest_places(source.centres[columns], target.centres[rows], 1)
    return _ones(rows, columns[found[:, 0]], target.size)


def nearest_d2s(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weight 1 from every active source to its nearest active target, and which are mapped.

    A target may receive the sum of several sources, or nothing.
    """
    columns, active = np.flatnonzero(source.mask), np.flatnonzero(target.mask)
    if len(active) == 0:
        return _ones(active, columns[:0], target.size)
    found, _ = nearest_places(target.centres[active], source.centres[columns], 1)
    row = active[found[:, 0]]
    asked = np.isin(row, rows)
    order = np.argsort(row[asked], kind="stable")
    return _ones(row[asked][order], columns[asked][order], target.size)


def _ones(row: Index, col: Index, n_target: int) -> tuple[Entries, Array]:
    mapped = np.zeros(n_target)
    mapped[row] = 1.0
    return (row, col, np.ones(len(row))), mapped


def nearest_places(places: Array, points: Array, count: int) -> tuple[Index, Array]:
    """Return the places nearest to each point, ascending, and their distances, each ``(n, count)``.

    Parameters
    ----------
    places, points
        Unit vectors ``(m, 3)`` and ``(n, 3)``. What is found for a point does not depend on the others.
    count
        How many; all where there are fewer.
    """
    count = min(count, len(places))
    tree = cKDTree(places, balanced_tree=False, compact_nodes=False)
    pieces = range(0, len(points), POINTS)
    found = [_nearest(tree, points[start : start + POINTS], count) for start in pieces]
    nothing = np.zeros((0, count))
    index = np.concatenate([nothing.astype(np.int64), *(f[0] for f in found)])
    return index, np.concatenate([nothing, *(f[1] for f in found)])


def _nearest(tree: cKDTree, points: Array, count: int) -> tuple[Index, Array]:
    index, distance = _asked(tree, points, count + 1)
    if distance.shape[1] > count:
        tied = distance[:, count] <= distance[:, count - 1] + TIE
        index, distance = index[:, :count].copy(), distance[:, :count].copy()
        index[tied], distance[tied] = _first_of_tied(tree, points[tied], count)
    return _ordered(index, distance, index)


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
    index, distance = _first(index, distance, count)
    if tree.n > count + MORE:
        for k in np.flatnonzero(last):
            near = np.array(tree.query_ball_point(points[k], reach[k]), dtype=np.int64)
            apart = np.sqrt(((tree.data[near] - points[k]) ** 2).sum(axis=1))
            index[k], distance[k] = (a[0] for a in _first(near[None], apart[None], count))
    return index, distance


def _first(index: Index, distance: Array, count: int) -> tuple[Index, Array]:
    """Keep `count` candidates: all that are nearer than the last, and the first of those as near as it."""
    last = np.sort(distance, axis=1)[:, count - 1 : count]
    nearer, beyond = distance < last - TIE, distance > last + TIE
    rank = np.where(nearer, -1, np.where(beyond, np.iinfo(np.int64).max, index))
    index, distance = _ordered(index, distance, rank)
    return index[:, :count], distance[:, :count]


def _ordered(index: Index, distance: Array, by: Index) -> tuple[Index, Array]:
    order = np.argsort(by, axis=1, kind="stable")
    return np.take_along_axis(index, order, axis=1), np.take_along_axis(distance, order, axis=1)
