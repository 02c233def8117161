"""Compiled loops over polygons on the unit sphere, for `sphere`; imported when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]
    Flags: TypeAlias = NDArray[np.bool_]

KEPT = 4
"""Angles whose sines are remembered: corners of neighbouring cells come one after the other."""


@compiled
def unit_vectors(lon: Array, lat: Array) -> Array:
    """Vectors ``(n, 3)`` of longitudes and latitudes ``(n,)`` in degrees."""
    out = np.empty((len(lon), 3))
    east, north = _nothing_known(), _nothing_known()
    for i in range(len(lon)):
        x, y = _remembered(east, lon[i]), _remembered(north, lat[i])
        out[i, 0], out[i, 1] = north[y, 1] * east[x, 1], north[y, 1] * east[x, 2]
        out[i, 2] = north[y, 2]
    return out


@compiled
def _nothing_known() -> Array:
    out = np.zeros((KEPT + 1, 3))
    for k in range(KEPT):
        out[k, 0] = np.nan
    return out


@compiled
def _remembered(known: Array, degrees: float) -> int:
    """Row of `known` with the cosine and sine of an angle; the last row says which is overwritten next."""
    for k in range(KEPT):
        if known[k, 0] == degrees:
            return k
    k = int(known[KEPT, 0])
    known[KEPT, 0] = (k + 1) % KEPT
    known[k, 0] = degrees
    known[k, 1], known[k, 2] = _cosine_and_sine(degrees)
    return k


@compiled
def _cosine_and_sine(degrees: float) -> tuple[float, float]:
    """Cosine and sine, exact at right angles and the same to the last bit after whole turns.

    What is left of an angle without its quarter turns is exact in floating point. So a pole is one point
    whatever its longitude, which the cosine of pi / 2, 6e-17, would not make it.
    """
    quarters = np.floor(degrees / 90.0 + 0.5)
    angle = (degrees - 90.0 * quarters) * (np.pi / 180.0)
    cosine, sine = np.cos(angle), np.sin(angle)
    if quarters % 2.0 == 1.0:
        cosine, sine = -sine, cosine
    return (-cosine, -sine) if quarters % 4.0 >= 2.0 else (cosine, sine)


@compiled
def boxes(cells: Index, columns: Array, rows: Array, around: Index) -> Array:
    """Corners ``(n, 4, 3)`` of cells between meridians and parallels.

    Parameters
    ----------
    cells
        Numbers ``(n,)``, columns running fastest.
    columns, rows
        Vectors at the edges of columns, on the equator, and of rows, on the meridian of Greenwich.
    around
        Steps right and up from the first edges of a cell to its corners, shape ``(4, 2)``.
    """
    out = np.empty((len(cells), 4, 3))
    for i in range(len(cells)):
        row, column = divmod(cells[i], len(columns) - 1)
        for k in range(4):
            x, y = column + around[k, 0], row + around[k, 1]
            out[i, k, 0], out[i, k, 1] = rows[y, 0] * columns[x, 0], rows[y, 0] * columns[x, 1]
            out[i, k, 2] = rows[y, 2]
    return out


@compiled
def area(points: Array, n: int) -> float:
    """Signed area in steradian of the first `n` of some points, as a fan about the first of them.

    Half the excess E of a triangle is the argument of the complex number (1 + a·b + b·c + c·a) + i a·(b×c)
    (see `sphere.triangle_areas`): the sum of arguments is that of the product.
    """
    half, x, y = 0.0, 1.0, 0.0
    for k in range(1, n - 1):
        real, imaginary = _half_excess(points, k)
        x, y = x * real - y * imaginary, x * imaginary + y * real
        if x < 1e-3 and k < n - 2:
            half += np.arctan2(y, x)
            x, y = 1.0, 0.0
    return float(2.0 * (half + np.arctan2(y, x)))


@compiled
def _half_excess(p: Array, k: int) -> tuple[float, float]:
    """Complex number, for small triangles about 1, whose argument is half of the area of points 0, k, k+1."""
    ax, ay, az = p[0, 0], p[0, 1], p[0, 2]
    bx, by, bz = p[k, 0], p[k, 1], p[k, 2]
    cx, cy, cz = p[k + 1, 0], p[k + 1, 1], p[k + 1, 2]
    real = 1.0 + (ax * bx + ay * by + az * bz) + (bx * cx + by * cy + bz * cz) + (cx * ax + cy * ay + cz * az)
    bx, by, bz, cx, cy, cz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
    # of sides, so that small cells keep their digits
    volume = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    return 0.25 * real, 0.25 * volume


@compiled
def areas(corners: Array) -> Array:
    """Signed areas in steradian of polygons ``(n, nv, 3)``."""
    out = np.empty(len(corners))
    for i in range(len(corners)):
        out[i] = area(corners[i], corners.shape[1])
    return out


@compiled
def bow_ties(corners: Array) -> Flags:
    """Which polygons ``(n, nv, 3)`` have two sides that cross."""
    n, nv = corners.shape[0], corners.shape[1]
    out = np.zeros(n, dtype=np.bool_)
    for i in range(n):
        for k in range(nv):
            for m in range(k + 2, nv if k else nv - 1):
                out[i] |= _crossing(corners[i], k, m)
    return out


@compiled
def _crossing(p: Array, k: int, m: int) -> bool:
    """Whether the sides from corners k and m on cross."""
    a, b, c, d = k, (k + 1) % len(p), m, (m + 1) % len(p)
    # relative to the sides, so that rounding on a repeated or touching corner is no crossing
    tiny = -1e-10 * _square(p, a, b) * _square(p, c, d)
    apart = _turn(p, a, b, c) * _turn(p, a, b, d) < tiny
    return bool(apart and _turn(p, c, d, a) * _turn(p, c, d, b) < tiny)


@compiled
def _square(p: Array, a: int, b: int) -> float:
    """Square of the chord between two points."""
    x, y, z = p[b, 0] - p[a, 0], p[b, 1] - p[a, 1], p[b, 2] - p[a, 2]
    return float(x * x + y * y + z * z)


@compiled
def _turn(p: Array, a: int, b: int, c: int) -> float:
    """a·((b - a)×(c - a)): positive where a, b, c turn to the left."""
    bx, by, bz = p[b, 0] - p[a, 0], p[b, 1] - p[a, 1], p[b, 2] - p[a, 2]
    cx, cy, cz = p[c, 0] - p[a, 0], p[c, 1] - p[a, 1], p[c, 2] - p[a, 2]
    return float(
        p[a, 0] * (by * cz - bz * cy) + p[a, 1] * (bz * cx - bx * cz) + p[a, 2] * (bx * cy - by * cx)
    )


@compiled
def convex(corners: Array) -> Flags:
    """Which counter-clockwise polygons ``(n, nv, 3)`` are convex; repeated corners are harmless."""
    n, nv = corners.shape[0], corners.shape[1]
    out = np.ones(n, dtype=np.bool_)
    for i in range(n):
        p = corners[i]
        for k in range(nv):
            before, after = _elsewhere(p, k, nv - 1), _elsewhere(p, k, 1)
            size = np.sqrt(_square(p, k, before) * _square(p, k, after))
            if _turn(p, k, after, before) < -1e-9 * size:
                out[i] = False
    return out


@compiled
def _elsewhere(p: Array, k: int, step: int) -> int:
    """Return the next corner in steps that is not at the place of corner k, or k itself."""
    m = (k + step) % len(p)
    while m != k and p[m, 0] == p[k, 0] and p[m, 1] == p[k, 1] and p[m, 2] == p[k, 2]:
        m = (m + step) % len(p)
    return m
