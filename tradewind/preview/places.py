"""Which element each observation stands above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Array: TypeAlias = NDArray[np.float64]
    Numbers: TypeAlias = NDArray[np.int64]

NONE = -1
WITHIN = 0.75
"""A place belongs to the nearest centre within so many sides of its cell: to its corner, and a bit more."""


def cells_of(grid: Grid, coordinates: Mapping[str, Any], count: int) -> Numbers:
    """Return the cell of a grid above which each observation stands, shape ``(m,)``; -1 for none.

    That with the nearest centre, if it is no further than `WITHIN` times the side of a square of its area.

    Parameters
    ----------
    coordinates
        With ``longitude`` and ``latitude``, degrees; without, no observation has a place.
    count
        m.
    """
    if not count or any(name not in coordinates for name in ("longitude", "latitude")):
        return np.full(count, NONE)
    places = np.stack([np.asarray(coordinates[n], dtype=np.float64) for n in ("longitude", "latitude")])
    known = np.isfinite(places).all(axis=0)
    out = np.full(count, NONE)
    distance, nearest = cKDTree(_points(grid.lon, grid.lat)).query(_points(*places[:, known]))
    out[known] = np.where(distance <= WITHIN * np.sqrt(grid.area)[nearest], nearest, NONE)
    return out


def _points(lon: Array, lat: Array) -> Array:
    """Return points on the unit sphere, shape ``(n, 3)``."""
    lam, phi = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=1)
