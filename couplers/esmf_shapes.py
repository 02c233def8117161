"""A grid's cells in the terms of ESMF: nodes between structured cells, and each rank's share of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids import topology

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tradewind.couplers.grids import Grid

    Index: TypeAlias = NDArray[np.int64]
    Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """Which of all ranks gives a share of the cells; ESMF calls a rank a PET."""

    rank: int = 0
    size: int = 1

    def cells(self, n: int) -> Index:
        """Return the indices of the contiguous block of `n` cells that this rank gives."""
        return np.arange(self.rank * n // self.size, (self.rank + 1) * n // self.size)

    def owner(self, n: int) -> Index:
        """Return the rank that gives each of `n` cells."""
        starts = np.arange(1, self.size) * n // self.size
        return np.searchsorted(starts, np.arange(n), side="right")


def node_coordinates(grid: Grid) -> tuple[Array, Array] | None:
    """Return longitudes and latitudes of the nodes between the cells of a structured grid.

    Shape ``(ny + 1, nx + 1)``, or ``(ny + 1, nx)`` where the last column closes on the first. None where
    neighbouring cells do not share corners in any regular way.
    """
    if grid.lon_corners is None or grid.lat_corners is None or grid.lon_corners.shape[1] != 4:
        return None
    around = np.arange(4)
    turns = [np.roll(order, k) for order in (around, around[::-1]) for k in range(4)]
    vectors = grid.corners.reshape(*grid.shape, 4, 3)
    fitting = next((t for t in turns if _meet(vectors[:, :, t])), None)
    if fitting is None:
        return None
    corners = (c[:, fitting].reshape(*grid.shape, 4) for c in (grid.lon_corners, grid.lat_corners))
    lon, lat = (_nodes(c) for c in corners)
    return (lon[:, :-1], lat[:, :-1]) if grid.periodic else (lon, lat)


def _meet(corners: Array) -> bool:
    """Return whether corners 0..3 stand low-left, low-right, up-right, up-left of rows and columns."""
    right = np.allclose(corners[:, :-1, [1, 2]], corners[:, 1:, [0, 3]], rtol=0, atol=1e-10)
    return right and np.allclose(corners[:-1, :, [3, 2]], corners[1:, :, [0, 1]], rtol=0, atol=1e-10)


def _nodes(corners: Array) -> Array:
    low = np.concatenate([corners[:, :, 0], corners[:, -1:, 1]], axis=1)
    top = np.concatenate([corners[-1:, :, 3], corners[-1:, -1:, 2]], axis=1)
    return np.concatenate([low, top], axis=0)


@dataclass(frozen=True, eq=False)
class MeshShare:
    """The elements of a mesh that one rank gives, and the nodes that they need.

    Attributes
    ----------
    cells
        Global indices from 0 of the elements, shape ``(n,)``.
    nodes
        Global numbers from 0 of the nodes, sorted, shape ``(m,)``.
    lon_lat
        Their coordinates in degrees, shape ``(m, 2)``.
    owners
        The rank that owns each node: the first whose elements touch it.
    corners
        Number of corners of each element, shape ``(n,)``.
    connections
        Places in `nodes` of all elements' corners, one element after the other.
    """

    cells: Index
    nodes: Index
    lon_lat: Array
    owners: Index
    corners: Index
    connections: Index


def mesh_share(grid: Grid, share: Share) -> MeshShare:
    """Return one rank's share of the polygons of `grid`; neighbouring polygons have nodes in common.

    Cells of which fewer than three nodes are left when close corners are joined are left out: they have no
    area, and ESMF stops on the one rank that has them, while the others wait for it.
    """
    number = topology.node_numbers(grid.corners)
    _, first = np.unique(number, return_index=True)
    lon, lat = (np.asarray(c).reshape(-1)[first] for c in (grid.lon_corners, grid.lat_corners))
    # a corner that repeats the one before it is the padding of a cell with fewer corners
    fresh = number != np.roll(number, 1, axis=1)
    whole = fresh.sum(axis=1) >= 3
    cells = share.cells(grid.size)
    cells = cells[whole[cells]]
    mine, fresh = number[cells], fresh[cells]
    nodes, places = np.unique(mine[fresh], return_inverse=True)
    lon_lat = np.stack([lon[nodes], lat[nodes]], axis=1)
    return MeshShare(cells, nodes, lon_lat, _owners(number, whole, share)[nodes], fresh.sum(axis=1), places)


def _owners(number: Index, whole: NDArray[np.bool_], share: Share) -> Index:
    """Return the first rank whose cells touch each node; no rank's for nodes of no `whole` cell."""
    out = np.full(int(number.max()) + 1, share.size)
    np.minimum.at(out, number[whole], share.owner(len(number))[whole, None])
    return out
