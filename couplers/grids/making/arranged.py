"""Cells that a file lists one after another, arranged as the grid that they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids.grid import Grid
from tradewind.errors import GridError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[np.float64]
    Pair: TypeAlias = tuple[Array, Array]


def arranged(
    shape: tuple[int, ...], centres: Pair, corners: Pair | None, mask: ArrayLike | None = None
) -> Grid:
    """Return the grid of cells listed flat: points, polygons, rows and columns, or two axes.

    Parameters
    ----------
    shape
        ``(ny, nx)``, or ``(n,)`` for cells in no order.
    centres, corners
        Longitudes and latitudes in degrees, ``(n,)`` and ``(n, nv)`` each; corners None where unknown.

    Raises
    ------
    GridError
        When the cells cannot be used.
    """
    if len(shape) == 2:
        return _structured(shape, centres, corners, mask)
    if corners is None:
        return Grid.points(*centres, mask=mask)
    lon, lat = corners
    faces = np.arange(lon.size).reshape(lon.shape)
    return Grid.mesh(lon.reshape(-1), lat.reshape(-1), faces, centres=centres, mask=mask)


def _structured(shape: tuple[int, ...], centres: Pair, corners: Pair | None, mask: ArrayLike | None) -> Grid:
    lon, lat = (c.reshape(shape) for c in centres)
    if corners is None:
        return Grid.curvilinear(lon, lat, mask=mask)
    x, y = (c.reshape(*shape, -1) for c in corners)
    return _rectilinear(lon, lat, (x, y), mask) or Grid.curvilinear(lon, lat, x, y, mask=mask)


def _rectilinear(lon: Array, lat: Array, corners: Pair, mask: ArrayLike | None) -> Grid | None:
    """Return a latitude-longitude grid if rows and columns follow the axes exactly, else None."""
    x, y = corners[0][0], corners[1][:, 0]
    if corners[0].shape[-1] != 4 or (lon != lon[:1]).any() or (lat != lat[:, :1]).any():
        return None
    sides = [np.stack([side.min(axis=-1), side.max(axis=-1)], axis=-1) for side in (y, x)]
    if any(np.ptp(side, axis=-1).min() == 0 for side in sides):
        return None
    try:
        grid = Grid.latlon(lat[:, 0], lon[0], lat_bounds=sides[0], lon_bounds=sides[1], mask=mask)
    except GridError:
        return None
    pairs = zip(grid.places.angles_of(slice(None)), corners, strict=True)
    return grid if all(_same_corners(a, b) for a, b in pairs) else None


def _same_corners(a: Array, b: Array) -> bool:
    return np.array_equal(np.sort(a, axis=-1), np.sort(b.reshape(a.shape), axis=-1))
