"""In which element a point lies, and where in it.

Ties are settled as in ESMF. Of the elements that hold a point (to 5e-11 of their size) the first
counts: rows and columns go before what closes the poles. A point in none of them belongs to the nearest if
that is closer than 5e-8 of its size.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.couplers.regrid.weights.tree import BoxTree, boxes_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.regrid.weights.points.elements import Elements

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Single: TypeAlias = NDArray[np.float32]

INSIDE = 5e-11
"""A point this far outside of an element, in its own coordinates from 0 to 1, is inside."""
NEARBY = 5e-8
"""A point this far outside of all elements belongs to the nearest."""
STEPS = 100
"""Newton's method takes about four; for a point far outside it may never settle."""
FAR = 1e6
"""This many sizes away from an element the search is given up."""
SETTLED = 1e-20
"""Square of the distance that Newton's method may leave: 0.6 mm on the earth, as in ESMF."""
AT_CORNER = 1e-15
"""A corner so near to the point is the point."""
PAIRS = 1 << 21
"""Points and elements looked at together at a time."""
MARGIN = 2e-7
"""Boxes are kept in single precision: this much wider."""


def located(elements: Elements, points: Array) -> tuple[Index, Array]:
    """Return for each point the element that holds it, or -1, and the weights of its corners.

    Parameters
    ----------
    points
        Unit vectors ``(n, 3)``. What is found for one does not depend on the others.
    """
    element = np.full(len(points), -1, dtype=np.int64)
    weights = np.zeros((len(points), 4))
    if len(points) == 0 or len(elements.corners) == 0:
        return element, weights
    low, high = boxes_at(points)
    boxes = _boxes(elements.places, elements.corners)
    near = np.flatnonzero(_touching(boxes, low.min(axis=0), high.max(axis=0)))
    boxes = boxes[near]
    tree = BoxTree.over(boxes[:, :3], boxes[:, 3:])
    for i, j in tree.chunks(low, high, PAIRS):
        _settle((elements.places, elements.corners), points, (i, near[j]), element, weights)
    return element, weights


@compiled
def _boxes(places: Array, corners: Index) -> Single:
    """Boxes ``(n, 6)`` about elements and the part of the sphere over them.

    With all corners within a chord r of the unit vector c, points q between them have q·c >= 1 - r²/2, so
    the sphere is at most r²/2 further out.
    """
    out = np.empty((len(corners), 6), dtype=np.float32)
    for e in range(len(corners)):
        n = 4 if corners[e, 3] >= 0 else 3
        margin = MARGIN + 1.0 - _least_along(places, corners, e, n)
        for x in range(3):
            low = high = places[corners[e, 0], x]
            for k in range(1, n):
                value = places[corners[e, k], x]
                low, high = min(low, value), max(high, value)
            out[e, x], out[e, 3 + x] = low - margin, high + margin
    return out


@compiled
def _least_along(places: Array, corners: Index, e: int, n: int) -> float:
    """Least component of the corners of an element along their mean direction; 0 if they have none."""
    x = y = z = 0.0
    for k in range(n):
        place = corners[e, k]
        x, y, z = x + places[place, 0], y + places[place, 1], z + places[place, 2]
    length = math.sqrt(x * x + y * y + z * z)
    if length == 0.0:
        return 0.0
    least = length
    for k in range(n):
        place = corners[e, k]
        least = min(least, places[place, 0] * x + places[place, 1] * y + places[place, 2] * z)
    return max(least / length, 0.0)


@compiled
def _touching(boxes: Single, low: Array, high: Array) -> NDArray[np.bool_]:
    """Which boxes touch the one about all points: a rank asks for few rows."""
    out = np.ones(len(boxes), dtype=np.bool_)
    for e in range(len(boxes)):
        for x in range(3):
            if boxes[e, x] > high[x] or boxes[e, 3 + x] < low[x]:
                out[e] = False
    return out


@compiled
def _settle(
    mesh: tuple[Array, Index], points: Array, pairs: tuple[Index, Index], element: Index, weights: Array
) -> None:
    """Choose for each point its element, and set its weights.

    Pairs of points and elements come ascending by point, and by element for each.
    """
    places, corners = mesh
    i, j = pairs
    frame, q, w = np.empty((3, 3)), np.empty((4, 3)), np.empty(4)
    last, best = -1, 0.0
    for at in range(len(i)):
        if i[at] != last:
            last, best = i[at], -NEARBY
            _set_frame(points, last, frame)
        if best >= -INSIDE:
            continue
        depth = _depth(places, corners, j[at], frame, q, w)
        if depth >= -INSIDE or depth > best:
            best = depth
            element[last] = j[at]
            for k in range(4):
                weights[last, k] = w[k]


