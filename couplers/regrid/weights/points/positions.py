"""Positions to the last bit as ESMF has them, for the places where the last bit decides.

On regular grids and meshes many choices are even: which of two equally near cells is taken, in which of two
ways a polygon is cut. In ESMF rounding settles them; the same operations in the same order settle them the
same way.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

DEGREE = math.pi / 180.0


@compiled
def positions(lon: Array, lat: Array) -> Array:
    """Return unit vectors ``(n, 3)`` of longitudes and latitudes in degrees, by the angle from the pole."""
    out = np.zeros((len(lon), 3))
    for i in range(len(lon)):
        theta, phi = lon[i] * DEGREE, (90.0 - lat[i]) * DEGREE
        out[i, 2] = math.cos(phi)
        if abs(lat[i]) != 90.0:
            out[i, 0], out[i, 1] = math.cos(theta) * math.sin(phi), math.sin(theta) * math.sin(phi)
    return out
