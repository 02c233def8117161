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
from tradewind.couplers.regrid.weights.ears import ears, turn
from tradewind.couplers.regrid.weights.points.positions import positions
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
    first = _first_of_each(number.reshape(-1))
    lon, lat = grid.lon_corners.reshape(-1)[first], grid.lat_corners.reshape(-1)[first]
    starts, cells = _cells_around(number, len(first))
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


def _first_of_each(number: Index) -> Index:
    """Return where each of the numbers from 0 on comes first."""
    out = np.empty(int(number.max()) + 1, dtype=np.int64)
    # of several values for one place the last one stays
    out[number[::-1]] = np.arange(len(number))[::-1]
    return out


def _cells_around(number: Index, nodes: int) -> tuple[Index, Index]:
    """Return where the cells around each node start, and these cells, ascending for each."""
    flat = number.reshape(-1)
    order = np.argsort(flat, kind="stable")
    node, cell = flat[order], order // number.shape[1]
    # a corner that is repeated names its cell once
    fresh = np.append(True, (np.diff(node) != 0) | (np.diff(cell) != 0))
    counts = np.bincount(node[fresh], minlength=nodes)
    return np.concatenate([[0], np.cumsum(counts)]), cell[fresh]


@compiled
def _fill(around: tuple[Index, Index], nodes: Array, centres: Array, out: Index) -> int:
    """Fill `out` with elements, node by node; returns the first node that fails, or -1."""
    starts, every = around
    loop, angles, at = np.empty(8, dtype=np.int64), np.empty(8), 0
    for node in range(len(nodes)):
        m = starts[node + 1] - starts[node]
        if m < 3:
            continue
        if m > len(loop):
            loop, angles = np.empty(2 * m, dtype=np.int64), np.empty(2 * m)
        for k in range(m):
            loop[k] = every[starts[node] + k]
        _sort_around(loop, m, (nodes, node), centres, angles)
        if m > 3 and angles[m - 1] - angles[0] <= math.pi:
            _close_rim(loop, m, centres)
        if m > 4:
            if not ears(loop, m, centres, out[at : at + m - 2]):
                return node
            at += m - 2
        else:
            for k in range(m):
                out[at, k] = loop[k]
            at += 1
    return -1


@compiled
def _sort_around(loop: Index, m: int, node: tuple[Array, int], centres: Array, angles: Array) -> None:
    """Sort cells by the angle, counter-clockwise about the node, from the last of them."""
    nodes, at = node
    x, y, z = nodes[at, 0], nodes[at, 1], nodes[at, 2]
    reference = loop[m - 1]
    for k in range(m):
        cell, angle = loop[k], _angle(centres, reference, loop[k], (x, y, z))
        place = k
        while place > 0 and angles[place - 1] > angle:
            loop[place], angles[place] = loop[place - 1], angles[place - 1]
            place -= 1
        loop[place], angles[place] = cell, angle


@compiled
def _angle(centres: Array, first: int, second: int, node: tuple[float, float, float]) -> float:
    """Angle at a node from the centre of the first cell to that of the second."""
    x, y, z = node
    a0, a1, a2 = centres[first, 0] - x, centres[first, 1] - y, centres[first, 2] - z
    b0, b1, b2 = centres[second, 0] - x, centres[second, 1] - y, centres[second, 2] - z
    length = math.sqrt(x * x + y * y + z * z)
    x, y, z = x / length, y / length, z / length
    # in ESMF's order: which of two opposite cells comes first is a matter of rounding
    across = a0 * b1 * z + b0 * y * a2 + x * a1 * b2 - a2 * b1 * x - b2 * y * a0 - z * a1 * b0
    return math.atan2(across, a0 * b0 + a1 * b1 + a2 * b2)


@compiled
def _close_rim(loop: Index, m: int, centres: Array) -> None:
    """Order the cells around a node on the rim: out on one side of the line first-last, then back."""
    out, rim = np.empty(m, dtype=np.int64), 1
    left = np.zeros(m, dtype=np.bool_)
    first, last = loop[0], loop[m - 1]
    for k in range(1, m - 1):
        left[k] = turn(centres, first, loop[k], last, first) < 0.0
    out[0] = first
    for k in range(1, m):
        if not left[k]:
            out[rim] = loop[k]
            rim += 1
    for k in range(m - 2, 0, -1):
        if left[k]:
            out[rim] = loop[k]
            rim += 1
    for k in range(m):
        loop[k] = out[k]
