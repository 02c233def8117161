"""Grids of CF datasets, read and written.

Looked for: longitude and latitude by ``standard_name``, ``units`` or ``axis``, else by the usual names; their
``bounds``; a rotated pole (``grid_mapping_name``, ``grid_longitude``, ``grid_latitude``); ``mask`` (0 is
inactive); ``cell_area``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tradewind.couplers.grids.grid import Grid, GridKind
from tradewind.couplers.grids.readers import rotated
from tradewind.couplers.grids.readers.wanted import Wanted, degrees, mask_of, with_areas
from tradewind.errors import GridError, did_you_mean

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[np.float64]

LOOKED_FOR = (
    "UGRID (cf_role mesh_topology), SCRIP (grid_center_lon), ESMF mesh (nodeCoords), "
    "GRIDSPEC (x, y at nyp, nxp)"
)

USUAL = {"lon", "lat", "longitude", "latitude"} | {
    f"degree{s}_{d}" for s in ("", "s") for d in ("east", "north", "E", "N")
}
MANY = 12


def from_dataset(ds: xr.Dataset, wanted: Wanted) -> Grid:
    """Return the grid of a CF dataset, or of one of its variables.

    Two dimensions make a rectilinear or curvilinear grid; longitudes and latitudes along one dimension
    make a mesh where they have bounds, else points.

    Raises
    ------
    GridError
        When longitude or latitude is missing, ambiguous or unusable.
    """
    allowed = _allowed(ds, wanted)
    about = rotated.mapping(ds)
    if about is not None and not _candidates(ds, "longitude", allowed):
        return _rotated(ds, about, wanted)
    lon, lat = _coordinate(ds, "longitude", allowed), _coordinate(ds, "latitude", allowed)
    if lon.dims != lat.dims and (lon.ndim, lat.ndim) == (1, 1):
        return _latlon(ds, lon, lat, wanted)
    if lon.dims != lat.dims:
        raise GridError(f"longitude has dimensions {lon.dims}, latitude {lat.dims}", where="dataset")
    return {1: _cells, 2: _curvilinear}.get(lon.ndim, _refuse)(ds, lon, lat, wanted)


def _allowed(ds: xr.Dataset, wanted: Wanted) -> list[set[str]]:
    """Return which coordinates may be meant, the likeliest first, where a variable is asked for."""
    if wanted.name is None:
        return [set(map(str, ds.variables))]
    if wanted.name not in ds.variables:
        hint = did_you_mean(wanted.name, map(str, ds.variables))
        raise GridError(f"no variable {wanted.name!r}", where="dataset", hint=hint)
    chosen = ds[wanted.name]
    listed = str(chosen.encoding.get("coordinates") or chosen.attrs.get("coordinates") or "").split()
    fitting = {str(n) for n, v in ds.variables.items() if v.dims and set(v.dims) <= set(chosen.dims)}
    return [set(map(str, chosen.dims)), fitting & set(listed), fitting]


def _rotated(ds: xr.Dataset, about: xr.DataArray, wanted: Wanted) -> Grid:
    centres, nodes = rotated.places(ds, about)
    y, x = rotated.axis(ds, "grid_latitude"), rotated.axis(ds, "grid_longitude")
    dims = (str(y.dims[0]), str(x.dims[0])) if y is not None and x is not None else ("y", "x")
    grid = Grid.curvilinear(*centres, *nodes, mask=mask_of(ds, dims, wanted))
    return _finished(grid, ds, dims, wanted)


def _latlon(ds: xr.Dataset, lon: xr.DataArray, lat: xr.DataArray, wanted: Wanted) -> Grid:
    dims = (str(lat.dims[0]), str(lon.dims[0]))
    grid = Grid.latlon(
        degrees(lat),
        degrees(lon),
        lat_bounds=_bounds(ds, lat),
        lon_bounds=_bounds(ds, lon),
        mask=mask_of(ds, dims, wanted),
    )
    return _finished(grid, ds, dims, wanted)


def _curvilinear(ds: xr.Dataset, lon: xr.DataArray, lat: xr.DataArray, wanted: Wanted) -> Grid:
    dims = (str(lon.dims[0]), str(lon.dims[1]))
    x, y = degrees(lon), degrees(lat)
    corners = (_bounds(ds, lon), _bounds(ds, lat))
    if corners[0] is None and corners[1] is None:
        corners = _rotated_corners(ds, (x, y))
    return _finished(Grid.curvilinear(x, y, *corners, mask=mask_of(ds, dims, wanted)), ds, dims, wanted)


def _rotated_corners(ds: xr.Dataset, centres: tuple[Array, Array]) -> tuple[Array | None, Array | None]:
    """Return nodes by the rotated pole if the centres of the file are indeed those of its axes."""
    about = rotated.mapping(ds)
    if about is None:
        return None, None
    (x, y), nodes = rotated.places(ds, about)
    if x.shape != centres[0].shape:
        return None, None
    step = np.abs(np.diff(y, axis=0)).max() if len(y) > 1 else 1.0
    away = (np.abs((x - centres[0] + 180.0) % 360.0 - 180.0) * np.cos(np.deg2rad(y)), np.abs(y - centres[1]))
    return nodes if max(away[0].max(), away[1].max()) < 0.05 * step else (None, None)


def _cells(ds: xr.Dataset, lon: xr.DataArray, lat: xr.DataArray, wanted: Wanted) -> Grid:
    dims = (str(lon.dims[0]),)
    x, y = _bounds(ds, lon), _bounds(ds, lat)
    centres, mask = (degrees(lon), degrees(lat)), mask_of(ds, dims, wanted)
    if x is None or y is None or x.shape[-1] < 3:
        return _finished(Grid.points(*centres, mask=mask), ds, dims, wanted)
    grid = Grid.polygons(x, y, centres=centres, mask=mask)
    return _finished(grid, ds, dims, wanted)


def _finished(grid: Grid, ds: xr.Dataset, dims: tuple[str, ...], wanted: Wanted) -> Grid:
    return with_areas(replace(grid, dims=dims), _area(ds, dims), ds, wanted)


def _refuse(ds: xr.Dataset, lon: xr.DataArray, lat: xr.DataArray, wanted: Wanted) -> Grid:
    raise GridError(f"coordinates with dimensions {lon.dims} make no grid", where="dataset")


def _candidates(ds: xr.Dataset, name: str, allowed: list[set[str]]) -> list[str]:
    import cf_xarray  # noqa: F401  (registers the accessor `.cf`)

    # many files have their longitudes among their data
    angles = [n for n, v in ds.data_vars.items() if _is_angle(str(n), v.attrs)]
    for where in (ds, ds.set_coords(angles)):
        found = where.cf.coordinates.get(name) or where.cf.guess_coord_axis().cf.coordinates.get(name, [])
        kept = next(filter(None, ([n for n in found if n in those] for those in allowed)), [])
        if kept:
            break
    return kept


def _is_angle(name: str, about: dict[str, Any]) -> bool:
    return bool(USUAL & {name.lower(), about.get("standard_name"), about.get("units")})


def _coordinate(ds: xr.Dataset, name: str, allowed: list[set[str]]) -> xr.DataArray:
    found = _candidates(ds, name, allowed)
    if not found:
        what = f"no {name} among {_some(ds)}"
        hint = f'give one variable standard_name "{name}"; looked for {LOOKED_FOR} as well'
        raise GridError(what, where="dataset", hint=hint)
    if len(found) > 1:
        what = f"several {name}s ({', '.join(found)}) among {_some(ds)}"
        raise GridError(what, where="dataset", hint="name=... a variable on the grid that you want")
    chosen: xr.DataArray = ds[found[0]]
    wrong = {"longitude": "north", "latitude": "east"}[name]
    if wrong in str(chosen.attrs.get("units", "")):
        what = f"{name} has units {chosen.attrs['units']!r}"
        raise GridError(what, where=f"variable {found[0]!r}", hint="are longitude and latitude swapped?")
    return chosen


def _some(ds: xr.Dataset) -> str:
    names = sorted(map(str, ds.variables))
    return ", ".join(names[:MANY]) + (f" and {len(names) - MANY} more" if len(names) > MANY else "")


def _bounds(ds: xr.Dataset, variable: xr.DataArray) -> Array | None:
    name = variable.attrs.get("bounds") or variable.encoding.get("bounds")
    if name is None:
        return None
    if name not in ds.variables:
        raise GridError(f"bounds {name!r} are missing", where=f"variable {variable.name!r}")
    # CF: bounds have the units of their coordinate
    return degrees(ds[name], variable.attrs.get("units"))


def _area(ds: xr.Dataset, dims: tuple[str, ...]) -> xr.DataArray | None:
    for name, variable in ds.variables.items():
        if variable.attrs.get("standard_name") == "cell_area" and set(variable.dims) == set(dims):
            return ds[name].transpose(*dims)
    return None


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
        attributes = {"standard_name": "cell_area", "units": "sr", "comment": grid.area_note}
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
    row, column = np.arange(0, ny * nx, nx), np.arange(nx)
    out: dict[str, Any] = {}
    for number, name, dim, cells in ((1, "lat", y, row), (0, "lon", x, column)):
        centre = (grid.lon, grid.lat)[number][cells]
        out[dim] = ((dim,), centre, _attributes(name, f"{dim}_bnds"))
        sides = grid.places.angles_of(cells)[number]
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
