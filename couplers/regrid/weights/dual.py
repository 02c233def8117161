"""The dual of a mesh: polygons whose corners are the centres of the cells around each node.

As in ESMF, the cells around a node are joined in the order of their bearing; a node with fewer than three
cells makes none, and a polygon of more than four centres is cut into triangles, ear by ear (the method of
Meisters, 1975, doi 10.2307/2319703).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.couplers.grids import topology
from tradewind.couplers.regrid.weights.positions import positions
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


def dual_elements(grid: Grid) -> Index:
    """Return the triangles and quadrilaterals ``(n, 4)`` that join the centres of a mesh.

    Entries are cells, counter-clockwise; the last of a triangle is -1.

    Raises
    ------
    GridError
        When the mesh has no corners, or centres around a node cannot be joined (repeated or misplaced).
    """
    if grid.lon_corners is None or grid.lat_corners is None:
        raise GridError(
            "bilinear needs to know which cells touch",
            where=repr(grid),
            hint="give corners, or use nearest_s2d",
        )
    number = topology.node_numbers(grid.corners)
    nodes, first = np.unique(number, return_index=True)
    lon, lat = grid.lon_corners.reshape(-1)[first], grid.lat_corners.reshape(-1)[first]
    starts, cells = _cells_around(number, len(nodes))
    elements = np.full((int(_parts(np.diff(starts)).sum()), 4), -1, dtype=np.int64)
    failed = _fill((starts, cells), positions(lon, lat), positions(grid.lon, grid.lat), elements)
    if failed >= 0:
        raise GridError(
            f"the centres around the node at {lon[failed]:g} E, {lat[failed]:g} N cannot be joined",
            where=repr(grid),
            hint="centres have to lie inside of their cells, each at its own place",
        )
    return elements


def _parts(counts: Index) -> Index:
    """Return into how many elements the polygon of some number of cells goes."""
    out: Index = np.where(counts > 4, counts - 2, (counts >= 3).astype(np.int64))
    return out


def _cells_around(number: Index, nodes: int) -> tuple[Index, Index]:
    """Return the cells around each node, ascending, and where those of each node start."""
    size = len(number)
    cell = np.repeat(np.arange(size), number.shape[1])
    # a corner that is repeated names its cell once
    pairs = np.unique(number.reshape(-1).astype(np.int64) * size + cell)
    return np.searchsorted(pairs, np.arange(nodes + 1) * size), pairs % size


@compiled
def _fill(around: tuple[Index, Index], nodes: Array, centres: Array, out: Index) -> int:
    """Fill `out` with elements, node by node; returns the first node that fails, or -1."""
    starts, every = around
    at = 0
    for node in range(len(nodes)):
        cells = every[starts[node] : starts[node + 1]]
        m = len(cells)
        if m < 3:
            continue
        loop = _loop(cells, nodes[node], centres)
        if m <= 4:
            out[at, :m] = loop
            at += 1
        elif ears(loop, centres, out[at : at + m - 2]):
            at += m - 2
        else:
            return node
    return -1


@compiled
def _loop(cells: Index, node: Array, centres: Array) -> Index:
    """Return the cells around a node in counter-clockwise order, from the last one on."""
    m = len(cells)
    reference = centres[cells[m - 1]] - node
    bearing = np.empty(m)
    for k in range(m):
        bearing[k] = _bearing(reference, centres[cells[k]] - node, node)
    order = np.argsort(bearing, kind="mergesort")
    turn = bearing[order[m - 1]] - bearing[order[0]]
    if m <= 3 or turn > math.pi:
        return cells[order]
    return _open_loop(cells[order], centres)


@compiled
def _bearing(a: Array, b: Array, up: Array) -> float:
    """Return the angle from `a` to `b`, counter-clockwise about `up`."""
    length = math.sqrt(_dot(up, up))
    x, y, z = up[0] / length, up[1] / length, up[2] / length
    # in ESMF's order: which of two opposite cells comes first is a matter of rounding
    across = (
        a[0] * b[1] * z
        + b[0] * y * a[2]
        + x * a[1] * b[2]
        - a[2] * b[1] * x
        - b[2] * y * a[0]
        - z * a[1] * b[0]
    )
    return math.atan2(across, _dot(a, b))


@compiled
def _turn(a: Array, b: Array, up: Array) -> float:
    """Return ``up . (a x b)``: positive where the way from `a` to `b` is counter-clockwise."""
    out = up[0] * (a[1] * b[2] - a[2] * b[1])
    out += up[1] * (a[2] * b[0] - a[0] * b[2]) + up[2] * (a[0] * b[1] - a[1] * b[0])
    return float(out)


@compiled
def _open_loop(cells: Index, centres: Array) -> Index:
    """Order the cells around a node on the rim: out on one side of the line first-last, then back."""
    m = len(cells)
    first, last = centres[cells[0]], centres[cells[m - 1]]
    out = cells.copy()
    left = np.zeros(m, dtype=np.bool_)
    for k in range(1, m - 1):
        left[k] = _turn(centres[cells[k]] - first, last - first, first) < 0
    at = 1
    for k in range(1, m):
        if not left[k]:
            out[at] = cells[k]
            at += 1
    for k in range(m - 2, 0, -1):
        if left[k]:
            out[at] = cells[k]
            at += 1
    return out


@compiled
def ears(loop: Index, centres: Array, out: Index) -> bool:
    """Cut a polygon into triangles, the ear with the sharpest tip first; return whether it could be done."""
    rest = loop.copy()
    n = len(rest)
    for part in range(len(out)):
        tip = 1 if n == 3 else _sharpest(rest[:n], centres)
        if tip < 0:
            return False
        out[part, 0], out[part, 1], out[part, 2] = rest[(tip - 1) % n], rest[tip], rest[(tip + 1) % n]
        rest[tip : n - 1] = rest[tip + 1 : n]
        n -= 1
    return True


@compiled
def _sharpest(rest: Index, centres: Array) -> int:
    """Return the corner to cut off: convex, nobody inside, largest product of its two sides; or -1."""
    n = len(rest)
    best, found = -np.inf, -1
    for k in range(n):
        tip = (k + 1) % n
        a, b, c = centres[rest[k]], centres[rest[tip]], centres[rest[(k + 2) % n]]
        size = _dot(c - b, a - b)
        if _turn(c - b, a - b, b) > 0 and size > best and _empty(rest, k, centres):
            best, found = size, tip
    return found


@compiled
def _dot(a: Array, b: Array) -> float:
    """Return the inner product."""
    return float(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


@compiled
def _empty(rest: Index, k: int, centres: Array) -> bool:
    """Return whether the triangle of three successive corners from `k` on holds no other corner."""
    n = len(rest)
    for other in range(n):
        if (other - k) % n > 2 and _inside(rest, k, centres, centres[rest[other]]):
            return False
    return True


@compiled
def _inside(rest: Index, k: int, centres: Array, point: Array) -> bool:
    """Return whether a point lies inside of the triangle of three successive corners."""
    n = len(rest)
    for side in range(3):
        a = centres[rest[(k + side) % n]]
        b = centres[rest[(k + (side + 1) % 3) % n]]
        if _turn(b - a, point - a, a) <= 0:
            return False
    return True
