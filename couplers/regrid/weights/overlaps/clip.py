"""Overlaps of polygons on the sphere, pair by pair, compiled.

Sutherland and Hodgman (1974, doi 10.1145/360767.360802) with the planes of great circles in place of
lines: a subject is cut by one side of a convex polygon after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.couplers.grids.polygons import area

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]

TINY = 1e-15
"""Distances from a side below this part of its length are rounding: the point is on the side."""


@compiled
def areas(subjects: Array, whole: Array, clips: Array, subject: Index, clip: Index) -> Array:
    """Return steradians of the intersections of pairs of polygons.

    Parameters
    ----------
    subjects
        Counter-clockwise polygons, shape ``(n, ns, 3)``; they need not be convex.
    whole
        Their areas, shape ``(n,)``.
    clips
        Counter-clockwise convex polygons, shape ``(m, nc, 3)``; repeated corners are harmless.
    subject, clip
        Which meets which, shape ``(pairs,)``; fast where the same clip comes many times in turn.
    """
    out = np.zeros(len(subject))
    room, sides, cutting = _room(subjects, clips), _sides(clips), np.empty(clips.shape[1], dtype=np.int64)
    before = -1
    for k in range(len(subject)):
        j = subject[k]
        if clip[k] != before:
            before = clip[k]
            _see_sides(clips, before, sides)
        cuts = _cuts(subjects, j, sides, cutting)
        if cuts == 0:
            out[k] = whole[j]
        if cuts > 0:
            n = _cut_off(subjects, j, room, sides, cutting[:cuts])
            out[k] = area(room[cuts % 2], n)
    return out


@compiled
def _room(subjects: Array, clips: Array) -> Array:
    """Two places for a polygon being cut: each side may leave a corner more for every one before."""
    return np.empty((2, (subjects.shape[1] + 1) * (clips.shape[1] + 1), 3))


@compiled
def _sides(clips: Array) -> Array:
    """Place for a normal, a corner and a tolerance for each side."""
    return np.empty((clips.shape[1], 7))


@compiled
def _see_sides(polygons: Array, i: int, sides: Array) -> None:
    """Note the planes of the sides of a polygon: through corner a, normal to a×(b - a)."""
    for k in range(len(sides)):
        m = k + 1 if k + 1 < len(sides) else 0
        ax, ay, az = polygons[i, k, 0], polygons[i, k, 1], polygons[i, k, 2]
        bx, by, bz = polygons[i, m, 0] - ax, polygons[i, m, 1] - ay, polygons[i, m, 2] - az
        square = bx * bx + by * by + bz * bz
        sides[k, 0], sides[k, 1], sides[k, 2] = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        sides[k, 3], sides[k, 4], sides[k, 5] = ax, ay, az
        sides[k, 6] = TINY * square if square > 0.0 else -1.0


@compiled
def _height(polygons: Array, j: int, c: int, sides: Array, k: int) -> float:
    """Height of a corner above the plane of a side, times the side's length; inside is above."""
    # from the side's corner, not from the origin, so that small cells keep their digits
    x, y, z = (
        polygons[j, c, 0] - sides[k, 3],
        polygons[j, c, 1] - sides[k, 4],
        polygons[j, c, 2] - sides[k, 5],
    )
    return float(sides[k, 0] * x + sides[k, 1] * y + sides[k, 2] * z)


@compiled
def _cuts(polygons: Array, j: int, sides: Array, cutting: Index) -> int:
    """Put the sides that cut a polygon into `cutting`; return how many they are, -1 where it is outside.

    A side of no length has all points on it and cuts nothing.
    """
    cuts = 0
    for k in range(len(sides)):
        low = high = 0.0
        for c in range(polygons.shape[1]):
            height = _height(polygons, j, c, sides, k)
            low, high = min(low, height), max(high, height)
        if high <= sides[k, 6]:
            return -1
        if low < -abs(sides[k, 6]):
            cutting[cuts] = k
            cuts += 1
    return cuts


@compiled
def _cut_off(polygons: Array, j: int, room: Array, sides: Array, cutting: Index) -> int:
    """Cut a polygon by some sides, to and fro in `room`; return how many corners are left."""
    n = polygons.shape[1]
    for c in range(n):
        for x in range(3):
            room[0, c, x] = polygons[j, c, x]
    for here in range(len(cutting)):
        n = _cut(room, here % 2, n, sides, cutting[here])
    return int(n)


@compiled
def _cut(room: Array, here: int, n: int, sides: Array, k: int) -> int:
    """Put what lies above a side of the `n` corners here into the other half; return how many they are."""
    if 2 * n > room.shape[1]:
        raise ValueError("a cell crosses another one too often")
    count, before, tiny = 0, n - 1, sides[k, 6]
    below = _height(room, here, before, sides, k)
    for c in range(n):
        height = _height(room, here, c, sides, k)
        # a corner on the side stays, and is the crossing
        if (below > 0.0 and height < -tiny) or (below < -tiny and height > 0.0):
            _put_crossing(room, here, before, c, below / (below - height), count)
            count += 1
        if height >= -tiny:
            for x in range(3):
                room[1 - here, count, x] = room[here, c, x]
            count += 1
        before, below = c, height
    return int(count)


@compiled
def _put_crossing(room: Array, here: int, a: int, b: int, t: float, count: int) -> None:
    """Put the point of the sphere above a + t (b - a) into the other half."""
    x = room[here, a, 0] + t * (room[here, b, 0] - room[here, a, 0])
    y = room[here, a, 1] + t * (room[here, b, 1] - room[here, a, 1])
    z = room[here, a, 2] + t * (room[here, b, 2] - room[here, a, 2])
    scale = 1.0 / np.sqrt(x * x + y * y + z * z)
    room[1 - here, count, 0], room[1 - here, count, 1], room[1 - here, count, 2] = (
        x * scale,
        y * scale,
        z * scale,
    )
