"""Which active cells surround a cell: those that share a corner with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.compiled import compiled
from tradewind.couplers.grids import topology
from tradewind.couplers.grids.places import blocks
from tradewind.couplers.regrid.weights.overlaps import rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]

STEPS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
"""Rows and columns from a cell to those around it."""


@dataclass(frozen=True, eq=False)
class Adjacency:
    """The active neighbours of the cells of a grid.

    On structured grids these are the cells of the rows and columns around, closed around the globe where
    the grid is periodic and open at the poles, as in ESMF; on meshes the cells that share a corner.
    """

    grid: Grid

    @cached_property
    def points(self) -> Array:
        """The mean corner of every cell, on the sphere, shape ``(size, 3)``.

        Rows and columns always have four corners, of which two may coincide at a pole and then count twice;
        a corner that a mesh repeats only fills up its list.
        """
        out, order = np.empty((self.grid.size, 3)), _along_rows(self.grid)
        for part in blocks(self.grid.size):
            corners = np.ascontiguousarray(rounding.corners(self.grid, part)[:, order])
            _put_means(corners, len(self.grid.shape) == 1, out[part])
        return out

    def around(self, cells: Index) -> tuple[Index, Index]:
        """Return where each cell's neighbours start, ``(n + 1,)``, and the neighbours, ascending."""
        if len(self.grid.shape) == 2:
            return self._structured(cells)
        starts, found = _sharing(self._node, *self._cells_of_nodes, self.grid.mask, cells)
        return starts, found

    def _structured(self, cells: Index) -> tuple[Index, Index]:
        (ny, nx), mask = self.grid.shape, self.grid.mask
        row, column = np.divmod(cells, nx)
        found = np.empty((len(cells), len(STEPS)), dtype=np.int64)
        for k, (up, right) in enumerate(STEPS):
            y, x = row + up, column + right
            x = x % nx if self.grid.periodic else x
            there = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
            place = np.where(there, y * nx + x, 0)
            found[:, k] = np.where(there & mask[place], place, -1)
        found.sort(axis=1)
        starts = np.concatenate([[0], np.cumsum((found >= 0).sum(axis=1))])
        return starts, found[found >= 0]

    @cached_property
    def _node(self) -> Index:
        return np.ascontiguousarray(topology.node_numbers(self.grid.corners).astype(np.int64))

    @cached_property
    def _cells_of_nodes(self) -> tuple[Index, Index]:
        flat = self._node.reshape(-1)
        order = np.argsort(flat, kind="stable")
        return np.searchsorted(flat[order], np.arange(flat.max() + 2)), order // self._node.shape[1]


def _along_rows(grid: Grid) -> list[int]:
    """Return corners in the order of nodes: this column, the next, there in the next row, back.

    It is the order in which ESMF adds them up.
    """
    order = list(range(grid.places.n_corners))
    if len(grid.shape) < 2 or len(order) != 4 or min(grid.shape) < 2:
        return order
    here, right, up = (grid.corners_of(np.array([cell])) for cell in (0, 1, grid.shape[1]))
    turned = ([(k + step * m) % 4 for m in order] for step in (1, -1) for k in order)
    return next((t for t in turned if _fits(here[0, t], right[0, t], up[0, t])), order)


def _fits(here: Array, right: Array, up: Array) -> bool:
    """Whether corners 0, 1, 2, 3 lie here, in the next column, there in the next row, back."""
    pairs = ((here[1], right[0]), (here[2], right[3]), (here[3], up[0]), (here[2], up[1]))
    return all(np.abs(a - b).max() < 1e-10 for a, b in pairs)


@compiled
def _put_means(corners: Array, once: bool, out: Array) -> None:
    """Put the mean corner of each cell into `out`; `once` leaves out corners that repeat the one before."""
    for i in range(len(corners)):
        n = 0
        for k in range(corners.shape[1]):
            if not (once and (corners[i, k] == corners[i, k - 1]).all()):
                out[i] = corners[i, k] if n == 0 else out[i] + corners[i, k]
                n += 1
        out[i] /= float(n)
        out[i] /= math.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2)


@compiled
def _sharing(node: Index, starts: Index, members: Index, mask: Flags, cells: Index) -> tuple[Index, Index]:
    """Where the active cells that share a node with each of `cells` start, and these, ascending."""
    starting = np.zeros(len(cells) + 1, dtype=np.int64)
    # the last of the cells that have met it; masked cells are never met
    met = np.where(mask, -1, len(mask))
    for i in range(len(cells)):
        starting[i + 1] = starting[i] + _meet(node, starts, members, met, cells[i], members[:0])
    found = np.empty(starting[-1], dtype=np.int64)
    met = np.where(mask, -1, len(mask))
    for i in range(len(cells)):
        part = found[starting[i] : starting[i + 1]]
        _meet(node, starts, members, met, cells[i], part)
        part.sort()
    return starting, found


@compiled
def _meet(node: Index, starts: Index, members: Index, met: Index, cell: int, out: Index) -> int:
    """Put the cells that share a node with `cell` into `out` where it has room; return how many they are."""
    n, masked = 0, len(met)
    for k in range(node.shape[1]):
        for m in range(starts[node[cell, k]], starts[node[cell, k] + 1]):
            other = members[m]
            if other != cell and met[other] != cell and met[other] != masked:
                met[other] = cell
                if len(out):
                    out[n] = other
                n += 1
    return n