@compiled
def _set_frame(points: Array, i: int, frame: Array) -> None:
    """Set the rows of `frame` to unit vectors: two across a point, and the point itself."""
    x, y, z = points[i, 0], points[i, 1], points[i, 2]
    # across from the axis that is furthest from the point
    if abs(z) <= abs(x) and abs(z) <= abs(y):
        east = (-y, x, 0.0)
    elif abs(y) <= abs(x):
        east = (z, 0.0, -x)
    else:
        east = (0.0, -z, y)
    length = math.sqrt(east[0] * east[0] + east[1] * east[1] + east[2] * east[2])
    a, b, c = east[0] / length, east[1] / length, east[2] / length
    frame[0, 0], frame[0, 1], frame[0, 2] = a, b, c
    frame[1, 0], frame[1, 1], frame[1, 2] = y * c - z * b, z * a - x * c, x * b - y * a
    frame[2, 0], frame[2, 1], frame[2, 2] = x, y, z


@compiled
def _depth(places: Array, corners: Index, e: int, frame: Array, q: Array, w: Array) -> float:
    """How deep inside of an element a point is, in the element's coordinates; sets its weights."""
    n = 4 if corners[e, 3] >= 0 else 3
    for k in range(n):
        for axis in range(3):
            q[k, axis] = _along(places, corners[e, k], frame, axis)
        if abs(q[k, 0]) + abs(q[k, 1]) < AT_CORNER and q[k, 2] > 0.0:
            w[:] = 0.0
            w[k] = 1.0
            return 0.0
    depth = _in_quad(q, w) if n == 4 else _in_triangle(q, w)
    up = 0.0
    for k in range(n):
        up += w[k] * q[k, 2]
    # else it lies on the other side of the earth
    return depth if up > 0.0 else -np.inf


@compiled
def _along(places: Array, place: int, frame: Array, axis: int) -> float:
    """Component of a place along one vector of the frame."""
    x, y, z = places[place, 0], places[place, 1], places[place, 2]
    return float(x * frame[axis, 0] + y * frame[axis, 1] + z * frame[axis, 2])


@compiled
def _in_quad(q: Array, w: Array) -> float:
    """Solve ``Σ_k w_k(u, v) q_k = t (0, 0, 1)`` by Newton's method; sets w and returns the depth inside.

    After a step (du, dv) from anywhere ``du dv (q_0 - q_1 + q_2 - q_3)`` is left of the equation.
    """
    ax, ay = q[1, 0] - q[0, 0], q[1, 1] - q[0, 1]
    bx, by = q[3, 0] - q[0, 0], q[3, 1] - q[0, 1]
    tx, ty, tz = q[2, 0] - q[1, 0] - bx, q[2, 1] - q[1, 1] - by, q[2, 2] - q[1, 2] - q[3, 2] + q[0, 2]
    twist = tx * tx + ty * ty + tz * tz
    u, v = _start(q)
    for _ in range(STEPS):
        fx = q[0, 0] + ax * u + bx * v + tx * u * v
        fy = q[0, 1] + ay * u + by * v + ty * u * v
        ux, uy, vx, vy = ax + tx * v, ay + ty * v, bx + tx * u, by + ty * u
        det = ux * vy - uy * vx
        if det == 0.0:
            return -np.inf
        du, dv = (fx * vy - fy * vx) / det, (ux * fy - uy * fx) / det
        u, v = u - du, v - dv
        if du * du * dv * dv * twist < SETTLED:
            return _at(u, v, w)
        if abs(u) + abs(v) > FAR:
            break
    return -np.inf


@compiled
def _start(q: Array) -> tuple[float, float]:
    """Where the search begins: the first corner, or another if two sides do not leave from there."""
    if _same(q, 0, 3):
        return 1.0, 1.0
    return 0.0, 1.0 if _same(q, 0, 1) else 0.0


@compiled
def _same(q: Array, a: int, b: int) -> bool:
    """Whether two corners are the same."""
    return bool(q[a, 0] == q[b, 0] and q[a, 1] == q[b, 1] and q[a, 2] == q[b, 2])


@compiled
def _at(u: float, v: float, w: Array) -> float:
    """Set the weights of a quadrilateral's corners at (u, v), brought inside; returns the depth there."""
    depth = min(u, 1.0 - u, v, 1.0 - v)
    u, v = min(max(u, 0.0), 1.0), min(max(v, 0.0), 1.0)
    w[0], w[1], w[2], w[3] = (1.0 - u) * (1.0 - v), u * (1.0 - v), u * v, (1.0 - u) * v
    return depth


@compiled
def _in_triangle(q: Array, w: Array) -> float:
    """Set the barycentric weights of (0, 0), brought inside; returns the depth."""
    w[0] = q[1, 0] * q[2, 1] - q[1, 1] * q[2, 0]
    w[1] = q[2, 0] * q[0, 1] - q[2, 1] * q[0, 0]
    w[2] = q[0, 0] * q[1, 1] - q[0, 1] * q[1, 0]
    w[3] = 0.0
    total = w[0] + w[1] + w[2]
    if total == 0.0:
        return -np.inf
    depth = min(w[0] / total, w[1] / total, w[2] / total)
    rest = 0.0
    for k in range(3):
        w[k] = max(w[k] / total, 0.0)
        rest += w[k]
    for k in range(3):
        w[k] /= rest
    return float(depth)
