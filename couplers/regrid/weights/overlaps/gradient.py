"""The gradient across a cell from the means of the cells around it.

Kritsikis, Aechtner, Meurdesoif and Dubos (2017, doi 10.5194/gmd-10-425-2017), as ESMF carries it out: the
neighbours' mean corners, in counter-clockwise order, span a polygon; by the theorem of Gauss the mean
gradient within is the sum over its sides of the outward normal times the mean of the two ends, divided by
the area. The cell's own mean is taken away from all of them, and what points out of the sphere is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.couplers.regrid.weights.ears import ears
from tradewind.couplers.regrid.weights.overlaps import rounding
from tradewind.couplers.regrid.weights.overlaps.adjacency import Adjacency

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]

ON_THE_SIDE = 1e-14
"""How far outside of the polygon of its neighbours, as a product of sides, a cell still counts as inside."""
FLAT = 1e-12
"""Polygons with less area than this part of their longest side squared have no inside."""


@dataclass(frozen=True, eq=False)
class Gradient:
    """``g_i = own_i f(cell i) + Σ_k value_k f(cell_k)``, k from ``starts[i]`` to ``starts[i + 1]``.

    Attributes
    ----------
    starts
        Where the entries of each cell begin, shape ``(n + 1,)``.
    cell
        Neighbours, global indices, shape ``(entries,)``.
    value
        Their vectors, tangent to the sphere at the cell, per radian, shape ``(entries, 3)``.
    own
        The vectors of the cells themselves: minus the sum of their neighbours', shape ``(n, 3)``.
    """

    starts: Index
    cell: Index
    value: Array
    own: Array

    def triplets(self, cells: Index) -> tuple[Index, Index, Array]:
        """Return rows (taken from `cells`), columns and vectors ``(entries, 3)``, but for those of zero."""
        row = np.repeat(cells, np.diff(self.starts))
        kept, steep = self.value.any(axis=1), self.own.any(axis=1)
        return (
            np.concatenate([row[kept], cells[steep]]),
            np.concatenate([self.cell[kept], cells[steep]]),
            np.concatenate([self.value[kept], self.own[steep]]),
        )


def gradient(adjacency: Adjacency, cells: Index, at: Array, seen_from: Array) -> Gradient:
    """Return the gradients of a field across `cells`.

    Cells with fewer than three active neighbours, or outside of the polygon that these span (at the rim of a
    region), have no gradient: all their entries are zero.

    Parameters
    ----------
    adjacency
        Who is around whom.
    cells
        Global indices, shape ``(n,)``.
    at
        Where each gradient is tangent to the sphere, unit vectors ``(n, 3)``.
    seen_from
        The points around which the neighbours are put in order: `at`, but for rounding.
    """
    starts, cell = adjacency.around(cells)
    out = Gradient(starts, cell, np.zeros((len(cell), 3)), np.zeros((len(cells), 3)))
    _gradients((starts, cell), adjacency.points, at, seen_from, (out.value, out.own))
    return out


@compiled
def _gradients(
    around: tuple[Index, Index], points: Array, at: Array, eyes: Array, out: tuple[Array, Array]
) -> None:
    """Fill in the vectors of all cells."""
    (starts, cell), (value, own) = around, out
    widest = _widest(starts)
    ring, bearings, place = np.empty((widest, 3)), np.empty(widest), np.empty(widest, dtype=np.int64)
    for i in range(len(at)):
        n = starts[i + 1] - starts[i]
        if n >= 3:
            _see(cell[starts[i] : starts[i + 1]], points, eyes[i], bearings, place)
            for k in range(n):
                ring[k] = points[cell[starts[i] + place[k]]]
            if _encloses(ring[:n], eyes[i]):
                _by_sides(ring[:n], place, at[i], value[starts[i] : starts[i + 1]], own[i])


@compiled
def _widest(starts: Index) -> int:
    """Largest number of neighbours."""
    out = 0
    for i in range(len(starts) - 1):
        out = max(out, starts[i + 1] - starts[i])
    return out


@compiled
def _see(cell: Index, points: Array, eye: Array, bearings: Array, place: Index) -> None:
    """Put the places of the neighbours in the order of their bearings, counter-clockwise.

    Bearings count from the last neighbour that is not at the eye itself.
    """
    last = len(cell) - 1
    while last > 0 and (points[cell[last]] == eye).all():
        last -= 1
    for k in range(len(cell)):
        bearings[k] = rounding.bearing(points[cell[last]], points[cell[k]], eye)
        m = k
        while m > 0 and bearings[place[m - 1]] > bearings[k]:
            place[m] = place[m - 1]
            m -= 1
        place[m] = k


@compiled
def _encloses(ring: Array, eye: Array) -> bool:
    """Whether a point lies within a polygon, or on a side."""
    if _left_of_all(ring, eye):
        return True
    # bearings are taken of chords: in wide rings their order is not quite that around the sphere
    n = len(ring)
    triangles, triangle = np.empty((n - 2, 3), dtype=np.int64), np.empty((3, 3))
    found = False
    if ears(np.arange(n), n, ring, triangles):
        for t in range(n - 2):
            for k in range(3):
                triangle[k] = ring[triangles[t, k]]
            found = found or _left_of_all(triangle, eye)
    return found


@compiled
def _left_of_all(ring: Array, eye: Array) -> bool:
    """Whether a point has all sides of a polygon on its left, or is on one."""
    worst = 0.0
    for k in range(len(ring)):
        worst = min(worst, _turn(ring[k - 1], ring[k], eye))
    return worst > -ON_THE_SIDE


@compiled
def _turn(a: Array, b: Array, point: Array) -> float:
    """Positive where `point` lies to the left of the great circle from a to b."""
    bx, by, bz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    px, py, pz = point[0] - a[0], point[1] - a[1], point[2] - a[2]
    return float(a[0] * (by * pz - bz * py) + a[1] * (bz * px - bx * pz) + a[2] * (bx * py - by * px))


@compiled
def _by_sides(ring: Array, place: Index, at: Array, value: Array, own: Array) -> None:
    """Sum the outward normals of the sides of a polygon, half to either end, over its area."""
    n, longest = len(ring), 0.0
    normal = np.empty(3)
    for k in range(n):
        longest = max(longest, _side(ring[k - 1], ring[k], normal))
        for x in range(3):
            value[place[k - 1 if k else n - 1], x] += normal[x]
            value[place[k], x] += normal[x]
    area = rounding.area(ring, n)
    flat = area <= FLAT * longest * longest
    for k in range(n):
        out = value[k, 0] * at[0] + value[k, 1] * at[1] + value[k, 2] * at[2]
        for x in range(3):
            value[k, x] = 0.0 if flat else 0.5 * (value[k, x] - out * at[x]) / area
            own[x] -= value[k, x]


@compiled
def _side(a: Array, b: Array, normal: Array) -> float:
    """Set the normal to the right of the arc from a to b, as long as the arc, and return that length."""
    x, y, z = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    # b - a in place of b: the product keeps its digits where the side is short
    normal[0], normal[1], normal[2] = y * a[2] - z * a[1], z * a[0] - x * a[2], x * a[1] - y * a[0]
    length = math.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2])
    angle = math.atan2(length, a[0] * b[0] + a[1] * b[1] + a[2] * b[2])
    for k in range(3):
        normal[k] *= angle / length if length > 0.0 else 0.0
    return angle
