"""Regions given cell by cell: integer maps and masks in netCDF files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tradewind.couplers.grids.places import GridKind
from tradewind.errors import DataError, GridError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from tradewind.couplers.grids.grid import Grid

    Array: TypeAlias = NDArray[np.float64]
    Labels: TypeAlias = NDArray[np.int64]

REGION, MASK = "region", "mask"
SAME = 1e-4
"""Degrees by which centres of one grid may differ between files: single precision."""


def labels(path: Path, grid: Grid) -> tuple[Labels, tuple[str, ...]]:
    """Return the region of every cell, ``(size,)``, -1 for none, and the regions' names.

    Names are those of CF's ``flag_values`` and ``flag_meanings``, else ``region 3`` of the value 3; of a mask
    with one value, its own. A value that stands nowhere in the file has no region.

    Raises
    ------
    DataError
        A file that is no netCDF, holds no such variable, fractions, or cells that are not the grid's.
    """
    with _opened(path) as ds:
        field = _variable(ds, str(path))
        values = _whole(field, str(path))
        own = _own_grid(ds, field, str(path))
        flags = dict(zip(*_flags(field), strict=False))
    least = 0 if field.name == REGION else 1
    found = np.unique(values[values >= least])
    picked = _on(values.reshape(-1), own, grid, str(path))
    out = np.where(picked >= least, np.searchsorted(found, picked), -1)
    return out.astype(np.int64), tuple(_names(found, flags, str(field.name)))


def _opened(path: Path) -> xr.Dataset:
    import xarray as xr

    try:
        return xr.open_dataset(path, decode_times=False)
    except (OSError, ValueError, RuntimeError) as error:
        hint = "netCDF, GeoJSON (.geojson) or a shapefile (.shp)"
        raise DataError(f"regions cannot be read: {error}", where=str(path), hint=hint) from error


def _variable(ds: xr.Dataset, where: str) -> xr.DataArray:
    """Return the variable of the regions."""
    named = [name for name in (REGION, MASK) if name in ds.data_vars]
    known = [str(v) for v in ds.data_vars if "bnds" not in str(v) and "bounds" not in str(v) and ds[v].ndim]
    wanted = named or known
    if (len(wanted) > 1 and not named) or not wanted:
        hint = f"it holds {', '.join(known[:8]) or 'none'}"
        raise DataError(f"no variable {REGION!r} or {MASK!r}", where=where, hint=hint)
    return ds[wanted[0]].load()


def _whole(field: xr.DataArray, where: str) -> Labels:
    """Return the values as integers; what is missing is -1."""
    values = np.asarray(field.values)
    if values.dtype.kind not in "biuf":
        raise DataError(f"{field.name} is {values.dtype}", where=where, hint="give integers")
    filled = np.where(np.isnan(values), -1, values) if values.dtype.kind == "f" else values
    out = filled.astype(np.int64)
    if (out != filled).any():
        odd = filled[out != filled].flat[0]
        raise DataError(f"{field.name} holds {odd:g}", where=where, hint="labels are whole numbers")
    return out


def _own_grid(ds: xr.Dataset, field: xr.DataArray, where: str) -> Grid | None:
    """Return the grid of the file; None where it has no coordinates."""
    from tradewind.couplers.grids.grid import Grid

    if not any(name in ds.variables for name in map(str, field.dims)) and not field.coords:
        return None
    try:
        return Grid.from_dataset(ds, name=str(field.name), mask=np.ones(field.shape, dtype=bool))
    except GridError as error:
        raise DataError(f"no grid is found: {error.what}", where=where, hint=error.hint) from error


def _on(values: Labels, own: Grid | None, grid: Grid, where: str) -> Labels:
    """Return the value at every cell of the grid, -1 outside of the map."""
    if len(values) == grid.size and (own is None or _same(own, grid)):
        return values
    if own is None:
        raise DataError(f"{len(values)} labels for {grid.size} cells", where=where, hint="add coordinates")
    if own.kind is not GridKind.LATLON:
        hint = "give the map on the field's grid, or on latitudes and longitudes"
        raise DataError(f"the map is on a {own}, the field on a {grid}", where=where, hint=hint)
    row, column = (_holding(*axis) for axis in _axes(own, grid))
    held = (row >= 0) & (column >= 0)
    return np.where(held, values.reshape(own.shape)[row, column], -1)


def _same(own: Grid, grid: Grid) -> bool:
    apart = (own.lon - grid.lon + 180.0) % 360.0 - 180.0
    return bool((np.abs(apart) < SAME).all() and (np.abs(own.lat - grid.lat) < SAME).all())


def _axes(own: Grid, grid: Grid) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return the edges of the map's rows and the latitudes wanted; the same of columns."""
    lon, lat = own.lon_corners, own.lat_corners
    if lon is None or lat is None:
        raise DataError("the map has no cells", where="regions")
    ny, nx = own.shape
    south, north = (f(lat, axis=1).reshape(ny, nx)[:, 0] for f in (np.min, np.max))
    west, east = (f(lon, axis=1).reshape(ny, nx)[0] for f in (np.min, np.max))
    begin = west.min()
    turned = begin + (grid.lon - begin) % 360.0
    return (np.stack([south, north]), grid.lat), (np.stack([west, east]), turned)


def _holding(edges: Array, at: Array) -> Labels:
    """Return which interval ``(2, n)`` holds each place, -1 for none; edges belong to the upper one."""
    order = np.argsort(edges[0], kind="stable")
    low, high = edges[:, order]
    which = np.clip(np.searchsorted(low, at, side="right") - 1, 0, None)
    held = (at >= low[which]) & (at <= high[which])
    return np.where(held, order[which], -1)


def _flags(field: xr.DataArray) -> tuple[list[int], list[str]]:
    values = np.atleast_1d(field.attrs.get("flag_values", [])).tolist()
    return [int(v) for v in values], str(field.attrs.get("flag_meanings", "")).split()


def _names(found: Labels, flags: dict[int, str], name: str) -> list[str]:
    alone = name if len(found) == 1 and name != REGION else None
    return [flags.get(int(value), alone or f"region {value}") for value in found]
