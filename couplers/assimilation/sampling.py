"""Reading a field at places: which cells count, and the linear operator that reads them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from scipy import sparse

from tradewind.couplers.grids import Grid, sphere
from tradewind.couplers.operators import Distributed, LinearOperator, Replicated
from tradewind.couplers.regrid.weights import Method, Scheme, generate
from tradewind.couplers.regrid.weights.tree import BoxTree, boxes_around, boxes_at
from tradewind.errors import SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.ranks.layout import Layout

    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]

EDGE = 1e-12
"""Sine of the angle by which a place may miss the edge of a cell through rounding."""


def containing_cells(grid: Grid, lon: Array, lat: Array) -> sparse.csr_array:
    """Return weight 1 for the active cell that holds each place, of several (on an edge) the first.

    Parameters
    ----------
    lon, lat
        Degrees, shape ``(m,)``.

    Returns
    -------
    Matrix ``(m, grid.size)``; the row of a place outside of all active cells is empty.

    Raises
    ------
    GridError
        When the grid has no corners.
    """
    points, corners = sphere.unit_vectors(lon, lat), grid.corners
    point, cell = BoxTree.over(*boxes_around(corners)).pairs(*boxes_at(points))
    held = grid.mask[cell] & _inside(points[point], corners[cell])
    found, first = np.unique(point[held], return_index=True)
    return _matrix((found, cell[held][first], np.ones(len(found))), len(points), grid)


def bilinear_cells(grid: Grid, lon: Array, lat: Array) -> sparse.csr_array:
    """Return bilinear weights of the four centres around each place, as `containing_cells` does.

    Raises
    ------
    GridError
        When the grid has no rows and columns.
    """
    if not len(lon):
        return _matrix((*_nothing(), np.zeros(0)), 0, grid)
    found = generate(grid, Grid.points(lon, lat), Scheme(Method.BILINEAR))
    return _matrix((found.row, found.col, found.value), len(lon), grid)


class SamplingOperator(LinearOperator):
    """``y = H c``: a field's cells, wherever they are, to values that all ranks hold.

    Forward gathers the field and every rank samples all of it; the adjoint needs no communication. Where
    a cell has several owners, the first one's copy is read.

    Parameters
    ----------
    rows
        H, shape ``(m, size)``, where size counts the extra elements of all cells of the grid, in C order.
    layout
        Owner of the cells.
    extra
        Lengths of the field's axes before its cells.

    Raises
    ------
    SpecError
        When H does not belong to the layout's grid.
    """

    columnwise = True

    def __init__(self, rows: sparse.csr_array, layout: Layout, extra: tuple[int, ...] = ()) -> None:
        size = prod(extra) * layout.n_global
        if rows.shape[1] != size:
            raise SpecError(f"H has {rows.shape[1]} columns for {size} cells", where="sampling")
        self.rows, self.layout, self.extra, self._columns = rows, layout, tuple(extra), rows.T.tocsr()
        self.domain, self.range = Distributed(layout, extra), Replicated(rows.shape[0])
        owner = layout.server[0][layout.owned]
        self._read = torch.from_numpy(owner == layout.comm.rank)
        self._whole = layout.is_serial and layout.n_local == layout.n_global
        self._picked = _picked(rows) if self._whole else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the samples, shape ``(..., m)``, on all ranks; collective on a distributed layout."""
        self.check(x, self.domain)
        if self._picked is not None:
            return x.detach().index_select(-1, self._picked)
        return _applied(self.rows, x if self._whole else self._gathered(x))

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return this rank's part of ``Hᵀ y``, shape ``(..., cell)``."""
        self.check(y, self.range)
        whole = _applied(self._columns, y)
        if self._whole:
            return whole
        cells = self.layout.scatter(whole.reshape(*y.shape[:-1], *self.extra, self.layout.n_global))
        return (cells * self._read).reshape(*y.shape[:-1], self.domain.size)

    def _gathered(self, x: torch.Tensor) -> torch.Tensor:
        whole = self.layout.gather(x.reshape(*x.shape[:-1], *self.extra, self.layout.n_local))
        return whole.reshape(*x.shape[:-1], self.rows.shape[1])


def _picked(rows: sparse.csr_array) -> torch.Tensor | None:
    """Return the one column of each row, where all rows have just one, of weight 1; else None."""
    if rows.nnz != rows.shape[0] or (np.diff(rows.indptr) != 1).any() or (rows.data != 1.0).any():
        return None
    return torch.from_numpy(rows.indices.astype(np.int64))


def _applied(matrix: sparse.csr_array, x: torch.Tensor) -> torch.Tensor:
    columns = x.detach().reshape(x.shape[:-1].numel(), x.shape[-1]).T.numpy()
    out = np.ascontiguousarray((matrix @ columns).T)
    return torch.from_numpy(out).reshape(*x.shape[:-1], matrix.shape[0])


def _nothing() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)


def _inside(points: Array, corners: Array) -> Flags:
    """Return whether points ``(k, 3)`` lie in counter-clockwise polygons ``(k, nv, 3)``, edges included."""
    following = np.roll(corners, -1, axis=1)
    side = sphere.dot(points[:, None], np.cross(corners, following - corners))
    near = sphere.dot(points, sphere.centroids(corners)) > 0
    return np.asarray((side >= -EDGE).all(axis=1) & near)


def _matrix(
    entries: tuple[NDArray[np.int64], NDArray[np.int64], Array], m: int, grid: Grid
) -> sparse.csr_array:
    row, col, value = entries
    return sparse.csr_array((value, (row, col)), shape=(m, grid.size))
