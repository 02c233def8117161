"""Where things are, and how far apart: one set of distances for correlations and localisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.distances import Distance
from tradewind.couplers.grids import sphere

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

__all__ = ["EARTH_RADIUS_KM", "Distance", "from_straight", "positions", "separations", "to_straight"]

EARTH_RADIUS_KM = 6371.0


def positions(longitude: Array, latitude: Array, distance: Distance) -> Array:
    """Return points whose straight distances order as `distance` does: ``(k, 3)``, on a plane ``(k, 2)``.

    Parameters
    ----------
    longitude, latitude
        Degrees, shape ``(k,)``.
    """
    if distance is Distance.PLANE:
        return np.stack([np.asarray(longitude, dtype=np.float64), latitude], axis=-1)
    return np.asarray(sphere.unit_vectors(longitude, latitude))


def from_straight(straight: Array, distance: Distance) -> Array:
    """Return the distances, in their unit, of points whose straight distances in `positions` are given."""
    if distance is Distance.PLANE:
        return np.asarray(straight)
    arc = 2.0 * np.arcsin(np.minimum(np.asarray(straight) / 2.0, 1.0))
    return np.asarray(arc * EARTH_RADIUS_KM if distance is Distance.KM else np.degrees(arc))


def to_straight(length: float, distance: Distance) -> float:
    """Return the straight distance in `positions` that `length`, in the unit of `distance`, amounts to."""
    if distance is Distance.PLANE:
        return float(length)
    arc = length / EARTH_RADIUS_KM if distance is Distance.KM else np.radians(length)
    return float(2.0 * np.sin(min(arc, np.pi) / 2.0))


def separations(a: Array, b: Array, distance: Distance) -> Array:
    """Return the distances between `positions` ``(k, d)`` and ``(l, d)``: shape ``(k, l)``."""
    return from_straight(np.linalg.norm(a[:, None] - b[None], axis=-1), distance)
