"""Second-order conservative weights: overlaps of cells, and a gradient within each source cell.

Kritsikis, Aechtner, Meurdesoif and Dubos (2017, doi 10.5194/gmd-10-425-2017), with the conventions of ESMF.
With A_ij the overlap of target i and source j, A_i the area of i, c_ij the middle of the overlap, c_j the
middle of all overlaps of j, and G_j the gradient of the field across j,

    y_i = Σ_j A_ij / A_i [f_j + (c_ij - c_j) · G_j f].

As Σ_i A_ij (c_ij - c_j) points out of the sphere, and G_j does not, the integral over each source cell stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.couplers.grids import sphere
from tradewind.couplers.regrid.weights.overlaps import conservative, rounding
from tradewind.couplers.regrid.weights.overlaps.adjacency import Adjacency
from tradewind.couplers.regrid.weights.overlaps.gradient import Gradient, gradient
from tradewind.couplers.regrid.weights.overlaps.pieces import Pieces
from tradewind.couplers.regrid.weights.tree import BoxTree, boxes_around

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Entries: TypeAlias = tuple[Index, Index, Array]

BLOCK = 1 << 18
"""Overlaps whose gradients are held at a time."""


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Where source cells fall upon target cells, sorted by target, then source.

    Attributes
    ----------
    row, col
        Target and source cells, global indices, shape ``(n,)``.
    area
        Steradians that they share, shape ``(n,)``.
    shift
        From the middle of all overlaps of the source cell to the middle of this one, shape ``(n, 3)``.
    cells, middle
        The source cells, ascending, and the middles of all their overlaps, unit vectors ``(cells, 3)``.
    seen_from
        The same middles with ESMF's rounding, around which neighbours are put in order.
    """

    row: Index
    col: Index
    area: Array
    shift: Array
    cells: Index
    middle: Array
    seen_from: Array

    def of(self, rows: NDArray[np.bool_]) -> Overlaps:
        """Return the overlaps of the target cells that are marked, shape ``(n_target,)``."""
        kept = rows[self.row]
        parts = (self.row[kept], self.col[kept], self.area[kept], self.shift[kept])
        return Overlaps(*parts, self.cells, self.middle, self.seen_from)

    def share(self, target: Grid) -> Array:
        """Return ``A_ij / A_i``, shape ``(n,)``."""
        return np.asarray(self.area / target.polygon_area[self.row])


def by_target(source: Grid, target: Grid, rows: Index) -> Overlaps:
    """Return the overlaps of some target cells; middles do not depend on which ones are asked for."""
    if len(rows) == target.size:
        return _overlaps(source, target, conservative.overlap_areas(source, target, rows))
    wanted = np.zeros(target.size, dtype=bool)
    wanted[rows] = True
    return by_source(source, target, _reached(target, rows, source)).of(wanted)


def by_source(source: Grid, target: Grid, cells: Index) -> Overlaps:
    """Return all overlaps of some source cells."""
    wanted = np.zeros(source.size, dtype=bool)
    wanted[cells] = True
    row, col, area = conservative.overlap_areas(source, target, _reached(source, cells, target))
    kept = wanted[col]
    return _overlaps(source, target, (row[kept], col[kept], area[kept]))


def _reached(here: Grid, cells: Index, there: Grid) -> Index:
    """Return the cells there that some cells here may overlap with."""
    tree = BoxTree.over(*boxes_around(there.corners))
    _, found = tree.pairs(*boxes_around(here.corners_of(cells)))
    return np.unique(found)


def _overlaps(source: Grid, target: Grid, entries: Entries) -> Overlaps:
    row, col, area = entries
    moment = np.empty((len(row), 4))
    for part in _blocks(row):
        moment[part] = _moments(source, target, row[part], col[part])
    cells, place = np.unique(col, return_inverse=True)
    size = moment[:, :1]
    # what only rounding calls an overlap has no middle of its own
    centroid = np.divide(moment[:, 1:], size, out=np.zeros((len(row), 3)), where=size > 0.0)
    middle = _middles(place, np.where(size > 0.0, area[:, None], 0.0) * centroid, len(cells))
    # and a cell with one overlap has nothing to share out: no rounding is left in its place
    several = (np.bincount(place, minlength=len(cells))[place] > 1) & (size[:, 0] > 0.0)
    shift = np.where(several[:, None], centroid - middle[place], 0.0)
    seen_from = _middles(place, moment[:, 1:], len(cells))
    return Overlaps(row, col, area, shift, cells, middle, seen_from)


