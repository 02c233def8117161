"""Geometry on the unit sphere: points as unit vectors, cells as polygons whose sides are great circles."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]


def unit_vectors(lon: Array, lat: Array) -> Array:
    """Return unit vectors of shape ``(..., 3)`` of longitudes and latitudes in degrees."""
    lon, lat = np.deg2rad(lon), np.deg2rad(lat)
    # cos(90 degrees) is 6e-17: a pole has to be one point whatever its longitude
    across = np.where(np.abs(lat) == np.pi / 2, 0.0, np.cos(lat))
    return np.stack([across * np.cos(lon), across * np.sin(lon), np.sin(lat)], axis=-1)


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
    total = np.zeros(len(corners))
    for k in range(1, corners.shape[1] - 1):
        total = total + triangle_areas(corners[:, 0], corners[:, k], corners[:, k + 1])
    return total


def centroids(corners: Array) -> Array:
    """Return the normalised mean of the corners of polygons of shape ``(n, nv, 3)``."""
    mean = corners.mean(axis=1)
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    return np.asarray(mean / np.where(length > 0, length, 1.0))


def radii(corners: Array, centres: Array) -> Array:
    """Return the largest chord from a centre to a corner; a cap of it holds the whole small polygon."""
    return np.asarray(np.sqrt(((corners - centres[:, None]) ** 2).sum(axis=-1).max(axis=1)))


def bow_ties(corners: Array) -> NDArray[np.bool_]:
    """Return which polygons of shape ``(n, nv, 3)`` have two sides that cross."""
    n, nv = corners.shape[:2]
    crossed = np.zeros(n, dtype=bool)
    for i in range(nv):
        for j in range(i + 2, nv if i else nv - 1):
            p, q = corners[:, i], corners[:, (i + 1) % nv]
            r, s = corners[:, j], corners[:, (j + 1) % nv]
            crossed |= _cross(p, q, r, s)
    return crossed


def _cross(p: Array, q: Array, r: Array, s: Array) -> NDArray[np.bool_]:
    # relative to the sides, so that rounding on a repeated or touching corner is no crossing
    tiny = -1e-10 * dot(p - q, p - q) * dot(r - s, r - s)
    return (_side(p, q, r) * _side(p, q, s) < tiny) & (_side(r, s, p) * _side(r, s, q) < tiny)


def _side(a: Array, b: Array, c: Array) -> Array:
    return dot(a, np.cross(b - a, c - a))
