"""Grids of SCRIP's grid files: cells listed one by one, with or without two dimensions.

Looked for: ``grid_center_lon``, ``grid_center_lat``; and, if there, ``grid_corner_lon``, ``grid_corner_lat``,
``grid_dims`` (the longitude-like dimension first), ``grid_imask`` (0 is inactive), ``grid_area``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids.making.arranged import arranged
from tradewind.couplers.grids.readers.wanted import Wanted, degrees, mask_of, missing, with_areas
from tradewind.errors import GridError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from tradewind.couplers.grids.grid import Grid

    Array: TypeAlias = NDArray[np.float64]

CENTRES = {"grid_center_lon", "grid_center_lat"}


def from_dataset(ds: xr.Dataset, wanted: Wanted) -> Grid:
    """Return the grid of a SCRIP dataset, angles in the units that each variable declares.

    Raises
    ------
    GridError
        Variables that do not fit together, or cells that cannot be used.
    """
    lon, lat = ds["grid_center_lon"], ds["grid_center_lat"]
    shape = _shape(ds, lon.size)
    centres = degrees(lon).reshape(-1), degrees(lat).reshape(-1)
    mask = mask_of(ds, tuple(map(str, lon.dims)), wanted, "grid_imask")
    grid = arranged(shape, centres, _corners(ds), mask)
    if lon.ndim == grid.lon.ndim == len(shape):
        grid = replace(grid, dims=tuple(map(str, lon.dims)))
    return with_areas(grid, ds.get("grid_area"), ds, wanted)


def _shape(ds: xr.Dataset, size: int) -> tuple[int, ...]:
    # some models leave grid_dims empty for cells in no order
    dims = np.asarray(ds["grid_dims"].values).reshape(-1) if "grid_dims" in ds.variables else np.array([])
    if len(dims) < 2 or not np.isfinite(dims).all() or 1 in dims:
        return (size,)
    shape = tuple(int(n) for n in dims[::-1])
    if len(shape) != 2 or int(np.prod(shape)) != size:
        raise GridError(f"grid_dims {shape[::-1]} do not make {size} cells", where="SCRIP grid")
    return shape


def _corners(ds: xr.Dataset) -> tuple[Array, Array] | None:
    if "grid_corner_lon" not in ds.variables:
        return None
    lon, lat = degrees(ds["grid_corner_lon"]), degrees(missing(ds, "grid_corner_lat", "SCRIP grid"))
    return lon.reshape(-1, lon.shape[-1]), lat.reshape(-1, lat.shape[-1])
