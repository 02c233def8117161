"""The Laplacian between cells that share a side, in finite volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse

from tradewind.couplers.grids.topology import node_numbers
from tradewind.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Array: TypeAlias = NDArray[np.float64]
    Index: TypeAlias = NDArray[np.int64]


def shared_sides(grid: Grid, cells: Index) -> tuple[Index, Index, Array]:
    """Return which cells share a side, as positions in `cells`, and how long it is, in radians.

    Sides are shared where both corners are: over the seam of a periodic grid, along the folds of a
    curvilinear one, and on meshes. Cells that are not among `cells` are walls.

    Returns
    -------
    Two arrays of positions and one of lengths, shape ``(sides,)`` each.

    Raises
    ------
    DataError
        When the grid has no corners, or three cells share a side.
    """
    if not grid.has_corners:
        what = f"{grid!r} has no corners, so it is not known which cells touch"
        raise DataError(what, where="diffusion", hint="use a kernel that is a function of the distance")
    corners = grid.corners_of(cells)
    begin, end, length = _sides(corners)
    nodes = np.stack([np.minimum(begin, end), np.maximum(begin, end)], axis=-1)
    cell = np.broadcast_to(np.arange(len(cells))[:, None], begin.shape)
    real = begin != end  # at a pole, and where cells with fewer corners repeat one
    _, side = np.unique(nodes[real], axis=0, return_inverse=True)
    return _pairs(side.reshape(-1), cell[real], length[real])


def _sides(corners: Array) -> tuple[Index, Index, Array]:
    """Return the node numbers of both ends of every side, and its length, shape ``(cells, nv)`` each."""
    node = node_numbers(corners)
    chord = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=-1)
    return node, np.roll(node, -1, axis=1), _arc(chord)


def _pairs(side: Index, cell: Index, length: Array) -> tuple[Index, Index, Array]:
    order = np.argsort(side, kind="stable")
    side, cell, length = side[order], cell[order], length[order]
    if len(side) and np.bincount(side).max() > 2:
        hint = "cells may not lie on each other"
        raise DataError("three cells share a side", where="diffusion", hint=hint)
    first = np.flatnonzero(side[:-1] == side[1:])
    return cell[first], cell[first + 1], length[first]


def stiffness(grid: Grid, cells: Index) -> sparse.csr_array:
    """Return K with ``xᵀ K x = Σ (l / d) (x_i - x_j)²`` over shared sides, about ``∫ |∇x|²``.

    l is the length of a side and d the distance of the two centres, both along great circles; K is symmetric,
    and ``-K x`` is the area of every cell times the Laplacian (two-point fluxes, exact on orthogonal grids).
    """
    i, j, length = shared_sides(grid, cells)
    chord = np.linalg.norm(grid.centres[cells[i]] - grid.centres[cells[j]], axis=-1)
    flux = length / _arc(chord)
    n = len(cells)
    off = sparse.coo_array((-flux, (i, j)), shape=(n, n))
    diagonal = np.zeros(n) + np.bincount(i, flux, n) + np.bincount(j, flux, n)
    return sparse.csr_array(off + off.T + sparse.diags_array(diagonal))


def _arc(chord: Array) -> Array:
    return np.asarray(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)))
