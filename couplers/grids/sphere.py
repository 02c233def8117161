"""Geometry on the unit sphere: points as unit vectors, cells as polygons whose sides are great circles."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]


def unit_vectors(lon: Array, lat: Array) -> Array:
    """Return unit vectors of shape ``(..., 3)`` of longitudes and latitudes in degrees.

    A pole is one point whatever its longitude, and whole turns change no bit.
    """
    lon, lat = np.broadcast_arrays(np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64))
    vectors = _polygons().unit_vectors(
        np.ascontiguousarray(lon).reshape(-1), np.ascontiguousarray(lat).reshape(-1)
    )
    return np.asarray(vectors).reshape(*lon.shape, 3)


def _polygons() -> ModuleType:
    # numba is heavy: it is loaded when there are cells to loop over
    from tradewind.couplers.grids import polygons

    return polygons


def lon_lat(points: Array) -> tuple[Array, Array]:
    """Return longitudes in [0, 360) and latitudes, in degrees, of vectors of shape ``(..., 3)``."""
    x, y, z = np.moveaxis(points, -1, 0)
    lon = np.rad2deg(np.arctan2(y, x)) % 360.0
    return np.where(lon >= 360.0, 0.0, lon), np.rad2deg(np.arctan2(z, np.hypot(x, y)))


def triangle_areas(a: Array, b: Array, c: Array) -> Array:
    """Return signed areas in steradian of triangles of unit vectors; positive where counter-clockwise.

    tan(E/2) = a·(b×c) / (1 + a·b + b·c + c·a) (Van Oosterom and Strackee, 1983,
    doi 10.1109/TBME.1983.325207), the product taken of sides so that small cells keep their digits.
    """
    volume = dot(a, np.cross(b - a, c - a))
    return 2.0 * np.arctan2(volume, 1.0 + dot(a, b) + dot(b, c) + dot(c, a))


def dot(a: Array, b: Array) -> Array:
    """Return inner products over the last axis."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def polygon_areas(corners: Array) -> Array:
    """Return signed areas in steradian of polygons of shape ``(n, nv, 3)``; repeated corners are harmless."""
    return np.asarray(_polygons().areas(_doubles(corners)))


def _doubles(corners: Array) -> Array:
    return np.ascontiguousarray(corners, dtype=np.float64)


def centroids(corners: Array) -> Array:
    """Return the normalised mean of the corners of polygons of shape ``(n, nv, 3)``."""
    mean = corners.mean(axis=1)
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    return np.asarray(mean / np.where(length > 0, length, 1.0))


def radii(corners: Array, centres: Array) -> Array:
    """Return the largest chord from a centre to a corner; a cap of it holds the whole small polygon."""
    return np.asarray(np.sqrt(((corners - centres[:, None]) ** 2).sum(axis=-1).max(axis=1)))


def bow_ties(corners: Array) -> Flags:
    """Return which polygons of shape ``(n, nv, 3)`` have two sides that cross."""
    return np.asarray(_polygons().bow_ties(_doubles(corners)))


def convex(corners: Array) -> Flags:
    """Return which counter-clockwise polygons of shape ``(n, nv, 3)`` are convex."""
    return np.asarray(_polygons().convex(_doubles(corners)))
