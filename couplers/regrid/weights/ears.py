"""Polygons in triangles, cut off ear by ear: the sharpest tip first, as in ESMF."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


@compiled
def turn(points: Array, here: int, first: int, second: int, up: int) -> float:
    """Component along `up` of the product of the ways from `here` to `first` and to `second`.

    It is positive where the second way leads to the left of the first.
    """
    x, y, z = points[here, 0], points[here, 1], points[here, 2]
    a0, a1, a2 = points[first, 0] - x, points[first, 1] - y, points[first, 2] - z
    b0, b1, b2 = points[second, 0] - x, points[second, 1] - y, points[second, 2] - z
    out = points[up, 0] * (a1 * b2 - a2 * b1) + points[up, 1] * (a2 * b0 - a0 * b2)
    return float(out + points[up, 2] * (a0 * b1 - a1 * b0))


@compiled
def ears(loop: Index, m: int, points: Array, out: Index) -> bool:
    """Cut a polygon into triangles, the sharpest ear first; return whether it could be done.

    Parameters
    ----------
    loop, m
        Its corners, counter-clockwise: numbers of points, of which the first `m` count.
    points
        Unit vectors, shape ``(n, 3)``.
    out
        Room for the numbers of the corners of the triangles, shape ``(m - 2, 3)`` or wider.
    """
    rest, n = loop[:m].copy(), m
    for part in range(len(out)):
        tip = 1 if n == 3 else _sharpest(rest, n, points)
        if tip < 0:
            return False
        out[part, 0], out[part, 1], out[part, 2] = rest[(tip - 1) % n], rest[tip], rest[(tip + 1) % n]
        for k in range(tip, n - 1):
            rest[k] = rest[k + 1]
        n -= 1
    return True


@compiled
def _sharpest(rest: Index, n: int, points: Array) -> int:
    """Corner to cut off: convex, nobody inside, the largest product of its two sides; or -1."""
    best, found = -np.inf, -1
    for k in range(n):
        tip = (k + 1) % n
        a, b, c = rest[k], rest[tip], rest[(k + 2) % n]
        if turn(points, b, c, a, b) > 0.0:
            size = _product(points, b, c, a)
            if size > best and _empty(rest, n, k, points):
                best, found = size, tip
    return found


@compiled
def _product(points: Array, here: int, first: int, second: int) -> float:
    """Inner product of the ways from `here` to two points."""
    out = 0.0
    for x in range(3):
        out += (points[first, x] - points[here, x]) * (points[second, x] - points[here, x])
    return out


@compiled
def _empty(rest: Index, n: int, k: int, points: Array) -> bool:
    """Whether the triangle of three successive corners from `k` on holds no other corner."""
    a, b, c = rest[k], rest[(k + 1) % n], rest[(k + 2) % n]
    for step in range(3, n):
        other = rest[(k + step) % n]
        if (
            turn(points, a, b, other, a) > 0.0
            and turn(points, b, c, other, b) > 0.0
            and turn(points, c, a, other, c) > 0.0
        ):
            return False
    return True
