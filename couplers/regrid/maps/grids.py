"""The two grids of a weight file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids.grid import Grid
from tradewind.couplers.grids.making.arranged import arranged
from tradewind.couplers.regrid.maps import netcdf
from tradewind.couplers.regrid.maps.layouts import GridNames
from tradewind.errors import DataError

if TYPE_CHECKING:
    from netCDF4 import Dataset
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]
    Pair: TypeAlias = tuple[Array, Array]


def read(ds: Dataset, names: GridNames) -> Grid:
    """Return a grid, as rows and columns where it has two dimensions.

    Areas of the file are taken where they are not those of the polygons.

    Raises
    ------
    DataError
        When variables are missing or do not fit together.
    GridError
        When the grid cannot be used.
    """
    centres = netcdf.degrees(ds, names.lon).reshape(-1), netcdf.degrees(ds, names.lat).reshape(-1)
    shape = _shape(ds, names, len(centres[0]))
    mask = None
    if names.mask in ds.variables:
        mask = netcdf.values(ds, names.mask).reshape(-1) != 0
    grid = arranged(shape, centres, _corners(ds, names), mask)
    return _with_areas(grid, ds, names)


def _shape(ds: Dataset, names: GridNames, size: int) -> tuple[int, ...]:
    if names.dims not in ds.variables:
        return (size,)
    shape = tuple(int(n) for n in netcdf.values(ds, names.dims).reshape(-1)[::-1])
    if int(np.prod(shape)) != size:
        what = f"{names.dims} names {shape[::-1]} cells, {names.lon} has {size}"
        raise DataError(what, where=ds.filepath())
    # one row or one column of cells in "two" dimensions is how some tools write meshes
    return (size,) if len(shape) != 2 or 1 in shape else shape


def _corners(ds: Dataset, names: GridNames) -> Pair | None:
    if names.lon_corners not in ds.variables:
        return None
    return netcdf.degrees(ds, names.lon_corners), netcdf.degrees(ds, names.lat_corners)


def _with_areas(grid: Grid, ds: Dataset, names: GridNames) -> Grid:
    if names.area not in ds.variables:
        return grid
    area = netcdf.floats(ds, names.area).reshape(-1)
    # other methods than conservative write zeros
    if area.shape != (grid.size,) or not (area[grid.mask] > 0).all():
        return grid
    if grid.has_corners and np.allclose(area, grid.polygon_area, rtol=1e-9, atol=1e-18):
        return grid
    return replace(grid, given_area=area, area_note=f"{names.area} of the weight file")


def write(ds: Dataset, grid: Grid, names: GridNames) -> None:
    """Write a grid: degrees, steradian, the longitude-like dimension first in ``*_grid_dims``."""
    ds.createDimension(names.size, grid.size)
    ds.createDimension(names.rank, len(grid.shape))
    netcdf.put(ds, names.dims, (names.rank,), np.array(grid.shape[::-1], dtype=np.int32))
    netcdf.put(ds, names.lon, (names.size,), grid.lon, "degrees")
    netcdf.put(ds, names.lat, (names.size,), grid.lat, "degrees")
    netcdf.put(ds, names.mask, (names.size,), grid.mask.astype(np.int32), "unitless")
    known = grid.given_area is not None or grid.has_corners
    netcdf.put(ds, names.area, (names.size,), grid.area if known else np.zeros(grid.size), "square radians")
    if grid.has_corners:
        dims = (names.size, names.corners)
        ds.createDimension(names.corners, grid.places.n_corners)
        for name, corner in zip(
            (names.lon_corners, names.lat_corners), grid.places.angles_of(slice(None)), strict=True
        ):
            netcdf.put(ds, name, dims, corner, "degrees")
