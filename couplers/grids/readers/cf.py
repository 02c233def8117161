"""Grids of CF datasets, read and written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.grids.grid import Grid, GridKind
from tradewind.errors import DataError, GridError

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

STERADIAN = {"sr", "steradian", "rad2", "radian2", "square radians"}


def from_file(path: Path) -> Grid:
    """Read the grid of a netCDF file.

    Raises
    ------
    DataError
        When there is no such file, or it is no netCDF.
    """
    import xarray as xr

    if not path.is_file():
        raise DataError("no such file", where=str(path))
    try:
        with xr.open_dataset(path, decode_times=False) as ds:
            return from_dataset(ds)
    except (OSError, ValueError) as error:
        if isinstance(error, GridError):
            raise GridError(error.what, where=f"{path}, {error.where}", hint=error.hint) from error
        raise DataError(f"cannot be read as netCDF: {error}", where=str(path)) from error


def from_dataset(ds: xr.Dataset) -> Grid:
    """Read a grid: by ``standard_name``, ``units`` and ``axis``, else by the usual names.

    Two dimensions make a rectilinear or curvilinear grid; longitudes and latitudes along one dimension
    make a mesh where they have bounds, else points. A variable ``mask`` (nonzero is active) and a
    ``cell_area`` in steradian on the same dimensions are taken along.

    Raises
    ------
    GridError
        When longitude or latitude is missing, ambiguous or unusable.
    """
    lon, lat = _coordinate(ds, "longitude"), _coordinate(ds, "latitude")
    if lon.dims != lat.dims and (lon.ndim, lat.ndim) == (1, 1):
        return _latlon(ds, lon, lat)
    if lon.dims != lat.dims:
        raise GridError(f"longitude has dimensions {lon.dims}, latitude {lat.dims}", where="dataset")
    return {1: _cells, 2: _curvilinear}.get(lon.ndim, _refuse)(ds, lon, lat)


def _latlon(ds: xr.Dataset, lon: xr.DataArray, lat: xr.DataArray) -> Grid:
    dims = (str(lat.dims[0]), str(lon.dims[0]))
    grid = Grid.latlon(
        _degrees(lat),
        _degrees(lon),
        lat_bounds=_bounds(ds, lat),
        lon_bounds=_bounds(ds, lon),
        **_extras(ds, dims),
    )
    return replace(grid, dims=dims)


def _curvilinear(ds: xr.Dataset, lon: xr.DataArray, lat: xr.DataArray) -> Grid:
    dims = (str(lon.dims[0]), str(lon.dims[1]))
    corners = (_bounds(ds, lon), _bounds(ds, lat))
    return replace(Grid.curvilinear(_degrees(lon), _degrees(lat), *corners, **_extras(ds, dims)), dims=dims)


def _cells(ds: xr.Dataset, lon: xr.DataArray, lat: xr.DataArray) -> Grid:
    dims = (str(lon.dims[0]),)
    x, y = _bounds(ds, lon), _bounds(ds, lat)
    if x is None or y is None or x.shape[-1] < 3:
        return replace(Grid.points(_degrees(lon), _degrees(lat), **_extras(ds, dims)), dims=dims)
    faces = np.arange(x.size).reshape(x.shape)
    centres = (_degrees(lon), _degrees(lat))
    grid = Grid.mesh(x.reshape(-1), y.reshape(-1), faces, centres=centres, **_extras(ds, dims))
    return replace(grid, dims=dims)


def _refuse(ds: xr.Dataset, lon: xr.DataArray, lat: xr.DataArray) -> Grid:
    raise GridError(f"coordinates with dimensions {lon.dims} make no grid", where="dataset")


def _coordinate(ds: xr.Dataset, name: str) -> xr.DataArray:
    import cf_xarray  # noqa: F401  (registers the accessor `.cf`)

    found = ds.cf.coordinates.get(name) or ds.cf.guess_coord_axis().cf.coordinates.get(name, [])
    if len(found) != 1:
        what = f"several {name}s ({', '.join(found)})" if found else f"no {name}"
        raise GridError(
            f"{what} among {', '.join(map(str, ds.variables))}",
            where="dataset",
            hint=f'give one variable standard_name "{name}", or select the one wanted',
        )
    chosen: xr.DataArray = ds[found[0]]
    return chosen


def _degrees(variable: xr.DataArray, units: str | None = None) -> Array:
    values = np.asarray(variable.values, dtype=np.float64)
    declared = str(variable.attrs.get("units", units or "degrees")).lower()
    return np.rad2deg(values) if declared.startswith("rad") else values


def _bounds(ds: xr.Dataset, variable: xr.DataArray) -> Array | None:
    name = variable.attrs.get("bounds") or variable.encoding.get("bounds")
    if name is None:
        return None
    if name not in ds.variables:
        raise GridError(f"bounds {name!r} are missing", where=f"variable {variable.name!r}")
    # CF: bounds have the units of their coordinate
    return _degrees(ds[name], variable.attrs.get("units"))


def _extras(ds: xr.Dataset, dims: tuple[str, ...]) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if "mask" in ds.variables and set(ds["mask"].dims) == set(dims):
        extras["mask"] = ds["mask"].transpose(*dims).values != 0
    for variable in ds.variables.values():
        if _is_area(variable.attrs) and set(variable.dims) == set(dims):
            extras["area"] = variable.transpose(*dims).values
    return extras


def _is_area(attributes: dict[Any, Any]) -> bool:
    # areas in m2 are left: they need the radius of a model's earth
    return attributes.get("standard_name") == "cell_area" and attributes.get("units") in STERADIAN


def to_dataset(grid: Grid) -> xr.Dataset:
    """Return coordinates, bounds, mask and given areas; `from_dataset` makes the same grid of it."""
    import xarray as xr

    variables = _axes(grid) if grid.kind is GridKind.LATLON else _auxiliary(grid)
    if not grid.mask.all():
        variables["mask"] = (
            grid.dims,
            grid.mask.reshape(grid.shape).astype(np.int8),
            {"long_name": "active cells"},
        )
    if grid.given_area is not None:
        attributes = {"standard_name": "cell_area", "units": "sr"}
        variables["cell_area"] = (grid.dims, grid.given_area.reshape(grid.shape), attributes)
    coordinates = {name: variables.pop(name) for name in _names(grid)}
    return xr.Dataset(variables, coordinates, {"Conventions": "CF-1.11"})


def _names(grid: Grid) -> tuple[str, str]:
    return (grid.dims[0], grid.dims[1]) if grid.kind is GridKind.LATLON else ("lat", "lon")


def _attributes(name: str, bounds: str) -> dict[str, str]:
    long = {"lat": "latitude", "lon": "longitude"}[name]
    units = {"lat": "degrees_north", "lon": "degrees_east"}[name]
    return {"standard_name": long, "units": units, **({"bounds": bounds} if bounds else {})}


def _axes(grid: Grid) -> dict[str, Any]:
    (y, x), (ny, nx) = _names(grid), grid.shape
    corners = {"lat": grid.lat_corners, "lon": grid.lon_corners}
    every = {"lat": slice(0, ny * nx, nx), "lon": slice(0, nx)}
    out: dict[str, Any] = {}
    for name, dim, centre in (("lat", y, grid.lat), ("lon", x, grid.lon)):
        out[dim] = ((dim,), centre[every[name]], _attributes(name, f"{dim}_bnds"))
        sides = np.asarray(corners[name])[every[name]]
        out[f"{dim}_bnds"] = ((dim, "bnds"), np.stack([sides.min(axis=1), sides.max(axis=1)], axis=1))
    return out


def _auxiliary(grid: Grid) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, centre, corner in (("lat", grid.lat, grid.lat_corners), ("lon", grid.lon, grid.lon_corners)):
        bounds = "" if corner is None else f"{name}_bnds"
        out[name] = (grid.dims, centre.reshape(grid.shape), _attributes(name, bounds))
        if corner is not None:
            out[bounds] = ((*grid.dims, "nv"), corner.reshape(*grid.shape, -1))
    return out
