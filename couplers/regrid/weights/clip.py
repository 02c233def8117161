"""Overlaps of polygons on the sphere, many pairs at a time.

Sutherland and Hodgman (1974, doi 10.1145/360767.360802) with the planes of great circles in place of
lines: `subject` is cut by one side of the convex `clip` after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import sphere

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]

CHUNK = 32768
"""Pairs cut at a time: few enough to stay in the cache."""


def overlaps(subject: Array, clip: Array) -> Array:
    """Return areas in steradian of the intersections of polygons, pair by pair.

    Parameters
    ----------
    subject
        Counter-clockwise polygons, shape ``(pairs, ns, 3)``; they need not be convex.
    clip
        Counter-clockwise convex polygons, shape ``(pairs, nc, 3)``; repeated corners are harmless.
    """
    out = np.zeros(len(subject))
    alive = np.arange(len(subject))
    for k in range(clip.shape[1]):
        a, b = clip[alive, k], clip[alive, (k + 1) % clip.shape[1]]
        subject, kept = _cut(subject, a, b)
        alive = alive[kept]
    out[alive] = sphere.polygon_areas(subject)
    return out


def _cut(polygon: Array, a: Array, b: Array) -> tuple[Array, Flags]:
    """Cut polygons by the great circles from a to b; return what is left, and which have anything left."""
    # distances are taken from a, not from the origin, so that small cells keep their digits
    height = sphere.dot(np.cross(a, b - a)[:, None], polygon - a[:, None])
    inside = height >= 0
    kept: Flags = np.asarray(inside.any(axis=1))
    polygon, height, inside = polygon[kept], height[kept], inside[kept]
    crossed: Flags = np.asarray(~inside.all(axis=1))
    if not crossed.any():
        return polygon, kept
    pieces = _pieces(polygon[crossed], height[crossed], inside[crossed])
    return _replace(polygon, crossed, pieces), kept


def _pieces(polygon: Array, height: Array, inside: Flags) -> Array:
    following, below = np.roll(polygon, -1, axis=1), np.roll(height, -1, axis=1)
    crossing = inside != np.roll(inside, -1, axis=1)
    t = height / np.where(crossing, height - below, 1.0)
    points = polygon + t[..., None] * (following - polygon)
    points /= np.sqrt(sphere.dot(points, points))[..., None] + ~crossing[..., None]
    both = np.stack([polygon, points], axis=2).reshape(len(polygon), -1, 3)
    return _compact(both, np.stack([inside, crossing], axis=2).reshape(len(polygon), -1))


def _compact(points: Array, wanted: Flags) -> Array:
    """Return the wanted points of each row in order, rows filled up with their first one."""
    position = np.cumsum(wanted, axis=1)
    out = np.repeat(
        points[np.arange(len(points)), wanted.argmax(axis=1)][:, None], position[:, -1].max(), axis=1
    )
    row, column = np.nonzero(wanted)
    out[row, position[row, column] - 1] = points[row, column]
    return out


def _replace(polygon: Array, which: Flags, pieces: Array) -> Array:
    extra = pieces.shape[1] - polygon.shape[1]
    if extra > 0:
        polygon = np.concatenate([polygon, np.repeat(polygon[:, :1], extra, axis=1)], axis=1)
    elif extra < 0:
        pieces = np.concatenate([pieces, np.repeat(pieces[:, :1], -extra, axis=1)], axis=1)
    out = polygon.copy()
    out[which] = pieces
    return out


def convex(corners: Array) -> Flags:
    """Return which counter-clockwise polygons ``(n, nv, 3)`` are convex."""
    previous, following = _next_distinct(corners, 1), _next_distinct(corners, -1)
    before, after = corners - previous, following - corners
    turn = sphere.dot(corners, np.cross(before, after))
    size = np.sqrt(sphere.dot(before, before) * sphere.dot(after, after))
    return np.asarray((turn >= -1e-9 * size).all(axis=1))


def _next_distinct(corners: Array, step: int) -> Array:
    """Return for each corner the next one, forwards (-1) or backwards (1), that stands elsewhere."""
    out = np.roll(corners, step, axis=1)
    for k in range(2, corners.shape[1]):
        same = (out == corners).all(axis=-1, keepdims=True)
        out = np.where(same, np.roll(corners, k * step, axis=1), out)
    return out
