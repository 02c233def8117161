"""ESMF's arithmetic to the last bit, for the places where the last bit decides on second-order weights.

Three things hang on rounding. The middle of an overlap is the mean of its corners, and where sides of source
and target meet under a flat angle a corner counts once or twice. The area of a flat triangle, which the
neighbours of any cell of a regular grid form, is noise under l'Huilier's root: up to 1e-8 of the area that
gradients are divided by. And where one neighbour lies exactly opposite of the last one, as in the last column
of such grids, its bearing is -π or π; with it goes the corner about which that area is added up, which for a
hollow polygon changes the gradient by a hundredth. Nothing but the same operations in the same order has the
same rounding; here they are. Whatever they give, integrals are conserved: shared areas come from elsewhere.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]

SAME = 1e-15
"""Corners whose coordinates differ by less are one."""
ON_SIDE = 1e-20
"""Points this near to a side are on it."""
PARALLEL = 1e-10
"""A line that meets the plane of a side under a smaller sine lies in it."""


def corners(grid: Grid, cells: Index | slice) -> Array:
    """Return corners as unit vectors ``(cells, nv, 3)``, by way of the angle from the north pole."""
    lon, lat = grid.places.angles_of(cells)
    along, down = lon * (math.pi / 180.0), (90.0 - lat) * (math.pi / 180.0)
    pole = np.asarray(np.abs(lat) == 90.0)
    across = np.where(pole, 0.0, np.sin(down))
    up = np.where(pole, np.sign(lat), np.cos(down))
    out = np.stack([np.cos(along) * across, np.sin(along) * across, up], axis=-1)
    return _closed(grid, cells, out) if len(grid.shape) == 2 and grid.periodic else out


def _closed(grid: Grid, cells: Index | slice, out: Array) -> Array:
    """Let the last column end in the very nodes in which the first begins."""
    index = np.arange(grid.size)[cells] if isinstance(cells, slice) else cells
    last = np.flatnonzero(index % grid.shape[1] == grid.shape[1] - 1)
    if not len(last):
        return out
    first = corners(grid, index[last] - (grid.shape[1] - 1))
    here, there = out[last][:, :, None], first[:, None]
    apart = np.abs(here - there).max(axis=-1)
    shared = np.take_along_axis(first, apart.argmin(axis=-1)[..., None], axis=1)
    out[last] = np.where(apart.min(axis=-1)[..., None] < 1e-12, shared, out[last])
    return out


@compiled
def middles(subjects: Array, clips: Array, subject: Index, clip: Index) -> Array:
    """Return area and middle, a unit vector, of the intersections of convex polygons, shape ``(pairs, 4)``.

    Parameters
    ----------
    subjects, clips
        Corners, counter-clockwise, shapes ``(n, ns, 3)`` and ``(m, nc, 3)``.
    subject, clip
        Which meets which; fast where the same clip comes many times in turn.
    """
    out = np.zeros((len(subject), 4))
    most = (subjects.shape[1] + 1) * (clips.shape[1] + 1)
    room, sides = np.empty((2, most, 3)), np.empty((clips.shape[1] + 1, 3))
    hand, m, before = np.empty(most, dtype=np.int64), 0, -1
    for k in range(len(subject)):
        if clip[k] != before:
            before = clip[k]
            m = _distinct(clips[before], clips.shape[1], sides)
            sides[m] = sides[0]
        n = _distinct(subjects[subject[k]], subjects.shape[1], room[0])
        for side in range(m):
            n = _cut(room, n, sides[side], sides[side + 1], hand)
        if n >= 3:
            out[k, 0] = area(room[0], n)
            _put_mean(room[0], n, out[k, 1:])
    return out


@compiled
def _put_mean(points: Array, n: int, out: Array) -> None:
    """Put the mean of the first n points, brought to the sphere, into `out`."""
    for x in range(3):
        total = 0.0
        for k in range(n):
            total += points[k, x]
        out[x] = total / float(n)
    scale = 1.0 / math.sqrt(out[0] * out[0] + out[1] * out[1] + out[2] * out[2])
    for x in range(3):
        out[x] *= scale


@compiled
def _distinct(points: Array, n: int, out: Array) -> int:
    """Copy points that are not at the place of the one before; return how many are left."""
    count, last = 0, n - 1
    for k in range(n):
        far = max(abs(points[k, 0] - points[last, 0]), abs(points[k, 1] - points[last, 1]))
        if max(far, abs(points[k, 2] - points[last, 2])) >= SAME:
            out[count, 0], out[count, 1], out[count, 2] = points[k, 0], points[k, 1], points[k, 2]
            count, last = count + 1, k
    return count


@compiled
def _cut(room: Array, n: int, a: Array, b: Array, hand: Index) -> int:
    """Cut the polygon in ``room[0]`` by the side from a to b; return how many corners are left of it."""
    polygon, out, count = room[0], room[1], 0
    left, right = _see(polygon, n, a, b, hand)
    if left == 0 or right == 0:
        return n if left else 0
    for k in range(n):
        last = k - 1 if k else n - 1
        if hand[k] * hand[last] < 0:
            within, beyond = (k, last) if hand[k] > 0 else (last, k)
            count += _cross(a, b, polygon[within], polygon[beyond], out[count])
        if hand[k] >= 0:
            out[count, 0], out[count, 1], out[count, 2] = polygon[k, 0], polygon[k, 1], polygon[k, 2]
            count += 1
    return _distinct(out, count, polygon)


@compiled
def _see(polygon: Array, n: int, a: Array, b: Array, hand: Index) -> tuple[int, int]:
    """Put 1, 0, -1 into `hand` for corners left of, on, right of a side; count those left and right."""
    left = right = 0
    x, y, z = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    least = ON_SIDE * ON_SIDE * (x * x + y * y + z * z)
    for k in range(n):
        p, q, r = polygon[k, 0] - a[0], polygon[k, 1] - a[1], polygon[k, 2] - a[2]
        u, v, w = y * r - z * q, z * p - x * r, x * q - y * p
        hand[k] = 0
        if u * a[0] + v * a[1] + w * a[2] < 0.0:
            hand[k], right = -1, right + 1
        elif u * u + v * v + w * w > least:
            hand[k], left = 1, left + 1
    return left, right


@compiled
def _cross(a: Array, b: Array, within: Array, beyond: Array, out: Array) -> int:
    """Put where a line crosses the plane through a and b into `out`; return 1, or 0 if it does not."""
    x, y, z = a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
    p, q, r = beyond[0] - within[0], beyond[1] - within[1], beyond[2] - within[2]
    sine = (x * p + y * q + z * r) / math.sqrt(x * x + y * y + z * z) / math.sqrt(p * p + q * q + r * r)
    t = 1.0 if abs(sine) < PARALLEL else _along(a, b, within, beyond)
    if t < 0.0:
        return 0
    if t >= 1.0:
        x, y, z = beyond[0], beyond[1], beyond[2]
    else:
        x, y, z = within[0] + t * p, within[1] + t * q, within[2] + t * r
    length = math.sqrt(x * x + y * y + z * z)
    out[0], out[1], out[2] = x / length, y / length, z / length
    return 1


@compiled
def _along(a: Array, b: Array, within: Array, beyond: Array) -> float:
    """Part of the way from `within` to `beyond` at which the plane through a, b and the origin is met."""
    l0, l1, l2 = within[0] - beyond[0], within[1] - beyond[1], within[2] - beyond[2]
    s0, s1, s2 = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    i0, i1, i2 = -a[0], -a[1], -a[2]
    # the first row of the inverse of the matrix with columns line l, side s, inward i, by its cofactors
    n0, n1, n2 = s1 * i2 - i1 * s2, i0 * s2 - s0 * i2, s0 * i1 - i0 * s1
    total = l0 * n0 - s0 * (l1 * i2 - i1 * l2) + i0 * (l1 * s2 - s1 * l2)
    if total == 0.0:
        return 1.0
    scale = 1.0 / total
    n0, n1, n2 = n0 * scale, n1 * scale, n2 * scale
    return float(n0 * (within[0] - a[0]) + n1 * (within[1] - a[1]) + n2 * (within[2] - a[2]))


@compiled
def bearing(reference: Array, point: Array, eye: Array) -> float:
    """Return a number in [-2, 2] that grows with the bearing of a point from a reference to the left."""
    a0, a1, a2 = reference[0] - eye[0], reference[1] - eye[1], reference[2] - eye[2]
    b0, b1, b2 = point[0] - eye[0], point[1] - eye[1], point[2] - eye[2]
    along = a0 * b0 + a1 * b1 + a2 * b2
    ahead = a0 * b1 * eye[2] + b0 * eye[1] * a2 + eye[0] * a1 * b2
    ahead = ahead - a2 * b1 * eye[0] - b2 * eye[1] * a0 - eye[2] * a1 * b0
    size = abs(along) + abs(ahead)
    if size == 0.0:
        return 0.0
    return float(1.0 - along / size if ahead >= 0.0 else along / size - 1.0)


@compiled
def arc(p: Array, q: Array) -> float:
    """Angle between two unit vectors."""
    x, y, z = p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]
    return math.atan2(math.sqrt(x * x + y * y + z * z), p[0] * q[0] + p[1] * q[1] + p[2] * q[2])


@compiled
def area(points: Array, n: int) -> float:
    """Sum of the areas of the triangles at the first of n points, whichever way they turn, by l'Huilier.

    tan²(E/4) = tan(s/2) tan((s-a)/2) tan((s-b)/2) tan((s-c)/2) with the sides a, b, c and half their sum s.
    """
    total, a = 0.0, arc(points[0], points[1])
    for k in range(1, n - 1):
        b, c = arc(points[0], points[k + 1]), arc(points[k + 1], points[k])
        s = 0.5 * (a + b + c)
        root = math.tan(0.5 * s) * math.tan(0.5 * (s - a)) * math.tan(0.5 * (s - b)) * math.tan(0.5 * (s - c))
        total += 4.0 * math.atan(math.sqrt(abs(root)))
        a = b
    return total
