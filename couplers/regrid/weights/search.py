"""Which cells may meet: pairs of bounding caps, and boxes, that touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.spatial import cKDTree

from tradewind.couplers.grids import sphere

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]

SLACK = 1e-9
"""Added to distances so that rounding loses no pair."""


@dataclass(frozen=True)
class Caps:
    """Spherical caps that hold polygons: centres ``(n, 3)``, radii as chords ``(n,)``.

    And boxes along the axes of space, from `low` to `high`, each ``(n, 3)``, that hold them too.
    """

    centre: Array
    radius: Array
    low: Array
    high: Array

    @classmethod
    def around(cls, corners: Array) -> Caps:
        """Return the caps around polygons of shape ``(n, nv, 3)``."""
        centre = sphere.centroids(corners)
        radius = sphere.radii(corners, centre)
        # between corners the sphere rises above its chords, by less than radius^2 / 2
        bulge = (0.5 * radius**2 + SLACK)[:, None]
        return cls(centre, radius, corners.min(axis=1) - bulge, corners.max(axis=1) + bulge)

    @classmethod
    def of_points(cls, points: Array) -> Caps:
        """Return caps of no size."""
        return cls(points, np.zeros(len(points)), points - SLACK, points + SLACK)

    def take(self, index: Index) -> Caps:
        """Return some of the caps."""
        return Caps(self.centre[index], self.radius[index], self.low[index], self.high[index])


def touching(a: Caps, b: Caps) -> tuple[Index, Index]:
    """Return all pairs of `a` and `b` whose caps and boxes touch, as two index arrays.

    Caps are sorted into classes of similar size first, so that a few large cells do not make all
    small ones look for far neighbours.
    """
    found = [_pairs(a, i, b, j) for i in _size_classes(a.radius) for j in _size_classes(b.radius)]
    left = np.concatenate([f[0] for f in found] or [np.zeros(0, dtype=np.int64)])
    right = np.concatenate([f[1] for f in found] or [np.zeros(0, dtype=np.int64)])
    return left, right


def _size_classes(radius: Array) -> list[Index]:
    power = np.frexp(radius)[1] // 2
    return [np.flatnonzero(power == p) for p in np.unique(power)]


def _pairs(a: Caps, i: Index, b: Caps, j: Index) -> tuple[Index, Index]:
    a, b = a.take(i), b.take(j)
    reach = a.radius.max() + b.radius.max() + SLACK
    near = cKDTree(a.centre).sparse_distance_matrix(cKDTree(b.centre), reach, output_type="ndarray")
    here, there = near["i"].astype(np.int64), near["j"].astype(np.int64)
    touch = near["v"] <= a.radius[here] + b.radius[there] + SLACK
    for axis in range(3):
        touch &= a.low[here, axis] <= b.high[there, axis]
        touch &= b.low[there, axis] <= a.high[here, axis]
    return i[here[touch]], j[there[touch]]
