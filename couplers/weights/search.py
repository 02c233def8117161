"""Which cells may meet: pairs of bounding caps that touch."""

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
    """Spherical caps that hold polygons: centres ``(n, 3)`` and radii as chords ``(n,)``."""

    centre: Array
    radius: Array

    @classmethod
    def around(cls, corners: Array) -> Caps:
        """Return the caps around polygons of shape ``(n, nv, 3)``."""
        centre = sphere.centroids(corners)
        return cls(centre, sphere.radii(corners, centre))

    @classmethod
    def of_points(cls, points: Array) -> Caps:
        """Return caps of no size."""
        return cls(points, np.zeros(len(points)))

    def take(self, index: Index) -> Caps:
        """Return some of the caps."""
        return Caps(self.centre[index], self.radius[index])


def touching(a: Caps, b: Caps) -> tuple[Index, Index]:
    """Return all pairs of caps of `a` and `b` that touch, as two index arrays.

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
    touch = near["v"] <= a.radius[near["i"]] + b.radius[near["j"]] + SLACK
    return i[near["i"][touch]], j[near["j"][touch]]