def _moments(source: Grid, target: Grid, row: Index, col: Index) -> Array:
    """Return area, and area times middle, of overlaps from those of their convex pieces, shape ``(n, 4)``."""
    targets, clip = np.unique(row, return_inverse=True)
    cells, subject = np.unique(col, return_inverse=True)
    theirs, ours = Pieces.of(target, targets), Pieces.of(source, cells)
    pair, clip, subject = theirs.pairs(ours, clip, subject)
    found = rounding.middles(ours.corners, theirs.corners, subject, clip)
    found[:, 1:] *= found[:, :1]
    if len(pair) == len(row):
        return found
    return np.stack([np.bincount(pair, weights=f, minlength=len(row)) for f in found.T], axis=-1)


def _middles(place: Index, moment: Array, n: int) -> Array:
    """Return the middle of what each source cell shares out, brought to the sphere, shape ``(n, 3)``."""
    out = np.empty((n, 3))
    for axis in range(3):
        out[:, axis] = np.bincount(place, weights=moment[:, axis], minlength=n)
    length = np.sqrt(sphere.dot(out, out))
    return np.asarray(out * (1.0 / np.where(length > 0.0, length, 1.0))[:, None])


def dstarea(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weights of the whole target areas, and the covered fractions, shape ``(n_target,)``."""
    found = by_target(source, target, rows)
    frac = np.bincount(found.row, weights=found.share(target), minlength=target.size)
    covered = frac > conservative.COVERED
    return _weights(source, target, found.of(covered)), np.where(covered, frac, 0.0)


def fracarea(source: Grid, target: Grid, rows: Index) -> tuple[Entries, Array]:
    """Return weights of the covered areas, whose rows sum to 1, and the covered fractions."""
    (row, col, value), frac = dstarea(source, target, rows)
    return (row, col, value / frac[row]), frac


def slopes(adjacency: Adjacency, found: Overlaps, cells: Index) -> Gradient:
    """Return the gradients across some of the source cells of overlaps, tangent at their middles."""
    place = np.searchsorted(found.cells, cells)
    return gradient(adjacency, cells, found.middle[place], found.seen_from[place])


def _weights(source: Grid, target: Grid, found: Overlaps) -> Entries:
    adjacency, share = Adjacency(source), found.share(target)
    dense = np.zeros(source.size), np.full(source.size, -1, dtype=np.int64)
    parts = [_nothing()]
    for part in _blocks(found.row):
        cells = np.unique(found.col[part])
        row, place = found.row[part], np.searchsorted(cells, found.col[part])
        entries = (row, place, cells, share[part], found.shift[part])
        parts.append(_combined(entries, slopes(adjacency, found, cells), dense))
    row, col, value = (np.concatenate([p[k] for p in parts]) for k in range(3))
    return row, col, value


def _nothing() -> Entries:
    return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)


def _blocks(row: Index) -> list[slice]:
    """Return parts of whole rows with about `BLOCK` overlaps each."""
    starts = np.unique(np.searchsorted(row, row[::BLOCK]))
    return [slice(int(a), int(b)) for a, b in pairwise([*starts, len(row)])]


def _combined(
    entries: tuple[Index, Index, Index, Array, Array], slopes: Gradient, dense: tuple[Array, Index]
) -> Entries:
    most = int((np.diff(slopes.starts)[entries[1]] + 1).sum())
    row, col, value = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64), np.empty(most)
    vectors = (slopes.starts, slopes.cell, slopes.value, slopes.own)
    n = _accumulate(entries, vectors, dense, (row, col, value))
    return row[:n].copy(), col[:n].copy(), value[:n].copy()


@compiled
def _accumulate(
    entries: tuple[Index, Index, Index, Array, Array],
    vectors: tuple[Index, Index, Array, Array],
    dense: tuple[Array, Index],
    out: Entries,
) -> int:
    """Add up each row in a dense vector, in the order of the overlaps, and write what was touched."""
    row, place, cells, share, shift = entries
    starts, near, value, own = vectors
    n = begin = 0
    for o in range(len(row)):
        j = place[o]
        n = _add(cells[j], share[o] * (1.0 + _dot(shift[o], own[j])), row[o], dense, out[1], n)
        if shift[o].any():
            for k in range(starts[j], starts[j + 1]):
                n = _add(near[k], share[o] * _dot(shift[o], value[k]), row[o], dense, out[1], n)
        if o + 1 == len(row) or row[o + 1] != row[o]:
            out[1][begin:n].sort()
            for e in range(begin, n):
                out[0][e], out[2][e] = row[o], dense[0][out[1][e]]
            begin = n
    return n


@compiled
def _add(col: int, value: float, row: int, dense: tuple[Array, Index], touched: Index, n: int) -> int:
    """Add to a column's total, which begins anew in each row; return how many were touched."""
    total, last = dense
    if last[col] == row:
        total[col] += value
        return n
    last[col], total[col], touched[n] = row, value, col
    return n + 1


@compiled
def _dot(a: Array, b: Array) -> float:
    """Inner product."""
    return float(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])
